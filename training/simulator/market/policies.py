"""Policies to compare with that learn nothing: never send, a fixed priority, dice, and the confounded marketers."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from training.simulator.market import laws as law
from training.simulator.market.laws import Booleans, Floats, Integers
from training.simulator.market.state import Choice, Truth, View

SCARCE_CANDIDATES: Integers = 1 + np.flatnonzero(law.CHANNEL_OF == law.SCARCE)


@runtime_checkable
class Clairvoyant(Protocol):
    """A policy that is shown what no shop knows; `play` calls `see` before each choice."""

    def see(self, truth: Truth) -> None:
        """The true state at the start of the week."""


def certain(candidate: Integers) -> Choice:
    """A choice no dice took part in."""
    return Choice(candidate, np.ones(len(candidate)), np.zeros(len(candidate), dtype=bool))


def allot(values: Floats, admissible: Booleans, quota: int) -> Integers:
    """The best admissible candidate of each row of `values` (n, candidates), silence at its own value; (n,).

    Where more rows than `quota` want the scarce channel, those get it who gain most over their next best.
    """
    values = np.where(admissible, values, -np.inf)
    best = values.argmax(axis=1)
    wanting = np.flatnonzero(np.isin(best, SCARCE_CANDIDATES))
    if len(wanting) <= quota:
        return np.asarray(best)
    without = values[wanting]
    without[:, SCARCE_CANDIDATES] = -np.inf
    advantage = values[wanting].max(axis=1) - without.max(axis=1)
    refused = np.argsort(-advantage, kind="stable")[quota:]
    best[wanting[refused]] = without[refused].argmax(axis=1)
    return np.asarray(best)


def dice(admissible: Booleans, silence: float, quota: int, rng: np.random.Generator) -> tuple[Integers, Floats]:
    """A uniform choice: candidate (n,) and the exact probability of each candidate (n, candidates).

    Silence has probability `silence`, the rest is shared evenly. Who may have the scarce channel is drawn first, `quota` of those
    who could; the probabilities are marginal, the draw of the scarce included.
    """
    n = len(admissible)
    could = np.flatnonzero(admissible[:, SCARCE_CANDIDATES].any(axis=1))
    share = min(1.0, quota / max(1, len(could)))
    winners = np.zeros(n, dtype=bool)
    winners[rng.permutation(could)[:quota]] = True
    plain = admissible.copy()
    plain[:, SCARCE_CANDIDATES] = False
    wins, loses = _even(admissible, silence), _even(plain, silence)
    odds = np.where(winners[:, None], wins, loses)
    candidate = np.minimum((rng.random((n, 1)) > odds.cumsum(axis=1)).sum(axis=1), law.CANDIDATES - 1)
    return candidate, share * wins + (1 - share) * loses


def _even(admissible: Booleans, silence: float) -> Floats:
    """Probabilities (n, candidates): `silence` for silence, or 1 where nothing else is admissible, the rest evenly."""
    odds = admissible.astype(float)
    odds[:, law.SILENCE] = 0
    count = odds.sum(axis=1)
    odds *= ((1 - silence) / np.maximum(count, 1))[:, None]
    odds[:, law.SILENCE] = np.where(count > 0, silence, 1.0)
    return odds


class NeverSend:
    """Silence for everybody."""

    def choose(self, view: View) -> Choice:
        """Silence."""
        return certain(np.zeros(len(view.features), dtype=np.int64))


class FixedPriority:
    """What shops do without a model: the journey of the moment first, each on the first open channel, every week."""

    journeys = ("cart_recovery", "reward_expiry", "churn_recovery", "earn_to_redeem")
    channels = ("email", "push", "sms")

    def choose(self, view: View) -> Choice:
        """The first admissible candidate of the list."""
        order = [law.NAMES.index(f"{journey}/{channel}") for journey in self.journeys for channel in self.channels]
        rank = np.full(law.CANDIDATES, -float(law.CANDIDATES))
        rank[order] = -np.arange(len(order), dtype=float)
        return certain(allot(np.tile(rank, (len(view.features), 1)), view.admissible, view.quota))


class Dice:
    """Uniform over the admissible candidates, silent with probability `silence`; the exact probability is logged."""

    def __init__(self, silence: float = 0.5) -> None:
        self._silence = silence

    def choose(self, view: View) -> Choice:
        """A drawn candidate for everybody."""
        candidate, odds = dice(view.admissible, self._silence, view.quota, view.rng)
        rows = np.arange(len(candidate))
        return Choice(candidate, odds[rows, candidate], np.ones(len(rows), dtype=bool))


class Marketers:
    """The confounded history: whoever is about to buy is sent the moment's journey by e-mail, and nobody logs a probability.

    One customer-week in five is left to the dice, with its probability logged.
    """

    random_share = 0.2

    def see(self, truth: Truth) -> None:
        """Marketers know who is still there and near a purchase; no feature shows it."""
        self._keen = truth.state.alive & (truth.state.intent > 1.0)

    def choose(self, view: View) -> Choice:
        """The marketers' pick, or the dice's."""
        drawn = Dice(0.5).choose(view)
        picked = FixedPriority().choose(view).candidate * self._keen
        picked[np.isin(picked, SCARCE_CANDIDATES)] = law.SILENCE
        randomized = view.rng.random(len(picked)) < self.random_share
        return Choice(
            np.where(randomized, drawn.candidate, picked), np.where(randomized, drawn.probability, np.nan), randomized
        )
