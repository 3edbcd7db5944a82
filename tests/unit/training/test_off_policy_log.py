"""A log that would make every number wrong is refused by name; one that is only weak says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from arbitration.errors import InputError
from training.off_policy import Log, LogError, Plans, ips

ARMS = ("silence", "email", "push")
GOOD = Log(
    ARMS,
    np.array([0, 1, 2, 1]),
    np.array([0.0, 1.0, 0.0, 2.5]),
    np.array([0.2, 0.5, 0.3, 1.0]),
    np.array(["ann", "ann", "bob", "cid"]),
    np.array([[1.0, 7.0], [2.0, 7.0], [np.nan, 7.0], [4.0, 7.0]]),
)

FAULTS = {
    "probability_missing": {"probability": np.array([0.2, np.nan, 0.3, 1.0])},
    "probability_zero": {"probability": np.array([0.2, 0.0, 0.3, 1.0])},
    "probability_over_one": {"probability": np.array([0.2, 1.01, 0.3, 1.0])},
    "reward_missing": {"reward": np.array([0.0, np.nan, 0.0, 1.0])},
    "arm_unknown": {"arm": np.array([0, 3, 2, 1])},
    "duplicate_decisions": {"decision": np.array(["d1", "d1", "d2", "d3"])},
    "shape": {"reward": np.array([0.0, 1.0])},
    "empty": {"arms": ()},
    "probabilities_differ": {"probabilities": np.full((4, 3), 1 / 3)},
    "not_a_distribution": {"probabilities": np.full((4, 3), 0.5)},
}


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_is_refused_by_name(code):
    with pytest.raises(LogError) as refused:
        replace(GOOD, **FAULTS[code])
    assert refused.value.code == code
    assert isinstance(refused.value, InputError)
    assert refused.value.exit_code == 2


def test_a_refusal_names_the_first_row_at_fault_and_how_many_there_are():
    with pytest.raises(LogError, match=r"^row 1 and 1 more: a logged probability is 0 or less.*probability_zero"):
        replace(GOOD, probability=np.array([0.5, 0.0, -1.0, 0.5]))


@pytest.mark.parametrize("wrong", [-np.inf, np.inf])
def test_an_infinite_reward_is_refused(wrong):
    with pytest.raises(LogError, match="reward_missing"):
        replace(GOOD, reward=np.array([0.0, wrong, 0.0, 1.0]))


def test_arms_that_are_not_integers_are_refused():
    with pytest.raises(LogError, match="arm_unknown"):
        replace(GOOD, arm=np.array([0.0, 1.0, 2.0, 1.0]))


def test_features_of_another_length_are_refused():
    with pytest.raises(LogError, match="shape"):
        replace(GOOD, features=np.zeros((3, 2)))


def test_a_weak_log_says_why():
    log = replace(GOOD, reward=np.ones(4), arm=np.array([0, 1, 1, 1]))
    assert [each.code for each in log.cautions] == ["one_outcome", "few_clusters", "unseen_arm", "constant_feature"]
    assert "push" in log.cautions[2].text
    assert "[1]" in log.cautions[3].text


def test_a_good_log_of_many_customers_needs_no_caution():
    log = Log(("a", "b"), np.arange(60) % 2, np.arange(60.0), np.full(60, 0.5))
    assert log.cautions == ()
    assert list(log.clusters) == list(range(60))
    assert log.known.shape == (60, 0)


def test_customers_are_numbered_whatever_their_ids_are():
    assert list(GOOD.clusters) == [0, 0, 1, 2]


@pytest.mark.parametrize(
    "policy",
    [np.full((4, 3), 0.5), np.tile([1.5, -0.5, 0.0], (4, 1)), np.full((4, 3), np.nan), np.full((4, 2), 0.5)],
    ids=["sum", "negative", "missing", "shape"],
)
def test_a_policy_that_is_none_is_refused(policy):
    with pytest.raises(LogError) as refused:
        ips(GOOD, policy)
    assert refused.value.code in {"not_a_distribution", "shape"}


def test_what_the_log_never_shows_is_measured():
    policy = np.tile([0.5, 0.3, 0.2], (4, 1))
    assert GOOD.unsupported(policy) == 0
    assert replace(GOOD, arm=np.array([0, 1, 1, 1])).unsupported(policy) == pytest.approx(0.2)
    vector = np.array([[0.2, 0.8, 0.0], [0.5, 0.5, 0.0], [0.7, 0.0, 0.3], [0.0, 1.0, 0.0]])
    assert replace(GOOD, probabilities=vector).unsupported(policy) == pytest.approx((0.2 + 0.2 + 0.3 + 0.7) / 4)


PLANS = {
    "shape": {"arm": np.array([[-1, 0], [1, -1]])},
    "probability_zero": {"probability": np.array([[0.5, 0.0], [0.5, 0.5]])},
    "reward_missing": {"reward": np.array([[0.0, np.nan], [0.0, 1.0]])},
    "arm_unknown": {"arm": np.array([[0, 2], [1, -1]])},
    "empty": {"arm": np.array([0, 1])},
}


@pytest.mark.parametrize("code", PLANS)
def test_a_faulty_plan_is_refused_by_name(code):
    good = Plans(("a", "b"), np.array([[0, 1], [1, -1]]), np.zeros((2, 2)), np.full((2, 2), 0.5))
    with pytest.raises(LogError) as refused:
        replace(good, **PLANS[code])
    assert refused.value.code == code


def test_what_stands_after_a_plans_end_does_not_matter():
    nan = np.nan
    plans = Plans(
        ("a", "b"), np.array([[0, 1], [1, -1]]), np.array([[0, 1], [1, nan]]), np.array([[0.5, 0.5], [1, nan]])
    )
    assert plans.alive.sum() == 3
