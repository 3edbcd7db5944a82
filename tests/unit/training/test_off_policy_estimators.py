"""Estimators by hand, on worlds small enough to enumerate, and by what must not change them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.off_policy import Log, LogError, direct, dr, ips, snips, switch_dr

ARMS = ("silence", "email")
LOG = Log(ARMS, np.array([0, 1, 1, 0]), np.array([1.0, 0.0, 2.0, 4.0]), np.array([0.5, 0.25, 0.5, 0.8]))
POLICY = np.array([[0.25, 0.75], [0.5, 0.5], [0.0, 1.0], [0.4, 0.6]])
EXPECTED = np.array([[1.0, 2.0], [0.5, 1.0], [1.0, 1.0], [3.0, 0.0]])
# By hand: w = 0.5, 2, 2, 0.5; w r = 0.5, 0, 4, 2; modeled = 1.75, 0.75, 1, 1.2; w (r - q) = 0, -2, 2, 0.5


def test_every_estimator_gives_what_a_hand_computes():
    assert ips(LOG, POLICY).value == pytest.approx(6.5 / 4)
    assert snips(LOG, POLICY).value == pytest.approx(6.5 / 5)
    assert direct(LOG, POLICY, EXPECTED).value == pytest.approx(4.7 / 4)
    assert dr(LOG, POLICY, EXPECTED).value == pytest.approx(5.2 / 4)
    assert switch_dr(LOG, POLICY, EXPECTED, threshold=1.0).value == pytest.approx(5.2 / 4)
    assert switch_dr(LOG, POLICY, EXPECTED, threshold=0.5).value == pytest.approx(
        5.2 / 4
    )  # a weight just there is kept
    assert switch_dr(LOG, POLICY, EXPECTED, threshold=0.4).value == pytest.approx(4.7 / 4)


def test_an_influence_has_mean_zero():
    for found in (ips(LOG, POLICY), snips(LOG, POLICY), dr(LOG, POLICY, EXPECTED), direct(LOG, POLICY, EXPECTED)):
        assert found.influence.mean() == pytest.approx(0, abs=1e-12), found.estimator


def test_a_policy_that_was_never_seen_has_no_self_normalized_value():
    with pytest.raises(LogError, match="probability 0 to every logged arm"):
        snips(Log(ARMS, np.zeros(3, int), np.ones(3), np.ones(3)), np.tile([0.0, 1.0], (3, 1)))


@pytest.mark.parametrize("threshold", [-1.0, np.nan])
def test_a_threshold_below_zero_is_refused(threshold):
    with pytest.raises(LogError, match="bad_setting"):
        switch_dr(LOG, POLICY, EXPECTED, threshold=threshold)


@pytest.mark.parametrize("expected", [EXPECTED[:, :1], np.where(EXPECTED == 2, np.nan, EXPECTED)])
def test_expected_rewards_with_gaps_are_refused(expected):
    with pytest.raises(LogError, match="shape"):
        dr(LOG, POLICY, expected)


chance = st.floats(0.05, 1.0)
money = st.floats(-5.0, 5.0)


@st.composite
def toy_world(draw, contexts=2, arms=3):
    """Logging and judged policies by context, mean rewards, and any model."""
    tables = [np.array(draw(st.lists(chance, min_size=contexts * arms, max_size=contexts * arms))) for _ in range(2)]
    logging, judged = (
        table.reshape(contexts, arms) / table.reshape(contexts, arms).sum(1, keepdims=True) for table in tables
    )
    values = [np.array(draw(st.lists(money, min_size=contexts * arms, max_size=contexts * arms))) for _ in range(2)]
    return logging, judged, values[0].reshape(contexts, arms), values[1].reshape(contexts, arms)


@given(toy_world())
@settings(max_examples=40, deadline=None)
def test_ips_and_dr_are_unbiased_over_every_log_that_could_have_been(world):
    """All nine logs of two rows, one per context, each with its exact probability; for DR with any model whatsoever."""
    logging, judged, reward, model = world
    truth = (judged * reward).sum() / 2
    total = {"ips": 0.0, "dr": 0.0, "chance": 0.0}
    rows = np.arange(2)
    for arms in product(range(3), repeat=2):
        arm = np.array(arms)
        log = Log(("a", "b", "c"), arm, reward[rows, arm], logging[rows, arm])
        likely = float(logging[rows, arm].prod())
        total["chance"] += likely
        total["ips"] += likely * ips(log, judged).value
        total["dr"] += likely * dr(log, judged, model).value
    assert total["chance"] == pytest.approx(1)
    assert total["ips"] == pytest.approx(truth, abs=1e-9)
    assert total["dr"] == pytest.approx(truth, abs=1e-9)


def random_log(seed: int, rows: int = 40, arms: int = 3):
    rng = np.random.default_rng(seed)
    logging, judged = rng.dirichlet(np.ones(arms) * 3, rows), rng.dirichlet(np.ones(arms), rows)
    arm = np.array([rng.choice(arms, p=each) for each in logging])
    names = tuple("abc"[:arms])
    log = Log(names, arm, rng.normal(size=rows), logging[np.arange(rows), arm], rng.integers(0, 9, rows))
    return log, judged, rng.normal(size=(rows, arms))


seeds = st.integers(0, 10_000)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_dr_with_a_model_of_zero_is_ips(seed):
    log, judged, model = random_log(seed)
    assert dr(log, judged, np.zeros_like(model)).value == pytest.approx(ips(log, judged).value, abs=1e-12)
    assert np.allclose(dr(log, judged, np.zeros_like(model)).influence, ips(log, judged).influence)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_dr_with_weights_of_one_is_the_direct_method_plus_the_mean_residual(seed):
    log, _, model = random_log(seed)
    certain = Log(log.arms, log.arm, log.reward, np.ones(len(log)))
    same = np.eye(3)[log.arm]
    residual = log.reward - model[np.arange(len(log)), log.arm]
    assert dr(certain, same, model).value == pytest.approx(direct(certain, same, model).value + residual.mean())
    right = np.where(same > 0, log.reward[:, None], model)
    assert dr(certain, same, right).value == pytest.approx(direct(certain, same, right).value, abs=1e-12)
    assert ips(certain, same).value == pytest.approx(log.reward.mean())


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_switching_runs_from_the_direct_method_to_dr(seed):
    log, judged, model = random_log(seed)
    assert switch_dr(log, judged, model, threshold=0.0).value == pytest.approx(direct(log, judged, model).value)
    assert switch_dr(log, judged, model, threshold=np.inf).value == dr(log, judged, model).value


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_rows_changes_nothing(seed):
    log, judged, model = random_log(seed)
    order = np.random.default_rng(seed).permutation(len(log))
    assert log.cluster is not None
    mixed = Log(log.arms, log.arm[order], log.reward[order], log.probability[order], log.cluster[order])
    pairs = [
        (ips(log, judged), ips(mixed, judged[order])),
        (snips(log, judged), snips(mixed, judged[order])),
        (dr(log, judged, model), dr(mixed, judged[order], model[order])),
    ]
    for before, after in pairs:
        assert after.value == pytest.approx(before.value, abs=1e-12)
        assert np.allclose(after.influence, before.influence[order])


@given(seeds, st.floats(0.1, 10), st.floats(-3, 3))
@settings(max_examples=30, deadline=None)
def test_snips_follows_the_rewards_unit_and_origin(seed, scale, shift):
    log, judged, _ = random_log(seed)
    moved = Log(log.arms, log.arm, scale * log.reward + shift, log.probability)
    assert snips(moved, judged).value == pytest.approx(scale * snips(log, judged).value + shift, abs=1e-9)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_snips_stays_within_the_rewards_that_were_seen(seed):
    log, judged, _ = random_log(seed)
    assert log.reward.min() - 1e-12 <= snips(log, judged).value <= log.reward.max() + 1e-12
