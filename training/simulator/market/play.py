"""Run policies in the simulated market and measure what they are truly worth, under common random numbers.

Every policy starts from the same state after the same history, and the same seed and week draw the same numbers for all. The value
of a customer is the sum of the expected margin of each week given the latent state (Rao and Blackwell: the coin of a purchase adds
noise and no information), less costs, discounted, plus the base margin of the year after the end for those still there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from training.simulator.market import laws as law
from training.simulator.market.laws import Floats, Integers, Laws
from training.simulator.market.log import Entry, Log
from training.simulator.market.people import People, Scene, draw_people
from training.simulator.market.policies import SCARCE_CANDIDATES, Clairvoyant, Dice, Marketers, NeverSend
from training.simulator.market.state import Choice, Policy, State, Truth, View, newborn, observe
from training.simulator.market.week import Week, begin, end, lost_share
from training.simulator.market.worth import afterwards, gain_per_purchase

WARM_UP = 52


@dataclass(frozen=True)
class Run:
    """A policy's weeks: `value` (n,) money per customer, `contacts`, `opt_outs` and `arrived` (weeks,) counts, the `log`."""

    value: Floats
    contacts: Integers
    arrived: Integers
    opt_outs: Integers
    log: Log


@dataclass(frozen=True)
class Difference:
    """Paired difference per customer: mean and its standard error, in money."""

    mean: float
    error: float


@dataclass(frozen=True)
class Market:
    """A world, a seed and a size. `history` weeks of logged contacts come before week 0, a silent year before those."""

    laws: Laws
    seed: int
    customers: int = 10_000
    weeks: int = 40
    history: int = 8

    @cached_property
    def people(self) -> People:
        """Everybody, the same for every policy."""
        first = -self.history - WARM_UP
        return draw_people(self.laws, self.customers, self.seed, joining=(first, -self.history))

    @cached_property
    def start(self) -> tuple[State, Log]:
        """State and log at week 0, after the silent year and the logged history."""
        state, log = newborn(self.people), Log()
        self._weeks(NeverSend(), state, Log(), range(-self.history - WARM_UP, -self.history))
        logging = Marketers() if self.laws.confounded else Dice()
        self._weeks(logging, state, log, range(-self.history, 0), "history")
        return state, log

    def run(self, policy: Policy) -> Run:
        """Let `policy` decide the judged weeks from the common start."""
        state, log = self.start[0].copy(), self.start[1].fork()
        weeks = self._weeks(policy, state, log, range(self.weeks))
        value = np.zeros(self.customers)
        for number, week in enumerate(weeks):
            value += law.DISCOUNT**number * (week.expected - law.COST[log.entries[self.history + number].candidate])
        value += law.DISCOUNT**self.weeks * self._left(state)
        sent = [int((entry.candidate > 0).sum()) for entry in log.entries[self.history :]]
        return Run(
            value,
            np.array(sent),
            np.array([week.arrived.sum() for week in weeks]),
            np.array([week.opted_out.sum() for week in weeks]),
            log,
        )

    def _weeks(self, policy: Policy, state: State, log: Log, weeks: range, name: str = "policy") -> list[Week]:
        """Play `weeks` in place, writing the log."""
        happened = []
        for week in weeks:
            scene = Scene(self.people, self.laws, self.seed, week)
            begin(state, scene)
            view = observe(state, scene, log, scene.draws(name))
            if isinstance(policy, Clairvoyant):
                policy.see(Truth(state, scene))
            choice = policy.choose(view)
            check(choice, view)
            outcome = end(state, scene, choice.candidate)
            log.record(_entry(view, choice, outcome))
            log.reward(week, outcome.margin)
            happened.append(outcome)
        return happened

    def _left(self, state: State) -> Floats:
        """Expected margin after the last week (n,): effects still to come, and a year of base purchases."""
        rested = np.maximum(0, 1 - lost_share(self.people, self.laws) * state.pressure / (1 - law.FADING))
        won, kept_away = gain_per_purchase(self.people, self.laws.season(self.weeks))
        coming = state.pending.sum(axis=1)
        still = state.alive * state.attached
        return np.asarray(still * (afterwards(self.people) * rested + coming * np.where(coming > 0, won, kept_away)))


def check(choice: Choice, view: View) -> None:
    """Refuse a choice no shop could carry out: a withdrawn consent, a journey that does not apply, more than the quota.

    Raises ValueError, which is the policy's programmer's to mend.
    """
    rows = np.arange(len(choice.candidate))
    if not view.admissible[rows, choice.candidate].all():
        raise ValueError(f"week {view.week}: the policy chose a candidate that is not admissible (see View.admissible)")
    if np.isin(choice.candidate, SCARCE_CANDIDATES).sum() > view.quota:
        raise ValueError(f"week {view.week}: the policy used more than View.quota of the scarce channel")


def _entry(view: View, choice: Choice, outcome: Week) -> Entry:
    return Entry(
        week=view.week,
        features=view.features,
        candidate=choice.candidate,
        probability=choice.probability,
        randomized=choice.randomized,
        reward=-law.COST[choice.candidate],
        purchases=np.zeros(len(choice.candidate), dtype=np.int64),
        arrived=outcome.arrived,
        clicked=outcome.clicked,
    )


def difference(one: Floats, other: Floats) -> Difference:
    """Mean of `one` - `other` over customers and its standard error, both (n,) under common random numbers."""
    gap = one - other
    return Difference(float(gap.mean()), float(gap.std(ddof=1) / np.sqrt(len(gap))))


def value_of(policy: Callable[[], Policy], market: Market) -> tuple[float, Difference]:
    """Money per customer under a fresh `policy`, and the paired difference to never sending with its standard error."""
    value = market.run(policy()).value
    return float(value.mean()), difference(value, market.run(NeverSend()).value)
