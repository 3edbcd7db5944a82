"""Who is still there in the simulated market: the model of buying and leaving, and what clicks say of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.simulator.market.laws import SILENCE, WORLDS, Floats
from training.simulator.market.play import Market
from training.simulator.market.policies import Dice
from training.simulator.market.presence import MEMORY, START, Presence, checked, fit_presence, history
from training.simulator.market.product_effects import presence_of
from training.simulator.market.state import FEATURES, Choice, Truth, View

USUAL = Presence(0.6, 2.0, 0.5, 10.0)


def seen(weeks_since: Floats, rate: float = 0.3, age: float = 40.0) -> Floats:
    """Features of customers who bought with `rate` until so many weeks ago, at the age of `age` weeks."""
    rows = np.zeros((len(weeks_since), len(FEATURES)))
    rows[:, FEATURES.index("recency")] = np.log1p(weeks_since)
    rows[:, FEATURES.index("frequency")] = rate * MEMORY**weeks_since
    rows[:, FEATURES.index("tenure")] = (age + weeks_since) / 52
    return rows


@given(st.integers(0, 30), st.floats(0.02, 0.9), st.floats(0, 100))
def test_the_chance_is_that_of_everybody_who_might_have_been_so(silent: int, rate: float, age: float) -> None:
    """Held against a great many drawn customers: each leaves and buys with their own chances, given what they bought before."""
    features = seen(np.array([float(silent)]), rate, age)
    purchases, weeks, lived, _ = (one[0] for one in history(features))
    dice = np.random.default_rng(silent)
    theta = dice.beta(USUAL.gamma, USUAL.delta + lived, 100_000)
    buys = dice.beta(USUAL.alpha + purchases, USUAL.beta + weeks - purchases, 100_000)
    keeps = (1 - theta) * (1 - buys)
    stayed, left = keeps**silent, sum((theta * keeps**week for week in range(silent)), np.zeros(len(theta)))
    chance, _ = USUAL.of(features)
    assert chance[0] == pytest.approx(stayed.sum() / (stayed.sum() + left.sum()), abs=0.02)


def test_the_longer_somebody_stays_away_the_less_they_are_there_and_the_oftener_they_bought_the_sooner() -> None:
    often, rarely = (USUAL.of(seen(np.arange(0.0, 60.0), rate))[0] for rate in (0.6, 0.05))
    assert often[0] == rarely[0] == 1.0
    assert (np.diff(often) < 0).all()
    assert (often[1:] < rarely[1:]).all()


def test_who_fills_a_cart_is_there() -> None:
    rows = seen(np.array([30.0]))
    rows[:, FEATURES.index("cart")] = 1
    assert USUAL.of(rows)[0].tolist() == [1.0]


def test_clicks_tell_how_many_of_those_taken_for_gone_are_there() -> None:
    rows = seen(np.repeat([0.0, 50.0], 10_000))
    there = USUAL.of(rows)[0]
    dice = np.random.default_rng(1)
    for share in (0.0, 0.3, 1.0):
        clicked = dice.random(len(rows)) < 0.2 * (share + (1 - share) * there)
        assert checked(USUAL, rows, clicked).floor == pytest.approx(share, abs=0.06)
    nobody = checked(USUAL, rows, np.zeros(len(rows), dtype=bool))
    assert nobody.floor == 0.0


def test_without_rows_it_is_what_it_starts_from() -> None:
    none = np.zeros((0, len(FEATURES)))
    found = checked(fit_presence(none, np.zeros(0, dtype=np.int64)), none, np.zeros(0, dtype=bool))
    assert found == Presence(*START)
    assert found.of(none)[0].shape == (0,)


class Watched(Dice):
    """Dice that remember who is truly there, and what the shop sees of them."""

    def see(self, truth: Truth) -> None:
        """Keep the truth."""
        self.alive = truth.state.alive.copy()

    def choose(self, view: View) -> Choice:
        """Draw."""
        self.features = view.features
        return super().choose(view)


def test_in_the_market_it_is_near_the_truth_and_nearer_with_clicks() -> None:
    policy = Watched()
    rows = Market(WORLDS["strong"], 7, 6_000, 8).run(policy).log.rows(8).known()
    silent = rows.candidate == SILENCE
    lapsing = policy.features[:, FEATURES.index("lapsing")] > 0
    truth, errors = policy.alive[lapsing], []
    for found in (fit_presence(rows.features[silent], rows.purchases[silent]), presence_of(rows)):
        chance = found.of(policy.features[lapsing])[0]
        errors.append(((chance - truth) ** 2).mean())
    assert chance.mean() == pytest.approx(truth.mean(), abs=0.1)
    assert errors[1] < errors[0]
    assert errors[1] < truth.var()
