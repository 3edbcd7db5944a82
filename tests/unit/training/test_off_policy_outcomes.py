"""Expected rewards learn what can be learned, and never from the customer they predict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.off_policy import Log, LogError, cross_fit, dr, expected_rewards, ips
from training.off_policy.outcomes import folds_of


def log_of(rows: int = 1500, *, stepped: bool = False) -> Log:
    """Two arms drawn evenly; the reward is linear in one feature, or a step that no line can follow; one in ten is unknown."""
    rng = np.random.default_rng(4)
    known = rng.normal(size=(rows, 2))
    arm = rng.integers(0, 2, rows)
    shape = 3.0 * (abs(known[:, 0]) > 0.7) if stepped else known[:, 0]
    reward = 2 + shape * (1 + arm) + rng.normal(0, 0.3, rows)
    known[rng.random(rows) < 0.1, 1] = np.nan
    return Log(("silence", "email"), arm, reward, np.full(rows, 0.5), np.arange(rows) // 3, known)


@pytest.mark.parametrize("learner", ["ridge", "trees"])
def test_a_prediction_does_not_know_the_rewards_of_its_own_customer(learner):
    log = log_of(600)
    before = cross_fit(log, learner)
    own = log.clusters == 5
    after = cross_fit(replace(log, reward=np.where(own, 1000.0, log.reward)), learner)
    assert np.array_equal(before[own], after[own])
    assert not np.array_equal(before, after)


def test_a_linear_reward_is_learned_by_the_ridge_and_a_step_by_the_trees():
    linear, stepped = expected_rewards(log_of()), expected_rewards(log_of(stepped=True))
    assert linear.learner == "ridge"
    assert linear.errors["ridge"] < 0.12  # the noise alone is 0.09
    assert stepped.learner == "trees"
    assert stepped.errors["trees"] < 0.5 * stepped.errors["ridge"]


def test_a_model_makes_dr_surer_than_ips():
    log = log_of()
    policy = np.tile([0.2, 0.8], (len(log), 1))
    expected = expected_rewards(log).rewards
    assert dr(log, policy, expected).influence.std() < 0.8 * ips(log, policy).influence.std()


@pytest.mark.parametrize("learner", ["ridge", "trees"])
def test_an_arm_never_seen_and_a_log_without_features_still_get_numbers(learner):
    log = log_of(300)
    wide = Log((*log.arms, "push"), log.arm, log.reward, log.probability, log.cluster, log.features)
    assert np.isfinite(cross_fit(wide, learner)).all()
    bare = Log(log.arms, log.arm, log.reward, log.probability, log.cluster)
    assert np.isfinite(cross_fit(bare, learner)).all()


def test_without_features_the_ridge_gives_the_mean_of_the_arm_shrunk_a_little():
    rng = np.random.default_rng(8)
    arm = rng.integers(0, 2, 2000)
    log = Log(("a", "b"), arm, 5.0 * arm, np.full(2000, 0.5))
    found = cross_fit(log)
    assert found[:, 0] == pytest.approx(np.zeros(2000), abs=0.06)
    assert found[:, 1] == pytest.approx(np.full(2000, 5.0), abs=0.06)


def test_a_column_that_is_never_known_does_no_harm():
    log = log_of(300)
    assert log.features is not None
    blank = replace(log, features=np.column_stack([log.features, np.full(300, np.nan)]))
    assert np.allclose(cross_fit(blank), cross_fit(log))


def test_no_customer_is_in_two_folds_and_all_folds_are_used():
    clusters = np.arange(100) // 4
    fold = folds_of(clusters, 5)
    assert all(len(set(fold[clusters == number])) == 1 for number in range(25))
    assert sorted(np.unique(fold, return_counts=True)[1]) == [20] * 5
    assert len(set(folds_of(np.array([0, 1, 2]), 5))) == 3


def test_one_customer_cannot_be_dealt():
    with pytest.raises(LogError, match="one_cluster"):
        cross_fit(replace(log_of(30), cluster=np.zeros(30)))
    with pytest.raises(LogError, match="bad_setting"):
        cross_fit(log_of(30), folds=1)
