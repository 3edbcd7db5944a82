"""What follows if the first contact fails: up to three steps of one journey over different channels.

Valued by backward induction: V_k = q_k + (1 - p_k) * V_{k+1}, with q_k the step's net value and p_k its chance of engagement
(Bellman 1957; steps are taken as independent given that the earlier ones failed).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from arbitration.domain import Candidate, Contact, Estimates, Plan, PlanStep, Ranked
from arbitration.gates import AFTER_STEPS, rejection
from arbitration.gates.admission import admit
from arbitration.gates.case import Case
from arbitration.propose import send_windows, treatments_of
from arbitration.value import Valued, ranking, value_unknown

MOST_CHANNELS = 8
ENDS = ("route", "suppress")
"""Kinds of treatment after which nothing follows."""
STOP_IF = ("converted", "unsubscribed", "complained", "consent_withdrawn")
ADVANCE_IF = "not_engaged"
NO_PLAN = Plan(steps=(), expected_value=0.0)
Chain = tuple[Valued, ...]
Rivals = dict[str, list[Valued]]
"""Channel -> candidates for a later step, most worth first."""


def plan_of(winner: Ranked | None, case: Case, estimates: Estimates) -> Plan:
    """The winner, then the channels and windows that together are worth most, three steps at most; a step stays only if it adds
    value. The search is exact: what it leaves out could not be worth more.
    """
    if winner is None:
        return NO_PLAN
    first = Valued(winner.candidate, winner.value, winner.propensity)
    best: Chain = (first,)
    worth = expected_value(best)
    rivals = _rivals(first.candidate, case, estimates)
    for second in _seconds(first, rivals, case):
        rest = _without(rivals, second)
        if worth >= _bound(first, second, rest):
            continue
        if not _passes(second, (first,), case):
            continue
        for chain in ((first, second), *_thirds(first, second, rest, case)):
            found = expected_value(chain)
            if found > worth:
                best, worth = chain, found
    expires_at = _expires_at(winner.candidate, case)
    return Plan(tuple(_step(item, case, expires_at) for item in best), worth)


def _seconds(first: Valued, rivals: Rivals, case: Case) -> Iterator[Valued]:
    """All second steps, by channel id, most worth first."""
    ready = _ready(first, case)
    for channel in sorted(rivals):
        yield from (item for item in rivals[channel] if item.candidate.window.opens_at >= ready)


def _thirds(first: Valued, second: Valued, rest: Rivals, case: Case) -> Iterator[Chain]:
    """For every other channel the best third step that passes all gates after the first two."""
    ready = _ready(second, case)
    for channel in sorted(rest):
        for third in rest[channel]:
            if third.candidate.window.opens_at >= ready and _passes(third, (first, second), case):
                yield first, second, third
                break


def _bound(first: Valued, second: Valued, rest: Rivals) -> float:
    """No chain of these two is worth more: as if the dearest third step could always follow. Most windows end here."""
    third = max((items[0].value.net for items in rest.values()), default=0.0)
    return first.value.net + (1.0 - first.propensity.mean) * (
        second.value.net + (1.0 - second.propensity.mean) * max(0.0, third)
    )


def _without(rivals: Rivals, second: Valued) -> Rivals:
    channel = second.candidate.treatment.channel
    return {name: items for name, items in rivals.items() if name != channel}


def _passes(item: Valued, earlier: Chain, case: Case) -> bool:
    """Whether the step still passes the gates with the earlier steps counted as contacts."""
    later = replace(case, steps=tuple(_contact(one.candidate, case) for one in earlier))
    return rejection(item.candidate, later, AFTER_STEPS) is None


def _ready(item: Valued, case: Case) -> datetime:
    """When the wait for a reaction to this step is over."""
    return item.candidate.window.opens_at + timedelta(hours=case.channel(item.candidate).wait_hours)


def expected_value(chain: Chain) -> float:
    """V_1 by backward induction."""
    value = 0.0
    for item in reversed(chain):
        value = item.value.net + (1.0 - item.propensity.mean) * value
    return value


def _rivals(first: Candidate, case: Case, estimates: Estimates) -> Rivals:
    """Other channels of the winner's journey -> their worthwhile candidates until the plan expires, best first.

    An immediate channel is no fallback: nobody knows now whether the customer will be there then. Nothing follows a hand-over to
    another journey or a suppression. Of very many channels the `MOST_CHANNELS` worth most are looked at.
    """
    if case.zone is None or first.treatment.kind in ENDS:
        return {}
    ready = first.window.opens_at + timedelta(hours=case.channel(first).wait_hours)
    choices = send_windows(case.policy, case.zone, ready, _expires_at(first, case))
    candidates = [
        Candidate(treatment, window)
        for treatment in treatments_of(case.journey(first))
        if treatment.channel != first.treatment.channel
        and treatment.kind not in ENDS
        and case.policy.channels[treatment.channel].timing == "scheduled"
        for window in choices
    ]
    passed, _ = admit(candidates, case)  # earlier steps only forbid more
    rivals: Rivals = {}
    for item in sorted(ranking(passed, estimates, case.policy), key=lambda it: -it.value.net):
        if item.value.decided_on > 0 and not value_unknown(item):
            rivals.setdefault(item.candidate.treatment.channel, []).append(item)
    return dict(list(rivals.items())[:MOST_CHANNELS])


def _contact(candidate: Candidate, case: Case) -> Contact:
    """The step as the contact it will be; a next step is reached only if the customer did not engage."""
    treatment = candidate.treatment
    return Contact(
        treatment.journey, treatment.channel, candidate.window.opens_at, case.purpose(candidate), engaged=False
    )


def _step(item: Valued, case: Case, expires_at: datetime) -> PlanStep:
    wait = case.channel(item.candidate).wait_hours
    opens_at = item.candidate.window.opens_at
    return PlanStep(item.candidate, opens_at, wait, ADVANCE_IF, STOP_IF, expires_at, item.value.net)


def _expires_at(candidate: Candidate, case: Case) -> datetime:
    """The end of the journey's horizon, or the last of its triggers' ends if all of them end."""
    horizon = case.now + timedelta(hours=case.journey(candidate).horizon_hours)
    ends = [trigger.expires_at for trigger in case.triggers(candidate)]
    known = [end for end in ends if end is not None]
    return min(horizon, max(known)) if known and len(known) == len(ends) else horizon
