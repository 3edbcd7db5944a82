"""Simulated randomized contacts, week by week: who was sent what, with which exact probability, and what came of it.

Each week every customer with an open channel is silent with probability 0.35; otherwise one of the journeys that apply is drawn
uniformly, and one of the open channels uniformly. Silence is logged too: it is the control group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.simulator import truth
from training.simulator.truth import CHANNELS, JOURNEY_EFFECT
from training.simulator.world import Floats, World, logistic, pick

HOUR, DAY = 3600.0, 86400.0
JOURNEYS = tuple(JOURNEY_EFFECT)
FADING_DAYS = 7.0
JOURNEY_CLICK, JOURNEY_TAU = np.array([*truth.JOURNEY_CLICK.values()]), np.array([*JOURNEY_EFFECT.values()])
CHANNEL_CLICK, CHANNEL_TAU = np.array([*truth.CHANNEL_CLICK.values()]), np.array([*truth.CHANNEL_EFFECT.values()])
CHANNEL_OPT_OUT = np.array([*truth.OPT_OUT.values()])

# When a journey applies, over the features of that week: the simulated marketer's rules.
APPLIES: Mapping[str, Callable[[pd.DataFrame], pd.Series[bool]]] = {
    "welcome": lambda f: f["tenure_days"] < 45,
    "earn_to_redeem": lambda f: f["reward_value"] > 0,
    "tier_upgrade": lambda f: f["money_to_next_tier"] <= 200,
    "reward_expiry": lambda f: f["points_expiring_30d"] >= 50,
    "churn_recovery": lambda f: (f["gap_ratio"] >= 2) & (f["recency_days"] >= 10) & (f["recency_days"] <= 56),
    "win_back": lambda f: f["recency_days"] > 56,
    "cart_recovery": lambda f: f["cart_open"] == 1,
    "post_purchase": lambda f: f["recency_days"] < 5,
}
READ = frozenset({
    "tenure_days", "reward_value", "money_to_next_tier", "points_expiring_30d", "gap_ratio", "recency_days", "cart_open",
})  # fmt: skip
"""The features that these rules read."""


@dataclass
class Log:
    """What a run has written so far: frames of contacts, outcomes and opt-outs."""

    contacts: list[pd.DataFrame] = field(default_factory=list)
    outcomes: list[pd.DataFrame] = field(default_factory=list)
    opt_outs: list[pd.DataFrame] = field(default_factory=list)


class Contacts:
    """The weekly loop's state: open channels (n, c), pressure felt (n,) and the log."""

    def __init__(self, world: World, open_channels: NDArray[np.bool_], rng: np.random.Generator) -> None:
        self._world, self._rng, self._open = world, rng, open_channels
        self._pressure: Floats = np.zeros(len(world.ids))
        self._machine = rng.random(len(world.ids)) < truth.MACHINE_OPEN_SHARE
        self.log = Log()

    def week(self, number: int, start: float, features: pd.DataFrame) -> None:
        """Send one week's contacts from `start` (local midnight, epoch seconds); `features` has a row per world customer."""
        world, rng = self._world, self._rng
        applies = np.column_stack([APPLIES[journey](features).to_numpy(dtype=bool) for journey in JOURNEYS])
        may = np.flatnonzero(applies.any(axis=1) & self._open.any(axis=1))
        choices = applies[may].sum(axis=1) * self._open[may].sum(axis=1)
        silent = rng.random(len(may)) < truth.SILENCE_PROBABILITY
        journey = pick(rng, applies[may] / applies[may].sum(axis=1, keepdims=True))
        channel = pick(rng, self._open[may] / self._open[may].sum(axis=1, keepdims=True))
        hour = rng.integers(truth.FIRST_HOUR, truth.LAST_HOUR + 1, len(may))
        day = rng.integers(0, 7, len(may))
        at = (start + day * DAY + hour * HOUR + rng.random(len(may)) * HOUR).round()
        self._pressure *= np.exp(-7 / FADING_DAYS)
        frame = pd.DataFrame({
            "contact_id": [f"sim-contact-{number}-{customer}" for customer in world.ids[may]],
            "customer_id": world.ids[may],
            "journey": np.where(silent, "silence", np.array(JOURNEYS)[journey]),
            "channel": np.where(silent, "none", np.array(CHANNELS)[channel]),
            "instant": at,
            "probability": np.where(silent, truth.SILENCE_PROBABILITY, (1 - truth.SILENCE_PROBABILITY) / choices),
            "arm": np.where(silent, "silence", "random"),
        })  # fmt: skip
        self.log.contacts.append(frame)
        self._orders(frame, may, np.where(silent, 0.0, self._tau(may, journey, channel)))
        sent = ~silent
        self._react(frame[sent], may[sent], journey[sent], channel[sent], hour[sent])
        self._pressure[may[sent]] += 1

    def _tau(self, who: NDArray[np.int64], journey: NDArray[np.int64], channel: NDArray[np.int64]) -> Floats:
        """True incremental orders of each contact."""
        return np.asarray(JOURNEY_TAU[journey] * CHANNEL_TAU[channel] * self._world.persuadable[who])

    def _orders(self, frame: pd.DataFrame, who: NDArray[np.int64], tau: Floats) -> None:
        """App orders in the 14 days after: those that happen anyway and those a contact caused."""
        chance = np.minimum(0.9, truth.BASE_ORDER * np.minimum(3, self._world.activity[who]) + tau)
        happened = self._rng.random(len(who)) < chance
        delay = np.minimum(13.9 * DAY, self._rng.exponential(3 * DAY, len(who)) + HOUR)
        value = (self._world.basket[who] * self._rng.lognormal(-0.1, 0.5, len(who))).round(2)
        self._outcome(frame, happened, "converted", delay=delay, value=value)

    def _react(
        self,
        frame: pd.DataFrame,
        who: NDArray[np.int64],
        journey: NDArray[np.int64],
        channel: NDArray[np.int64],
        hour: NDArray[np.int64],
    ) -> None:
        """Opens, clicks and opt-outs of the contacts that were sent."""
        world, rng = self._world, self._rng
        share = world.hours[who].reshape(len(who), 6, 4).sum(axis=2)[np.arange(len(who)), hour // 4]
        log_odds = (
            truth.CLICK_INTERCEPT + JOURNEY_CLICK[journey] + CHANNEL_CLICK[channel] + world.appeal[who]
            + world.taste[who, channel] + truth.TIMING_WEIGHT * np.log((share + 0.05) / 0.2) - truth.FATIGUE_WEIGHT * self._pressure[who]
        )  # fmt: skip
        draw = rng.random(len(who))
        opened, clicked = draw < logistic(log_odds + truth.OPEN_ABOVE_CLICK), draw < logistic(log_odds)
        delay = rng.exponential(2 * HOUR, len(who)) + 30
        nothing = np.zeros(len(who))
        self._outcome(frame, opened, "opened", delay=delay, value=nothing)
        self._outcome(frame, clicked, "clicked", delay=delay + 20, value=nothing)
        by_machine = self._machine[who] & (channel == CHANNELS.index("email")) & ~opened
        self._outcome(frame, by_machine, "opened", delay=nothing + 5, value=nothing, machine=True)
        annoyed = CHANNEL_OPT_OUT[channel] * np.where(world.sleeping_dog[who], truth.SLEEPING_DOG_OPT_OUT, 1.0)
        left = rng.random(len(who)) < annoyed * (1 + self._pressure[who])
        self._outcome(frame, left, "unsubscribed", delay=delay + 40, value=nothing)
        self.log.opt_outs.append(
            frame.loc[left, ["customer_id", "channel", "instant"]].assign(
                instant=(frame["instant"] + delay + 40)[left].round()
            )
        )
        self._open[who[left], channel[left]] = False

    def _outcome(
        self,
        frame: pd.DataFrame,
        happened: NDArray[np.bool_],
        kind: str,
        *,
        delay: Floats,
        value: Floats,
        machine: bool = False,
    ) -> None:
        rows = frame.loc[happened]
        name = f"{kind}-by-machine" if machine else kind
        self.log.outcomes.append(pd.DataFrame({
            "outcome_id": [f"{contact}-{name}" for contact in rows["contact_id"]],
            "contact_id": rows["contact_id"].to_numpy(),
            "type": kind,
            "instant": (rows["instant"] + delay[happened]).round().to_numpy(),
            "value": np.where(kind == "converted", value[happened], np.nan),
            "machine_open": machine,
        }))  # fmt: skip
