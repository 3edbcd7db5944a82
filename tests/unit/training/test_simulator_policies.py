"""Policies in the simulated market: what they are truly worth, and what their logs allow to be learned."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lengths import short_first
from training.simulator.market import laws as law
from training.simulator.market.laws import NAMES, WORLDS
from training.simulator.market.learners import EpsilonGreedy, MyopicUplift, PropensityValue
from training.simulator.market.log import Rows
from training.simulator.market.oracle import MyopicOracle, Oracle
from training.simulator.market.play import Difference, Market, difference, value_of
from training.simulator.market.policies import SCARCE_CANDIDATES, Dice, FixedPriority, NeverSend, allot, dice
from training.simulator.market.product import Arbitrated
from training.simulator.market.state import FEATURES, Policy
from training.simulator.market.worth import GRID, prices

CUSTOMERS, WEEKS = 1500, 20
OTHERS = (FixedPriority, Dice, PropensityValue, MyopicUplift, EpsilonGreedy, MyopicOracle, Arbitrated)


@cache
def market(world: str = "strong", fatigue: float = 1.0, customers: int = CUSTOMERS, seed: int = 2) -> Market:
    """A market several tests play in."""
    return Market(replace(WORLDS[world], fatigue=fatigue), seed, customers, WEEKS)


def oracle() -> Policy:
    """The oracle of these tests' markets."""
    return Oracle(WEEKS)


@cache
def best(world: str) -> np.ndarray:
    """What the oracle earns with each customer."""
    return market(world).run(oracle()).value


def gain(policy: Policy, where: Market) -> Difference:
    """Over never sending."""
    return value_of(lambda: policy, where)[1]


@pytest.mark.parametrize("world", ["strong", "weak", "confounded log"])
def test_the_oracle_gains_over_never_sending(world: str) -> None:
    found = gain(oracle(), market(world))
    assert found.mean > 3 * found.error


@pytest.mark.parametrize(
    "world", short_first(["strong", "weak"], 1)
)  # without effects the oracle is silent: the next test
@pytest.mark.parametrize("other", OTHERS)
def test_no_policy_is_worth_more_than_the_oracle(world: str, other: type[Policy]) -> None:
    ahead = difference(market(world).run(other()).value, best(world))
    assert ahead.mean < 2 * ahead.error + 1e-9


@pytest.mark.parametrize("other", OTHERS)
def test_in_the_zero_effect_world_sending_never_gains(other: type[Policy]) -> None:
    assert gain(other(), market("zero-effect")).mean <= 0


def test_in_the_zero_effect_world_the_oracle_is_silent() -> None:
    assert market("zero-effect").run(oracle()).contacts.sum() == 0


def test_where_pressure_is_strong_the_myopic_oracle_loses_to_silence_and_the_oracle_does_not() -> None:
    for where in (market("weak", fatigue=2.0), market("strong", fatigue=4.0)):
        myopic, best = gain(MyopicOracle(), where), gain(oracle(), where)
        assert myopic.mean < -3 * myopic.error
        assert best.mean > 0


def test_without_fatigue_attention_has_no_price() -> None:
    assert np.abs(prices(market(fatigue=0.0).people, market(fatigue=0.0).laws, WEEKS).attention).max() < 1e-9


def test_the_attention_price_is_positive_and_greater_for_the_more_valuable() -> None:
    where = market()
    found = prices(where.people, where.laws, WEEKS).phi(0, np.full(CUSTOMERS, GRID[1]))
    worth = where.people.buying * where.people.margin / (where.people.leaving + 0.01)
    assert (found >= 0).all()
    assert np.corrcoef(found, worth)[0, 1] > 0.5


def test_half_or_double_the_attention_price_is_worse() -> None:
    where = market("weak", customers=6000)
    best = where.run(oracle()).value
    for factor in (0.5, 2.0):
        other = Oracle(WEEKS)
        table = prices(where.people, where.laws, WEEKS)
        other._prices = replace(table, attention=table.attention * factor)
        worse = difference(where.run(other).value, best)
        assert worse.mean < -2 * worse.error


def test_common_random_numbers_shrink_the_error_of_a_difference() -> None:
    one, other = market(), market(seed=9)
    paired = difference(one.run(oracle()).value, one.run(NeverSend()).value)
    alone = difference(one.run(oracle()).value, other.run(NeverSend()).value)
    assert paired.error < alone.error / 10


def test_never_sending_differs_from_itself_by_nothing() -> None:
    assert value_of(NeverSend, market())[1] == Difference(0.0, 0.0)


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.floats(0.05, 0.9))
def test_the_dices_probabilities_sum_to_one_and_are_zero_outside_the_menu(
    seed: int, quota: int, silence: float
) -> None:
    rng = np.random.default_rng(seed)
    admissible = rng.random((60, law.CANDIDATES)) < 0.4
    admissible[:, law.SILENCE] = True
    candidate, odds = dice(admissible, silence, quota, rng)
    assert odds.sum(axis=1) == pytest.approx(np.ones(60))
    assert (odds[~admissible] == 0).all()
    assert admissible[np.arange(60), candidate].all()
    assert np.isin(candidate, SCARCE_CANDIDATES).sum() <= quota


def test_the_dice_fall_as_often_as_logged() -> None:
    admissible = np.ones((50, law.CANDIDATES), dtype=bool)
    rng = np.random.default_rng(1)
    drawn = np.zeros((50, law.CANDIDATES))
    for _ in range(4000):
        candidate, odds = dice(admissible, 0.5, 6, rng)
        drawn[np.arange(50), candidate] += 1
    assert np.abs(drawn / 4000 - odds).max() < 4.5 * np.sqrt(0.25 / 4000)
    assert drawn.mean(axis=0) / 4000 == pytest.approx(odds.mean(axis=0), abs=0.005)


@given(st.integers(0, 2**32 - 1), st.integers(0, 8))
def test_the_scarce_channel_goes_to_those_who_gain_most(seed: int, quota: int) -> None:
    rng = np.random.default_rng(seed)
    values, admissible = rng.normal(size=(8, law.CANDIDATES)), rng.random((8, law.CANDIDATES)) < 0.7
    admissible[:, law.SILENCE] = True
    chosen = allot(values, admissible, quota)
    assert admissible[np.arange(8), chosen].all()
    assert np.isin(chosen, SCARCE_CANDIDATES).sum() <= quota
    plain = np.where(admissible, values, -np.inf)
    scarce, other = plain[:, SCARCE_CANDIDATES].max(axis=1), np.delete(plain, SCARCE_CANDIDATES, axis=1).max(axis=1)
    most = np.sort(np.maximum(scarce - other, 0))[::-1][:quota].sum() + other.sum()
    assert plain[np.arange(8), chosen].sum() == pytest.approx(most)


def contrast(rows: Rows, weights: np.ndarray) -> tuple[float, float]:
    """Weighted share of buyers among those with one e-mail less that among the silent, and its standard error (Hajek)."""
    means, variances, bought = [], [], rows.purchases > 0
    for candidate in (NAMES.index("earn_to_redeem/email"), law.SILENCE):
        w = weights * (rows.candidate == candidate)
        means.append(np.average(bought, weights=w))
        variances.append((w**2 * (bought - means[-1]) ** 2).sum() / w.sum() ** 2)
    return float(means[0] - means[1]), float(np.sqrt(sum(variances)))


def test_a_confounded_log_fools_the_naive_and_the_logged_probability_mends_it() -> None:
    """No contact has any effect here, yet those whom the marketers wrote to bought more: they were about to anyway."""
    where = Market(replace(WORLDS["confounded log"], effect=0.0, fatigue=0.0), 4, 20_000, WEEKS)
    rows = where.start[1].rows(0)
    reachable = where.people.consent[rows.customer, law.EMAIL]
    naive, doubt = contrast(rows, reachable.astype(float))
    assert naive > 4 * doubt
    known = rows.randomized & reachable
    mended, error = contrast(rows, np.where(known, 1.0 / np.where(known, rows.probability, 1.0), 0.0))
    assert abs(mended) < 2.5 * error < naive
    assert np.isnan(rows.probability[~rows.randomized]).all()


def test_rewards_are_logged_only_when_their_horizon_is_over() -> None:
    run = market().run(NeverSend())
    rows = run.log.rows(10)
    assert rows.week.max() == 10 - law.HORIZON
    assert len(market().start[1].rows(0).week) == CUSTOMERS * (8 - law.HORIZON + 1)


def test_a_logged_reward_is_the_margin_of_its_horizon_less_the_cost() -> None:
    run = market().run(Dice())
    frame = run.log.rows(12).frame(FEATURES)
    assert frame["simulated"].all()
    silent = frame[frame["candidate"] == "silence"]
    assert ((silent["reward"] > 0) == (silent["purchases"] > 0)).all()
    never = frame[frame["purchases"] == 0]
    assert never["reward"].to_numpy() == pytest.approx(-law.COST[[NAMES.index(name) for name in never["candidate"]]])


def test_the_bandit_logs_the_probability_of_what_it_chose() -> None:
    entries = market().run(EpsilonGreedy()).log.entries[8:]
    chosen = np.concatenate([entry.probability for entry in entries])
    assert (chosen > 0).all()
    assert (chosen <= 1).all()
    assert np.mean(chosen > 0.9) == pytest.approx(0.95, abs=0.02)
