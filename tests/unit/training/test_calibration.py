"""Calibration: monotone, within [0, 1], and used only where it helps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calibration import IDENTITY, Calibration, calibrate, fit, log_loss, sigmoid

margins = st.lists(st.floats(-50, 50), min_size=2, max_size=60)


@given(margins, st.integers(0, 2**32 - 1))
def test_a_fitted_calibration_is_monotone_and_within_zero_and_one(values, seed):
    found = np.array(values)
    labels = (np.random.default_rng(seed).random(len(found)) < 0.4).astype(np.float64)
    fitted = fit(found, labels)
    chances = fitted.probability(np.sort(found))
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (np.diff(chances) >= 0).all()


@given(st.floats(-1e4, 1e4))
def test_the_sigmoid_never_overflows(margin):
    assert 0.0 <= sigmoid(np.array([margin]))[0] <= 1.0


def test_fit_finds_the_distortion_it_has_to_undo():
    rng = np.random.default_rng(1)
    found = rng.normal(0, 1.5, 40_000)
    labels = (rng.random(len(found)) < sigmoid(0.6 * found - 0.8)).astype(np.float64)
    fitted = fit(found, labels)
    assert fitted.slope == pytest.approx(0.6, abs=0.03)
    assert fitted.intercept == pytest.approx(-0.8, abs=0.03)


def test_calibration_is_kept_where_it_lowers_the_held_out_loss():
    rng = np.random.default_rng(2)
    found = rng.normal(0, 1.5, 5_000)
    labels = (rng.random(len(found)) < sigmoid(found - 1.0)).astype(np.float64)
    half = rng.random(len(found)) < 0.5
    fitted, loss = calibrate(found, labels, half)
    assert fitted != IDENTITY
    assert loss < log_loss(labels, sigmoid(found))


def test_calibration_is_left_out_where_it_does_not_help():
    found = np.array([-1.0, 1.0] * 6)
    labels = np.array([0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    half = np.array([True] * 6 + [False] * 6)
    fitted, loss = calibrate(found, labels, half)
    assert fitted == IDENTITY
    assert loss == log_loss(labels, sigmoid(found))


def test_one_outcome_only_teaches_nothing():
    assert fit(np.array([-1.0, 2.0]), np.array([1.0, 1.0])) == IDENTITY


def test_a_ranking_the_wrong_way_round_is_not_turned_by_calibration():
    rng = np.random.default_rng(3)
    found = rng.normal(0, 1, 2_000)
    labels = (rng.random(len(found)) < sigmoid(-found)).astype(np.float64)
    assert fit(found, labels).slope > 0


@pytest.mark.parametrize("slope", [0.0, -1.0, float("nan"), float("inf")])
def test_a_calibration_that_is_not_monotone_cannot_be_made(slope):
    with pytest.raises(ValueError, match="slope"):
        Calibration(slope, 0.0)
