"""The shop's own restraint: quiet hours, caps, cool-downs, groups of journeys that exclude each other."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from arbitration.domain import Candidate, Contact, SendWindow
from arbitration.expression import Unknown
from arbitration.gates.calendar import begin_of, period_after, period_of, span
from arbitration.gates.case import Case, Verdict
from arbitration.policy import Cap, ContactPolicy

_HOUR = timedelta(hours=1)
_INSTANT = timedelta(microseconds=1)
HELD = timedelta(hours=24)
"""Windows that open sooner than this wait for a held channel: all that a decision may choose for its first contact."""
VISIT = timedelta(hours=2)
"""After this a held channel is worth asking for again."""


def journey_stopped(candidate: Candidate, case: Case) -> Verdict | None:
    """A person stopped the journey, or it went far beyond its volume plan: it speaks to nobody until a person lets it go on."""
    journey = candidate.treatment.journey
    return Verdict(by=journey) if journey in case.context.stopped else None


def unknown_time_zone(_: Candidate, case: Case) -> Verdict | None:
    """Without a valid time zone nobody knows whether the customer sleeps."""
    return Verdict(missing="time_zone") if case.zone is None else None


def quiet_hours(candidate: Candidate, case: Case) -> Verdict | None:
    """Some part of the window lies in local quiet hours; a customer who is present is not disturbed by an answer."""
    if case.zone is None or case.channel(candidate).timing == "immediate":
        return None
    ends = (candidate.window.opens_at, candidate.window.closes_at)
    if ends not in case.quiet:
        case.quiet[ends] = _quiet_until(candidate.window, case.zone, case.policy.contact_policy)
    free_at = case.quiet[ends]
    return None if free_at is None else Verdict(free_at=free_at)


def _quiet_until(window: SendWindow, zone: ZoneInfo, contact_policy: ContactPolicy) -> datetime | None:
    """When the quiet hours end that the window touches first; None if it touches none."""
    for moment in _samples(window):
        local = moment.astimezone(zone)
        if is_quiet(local.hour, contact_policy):
            return quiet_end(local, contact_policy)
    return None


def channel_cap(candidate: Candidate, case: Case) -> Verdict | None:
    """A cap on this channel, or on a group of channels, would be exceeded."""
    return _first_full([cap for cap in case.filled if cap.channels and not cap.journeys], candidate, case)


def group_cap(candidate: Candidate, case: Case) -> Verdict | None:
    """A cap on a group of journeys would be exceeded."""
    return _first_full([cap for cap in case.filled if cap.journeys], candidate, case)


def overall_cap(candidate: Candidate, case: Case) -> Verdict | None:
    """A cap over all channels and journeys would be exceeded."""
    caps = case.filled
    return _first_full([cap for cap in caps if not cap.channels and not cap.journeys], candidate, case)


def cool_down(candidate: Candidate, case: Case) -> Verdict | None:
    """The journey spoke a short while ago.

    A run may go on with its next channel: within the journey's horizon, after the last channel's wait, and only if the
    customer is known not to have engaged with any contact of the run.
    """
    journey, opens_at = case.journey(candidate), candidate.window.opens_at
    rest = span(journey.cooldown_hours)
    run = [it for it in case.contacts if it.journey == journey.id and opens_at - it.sent_at < rest]
    if not run:
        return None
    last = run[-1]
    waited = opens_at >= last.sent_at + span(_wait(last, case))
    fresh = candidate.treatment.channel not in {contact.channel for contact in run}
    within = opens_at < run[0].sent_at + span(journey.horizon_hours)
    if fresh and within and waited and all(contact.engaged is False for contact in run):
        return None
    return Verdict(free_at=last.sent_at + rest)


def exclusive_group(candidate: Candidate, case: Case) -> Verdict | None:
    """Another journey of the same group is still running: its last contact is younger than its horizon."""
    own = case.journey(candidate)
    if own.exclusive_group is None:
        return None
    running: list[tuple[datetime, str]] = []
    for contact in case.contacts:
        other = case.policy.journeys.get(contact.journey)
        if other is None or other.id == own.id or other.exclusive_group != own.exclusive_group:
            continue
        ends_at = contact.sent_at + span(other.horizon_hours)
        if candidate.window.opens_at < ends_at:
            running.append((ends_at, other.id))
    if not running:
        return None
    ends_at, by = max(running)
    return Verdict(free_at=ends_at, by=by)


def live_winner(candidate: Candidate, case: Case) -> Verdict | None:
    """Another marketing contact of the customer is reserved now, neither sent nor given back, on a channel of the same timing.

    One winner at a time: a second may be chosen when the first was sent (then caps count it), was given back, or has run out. A
    channel that the catalog no longer has counts as scheduled. Service messages neither wait nor are waited for.
    """
    if not case.live or case.purpose(candidate) == "service":
        return None
    timing, channels = case.channel(candidate).timing, case.policy.channels
    rivals = [
        (it.live_until, it.journey)
        for it in case.live
        if it.live_until is not None
        and (channels[it.channel].timing if it.channel in channels else "scheduled") == timing
    ]
    if not rivals:
        return None
    live_until, by = max(rivals)
    return Verdict(free_at=live_until, by=by)


def channel_held(candidate: Candidate, case: Case) -> Verdict | None:
    """The channel waits while its `held` rule holds, because the customer is spoken to elsewhere: in a store the associate speaks.

    Unknown is no. A plan's later step, a day on, is not held.
    """
    rule = case.channel(candidate).held
    answer = case.holds(rule)
    if answer is False or candidate.window.opens_at >= case.now + HELD:
        return None
    missing = answer.name if isinstance(answer, Unknown) else None
    return Verdict(free_at=case.now + VISIT, missing=missing, by=None if missing else rule)


def is_quiet(hour: int, contact_policy: ContactPolicy) -> bool:
    """Whether a local hour is quiet; the quiet hours may cross midnight."""
    start, end = contact_policy.quiet_from, contact_policy.quiet_to
    return start <= hour < end if start <= end else hour >= start or hour < end


def _samples(window: SendWindow) -> list[datetime]:
    """The opening, every hour after it, and the last instant: quiet hours start and end on the hour, so none slips through."""
    hours = int((window.closes_at - window.opens_at) / _HOUR)
    found = [window.opens_at + step * _HOUR for step in range(hours + 1)]
    return [moment for moment in found if moment < window.closes_at] + [window.closes_at - _INSTANT]


def quiet_end(local: datetime, contact_policy: ContactPolicy) -> datetime:
    """When the quiet hours that hold at a local moment end."""
    hour = contact_policy.quiet_to % 24
    day = timedelta(days=1 if local.hour >= hour else 0)
    return (local + day).replace(hour=hour, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


def _first_full(caps: Iterable[Cap], candidate: Candidate, case: Case) -> Verdict | None:
    """The first cap that the contact would exceed, wherever in its window it falls; service messages are free."""
    if case.purpose(candidate) == "service":
        return None
    for cap in caps:
        if cap.counts(candidate.treatment.journey, candidate.treatment.channel):
            if cap.most < 1:
                return Verdict(by=cap.id)
            free_at = (
                _free_of_window(cap, candidate, case) if cap.calendar is None else _free_of_period(cap, candidate, case)
            )
            if free_at is not None:
                return Verdict(free_at=free_at, by=cap.id)
    return None


def _free_of_window(cap: Cap, candidate: Candidate, case: Case) -> datetime | None:
    """No sliding window of the cap may hold more than its bounds: when there is room for one more, None if there is room all along.

    What is reserved ahead closes the cap, too: when one full stretch ends inside the next, only the end of that one counts.
    """
    opens_at, closes_at = candidate.window.opens_at, candidate.window.closes_at
    length = span(cap.window_hours)
    free_at: datetime | None = None
    for first, last in case.full_spans(cap):
        hit = max(last, opens_at) - min(first, closes_at) < length
        if hit or (free_at is not None and last - length < free_at < first + length):
            free_at = first + length
    return free_at


def _free_of_period(cap: Cap, candidate: Candidate, case: Case) -> datetime | None:
    """The next local period with room for one more, None if the window's own has room."""
    full, zone, calendar = case.full_periods(cap), case.zone, cap.calendar
    if zone is None or calendar is None:
        return None
    for moment in (candidate.window.opens_at, candidate.window.closes_at - _INSTANT):
        period = period_of(moment, zone, calendar)
        if period in full:
            while period in full:
                period = period_after(period, calendar)
            return begin_of(period, zone)
    return None


def _wait(contact: Contact, case: Case) -> float:
    """Hours the contact's channel waits for a reaction; none for a channel that the catalog no longer has."""
    channel = case.policy.channels.get(contact.channel)
    return channel.wait_hours if channel else 0.0
