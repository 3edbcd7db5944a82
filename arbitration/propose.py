"""Who may compete: every treatment of the catalog in every send window of the next day.

A first contact goes out within a day, because after a day the customer is arbitrated afresh; the rest of a journey's horizon
belongs to the plan (`plan.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from arbitration.domain import Candidate, Context, SendWindow, Treatment
from arbitration.gates.calendar import span
from arbitration.policy import Journey, Policy
from arbitration.windows import presence, windows, zone_of

ANY = "any"
"""Channel and template of the one candidate that stands for a trigger whose journey the catalog does not know."""
FIRST_WITHIN = timedelta(hours=24)
HOURS = 24
_UTC_ZONE = ZoneInfo("UTC")


def treatments(policy: Policy) -> tuple[Treatment, ...]:
    """Every treatment of the catalog, by journey id and then in the journey's own order."""
    return tuple(one for _, journey in sorted(policy.journeys.items()) for one in treatments_of(journey))


def treatments_of(journey: Journey) -> tuple[Treatment, ...]:
    """The treatments of one journey in its own order."""
    return tuple(
        Treatment(journey.id, line.channel, line.template, line.offer, line.kind, line.route_to, line.consequence)
        for line in journey.treatments
    )


def propose(context: Context, policy: Policy, now: datetime) -> tuple[Candidate, ...]:
    """All candidates of this moment, grouped by treatment, windows in time order.

    Without a known time zone there is no local time to choose: each treatment gets one window that opens now, so
    that the gate for unknown time zones can say why it was refused.
    """
    zone = zone_of(context.time_zone)
    here = presence(now.astimezone(UTC), zone or _UTC_ZONE)
    by_end: dict[datetime, tuple[SendWindow, ...]] = {}
    found = []
    for treatment in treatments(policy):
        journey, channel = policy.journeys.get(treatment.journey), policy.channels.get(treatment.channel)
        if journey is None or channel is None:  # a gate says so
            found.append(Candidate(treatment, here))
            continue
        scheduled = channel.timing == "scheduled"
        until = here.opens_at + min(FIRST_WITHIN, span(journey.horizon_hours))
        if zone is not None and scheduled and until not in by_end:
            by_end[until] = send_windows(policy, zone, here.opens_at, until)
        choices = by_end[until] if zone is not None and scheduled else (here,)
        found += [Candidate(treatment, window) for window in choices]
    unknown = {trigger.journey for trigger in context.triggers} - set(policy.journeys)
    return (*found, *(Candidate(Treatment(journey, ANY, ANY), here) for journey in sorted(unknown)))


def send_windows(policy: Policy, zone: ZoneInfo, now: datetime, until: datetime) -> tuple[SendWindow, ...]:
    """The windows of a scheduled channel; blocks are split where quiet hours begin and end, so that none straddles them."""
    cuts = (policy.contact_policy.quiet_from, policy.contact_policy.quiet_to)
    return windows(now, until, zone, [hour for hour in cuts if 0 <= hour < HOURS])
