"""Rules, and the gates that do not look at the window, as arrays: stopped journeys, time zone, live winners, servable channels,
triggers, stock, points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.clock import NEVER
from arbitration.batch.layout import CODES, PASSED
from arbitration.batch.people import People
from arbitration.columns import Answers
from arbitration.domain import Treatment
from arbitration.gates.ageing import ages
from arbitration.gates.eligibility import POINTS
from arbitration.policy import Journey

Array = npt.NDArray[Any]


def fixed_codes(people: People) -> Array:
    """The first gate that refuses a treatment whatever the window, `PASSED` where none does: rows x treatments."""
    layout = people.layout
    found = np.full((people.size, len(layout.treatments)), PASSED)
    channels = [_of_channel(people, at) for at in range(len(layout.policy.channels))]
    journeys = [_of_journey(people, at) for at in range(len(layout.journeys))]
    for at, treatment in enumerate(layout.treatments):
        shared = np.minimum(channels[layout.channel_of[at]], journeys[layout.journey_of[at]])
        found[:, at] = np.minimum(shared, _of_treatment(people, treatment))
        if not layout.service_of[at]:
            live = people.live_until[:, int(layout.scheduled_of[at])] != NEVER
            np.minimum(found[:, at], _first(live_winner=live), out=found[:, at])
    found[~people.zoned] = np.minimum(found[~people.zoned], CODES["unknown_time_zone"])
    return found


def _of_channel(people: People, at: int) -> Array:
    audience = people.audience
    channel = people.layout.policy.channels[people.layout.channels[at]]
    named, served = audience.names_channels[people.rows], audience.serves[people.rows, at]
    answers = people.holds(channel.available)
    vouched = served & named if channel.timing == "immediate" else np.zeros(people.size, dtype=bool)
    return _first(
        channel_not_servable=named & ~served,
        channel_unavailable=~vouched & ~(answers.known & answers.truth),
    )


def _of_journey(people: People, at: int) -> Array:
    journey = people.layout.policy.journeys[people.layout.journeys[at]]
    wanted = people.any_trigger | journey.needs_trigger
    stopped = people.audience.stopped
    still = np.zeros(people.size, dtype=bool) if stopped is None else stopped[people.rows, at]
    found = _first(journey_stopped=still, trigger_missing=wanted & ~people.has_trigger[:, at])
    for code, rule in rules_of(journey):
        if not ages(rule):
            np.minimum(found, rule_codes(code, people.holds(rule)), out=found)
    return found


def rules_of(journey: Journey) -> tuple[tuple[str, str], ...]:
    """The journey's rules, each with the code of the gate that asks it."""
    return (
        ("not_eligible", journey.eligible),
        ("not_applicable", journey.applicable),
        ("not_suitable", journey.suitable),
    )


def rule_codes(code: str, answers: Answers) -> Array:
    """The gate that refuses where the rule does not hold: its own where that is known, else the one for what is missing."""
    return np.where(answers.known, np.where(answers.truth, PASSED, CODES[code]), CODES["missing_feature"])


def _of_treatment(people: People, treatment: Treatment) -> Array:
    gone = np.zeros(people.size, dtype=bool)
    for resource in people.layout.policy.resources.values():
        if resource.limit is not None and resource.used_by(treatment) and treatment.kind != "suppress":
            left = people.audience.stock.get(resource.id)
            gone |= np.True_ if left is None else ~(left[people.rows] > 0)
    short = np.zeros(people.size, dtype=bool)
    if treatment.offer is not None and treatment.offer.points < 0:
        answers = people.holds(f"{POINTS} >= {-treatment.offer.points}")
        short = ~(answers.known & answers.truth)
    return _first(out_of_stock=gone, points_short=short)


def _first(**refused: Array) -> Array:
    """The earliest of some gates that refuses each row."""
    found = np.full(len(next(iter(refused.values()))), PASSED)
    for code, no in refused.items():
        np.minimum(found, np.where(no, CODES[code], PASSED), out=found)
    return found
