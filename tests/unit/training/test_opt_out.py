"""The hazard of an opt-out: individual where recent pressure really drives it, the channel's rate where it does not."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from training.calibration import sigmoid
from training.models import LinearModel
from training.opt_out import OTHERS, PRESSURE, PRIOR_ROWS, fit_logistic, fit_rates, split_rows, train

COUNT = 60_000


def contacts(pull: float, base: float = -4.5, count: int = COUNT) -> pd.DataFrame:
    """Contacts on two channels over half a year; the log-odds of an opt-out rise by `pull` per unit of fatigue, and are 1 higher by sms."""
    rng = np.random.default_rng(11)
    fatigue, sms = rng.gamma(1.0, 1.0, count), rng.random(count) < 0.3
    chance = sigmoid(base + pull * fatigue + sms)
    frame = {name: rng.gamma(1.0, 1.0, count) for name in (*PRESSURE, *OTHERS)} | {"fatigue": fatigue}
    start = datetime(2017, 1, 1, tzinfo=UTC)
    return pd.DataFrame(
        frame
        | {
            "customer_id": [f"c{number}" for number in rng.integers(0, 8000, count)],
            "channel": np.where(sms, "sms", "email"),
            "arm": "random",
            "opted_out": (rng.random(count) < chance).astype(float),
            "event_timestamp": pd.to_datetime(start) + pd.to_timedelta(np.sort(rng.random(count)) * 180, unit="D"),
        }
    )


def test_pressure_that_drives_opt_outs_is_found_and_used():
    found = train(contacts(pull=0.8))
    assert found.best.model.kind in ("tree", "linear")
    assert "it is used" in found.notes[-1]
    rates = next(trial for trial in found.trials if trial.model.kind == "rates")
    assert found.best.test["log_loss"] < rates.test["log_loss"]
    assert found.best.test["auc"] > rates.test["auc"]
    assert set(found.best.parts) == {"email", "sms"}


def test_without_such_a_difference_the_rates_of_the_channels_stay():
    found = train(contacts(pull=0.0))
    assert found.best.model.kind == "rates"
    assert "stays in use" in found.notes[-1]
    assert found.best.model.features == ("channel=email", "channel=sms")


@pytest.mark.parametrize("pull", [0.8, -0.8])
def test_more_pressure_never_makes_an_opt_out_less_likely(pull: float):
    found = train(contacts(pull=pull, base=-4.0))
    for model in (trial.model for trial in found.trials if trial.model.kind != "rates"):
        for name in PRESSURE:
            ladder = np.tile(np.array([1.0, 0.0, *np.ones(len(PRESSURE) + len(OTHERS))]), (30, 1))
            ladder[:, model.features.index(name)] = np.linspace(0, 8, 30)
            assert (np.diff(model.margins(ladder)) >= -1e-12).all()


def test_with_a_handful_of_opt_outs_no_model_is_fitted():
    rows = contacts(pull=0.0)
    rows.loc[rows.index[rows["opted_out"] == 1][5:], "opted_out"] = 0.0
    found = train(rows)
    assert [trial.model.kind for trial in found.trials] == ["rates"]
    assert "Too few events" in found.notes[-1]


def test_rates_are_shrunk_toward_that_of_all_channels():
    data = split_rows(contacts(pull=0.0)).train
    rates = fit_rates(data)
    flags = data.columns(rates.features)
    overall = data.labels.mean()
    for place in range(2):
        own = flags[:, place] == 1
        expected = (data.labels[own].sum() + PRIOR_ROWS * overall) / (own.sum() + PRIOR_ROWS)
        assert rates.predict(np.eye(2)[[place]])[0] == pytest.approx(expected)


def test_the_logistic_starts_from_the_rates_and_finds_what_moves_them():
    data = split_rows(contacts(pull=0.8)).train
    model = fit_logistic(data, fit_rates(data))
    assert isinstance(model, LinearModel)
    weights = dict(zip(model.features, model.coefficients.weight, strict=True))
    assert weights["fatigue"] > 0.3
    assert all(abs(weights[name]) < 0.15 for name in OTHERS)
    assert model.predict(data.rows).mean() == pytest.approx(data.labels.mean(), rel=0.02)
