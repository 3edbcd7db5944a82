"""The shop's own restraint: quiet hours, caps, cool-downs, groups of journeys that exclude each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from arbitration.domain import Candidate, Contact, SendWindow
from arbitration.gates.case import Case, Verdict
from arbitration.policy import ContactPolicy

_HOUR = timedelta(hours=1)


def unknown_time_zone(_: Candidate, case: Case) -> Verdict | None:
    """Without a valid time zone nobody knows whether the customer sleeps."""
    return Verdict(missing="time_zone") if case.zone is None else None


def quiet_hours(candidate: Candidate, case: Case) -> Verdict | None:
    """Some part of the window lies in local quiet hours; a customer who is present is not disturbed by an answer."""
    if case.zone is None or case.channel(candidate).timing == "immediate":
        return None
    for moment in _samples(candidate.window):
        local = moment.astimezone(case.zone)
        if is_quiet(local.hour, case.policy.contact_policy):
            return Verdict(free_at=_quiet_end(local, case.policy.contact_policy))
    return None


def channel_cap(candidate: Candidate, case: Case) -> Verdict | None:
    """A cap on this channel would be exceeded."""
    return _cap(candidate, case, overall=False)


def overall_cap(candidate: Candidate, case: Case) -> Verdict | None:
    """A cap over all channels would be exceeded."""
    return _cap(candidate, case, overall=True)


def cool_down(candidate: Candidate, case: Case) -> Verdict | None:
    """The journey spoke a short while ago.

    A run may go on with its next channel: within the journey's horizon, after the last channel's wait, and only if the
    customer is known not to have engaged with any contact of the run.
    """
    journey, opens_at = case.journey(candidate), candidate.window.opens_at
    rest = timedelta(hours=journey.cooldown_hours)
    run = [it for it in case.contacts if it.journey == journey.id and opens_at - it.sent_at < rest]
    if not run:
        return None
    last = run[-1]
    waited = opens_at >= last.sent_at + timedelta(hours=_wait(last, case))
    fresh = candidate.treatment.channel not in {contact.channel for contact in run}
    within = opens_at < run[0].sent_at + timedelta(hours=journey.horizon_hours)
    if fresh and within and waited and all(contact.engaged is False for contact in run):
        return None
    return Verdict(free_at=last.sent_at + rest)


def exclusive_group(candidate: Candidate, case: Case) -> Verdict | None:
    """Another journey of the same group is still running: its last contact is younger than its horizon."""
    own = case.journey(candidate)
    if own.exclusive_group is None:
        return None
    for contact in reversed(case.contacts):
        other = case.policy.journeys.get(contact.journey)
        if other is None or other.id == own.id or other.exclusive_group != own.exclusive_group:
            continue
        ends_at = contact.sent_at + timedelta(hours=other.horizon_hours)
        if candidate.window.opens_at < ends_at:
            return Verdict(free_at=ends_at, by=other.id)
    return None


def is_quiet(hour: int, contact_policy: ContactPolicy) -> bool:
    """Whether a local hour is quiet; the quiet hours may cross midnight."""
    start, end = contact_policy.quiet_from, contact_policy.quiet_to
    return start <= hour < end if start <= end else hour >= start or hour < end


def _samples(window: SendWindow) -> list[datetime]:
    """The opening, every hour after it, and the last instant: quiet hours start and end on the hour, so none slips through."""
    hours = int((window.closes_at - window.opens_at) / _HOUR)
    found = [window.opens_at + step * _HOUR for step in range(hours + 1)]
    return [moment for moment in found if moment < window.closes_at] + [window.closes_at - timedelta(microseconds=1)]


def _quiet_end(local: datetime, contact_policy: ContactPolicy) -> datetime:
    day = timedelta(days=1 if local.hour >= contact_policy.quiet_to else 0)
    return (
        (local + day).replace(hour=contact_policy.quiet_to, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
    )


def _cap(candidate: Candidate, case: Case, *, overall: bool) -> Verdict | None:
    """Wherever in its window the contact falls, no sliding window of the cap may hold more than `limit`; service is free."""
    if case.journey(candidate).purpose == "service":
        return None
    opens_at, closes_at = candidate.window.opens_at, candidate.window.closes_at
    for cap in case.policy.contact_policy.caps:
        if cap.channel != (None if overall else candidate.treatment.channel):
            continue
        length = timedelta(hours=cap.window_hours)
        hits = [first for first, last in case.full_spans(cap) if max(last, opens_at) - min(first, closes_at) < length]
        if hits:
            return Verdict(free_at=max(hits) + length, by=cap.id)
    return None


def _wait(contact: Contact, case: Case) -> float:
    """Hours the contact's channel waits for a reaction; none for a channel that the catalog no longer has."""
    channel = case.policy.channels.get(contact.channel)
    return channel.wait_hours if channel else 0.0
