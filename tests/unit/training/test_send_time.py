"""Send time is learned from contacts: noise leaves a flat curve and no weight, a true difference stays, no row answers itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.quality.send_time_control import emails, served
from training.dataset import Dataset
from training.models import Coefficients, LinearModel
from training.send_time import (
    INPUTS,
    Gain,
    clustered_error,
    cross_described,
    curve_spread,
    gain,
    pooled_curve,
    train,
    weight,
)
from training.slots import BLOCKS, FEATURES, SLOTS, SendTime

TYPICAL = [0.02, 0.08, 0.2, 0.3, 0.3, 0.1, *[1 / 7] * 7]


def sent(rows: int, seed: int, evening: float = 0.0, own: float = 0.0) -> Dataset:
    """Contacts at random slots, one in eight engages; block 4 adds `evening`, a contact in one's own block adds `own`."""
    rng = np.random.default_rng(seed)
    slots, favorite = rng.integers(0, SLOTS, rows), rng.integers(2, 5, rows)
    activity = np.tile([*TYPICAL, 60.0], (rows, 1))
    activity[:, :BLOCKS] = 0.1 * activity[:, :BLOCKS] + 0.9 * (np.arange(BLOCKS) == favorite[:, None])
    chance = 0.125 + evening * (slots % BLOCKS == 4) + own * (slots % BLOCKS == favorite)
    labels = (rng.random(rows) < chance).astype(float)
    moments = np.full(rows, np.datetime64("2017-06-01T00:00"))
    people = np.array([f"c{n % 2000}" for n in range(rows)])
    return Dataset((*INPUTS, "slot"), np.column_stack([activity, slots]), labels, moments, people, np.full(rows, ""))


OWN = LinearModel("send_time", FEATURES, Coefficients((0.0,) * 3, (0.0,) * 3, (1.0,) * 3, (1.0, 0.3, 0.0), 0.0))
BLIND = LinearModel("send_time", FEATURES, Coefficients((0.0,) * 3, (0.0,) * 3, (1.0,) * 3, (1.0, 0.02, 0.0), 0.0))


def test_a_curve_of_noise_is_nearly_flat():
    """42 slots of 970 contacts vary by 0.01 from chance alone; most of it is gone, on average over ten shops."""
    shops = [sent(42 * 970, seed) for seed in range(10)]
    raw = [np.std([shop.labels[shop.rows[:, -1] == slot].mean() for slot in range(SLOTS)]) for shop in shops]
    assert np.mean(raw) > 0.009
    assert np.mean([curve_spread(pooled_curve(shop)) for shop in shops]) < 0.0025


def test_a_true_evening_stays_in_the_curve():
    rate = np.array(pooled_curve(sent(42 * 970, 3, evening=0.04)).rate).reshape(7, BLOCKS)
    assert (rate.argmax(axis=1) == 4).all()
    gap = rate[:, 4] - np.delete(rate, 4, axis=1).mean(axis=1)
    assert gap == pytest.approx(0.04, abs=0.012)


def test_slots_without_contacts_get_what_their_block_and_weekday_say():
    data = sent(42 * 200, 4)
    seen = data.where((data.rows[:, -1] % BLOCKS > 1) & (data.rows[:, -1] != 8))
    curve = pooled_curve(seen)
    assert curve.weight[8] == 0.0
    assert all(0 < rate < 1 for rate in curve.rate)


def test_no_row_reads_a_curve_that_its_own_customer_helped_to_make():
    data = sent(4000, 5, evening=0.05)
    curve, fold = pooled_curve(data), data.folds(5) == 0
    before = cross_described(curve, data).rows[fold, 0]
    mirrored = replace(data, labels=np.where(fold, data.labels[::-1], data.labels))
    level = mirrored.labels.mean() - data.labels.mean()
    after = cross_described(curve, mirrored).rows[fold, 0]
    moved = 1 / (1 + np.exp(-after)) - 1 / (1 + np.exp(-before))
    assert (mirrored.labels != data.labels).any()
    assert moved == pytest.approx(
        np.full(fold.sum(), level), abs=1e-12
    )  # the common level alone, not one slot against another


def test_the_weight_is_zero_for_a_model_that_knows_nothing_and_large_for_one_that_does():
    curve = pooled_curve(sent(20_000, 6))
    assert weight(curve, OWN, sent(20_000, 7)) == 0.0
    assert weight(curve, OWN, sent(20_000, 8, own=0.06)) >= 0.5


def test_a_model_that_is_better_by_less_than_its_standard_error_gets_no_weight():
    """With 300 contacts hardly anything can be told apart: what is not worth its price is left out."""
    curve = pooled_curve(sent(20_000, 6))
    assert [weight(curve, BLIND, sent(300, seed)) for seed in range(20)].count(0.0) >= 15


def test_the_error_of_repeated_rows_is_that_of_their_customers():
    values, people = np.array([1.0, 2.0, 4.0, 8.0]), np.array(["a", "b", "c", "d"])
    once = clustered_error(values, people)
    assert clustered_error(np.tile(values, 9), np.tile(people, 9)) == pytest.approx(once)
    assert once == pytest.approx(values.std() / 2)


@pytest.mark.parametrize(("hour", "said"), [(0.0, "no gain shown"), (2.0, "gain shown")])
def test_a_gain_is_told_where_the_hour_matters_and_none_where_it_does_not(hour: float, said: str):
    outcome = train(emails(1, 40_000, hour))
    told = outcome.gains[served(outcome)]
    assert told.shown == (said == "gain shown")
    assert told.note.startswith(f"Choosing the time: {said}. ")


def test_what_is_gained_is_the_difference_to_one_rate_for_all_times():
    """One rate for all times gains exactly nothing, whatever its level; the truth gains its divergence from the mean."""
    data = sent(60_000, 5, evening=0.2)
    flat = SendTime(replace(pooled_curve(data), rate=(0.3,) * SLOTS), BLIND, 0.0)
    assert gain(flat, data) == Gain(pytest.approx(0.0, abs=1e-12), pytest.approx(0.0, abs=1e-12), 2000)
    chance = 0.125 + 0.2 * (np.arange(SLOTS) % BLOCKS == 4)
    true = SendTime(replace(pooled_curve(data), rate=tuple(map(float, chance))), BLIND, 0.0)
    mean = chance.mean()
    expected = np.mean(chance * np.log(chance / mean) + (1 - chance) * np.log((1 - chance) / (1 - mean)))
    found = gain(true, data)
    assert found.mean == pytest.approx(expected, abs=4 * found.error)


@settings(max_examples=30, deadline=None)
@given(level=st.floats(0.001, 0.5), seed=st.integers(0, 99))
def test_rounding_is_no_gain(level: float, seed: int):
    """A flat curve over its own mean is 1 but for the last digit; a difference of 1e-16 has an error of 1e-18."""
    shares = np.random.default_rng(seed).dirichlet(np.ones(SLOTS))
    data = sent(3000, 5)
    curve = replace(pooled_curve(data), rate=(level,) * SLOTS, weight=tuple(map(float, shares)))
    assert not gain(SendTime(curve, BLIND, 0.0), data).shown


def test_a_single_customer_and_nobody_who_engages_show_no_gain():
    data = sent(6000, 5, evening=0.2)
    curve = pooled_curve(data)
    alone = replace(data, customers=np.full(len(data), "c1"))
    nobody = replace(data, labels=np.zeros(len(data)))
    assert gain(SendTime(curve, BLIND, 0.0), data).shown
    for other in (alone, nobody):
        assert not gain(SendTime(curve, BLIND, 0.0), other).shown
