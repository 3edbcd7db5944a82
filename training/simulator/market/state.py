"""What changes from week to week in the simulated market, and the part of it that a policy may observe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np

from training.simulator.market import laws as law
from training.simulator.market.laws import Booleans, Floats, Integers
from training.simulator.market.log import Log
from training.simulator.market.people import People, Scene

FEATURES = (
    "recency", "frequency", "spend", "tenure", "cart", "expiring", "lapsing", "clicks", "opens", "pressure",
    "profile_1", "profile_2", "profile_3", "season",
)  # fmt: skip
MEMORY = 0.9  # share of an observed rate that stays from week to week
MENU: Booleans = np.column_stack([np.ones(len(law.MOMENTS), dtype=bool), law.FIT[:, law.JOURNEY_OF] > 0])


@dataclass
class State:
    """Arrays over n customers. Latent: `alive` (n,), `attached` (n,) factor on buying and effects, `pending` (n, HORIZON) effects

    to come by week, `intent` (n,) this week's factor on buying. Known to the shop: `pressure` (n,) faded count of messages that
    arrived, `reachable` (n, channels) consent not withdrawn, `moment` (n,), `recency` (n,) weeks, and faded means of purchases,
    spend, clicks and opens.
    """

    alive: Booleans
    attached: Floats
    pending: Floats
    intent: Floats
    pressure: Floats
    reachable: Booleans
    moment: Integers
    recency: Floats
    frequency: Floats
    spend: Floats
    clicks: Floats
    opens: Floats

    def copy(self) -> State:
        """An independent copy: a policy's run must not touch another's start."""
        return State(**{field.name: getattr(self, field.name).copy() for field in fields(self)})


def newborn(people: People) -> State:
    """Everybody before the first week: alive, rested, no purchase seen yet."""
    n = len(people)
    return State(
        alive=np.ones(n, dtype=bool),
        attached=np.ones(n),
        pending=np.zeros((n, law.HORIZON)),
        intent=np.ones(n),
        pressure=np.zeros(n),
        reachable=people.consent.copy(),
        moment=np.zeros(n, dtype=np.int64),
        recency=np.zeros(n),
        frequency=np.zeros(n),
        spend=np.full(n, law.MARGIN * 50.0),
        clicks=np.zeros(n),
        opens=np.zeros(n),
    )


@dataclass(frozen=True)
class View:
    """What a policy sees in a week: `features` (n, FEATURES), `admissible` (n, candidates), `money` (n,) margin of a purchase as

    observed, `quota` the most messages the scarce channel carries this week, the `log` of earlier weeks, and `rng`, the policy's dice.
    """

    week: int
    features: Floats
    admissible: Booleans
    money: Floats
    quota: int
    log: Log
    rng: np.random.Generator


@dataclass(frozen=True)
class Choice:
    """One candidate per customer: `candidate` (n,), `probability` (n,) with which it was chosen (NaN where nobody knows it) and

    `randomized` (n,), whether dice decided.
    """

    candidate: Integers
    probability: Floats
    randomized: Booleans


@dataclass(frozen=True)
class Truth:
    """What no shop knows: the whole state, the people and the laws."""

    state: State
    scene: Scene


class Policy(Protocol):
    """From what is observable to one candidate per customer."""

    def choose(self, view: View) -> Choice:
        """Choose for everybody in the view."""


def observe(state: State, scene: Scene, log: Log, rng: np.random.Generator) -> View:
    """The observable part of `state` at the start of the scene's week."""
    people, week = scene.people, scene.week
    moment = state.moment[:, None] == np.arange(1, len(law.MOMENTS))
    columns: Sequence[Floats] = (
        np.log1p(state.recency), state.frequency, np.log(state.spend), np.minimum(week - people.joined, 104) / 52.0,
        *moment.T.astype(float), state.clicks, state.opens, state.pressure, *people.profile.T, np.full(len(people), scene.season),
    )  # fmt: skip
    reachable = np.column_stack([np.ones(len(people), dtype=bool), state.reachable[:, law.CHANNEL_OF]])
    return View(
        week=week,
        features=np.column_stack(columns),
        admissible=MENU[state.moment] & reachable,
        money=state.spend,
        quota=int(law.QUOTA_SHARE * len(people)),
        log=log,
        rng=rng,
    )
