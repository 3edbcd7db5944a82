"""What follows if the first contact fails: up to three steps of one journey over different channels.

Valued by backward induction: V_k = q_k + (1 - p_k) * V_{k+1}, with q_k the step's net value and p_k its chance of engagement
(Bellman 1957; steps are taken as independent given that the earlier ones failed).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

from arbitration.domain import Candidate, Contact, Estimates, Plan, PlanStep, Ranked, Treatment
from arbitration.gates import admit, rejection
from arbitration.gates.case import Case
from arbitration.propose import send_windows
from arbitration.value import Valued, ranking

LONGEST = 3
STOP_IF = ("converted", "unsubscribed", "complained", "consent_withdrawn")
ADVANCE_IF = "not_engaged"
NO_PLAN = Plan(steps=(), expected_value=0.0)


def plan_of(winner: Ranked | None, case: Case, estimates: Estimates) -> Plan:
    """The winner, then the channels whose order is worth most; a step stays only if it adds value."""
    if winner is None:
        return NO_PLAN
    first = Valued(winner.candidate, winner.value, winner.propensity)
    best: tuple[Valued, ...] = (first,)
    for chain in chains(first, case, estimates):
        if expected_value(chain) > expected_value(best):
            best = chain
    expires_at = _expires_at(winner.candidate, case)
    return Plan(tuple(_step(item, case, expires_at) for item in best), expected_value(best))


def chains(first: Valued, case: Case, estimates: Estimates) -> Iterator[tuple[Valued, ...]]:
    """Every order of the journey's other channels that passes all gates, each step at its own time."""
    rivals = _rivals(first.candidate, case, estimates)
    for length in range(1, LONGEST):
        for order in permutations(sorted(rivals), length):
            chain: tuple[Valued, ...] = (first,)
            for channel in order:
                step = _next(chain, rivals[channel], case)
                if step is None:
                    break
                chain = (*chain, step)
            else:
                yield chain


def expected_value(chain: Sequence[Valued]) -> float:
    """V_1 by backward induction."""
    value = 0.0
    for item in reversed(chain):
        value = item.value.net + (1.0 - item.propensity.mean) * value
    return value


def _rivals(first: Candidate, case: Case, estimates: Estimates) -> dict[str, list[Valued]]:
    """Other channels of the winner's journey -> their worthwhile candidates until the plan expires, best first.

    An immediate channel is no fallback: nobody knows now whether the customer will be there then.
    """
    rivals: dict[str, list[Valued]] = {}
    if case.zone is None:
        return rivals
    ready = first.window.opens_at + timedelta(hours=case.channel(first).wait_hours)
    choices = send_windows(case.policy, case.zone, ready, _expires_at(first, case))
    for line in case.journey(first).treatments:
        treatment = Treatment(first.treatment.journey, line.channel, line.template, line.offer)
        if line.channel == first.treatment.channel or case.policy.channels[line.channel].timing == "immediate":
            continue
        open_now, _ = admit(
            (Candidate(treatment, window) for window in choices), case
        )  # earlier steps only forbid more
        valued = [item for item in ranking(open_now, estimates, case.policy) if item.value.decided_on > 0]
        rivals[line.channel] = sorted([*rivals.get(line.channel, ()), *valued], key=lambda it: -it.value.net)
    return rivals


def _next(chain: tuple[Valued, ...], rivals: list[Valued], case: Case) -> Valued | None:
    """The best rival after the last step's wait that passes every gate with the earlier steps counted as contacts."""
    last = chain[-1].candidate
    ready = last.window.opens_at + timedelta(hours=case.channel(last).wait_hours)
    later = replace(case, steps=tuple(_contact(item.candidate, case) for item in chain))
    for item in rivals:
        if item.candidate.window.opens_at >= ready and rejection(item.candidate, later) is None:
            return item
    return None


def _contact(candidate: Candidate, case: Case) -> Contact:
    """The step as the contact it will be; a next step is reached only if the customer did not engage."""
    treatment = candidate.treatment
    return Contact(
        treatment.journey, treatment.channel, candidate.window.opens_at, case.journey(candidate).purpose, engaged=False
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
