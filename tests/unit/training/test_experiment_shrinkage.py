"""Shrinkage: slopes stay within 0 and 1, little data is drawn to nothing, much data speaks for itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st

from training.experiment.contrasts import Contrasts, Forecast, doubly_robust
from training.experiment.notices import Notices
from training.experiment.shrinkage import PRIOR_SD, levels, mean_error
from training.experiment.table import Trial


def trial(rows: int, probability: tuple[float, ...] = (0.5, 0.5), level: float = 0.5, pull: float = 0.0, seed: int = 1):
    """A trial of silence and one arm or more, whose forecast is x for every arm; arm a's effect is level + pull * x."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    arm = rng.choice(len(probability), rows, p=probability).astype(np.int64)
    reward = 1 + (arm > 0) * (level + pull * x) + rng.normal(size=rows)
    names = tuple(f"arm {number}" for number in range(len(probability)))
    found = Trial(
        names, arm, reward, np.asarray(probability)[arm], np.zeros(len(names)), np.arange(rows, dtype=np.int64), {}, rows
    )  # fmt: skip
    inside = np.column_stack([np.zeros(rows), *([x] * (len(names) - 1))])
    gamma = doubly_robust(found, np.ones((rows, len(names))), Notices())
    return found, Contrasts(gamma, found.cluster % 5, (Forecast("x", inside, ()),), {})


@settings(max_examples=40, deadline=None)
@given_any(st.integers(0, 400), st.floats(-3, 3), st.floats(-3, 3), st.integers(0, 10**6))
def test_slopes_stay_within_0_and_1_and_errors_are_finite(rows, level, pull, seed):
    found, contrasts = trial(rows, (0.4, 0.3, 0.3), level, pull, seed)
    for each in levels(found, contrasts, 0, np.ones(rows, dtype=bool)):
        assert 0 <= each.slope.used <= 1
        tau, sd = each.effect(np.linspace(-2, 2, 5))
        assert np.isfinite(tau).all()
        assert (np.isfinite(sd) & (sd >= 0)).all()


def test_the_reference_itself_is_exactly_nothing():
    found, contrasts = trial(300)
    reference = levels(found, contrasts, 0, np.ones(300, dtype=bool))[0]
    tau, sd = reference.effect(np.arange(3.0))
    assert (tau == 0).all()
    assert (sd == 0).all()


def test_few_rows_are_drawn_to_nothing_and_many_are_not():
    means = {}
    for rows in (6, 20_000):
        found, contrasts = trial(rows, level=1.0)
        means[rows] = levels(found, contrasts, 0, np.ones(rows, dtype=bool))[1].mean
    assert abs(means[6].mean) < 0.2
    assert means[20_000].mean == pytest.approx(1.0, abs=0.06)
    assert means[20_000].sd < 0.03


def test_an_arm_without_rows_has_the_prior():
    found, contrasts = trial(0)
    unseen = levels(found, contrasts, 0, np.ones(0, dtype=bool))[1]
    assert unseen.mean.mean == 0
    assert unseen.mean.sd >= PRIOR_SD
    assert unseen.mean.rows == 0


def test_a_true_difference_is_followed_and_a_false_one_is_not():
    found, contrasts = trial(20_000, pull=1.0)
    followed = levels(found, contrasts, 0, np.ones(20_000, dtype=bool))[1]
    assert followed.slope.used == pytest.approx(1.0, abs=0.05)
    found, contrasts = trial(20_000, pull=-1.0)
    assert levels(found, contrasts, 0, np.ones(20_000, dtype=bool))[1].slope.used == 0


def test_arms_with_few_rewards_share_a_slope():
    found, contrasts = trial(400, (0.9, 0.05, 0.05), pull=1.0)
    first, second = levels(found, contrasts, 0, np.ones(400, dtype=bool))[1:]
    assert first.slope == second.slope


def test_arms_are_drawn_to_each_other():
    found, contrasts = trial(400, (0.4, 0.3, 0.3))
    found.reward[found.arm == 2] += 1.0
    contrasts = Contrasts(doubly_robust(found, np.ones((400, 3)), Notices()), contrasts.fold, contrasts.forecasts, {})
    first, second = (each.mean for each in levels(found, contrasts, 0, np.ones(400, dtype=bool))[1:])
    assert first.raw is not None
    assert second.raw is not None
    assert 0 < second.mean - first.mean < second.raw - first.raw


def test_the_error_of_a_mean_counts_clusters_not_rows():
    rng = np.random.default_rng(4)
    once = rng.normal(size=500)
    single = mean_error(once, np.arange(500))
    assert mean_error(np.repeat(once, 4), np.repeat(np.arange(500), 4)) == pytest.approx(single)
    assert single == pytest.approx(once.std(ddof=1) / np.sqrt(500))
    assert mean_error(once, np.zeros(500, dtype=np.int64)) == np.inf


def test_weights_are_capped_and_named():
    found, _ = trial(400, (0.999, 0.001))
    found.arm[:3] = 1
    rare = Trial(
        found.arms, found.arm, found.reward, np.where(found.arm == 1, 0.0001, 0.9999), found.cost, found.cluster, {}, 400
    )  # fmt: skip
    notices = Notices()
    assert np.isfinite(doubly_robust(rare, np.ones((400, 2)), notices)).all()
    assert notices.names() == {"weights_capped"}


def test_doubly_robust_means_are_unbiased_whatever_was_expected():
    found, _ = trial(50_000, (0.3, 0.7), level=0.5)
    for expected in (0.0, 5.0):
        gamma = doubly_robust(found, np.full((50_000, 2), expected), Notices())
        assert (gamma[:, 1] - gamma[:, 0]).mean() == pytest.approx(0.5, abs=0.04)
