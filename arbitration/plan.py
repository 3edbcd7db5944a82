"""What follows if the first contact fails: up to three steps of one journey over different channels.

Valued by backward induction: V_k = q_k + (1 - p_k) * V_{k+1}, with q_k the step's net value and p_k its chance of engagement
(Bellman 1957; steps are taken as independent given that the earlier ones failed).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from arbitration.domain import Candidate, Contact, Estimates, Plan, PlanStep, Ranked, Treatment
from arbitration.gates import AFTER_STEPS, rejection
from arbitration.gates.admission import Desk
from arbitration.gates.calendar import span
from arbitration.gates.case import Case
from arbitration.propose import FIRST_WITHIN, send_windows, treatments_of
from arbitration.value import Worth

MOST_CHANNELS = 8
PLAN_WITHIN = timedelta(days=14)
"""The longest horizon that a catalog may give."""
ENDS = ("route", "suppress")
"""Kinds of treatment after which nothing follows."""
STOP_IF = ("converted", "unsubscribed", "complained", "consent_withdrawn")
ADVANCE_IF = "not_engaged"
NO_PLAN = Plan(steps=(), expected_value=0.0)


class Option(NamedTuple):
    """A step that may be taken: its net value, the chance of engagement, and the candidate."""

    net: float
    chance: float
    candidate: Candidate


Chain = tuple[Option, ...]
Rivals = dict[str, list[Option]]
"""Channel -> options for a later step, most worth first."""


def plan_of(winner: Ranked | None, case: Case, estimates: Estimates) -> Plan:
    """The winner, then the channels and windows that together are worth most, three steps at most; a step stays only if it adds
    value. The search is exact: what it leaves out could not be worth more.
    """
    if winner is None:
        return NO_PLAN
    first = Option(winner.value.net, winner.propensity.mean, winner.candidate)
    best: Chain = (first,)
    worth = expected_value(best)
    rivals = _rivals(first.candidate, case, estimates)
    then = _after((first,), case)
    for second in _seconds(first, rivals, case):
        rest = _without(rivals, second)
        if worth >= _bound(first, second, rest) or not _passes(second, then):
            continue
        for chain in ((first, second), *_thirds(first, second, rest, case)):
            found = expected_value(chain)
            if found > worth:
                best, worth = chain, found
    expires_at = _expires_at(winner.candidate, case)
    return Plan(tuple(_step(item, case, expires_at) for item in best), worth)


def _seconds(first: Option, rivals: Rivals, case: Case) -> Iterator[Option]:
    """All second steps, by channel id, most worth first."""
    ready = _ready(first, case)
    for channel in sorted(rivals):
        yield from (item for item in rivals[channel] if _in_turn(item, ready))


def _thirds(first: Option, second: Option, rest: Rivals, case: Case) -> Iterator[Chain]:
    """For every other channel the best third step that passes all gates after the first two."""
    ready, then = _ready(second, case), _after((first, second), case)
    for channel in sorted(rest):
        for third in rest[channel]:
            if _in_turn(third, ready) and _passes(third, then):
                yield first, second, third
                break


def _in_turn(item: Option, ready: datetime) -> bool:
    """Whether the step begins within a day after the wait: at the time-out the customer is decided for afresh, and no decision looks
    further ahead, so a later step could never be made.
    """
    return ready <= item.candidate.window.opens_at < ready + FIRST_WITHIN


def _bound(first: Option, second: Option, rest: Rivals) -> float:
    """No chain of these two is worth more: as if the dearest third step could always follow. Most windows end here."""
    third = max((items[0].net for items in rest.values()), default=0.0)
    return first.net + (1.0 - first.chance) * (second.net + (1.0 - second.chance) * max(0.0, third))


def _without(rivals: Rivals, second: Option) -> Rivals:
    channel = second.candidate.treatment.channel
    return {name: items for name, items in rivals.items() if name != channel}


def _after(earlier: Chain, case: Case) -> Case:
    """The case with the earlier steps counted as contacts."""
    return replace(case, steps=tuple(_contact(one.candidate, case) for one in earlier))


def _passes(item: Option, then: Case) -> bool:
    """Whether an option, which passed all gates by itself, still passes after the earlier steps."""
    return rejection(item.candidate, then, AFTER_STEPS) is None


def _ready(item: Option, case: Case) -> datetime:
    """When the wait for a reaction to this step is over."""
    return item.candidate.window.opens_at + span(case.channel(item.candidate).wait_hours)


def expected_value(chain: Chain) -> float:
    """V_1 by backward induction."""
    value = 0.0
    for item in reversed(chain):
        value = item.net + (1.0 - item.chance) * value
    return value


def _rivals(first: Candidate, case: Case, estimates: Estimates) -> Rivals:
    """Other channels of the winner's journey -> their worthwhile options until the plan expires that pass all gates by themselves.

    An immediate channel is no fallback: nobody knows now whether the customer will be there then. Nothing follows a hand-over to
    another journey or a suppression. Of very many channels the `MOST_CHANNELS` worth most are looked at.
    """
    if case.zone is None or first.treatment.kind in ENDS:
        return {}
    until = _expires_at(first, case)
    choices = send_windows(case.policy, case.zone, _ready(Option(0.0, 0.0, first), case), until)
    desk, options = Desk(case, until), list[Option]()
    for treatment in treatments_of(case.journey(first)):
        if treatment.channel != first.treatment.channel and _may_follow(treatment, case):
            open_now = [one for window in choices if desk.passes(one := Candidate(treatment, window))]
            options += _options(open_now, Worth(treatment, estimates, case.policy))
    rivals: Rivals = {}
    for item in sorted(options, key=lambda it: (-it.net, it.candidate.window.opens_at)):
        rivals.setdefault(item.candidate.treatment.channel, []).append(item)
    return dict(list(rivals.items())[:MOST_CHANNELS])


def _may_follow(treatment: Treatment, case: Case) -> bool:
    channel = case.policy.channels.get(treatment.channel)
    return treatment.kind not in ENDS and channel is not None and channel.timing == "scheduled"


def _options(candidates: Iterable[Candidate], worth: Worth) -> Iterator[Option]:
    """Those of a treatment's candidates that are worth more than silence, cautiously reckoned."""
    seen: dict[int, tuple[float, float, float] | None] = {}
    for candidate in candidates:
        slot = candidate.window.slot
        if slot not in seen:
            seen[slot] = worth.glance(slot)
        glance = seen[slot]
        if glance is not None and glance[1] > 0:
            yield Option(glance[0], glance[2], candidate)


def _contact(candidate: Candidate, case: Case) -> Contact:
    """The step as the contact it will be; a next step is reached only if the customer did not engage."""
    treatment = candidate.treatment
    return Contact(
        treatment.journey, treatment.channel, candidate.window.opens_at, case.purpose(candidate), engaged=False
    )


def _step(item: Option, case: Case, expires_at: datetime) -> PlanStep:
    wait = case.channel(item.candidate).wait_hours
    opens_at = item.candidate.window.opens_at
    return PlanStep(item.candidate, opens_at, wait, ADVANCE_IF, STOP_IF, expires_at, item.net)


def _expires_at(candidate: Candidate, case: Case) -> datetime:
    """The end of the journey's horizon, or the last of its triggers' ends if all of them end."""
    horizon = case.now + min(span(case.journey(candidate).horizon_hours), PLAN_WITHIN)
    ends = [trigger.expires_at for trigger in case.triggers(candidate)]
    known = [end for end in ends if end is not None]
    return min(horizon, max(known)) if known and len(known) == len(ends) else horizon
