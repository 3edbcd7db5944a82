"""A policy as numbers: which column stands for which channel, journey and treatment, and what a treatment costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.clock import INSTANT, hours
from arbitration.domain import Treatment
from arbitration.expression import compile_expression
from arbitration.gates import GATES
from arbitration.gates.eligibility import POINTS
from arbitration.policy import Cap, Journey, Policy
from arbitration.propose import FIRST_WITHIN, treatments
from arbitration.value import channel_cost, points_price, shadow_cost

Array = npt.NDArray[Any]
CODES = {gate.code: np.int8(at) for at, gate in enumerate(GATES)}
"""Position of every gate in the funnel, by reason code."""
PASSED = np.int8(len(GATES) + 1)
"""Stands for a candidate that every gate let pass; `len(GATES)` is left to values that cannot be reckoned."""
CAP_GATES = ("channel_cap", "group_cap", "overall_cap")
PRESENT = 0
"""The window set of the one window in which a customer is present; the others are horizons of scheduled channels."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What the value of each treatment is made of besides estimates, in the order of the treatments."""

    sign: Array
    channel: Array
    paid: Array
    granted: Array
    offered: Array
    pressure: Array
    shadow: Array
    lever: Array


class Layout:
    """The order of everything: `treatments` as proposed, `journeys` and `channels` by id.

    `sets` holds the horizons (microseconds) of window sets from 1 on; `treatment_set` is each treatment's. `waits` are microseconds that
    each channel waits for a reaction; none, at the last place, for one that the catalog no longer has. Such a one counts as scheduled
    (`scheduled`).
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.treatments: tuple[Treatment, ...] = treatments(policy)
        self.journeys: tuple[str, ...] = tuple(sorted(policy.journeys))
        caps = policy.contact_policy.caps
        named = {channel for cap in caps for channel in cap.channels} - set(policy.channels)
        self.channels: tuple[str, ...] = (*sorted(policy.channels), *sorted(named))
        self.journey_at = {journey: at for at, journey in enumerate(self.journeys)}
        self.channel_at = {channel: at for at, channel in enumerate(self.channels)}
        self.treatment_at: dict[str, list[int]] = {}
        for at, treatment in enumerate(self.treatments):
            self.treatment_at.setdefault(treatment.id, []).append(at)
        self._place_treatments()
        self._place_windows()
        self.costs = self._costs()
        self.caps_of = {gate: [at for at, cap in enumerate(caps) if _gate_of(cap) == gate] for gate in CAP_GATES}
        shape = (len(self.journeys), len(self.channels))
        counted = [[cap.counts(j, c) for j in self.journeys for c in self.channels] for cap in caps]
        self.cap_counts = [np.array(one, dtype=bool).reshape(shape) for one in counted]

    def _place_treatments(self) -> None:
        known, listed = self.policy.channels, self.treatments
        self.channel_of = np.array([self.channel_at[it.channel] for it in listed], dtype=np.int64)
        self.journey_of = np.array([self.journey_at[it.journey] for it in listed], dtype=np.int64)
        self.service_of = [it.kind == "suppress" or self.journey(it).purpose == "service" for it in listed]
        self.scheduled_of = [known[it.channel].timing == "scheduled" for it in listed]
        matters = np.array([known[it.channel].hour_matters for it in listed], dtype=bool)
        self.timed_of = matters & np.array(self.scheduled_of, dtype=bool)
        waits = [hours(known[it].wait_hours) if it in known else 0 for it in self.channels]
        self.waits = np.array([*waits, 0], dtype=np.int64)
        timings = [known[it].timing if it in known else "scheduled" for it in self.channels]
        self.scheduled = np.array([*(it == "scheduled" for it in timings), True], dtype=np.int64)
        self.wait_of = self.waits[self.channel_of]

    def _place_windows(self) -> None:
        known = [self.policy.journeys[it] for it in self.journeys]
        self.horizon_of = np.array([hours(it.horizon_hours) for it in known], dtype=np.int64)
        self.rest_of = np.array([hours(it.cooldown_hours) for it in known], dtype=np.int64)
        first = [min(FIRST_WITHIN // INSTANT, int(horizon)) for horizon in self.horizon_of]
        ahead = [first[j] if s else None for j, s in zip(self.journey_of, self.scheduled_of, strict=True)]
        self.sets = sorted({it for it in ahead if it is not None})
        self.treatment_set = [PRESENT if it is None else 1 + self.sets.index(it) for it in ahead]

    def journey(self, treatment: Treatment) -> Journey:
        """The treatment's journey."""
        return self.policy.journeys[treatment.journey]

    def rivals_of(self, journey: int) -> list[int]:
        """The other journeys of the journey's exclusive group."""
        known = self.policy.journeys
        group = known[self.journeys[journey]].exclusive_group
        return [
            at for at, it in enumerate(self.journeys) if at != journey and group and known[it].exclusive_group == group
        ]

    @property
    def features(self) -> tuple[str, ...]:
        """Every feature that a rule of the policy reads, and what a redeemed reward needs."""
        journeys, channels = self.policy.journeys.values(), self.policy.channels.values()
        rules = [rule for it in journeys for rule in (it.eligible, it.applicable, it.suitable)]
        rules += [rule for it in channels for rule in (it.available, it.held)]
        names = {name for rule in rules for name in compile_expression(rule).names}
        return tuple(sorted(names | {POINTS}))

    def _costs(self) -> Costs:
        economics, listed = self.policy.economics, self.treatments
        offers = [it.offer for it in listed]
        channels = [self.policy.channels[it.channel] for it in listed]
        sign = [-1.0 if it.kind == "suppress" else 1.0 for it in listed]
        columns = (
            sign,
            [s * channel_cost(channel) for s, channel in zip(sign, channels, strict=True)],
            [-offer.face_value * offer.redemption if offer else 0.0 for offer in offers],
            [-points_price(offer, economics) if offer else 0.0 for offer in offers],
            [float(offer is not None) for offer in offers],
            [channel.pressure for channel in channels],
            [
                s * shadow_cost(it, self.policy) if self.policy.resources else 0.0
                for s, it in zip(sign, listed, strict=True)
            ],
            [self.journey(it).lever for it in listed],
        )
        return Costs(*(np.array(column, dtype=np.float64) for column in columns))


def _gate_of(cap: Cap) -> str:
    return "group_cap" if cap.journeys else "channel_cap" if cap.channels else "overall_cap"
