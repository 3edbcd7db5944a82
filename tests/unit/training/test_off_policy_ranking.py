"""Policies are ranked where the log can tell them apart, and refused by name where it cannot."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality.worlds import draw_plans, world
from training.off_policy import (
    Gate,
    Log,
    LogError,
    Ranking,
    Refusal,
    cross_fit,
    dr,
    holm,
    per_decision,
    rank,
    refusal,
    weights_refusal,
)

ARMS = ("silence", "email", "push")
GAINS = np.array([0.0, 1.0, 0.1])


def log_of(rows: int, seed: int = 1, gains: np.ndarray = GAINS) -> Log:
    """Three arms drawn with 0.5, 0.3 and 0.2; four rows a customer; money with noise 2."""
    rng = np.random.default_rng(seed)
    chances = np.array([0.5, 0.3, 0.2])
    arm = rng.choice(3, rows, p=chances)
    reward = gains[arm] + rng.normal(0, 2, rows)
    return Log(ARMS, arm, reward, chances[arm], np.arange(rows) // 4, rng.normal(size=(rows, 2)))


def always(arm: int, rows: int) -> np.ndarray:
    return np.tile(np.eye(3)[arm], (rows, 1))


def policies(rows: int) -> dict[str, np.ndarray]:
    return {name: always(arm, rows) for arm, name in enumerate(ARMS)}


def test_the_better_policy_is_found_and_close_ones_are_left_open():
    found = rank(log_of(4000), policies(4000))
    assert isinstance(found, Ranking)
    assert next(iter(found.values)) == "email"
    differ = {(each.first, each.second): each.differ for each in found.comparisons}
    assert differ[("email", "push")]
    assert differ[("email", "silence")]
    assert not any(value for pair, value in differ.items() if set(pair) == {"push", "silence"})
    assert found.refused == ()


def test_against_a_reference_each_policy_is_compared_with_it_alone():
    found = rank(log_of(4000), policies(4000), reference="silence")
    assert isinstance(found, Ranking)
    assert all("silence" in (each.first, each.second) for each in found.comparisons)
    assert len(found.comparisons) == 2


def test_another_estimator_can_be_given():
    log = log_of(4000)
    found = rank(log, policies(4000), estimator=partial(dr, expected=cross_fit(log)))
    assert isinstance(found, Ranking)
    assert next(iter(found.values)) == "email"


def test_too_few_effective_customers_are_refused_not_ranked():
    found = rank(log_of(80), policies(80))
    assert isinstance(found, Refusal)
    assert found.code == "too_few_customers"
    assert found.measured < 50
    assert "50 are needed" in found.text


def test_a_policy_that_cannot_be_judged_does_not_stop_the_others():
    log = log_of(4000)
    strange = 1.0 * (np.arange(3) == ((log.arm + 1) % 3)[:, None])  # what was not logged, in every row
    found = rank(log, {**policies(4000), "strange": strange})
    assert isinstance(found, Ranking)
    assert set(found.values) == set(ARMS)
    assert [(each.policy, each.code) for each in found.refused] == [("strange", "too_few_customers")]


def test_a_refused_reference_refuses_all():
    log = log_of(4000)
    strange = 1.0 * (np.arange(3) == ((log.arm + 1) % 3)[:, None])
    found = rank(log, {**policies(4000), "strange": strange}, reference="strange")
    assert isinstance(found, Refusal)
    assert found.policy == "strange"


def test_arms_without_support_are_refused():
    log = log_of(4000)
    blind = replace(log, arm=np.where(log.arm == 2, 0, log.arm))
    found = refusal(blind, np.tile([0.5, 0.4, 0.1], (4000, 1)), "p")
    assert found is not None
    assert found.code == "no_support"
    assert found.measured == pytest.approx(0.1)


def test_one_customer_that_carries_the_weight_is_refused():
    log = log_of(4000)
    probability = log.probability.copy()
    probability[0] = 1e-4
    found = refusal(replace(log, probability=probability), policies(4000)[ARMS[log.arm[0]]], "p")
    assert found is not None
    assert found.code in {"one_customer_dominates", "too_few_customers"}
    found = refusal(replace(log, probability=probability), policies(4000)[ARMS[log.arm[0]]], "p", Gate(customers=1))
    assert found is not None
    assert found.code == "one_customer_dominates"


def test_wrong_logged_probabilities_show_in_the_mean_weight():
    log = log_of(4000)
    found = refusal(replace(log, probability=np.full(4000, 1 / 3)), policies(4000)["silence"], "p")
    assert found is not None
    assert found.code == "weights_off"
    assert found.measured == pytest.approx(1.5, abs=0.1)


def test_a_log_with_one_outcome_alone_ranks_nothing():
    found = rank(replace(log_of(4000), reward=np.zeros(4000)), policies(4000))
    assert isinstance(found, Refusal)
    assert found.code == "one_outcome"


def test_a_handful_of_events_ranks_nothing():
    reward = np.zeros(4000)
    reward[:3] = 1
    found = rank(replace(log_of(4000), reward=reward), policies(4000))
    assert isinstance(found, Refusal)
    assert found.code == "too_few_events"


def test_the_gate_reads_the_weights_of_plans_too():
    made = world(binary=False)
    plans, kind = draw_plans(made, 800, np.random.default_rng(3))
    enough = per_decision(plans, made.logging[kind])
    assert weights_refusal(enough.weights, plans.clusters, "logging") is None
    far = np.zeros((*kind.shape, 4))
    far[..., 0] = 1
    found = weights_refusal(per_decision(plans, far).weights, plans.clusters, "far", Gate(customers=500))
    assert found is not None
    assert found.code == "too_few_customers"


def test_a_good_log_passes_the_gate():
    assert refusal(log_of(4000), policies(4000)["email"], "email") is None


@pytest.mark.parametrize("reference", [None, "nobody"])
def test_fewer_than_two_policies_or_an_unknown_reference_are_refused(reference):
    named = policies(80) if reference else {"silence": always(0, 80)}
    with pytest.raises(LogError, match="bad_setting"):
        rank(log_of(80), named, reference=reference)


def test_without_any_effect_differences_are_found_no_more_often_than_promised():
    """200 logs of arms that do the same: at most 5 % may see any difference, with room for the simulation's own error."""
    wrong = 0
    for seed in range(200):
        found = rank(log_of(800, seed, np.zeros(3)), policies(800))
        assert isinstance(found, Ranking)
        wrong += any(each.differ for each in found.comparisons)
    assert wrong <= 19


def test_holm_by_hand():
    assert list(holm(np.array([0.01, 0.04, 0.03, 0.005]))) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert list(holm(np.array([0.9, 0.8]))) == [1.0, 1.0]
    assert list(holm(np.array([]))) == []


p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@given(p_values, st.floats(0.001, 0.5))
def test_holm_rejects_what_stepping_down_rejects(p, alpha):
    """The procedure in words: from the smallest p up, reject while p * (hypotheses left) is at most alpha."""
    rejected, left = set(), sorted(range(len(p)), key=lambda place: p[place])
    while left and p[left[0]] * len(left) <= alpha:
        rejected.add(left.pop(0))
    assert {place for place, adjusted in enumerate(holm(np.array(p))) if adjusted <= alpha} == rejected


@given(p_values)
def test_holm_lies_between_the_plain_p_and_bonferroni(p):
    adjusted = holm(np.array(p))
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= np.minimum(np.array(p) * len(p), 1) + 1e-15).all()


@pytest.mark.parametrize("p", [[-0.1], [1.1], [np.nan]])
def test_holm_refuses_what_is_no_p_value(p):
    with pytest.raises(LogError, match="bad_setting"):
        holm(np.array(p))
