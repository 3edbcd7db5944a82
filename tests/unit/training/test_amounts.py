"""Models of money: their numbers against definitions, their calibration, and who stays in use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.amounts import ROWS, calibrate, compete, deviances, fit_calibration, fit_reference, metrics, rank
from training.dataset import Dataset, Split
from training.fitting import Recipe
from training.references import Shrinkage, ShrunkMean

RECIPE = Recipe(leaves=7, learning_rate=0.1, trees=40, min_rows=20, link="log")
money = st.lists(st.floats(0, 1e4), min_size=3, max_size=40)


def shop(seed: int, count: int, *, own_mean_is_all: bool) -> Dataset:
    """Two purchases or many behind an own mean; the truth is the shrunk own mean, or twice it where `weekend` is 1."""
    rng = np.random.default_rng(seed)
    own, purchases, weekend = rng.gamma(3, 10, count), rng.integers(1, 40, count), rng.integers(0, 2, count)
    truth = (purchases * own + 2 * 30) / (purchases + 2)
    if not own_mean_is_all:
        truth = truth * np.where(weekend == 1, 2.0, 1.0)
    rows = np.column_stack([own, purchases, weekend]).astype(float)
    moments = np.full(count, np.datetime64("2017-06-01") + seed * np.timedelta64(90, "D"))
    customers = np.array([f"c{number}" for number in range(count)])
    return Dataset(
        ("own", "purchases", "weekend"), rows, truth * rng.gamma(2, 0.5, count), moments, customers, np.full(count, "")
    )


def split(own_mean_is_all: bool) -> Split:
    parts = [shop(seed, count, own_mean_is_all=own_mean_is_all) for seed, count in ((1, 3000), (2, 2500), (3, 2000))]
    return Split(parts[0], parts[1], parts[2])


@given(money, st.floats(0.1, 10))
def test_the_deviance_is_least_at_the_truth_and_never_below_zero(observed, factor):
    y = np.array(observed)
    expected = np.maximum(y, 1e-9)
    assert (deviances(y, expected * factor) >= deviances(y, expected) - 1e-6 * (1 + y)).all()
    assert (deviances(y, expected * factor) >= -1e-9 * (1 + y)).all()


def test_the_mean_has_the_least_deviance_of_all_constants():
    y = np.random.default_rng(1).lognormal(3, 1, 500) * (np.arange(500) % 3 > 0)
    losses = {factor: deviances(y, np.full(500, y.mean() * factor)).mean() for factor in (0.8, 0.95, 1.0, 1.05, 1.2)}
    assert min(losses, key=losses.get) == 1.0


@given(money)
def test_the_right_order_ranks_one_and_the_wrong_one_minus_one(observed):
    y = np.array(observed)
    best = 1.0 if y.max() > y.min() and rank(y, y) else 0.0
    assert rank(y, y) == pytest.approx(best)
    assert rank(y, -y) == pytest.approx(-best)
    assert rank(y, np.ones(len(y))) == pytest.approx(0.0, abs=1e-9)


def test_numbers_of_a_forecast_that_is_a_tenth_too_high():
    y = np.tile([0.0, 10.0, 20.0, 50.0], 250)
    found = metrics(y, 1.1 * np.maximum(y, 1e-9))
    assert found["total_ratio"] == pytest.approx(1.1)
    assert found["decile_error"] == pytest.approx(0.1)
    assert found["mae"] == pytest.approx(2.0)
    assert found["rank"] == pytest.approx(1.0)
    assert (found["mean"], found["rows"]) == (20.0, 1000)


def test_calibration_makes_totals_agree_and_is_left_out_where_it_does_not_help():
    rng = np.random.default_rng(4)
    margins = rng.normal(3, 0.7, 4000)
    observed = np.exp(0.8 * margins + 0.4) * rng.gamma(2, 0.5, 4000)
    found = fit_calibration(margins, observed)
    assert found.amount(margins).sum() == pytest.approx(observed.sum(), rel=1e-6)
    assert found.slope == pytest.approx(0.8, abs=0.05)
    half = np.arange(4000) % 2 == 0
    kept, losses = calibrate(margins, observed, half)
    assert kept == found
    assert losses.mean() < deviances(observed, np.exp(margins)).mean()
    right = np.exp(margins)
    assert calibrate(margins, right, half)[0].amount(margins) == pytest.approx(right, rel=1e-6)
    assert calibrate(margins, observed, np.ones(4000, dtype=bool))[0].slope == 1.0


def test_the_reference_shrinks_as_far_as_training_rows_say():
    found = fit_reference("m", shop(1, 20_000, own_mean_is_all=True), ("own", "purchases"), 1.0)
    assert found.shrinkage.rows in (1.0, 2.0, 4.0)
    assert 0.0 in ROWS
    row = np.array([[50.0, 3.0], [np.nan, np.nan], [50.0, 0.0]])
    plain = ShrunkMean("m", ("own", "purchases"), Shrinkage(1.0, 30.0, 2.0))
    assert plain.predict(row) == pytest.approx([(3 * 50 + 2 * 30) / 5, 30.0, 30.0])


def test_the_simple_reference_stays_where_nothing_is_surely_better_and_the_card_says_so():
    found = compete("m", split(own_mean_is_all=True), RECIPE, own_mean=("own", "purchases"), scale=1.0)
    assert found.best.model.kind == "mean"
    assert "the shrunk mean stays in use" in found.notes[-1]
    assert {trial.model.kind for trial in found.trials} == {"tree", "linear", "mean"}


def test_a_model_that_knows_more_takes_its_place_on_held_out_customers():
    found = compete("m", split(own_mean_is_all=False), RECIPE, own_mean=("own", "purchases"), scale=1.0)
    assert found.best.model.kind in ("tree", "linear")
    reference = next(trial for trial in found.trials if trial.model.kind == "mean")
    assert found.best.test["deviance"] < reference.test["deviance"]
    assert 0.9 < found.best.test["total_ratio"] < 1.1
    assert "it is used" in found.notes[-1]


@pytest.mark.parametrize("numbers", [(0.0, 1.0, 1.0), (1.0, -1.0, 0.0), (1.0, 1.0, -0.5), (1.0, float("nan"), 0.0)])
def test_a_shrunk_mean_of_senseless_numbers_is_refused(numbers):
    with pytest.raises(ValueError, match="above 0"):
        Shrinkage(*numbers)


def test_an_infinite_own_mean_is_still_an_amount():
    found = ShrunkMean("m", ("own",), Shrinkage(1.0, 30.0, 0.0))
    assert np.isfinite(replace(found).predict(np.array([[1e308]]))).all()
