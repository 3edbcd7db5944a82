"""May this customer have it, when the window opens: the journey is known, its trigger is there, its rules hold. Unknown is no."""

from __future__ import annotations

from arbitration.domain import Candidate
from arbitration.expression import Unknown
from arbitration.gates.case import NO, Case, Verdict

POINTS = "points_balance"
"""The feature that says how many points a customer holds."""


def unknown_journey(candidate: Candidate, case: Case) -> Verdict | None:
    """The journey or the channel is not in the catalog."""
    treatment = candidate.treatment
    known = treatment.journey in case.policy.journeys and treatment.channel in case.policy.channels
    return None if known else Verdict(missing=treatment.journey)


def channel_not_servable(candidate: Candidate, case: Case) -> Verdict | None:
    """The caller named the channels it can serve, and this is none of them."""
    channels = case.context.channels
    return NO if channels and candidate.treatment.channel not in channels else None


def channel_unavailable(candidate: Candidate, case: Case) -> Verdict | None:
    """The channel's own rule does not hold (no open session, no visit); a caller who names an immediate channel vouches
    for the customer's presence.
    """
    channel = case.channel(candidate)
    if channel.timing == "immediate" and channel.id in case.context.channels:
        return None
    answer = case.holds(channel.available)
    if isinstance(answer, Unknown):
        return Verdict(missing=answer.name)
    return None if answer else Verdict(by=channel.available)


def trigger_missing(candidate: Candidate, case: Case) -> Verdict | None:
    """The journey waits for its trigger, or the caller named triggers and this journey has none."""
    wanted = case.journey(candidate).needs_trigger or bool(case.context.triggers)
    return NO if wanted and not case.triggers(candidate) else None


def trigger_expired(candidate: Candidate, case: Case) -> Verdict | None:
    """Every trigger of the journey ends before the window opens."""
    ends = [trigger.expires_at for trigger in case.triggers(candidate)]
    return NO if ends and all(end is not None and end <= candidate.window.opens_at for end in ends) else None


def not_eligible(candidate: Candidate, case: Case) -> Verdict | None:
    """The journey's hard rule says no."""
    return _unless(case.journey(candidate).eligible, candidate, case)


def not_applicable(candidate: Candidate, case: Case) -> Verdict | None:
    """The journey is not relevant for this customer then."""
    return _unless(case.journey(candidate).applicable, candidate, case)


def not_suitable(candidate: Candidate, case: Case) -> Verdict | None:
    """The journey would not be in the customer's interest."""
    return _unless(case.journey(candidate).suitable, candidate, case)


def missing_feature(candidate: Candidate, case: Case) -> Verdict | None:
    """A rule depends on a feature that is unknown."""
    journey = case.journey(candidate)
    for rule in (journey.eligible, journey.applicable, journey.suitable):
        answer = case.holds_at(rule, candidate.window.opens_at)
        if isinstance(answer, Unknown):
            return Verdict(missing=answer.name)
    return None


def out_of_stock(candidate: Candidate, case: Case) -> Verdict | None:
    """A scarce resource that the contact would use is used up, over all customers; a stock that is not told is none. Who suppresses
    a contact uses nothing.
    """
    if candidate.treatment.kind == "suppress":
        return None
    for resource in case.policy.resources.values():
        if resource.limit is None or not resource.used_by(candidate.treatment):
            continue
        left = case.context.stock.get(resource.id)
        if left is None or left <= 0:
            return Verdict(missing="stock" if left is None else None, by=resource.id)
    return None


def points_short(candidate: Candidate, case: Case) -> Verdict | None:
    """The reward costs more points than the customer holds."""
    offer = candidate.treatment.offer
    if offer is None or offer.points >= 0:
        return None
    answer = case.holds(f"{POINTS} >= {-offer.points}")
    if isinstance(answer, Unknown):
        return Verdict(missing=POINTS)
    return None if answer else Verdict(by=offer.id)


def _unless(rule: str, candidate: Candidate, case: Case) -> Verdict | None:
    """No when the rule is False as the window opens; when it is unknown, `missing_feature` says so."""
    return Verdict(by=rule) if case.holds_at(rule, candidate.window.opens_at) is False else None
