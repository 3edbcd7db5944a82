"""Plans by hand, and unbiased over every plan that could have been logged."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.off_policy import Log, LogError, Plans, dr, ips, per_decision, plan_dr, snips, weighted_per_decision

ARMS = ("push", "email")
# Two plans; the second ends after its first step. Weights by hand: 2 then 0.5, and 0.5; rho = 2, 1 and 0.5, 0.5.
PLANS = Plans(
    ARMS, np.array([[1, 0], [0, -1]]), np.array([[1.0, 4.0], [3.0, 9.0]]), np.array([[0.25, 0.8], [1.0, 0.5]])
)
POLICY = np.array([[[0.5, 0.5], [0.4, 0.6]], [[0.5, 0.5], [np.nan, np.nan]]])


def test_per_decision_weights_by_hand():
    assert per_decision(PLANS, POLICY).value == pytest.approx((2 * 1 + 1 * 4 + 0.5 * 3) / 2)
    assert per_decision(PLANS, POLICY, discount=0.5).value == pytest.approx((2 * 1 + 0.5 * 4 + 0.5 * 3) / 2)


def test_weighted_per_decision_by_hand():
    assert weighted_per_decision(PLANS, POLICY).value == pytest.approx((2 * 1 + 0.5 * 3) / 2.5 + 1 * 4 / 1.5)


def test_plan_dr_by_hand():
    q = np.array([[[2.0, 1.0], [3.0, 5.0]], [[2.0, 2.0], [0.0, 0.0]]])
    last = 0.4 * 3 + 0.6 * 5 + 0.5 * (4 - 3)
    first = 0.5 * 2 + 0.5 * 1 + 2 * (1 + last - 1)
    ended = 0.5 * 2 + 0.5 * 2 + 0.5 * (3 - 2)
    assert plan_dr(PLANS, POLICY, q).value == pytest.approx((first + ended) / 2)


def random_plans(seed: int, steps: int = 3):
    rng = np.random.default_rng(seed)
    shape = (30, steps)
    logging, judged = rng.dirichlet(np.ones(2) * 3, shape), rng.dirichlet(np.ones(2), shape)
    arm = (rng.random(shape) > logging[:, :, 0]).astype(np.int64)
    probability = np.take_along_axis(logging, arm[:, :, None], axis=2)[:, :, 0]
    ended = np.arange(steps) > rng.integers(0, steps, 30)[:, None]
    plans = Plans(ARMS, np.where(ended, -1, arm), rng.normal(size=shape), probability, rng.integers(0, 8, 30))
    return plans, judged, rng.normal(size=(*shape, 2))


seeds = st.integers(0, 10_000)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_plans_of_one_step_are_a_log(seed):
    plans, judged, model = random_plans(seed, steps=1)
    log = Log(ARMS, plans.arm[:, 0], plans.reward[:, 0], plans.probability[:, 0], plans.cluster)
    pairs = [
        (per_decision(plans, judged), ips(log, judged[:, 0])),
        (weighted_per_decision(plans, judged), snips(log, judged[:, 0])),
        (plan_dr(plans, judged, model), dr(log, judged[:, 0], model[:, 0])),
    ]
    for plan, row in pairs:
        assert plan.value == pytest.approx(row.value, abs=1e-12)
        assert np.allclose(plan.influence, row.influence)


@given(seeds, st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_plan_dr_with_a_model_of_zero_is_per_decision_weighting(seed, discount):
    plans, judged, model = random_plans(seed)
    zero = plan_dr(plans, judged, np.zeros_like(model), discount)
    assert zero.value == pytest.approx(per_decision(plans, judged, discount).value, abs=1e-9)


@given(st.lists(st.floats(0.1, 0.9), min_size=6, max_size=6), st.lists(st.floats(-3, 3), min_size=12, max_size=12))
@settings(max_examples=40, deadline=None)
def test_per_decision_and_dr_are_unbiased_over_every_plan_that_could_have_been(chances, numbers):
    """Two steps; the second one's chances and rewards depend on the first arm; a first push ends one plan in the world."""
    logging, judged = np.array(chances[:3]), np.array(chances[3:])
    rewards, model = np.array(numbers[:6]), np.array(numbers[6:])
    truth = {"per decision": 0.0, "dr": 0.0, "value": 0.0}
    for first, second in product(range(2), repeat=2):
        places = np.array([0, 1 + first])
        arms = np.array([first, second])
        p, pi = (np.where(arms == 1, table[places], 1 - table[places]) for table in (logging, judged))
        paid = np.array([rewards[first], rewards[2 + 2 * first + second]])
        plans = Plans(ARMS, arms[None], paid[None], p[None])
        policy = np.stack([1 - judged[places], judged[places]], axis=1)[None]
        q = np.stack([model[:2], model[2 + 2 * first : 4 + 2 * first]])[None]
        truth["value"] += pi.prod() * paid.sum()
        truth["per decision"] += p.prod() * per_decision(plans, policy).value
        truth["dr"] += p.prod() * plan_dr(plans, policy, q).value
    assert truth["per decision"] == pytest.approx(truth["value"], abs=1e-9)
    assert truth["dr"] == pytest.approx(truth["value"], abs=1e-9)


def test_what_is_decided_later_does_not_weigh_what_came_before():
    """Per-decision weights vary less than those of whole plans when rewards come early."""
    plans, judged, _ = random_plans(1)
    early = Plans(ARMS, plans.arm, plans.reward * [1, 0, 0], plans.probability, plans.cluster)
    whole = per_decision(early, judged).weights * early.reward[:, 0]
    assert per_decision(early, judged).influence.std() < whole.std()


@pytest.mark.parametrize("discount", [-0.1, 1.1, np.nan])
def test_a_discount_outside_zero_to_one_is_refused(discount):
    for estimate in (per_decision, weighted_per_decision):
        with pytest.raises(LogError, match="bad_setting"):
            estimate(PLANS, POLICY, discount)
    with pytest.raises(LogError, match="bad_setting"):
        plan_dr(PLANS, POLICY, np.zeros((2, 2, 2)), discount)


def test_a_policy_of_another_shape_or_sum_is_refused():
    with pytest.raises(LogError, match="shape"):
        per_decision(PLANS, POLICY[:, :1])
    with pytest.raises(LogError, match="not_a_distribution"):
        per_decision(PLANS, POLICY * 0.9)


def test_plans_that_the_policy_would_never_take_say_nothing_of_it():
    never = np.array([[[1.0, 0.0], [0.4, 0.6]], [[0.0, 1.0], [0.5, 0.5]]])
    assert per_decision(PLANS, never).value == 0
    with pytest.raises(LogError, match="could not have taken"):
        weighted_per_decision(PLANS, never)
