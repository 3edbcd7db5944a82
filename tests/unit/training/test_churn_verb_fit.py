"""Mixing, calibrating and judging: weights and curves are taken only where held-out customers gain."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.calibration import log_loss, sigmoid
from training.dataset import Dataset
from training.lapse_risk.curves import Curve, fit_beta, fit_isotonic
from training.lapse_risk.features import NAMES
from training.lapse_risk.fit import best_curve, best_weights, both_in_every_fold, known_often, level_shift
from training.lapse_risk.report import back_test_table, count_bias, doubts, gain, measured, top_decile_lift

RNG = np.random.default_rng(11)
MARGINS = RNG.normal(0, 2, 8000)
LABELS = (RNG.random(8000) < sigmoid(MARGINS)).astype(np.float64)
HALF = np.arange(8000) % 2 == 0


def test_weights_go_to_the_member_that_knows():
    noise = RNG.normal(0, 2, (8000, 2))
    assert best_weights(np.column_stack([noise[:, 0], MARGINS, noise[:, 1]]), LABELS) == (0.0, 1.0, 0.0)


def test_a_calibrated_margin_is_left_alone():
    curve, losses = best_curve(MARGINS, LABELS, HALF)
    assert curve.kind == "none"
    assert losses["uncalibrated"] == pytest.approx(log_loss(LABELS, sigmoid(MARGINS)))


@pytest.mark.parametrize("fit", [fit_beta, fit_isotonic])
def test_a_distorted_margin_is_straightened(fit):
    distorted = 0.4 * MARGINS - 1.0
    straight = sigmoid(fit(distorted[HALF], LABELS[HALF]).apply(distorted[~HALF]))
    plain = log_loss(LABELS[~HALF], sigmoid(distorted[~HALF]))
    assert log_loss(LABELS[~HALF], straight) < plain - 0.05
    assert straight.mean() == pytest.approx(LABELS[~HALF].mean(), abs=0.02)
    assert best_curve(distorted, LABELS, HALF)[0].kind in ("beta", "isotonic")


def test_curves_of_one_outcome_stay_finite():
    for fit in (fit_beta, fit_isotonic):
        assert np.isfinite(fit(MARGINS[:50], np.ones(50)).apply(MARGINS)).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-30, 30), min_size=2, max_size=40))
def test_every_curve_keeps_the_order(margins):
    ordered = np.sort(np.array(margins))
    for curve in (Curve(), fit_beta(0.5 * MARGINS, LABELS), fit_isotonic(MARGINS[:300], LABELS[:300])):
        assert (np.diff(curve.apply(ordered)) >= -1e-9).all()


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 0.95))
def test_a_level_shift_reaches_the_wanted_mean_and_keeps_the_order(mean):
    shifted = MARGINS + level_shift(MARGINS, mean)
    assert sigmoid(shifted).mean() == pytest.approx(mean, abs=1e-6)


def test_a_feature_known_at_few_moments_is_not_used():
    rows = RNG.normal(0, 1, (400, len(NAMES)))
    moments = np.repeat(np.array(["2023-01-01", "2023-02-01", "2023-03-01", "2023-04-01"], "datetime64[us]"), 100)
    rows[:300, 0] = np.nan  # known at one of four moments
    rows[:200, 1] = np.nan  # at two of four
    rows[4:, 2] = np.nan  # of hardly anyone
    data = Dataset(NAMES, rows, np.ones(400), moments, np.full(400, "c"), np.full(400, ""))
    assert [name for name, used in zip(NAMES, known_often(data), strict=True) if not used] == [NAMES[0], NAMES[2]]


def test_measures_are_what_they_say():
    labels, p = np.array([1.0, 1.0, 0.0, 0.0, 0.0] * 4), np.array([0.9, 0.6, 0.4, 0.3, 0.3] * 4)
    found = measured(labels, p)
    assert found["auc"] == 1.0
    assert found["average_precision"] == pytest.approx(1.0)
    assert found["count_bias"] == pytest.approx(10 / 8 - 1)
    assert found["count_bias_of_buyers"] == pytest.approx(10 / 12 - 1)
    assert found["top_decile_lift"] == pytest.approx(2.5)
    assert count_bias(np.zeros(3), np.ones(3)) == 0.0
    assert top_decile_lift(labels, np.full(20, 0.4)) == 1.0


def test_savings_are_paired_and_signed():
    better, worse = sigmoid(MARGINS), np.full(8000, 0.5)
    mean, low, high = gain(LABELS, better, worse)
    assert 0 < low < mean < high
    assert gain(LABELS, worse, better)[0] == pytest.approx(-mean)
    assert gain(LABELS, better, better) == (0.0, 0.0, 0.0)


def test_a_back_test_is_plain_json_with_intervals_around_the_measures():
    rows = slice(0, 400)
    table = back_test_table(LABELS[rows], {"blend": sigmoid(MARGINS[rows]), "flat": np.full(400, 0.5)}, "blend")
    read = json.loads(json.dumps(table, allow_nan=False))
    low, high = read["intervals_95"]["blend"]["auc"]
    assert low < read["measures"]["blend"]["auc"] < high
    assert table == back_test_table(LABELS[rows], {"blend": sigmoid(MARGINS[rows]), "flat": np.full(400, 0.5)}, "blend")


def test_a_missed_level_and_a_better_reference_are_told():
    rng = np.random.default_rng(1)
    chance = rng.uniform(0.1, 0.5, 2000)
    labels = (rng.random(2000) < chance).astype(np.float64)
    honest = back_test_table(labels, {"blend": chance, "bg_nbd": chance}, "blend")
    assert doubts(honest, "blend") == {}
    told = doubts(back_test_table(labels, {"blend": chance * 1.6, "bg_nbd": chance}, "blend"), "blend")
    assert set(told) == {"level_missed", "reference_better"}
    assert "55% more" in told["level_missed"]
    assert "bg_nbd alone" in told["reference_better"]


def test_a_part_that_shows_one_outcome_is_found():
    people = np.repeat([f"c{n}" for n in range(60)], 2)
    labels = np.repeat(np.arange(60) % 2, 2).astype(np.float64)
    data = Dataset(("x",), np.zeros((120, 1)), labels, np.zeros(120, dtype="datetime64[us]"), people, {})
    assert both_in_every_fold(data)
    alone = np.where(np.arange(120) < 118, "c1", "c2")
    assert not both_in_every_fold(replace(data, labels=(alone == "c1").astype(np.float64), customers=alone))
