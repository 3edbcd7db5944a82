"""From a file to probabilities: honest about what is too little, refused where a leak is planted, the same every time."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from arbitration.errors import DirigentError, StateError, TableError
from tests.unit.training.simulated_purchases import ACTIVE, CUTOFF, HORIZON, simulated_purchases, written
from training.lapse_risk.features import NAMES, features_at
from training.lapse_risk.run import Forecast, forecast, question_of
from training.lapse_risk.suspicion import LeakError

QUESTION = question_of(CUTOFF, ACTIVE, HORIZON)


def quiet(_text: str) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    return simulated_purchases()


@pytest.fixture(scope="module")
def found(shop, tmp_path_factory) -> Forecast:
    return forecast(written(shop, tmp_path_factory.mktemp("shop")), QUESTION, quiet)


def warnings_of(result: Forecast) -> set[str]:
    return {warning["name"] for warning in result.report["warnings"]}


def test_every_active_customer_has_one_probability_and_nobody_else(shop, found):
    cutoff = pd.Timestamp(CUTOFF, tz="UTC")
    inside = (shop["occurred_at"] < cutoff) & (shop["occurred_at"] >= cutoff - pd.Timedelta(days=ACTIVE))
    assert found.table["customer_id"].tolist() == sorted(shop[inside]["customer_id"].unique())
    assert found.table.columns.tolist() == ["customer_id", "probability"]
    assert found.table["probability"].between(0, 1, inclusive="neither").all()


def test_the_forecast_ranks_what_then_happens(shop, found):
    cutoff = pd.Timestamp(CUTOFF, tz="UTC")
    later = shop[(shop["occurred_at"] >= cutoff) & (shop["occurred_at"] < cutoff + pd.Timedelta(days=HORIZON))]
    away = ~found.table["customer_id"].isin(later["customer_id"])
    p = found.table["probability"]
    assert p[away].mean() > p[~away].mean() + 0.1
    assert p.sum() == pytest.approx(away.sum(), rel=0.25)


def test_the_report_holds_the_back_test_and_its_references(found):
    back_test = found.report["back_test"]
    assert back_test["judged_until"] == CUTOFF
    assert all(day <= back_test["cutoff"] for day in back_test["trained_at"])
    assert back_test["measures"].keys() == {"blend", "trees", "logistic", "bg_nbd", "training_rate"}
    wanted = {
        "auc",
        "average_precision",
        "log_loss",
        "calibration_error",
        "count_bias",
        "count_bias_of_buyers",
        "top_decile_lift",
    }
    assert back_test["measures"]["blend"].keys() == wanted
    assert back_test["measures"]["blend"]["log_loss"] < back_test["measures"]["training_rate"]["log_loss"]
    assert "events_after_cutoff" in warnings_of(found)
    json.dumps(found.report, allow_nan=False)


def test_the_same_rows_in_another_order_give_the_same_bytes_of_numbers(shop, found, tmp_path):
    again = forecast(written(shop.sample(frac=1.0, random_state=2), tmp_path), QUESTION, quiet)
    pd.testing.assert_frame_equal(again.table, found.table, check_exact=True)
    assert again.report == found.report


def test_what_happens_after_the_cutoff_changes_nothing(shop, found, tmp_path):
    past = forecast(written(shop[shop["occurred_at"] < pd.Timestamp(CUTOFF, tz="UTC")], tmp_path), QUESTION, quiet)
    pd.testing.assert_frame_equal(past.table, found.table, check_exact=True)


def test_a_planted_feature_that_looks_ahead_is_refused(shop, tmp_path):
    def peeking(events, moment, active, horizon):
        customers, rows = features_at(events, moment, active, horizon)
        coming = np.bincount(events.who[events.when >= moment], minlength=len(events.customers))
        rows[:, NAMES.index("trend")] = coming[customers]
        return customers, rows

    with pytest.raises(LeakError, match="nothing was trained"):
        forecast(written(shop, tmp_path), QUESTION, quiet, peeking)


def test_a_planted_date_column_that_leaks_is_refused(shop, tmp_path):
    last = shop.groupby("customer_id")["occurred_at"].transform("max")
    with pytest.raises(TableError, match="column last_seen_at: leaks"):
        forecast(written(shop.assign(last_seen_at=last), tmp_path), QUESTION, quiet)


def test_one_row_and_too_few_customers_are_refused_with_a_reason(shop, tmp_path):
    recent = shop[shop["occurred_at"] < pd.Timestamp(CUTOFF, tz="UTC")].nlargest(1, "occurred_at")
    with pytest.raises(StateError, match="too little history"):
        forecast(written(recent, tmp_path), QUESTION, quiet)
    few = shop[shop["customer_id"].isin(shop["customer_id"].unique()[:4])]
    with pytest.raises(DirigentError, match=r"too few customers|one outcome only|nobody bought"):
        forecast(written(few, tmp_path), QUESTION, quiet)


def test_one_outcome_only_is_refused_by_name(tmp_path):
    days = pd.date_range("2023-01-01", "2023-11-30", freq="5D", tz="UTC")
    loyal = pd.DataFrame({"customer_id": np.repeat([f"c{n}" for n in range(60)], len(days)),
                          "occurred_at": np.tile(days, 60), "type": "purchase"})  # fmt: skip
    with pytest.raises(StateError, match="one outcome only"):
        forecast(written(loyal, tmp_path), QUESTION, quiet)


def test_a_cutoff_long_after_the_data_is_refused_and_a_little_after_is_named(shop, tmp_path):
    end = pd.Timestamp("2023-11-10", tz="UTC")
    path = written(shop[shop["occurred_at"] < end], tmp_path)
    with pytest.raises(
        TableError, match="nobody bought in the 90 days before the cutoff; the last purchase was on 2023-11-09"
    ):
        forecast(path, question_of("2025-12-01", ACTIVE, HORIZON), quiet)
    stale = forecast(path, QUESTION, quiet)
    assert "data_end_before_cutoff" in warnings_of(stale)
    assert stale.report["back_test"]["judged_until"] <= "2023-11-10"
    assert max(stale.report["model"]["trained_at"]) <= "2023-09-26"


def test_too_short_a_history_for_a_back_test_still_forecasts_and_says_so(shop, tmp_path):
    short = shop[shop["occurred_at"] >= pd.Timestamp("2023-09-01", tz="UTC")]
    result = forecast(written(short, tmp_path), QUESTION, quiet)
    assert result.report["back_test"] is None
    assert "no_back_test" in warnings_of(result)
    assert len(result.table)
