"""The oracle's caps: counted minute by minute, stretch by stretch and period by period, without the gates."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from arbitration.domain import Contact, SendWindow
from arbitration.policy import Cap

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
Moments = tuple[datetime, ...]


def minutes(window: SendWindow) -> list[datetime]:
    """Every minute of a window, its opening included, its end not."""
    count = -(-(window.closes_at - window.opens_at) // MINUTE)
    return [window.opens_at + at * MINUTE for at in range(count)]


def counted(cap: Cap, contacts: Iterable[Contact]) -> tuple[Moments, Moments]:
    """When the contacts on the cap's channels and of its journeys were made: of marketing, and of service."""
    mine = [
        it
        for it in contacts
        if it.channel in (cap.channels or (it.channel,)) and it.journey in (cap.journeys or (it.journey,))
    ]
    marketing = (it.sent_at for it in mine if it.purpose == "marketing")
    return tuple(sorted(marketing)), tuple(sorted(it.sent_at for it in mine if it.purpose == "service"))


def _too_many(cap: Cap, marketing: int, service: int) -> bool:
    """What is kept for service messages is there for them or used by them; who keeps nothing does not look at them."""
    return marketing + (max(service, cap.reserve) if cap.reserve else 0) > cap.limit


@lru_cache(maxsize=65536)
def exceeds(cap: Cap, window: SendWindow, sent: Moments, served: Moments, zone: ZoneInfo | None) -> bool:
    """Whether a contact in some minute of the window would be one too many."""
    if cap.calendar is None:
        return any(crowded(cap, moment, sent, served) for moment in minutes(window))
    if zone is None:
        return False
    return any(crammed(cap, moment, sent, served, zone) for moment in minutes(window))


def crowded(cap: Cap, moment: datetime, sent: Moments, served: Moments) -> bool:
    """Whether some stretch of the cap's length that holds the moment would hold too many contacts with the new one."""
    length = (cap.window_hours or 0) * HOUR
    for start in (*sent, *served, moment):
        marketing, service = (sum(start <= it < start + length for it in made) for made in ((*sent, moment), served))
        if start <= moment < start + length and _too_many(cap, marketing, service):
            return True
    return False


def crammed(cap: Cap, moment: datetime, sent: Moments, served: Moments, zone: ZoneInfo) -> bool:
    """The same for the calendar period of the moment."""
    own = period(moment, zone, cap.calendar or "")
    marketing, service = (sum(period(it, zone, cap.calendar or "") == own for it in made) for made in (sent, served))
    return _too_many(cap, marketing + 1, service)


def period(moment: datetime, zone: ZoneInfo, calendar: str) -> tuple[int, ...]:
    """The name of the local day, week or month."""
    local = moment.astimezone(zone)
    if calendar == "week":
        return local.isocalendar()[:2]
    return (local.year, local.month) if calendar == "month" else (local.year, local.month, local.day)
