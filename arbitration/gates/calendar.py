"""Calendar periods on the customer's own clock: days, weeks from Monday, months. A period is named by its first day.

Time itself has an end in Python, and records say "forever" with a date near it: what lies further out counts as the edge.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

Calendar = Literal["day", "week", "month"]
EARLIEST, LATEST = datetime(1000, 1, 1, tzinfo=UTC), datetime(8000, 1, 1, tzinfo=UTC)
"""Between these every sum of a moment and a `span` exists, in every time zone."""
LONGEST = timedelta(days=365_000)


def within(moment: datetime) -> datetime:
    """The moment, or the edge of time that it lies beyond."""
    return min(max(moment, EARLIEST), LATEST)


@lru_cache(maxsize=1024)
def span(hours: float | None) -> timedelta:
    """Hours as a stretch of time; what is no number, or too many, never ends, and less than none is none."""
    if hours is None or not hours < LONGEST.days * 24:
        return LONGEST
    return timedelta(hours=max(0, hours))


def period_of(moment: datetime, zone: ZoneInfo, calendar: Calendar) -> date:
    """First day of the local period that holds the moment."""
    day = moment.astimezone(zone).date()
    if calendar == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if calendar == "month" else day


def period_after(first: date, calendar: Calendar) -> date:
    """First day of the next period."""
    if calendar == "month":
        return (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    return first + timedelta(days=7 if calendar == "week" else 1)


def begin_of(first: date, zone: ZoneInfo) -> datetime:
    """The moment at which a period begins; where the clock skips midnight, the moment of the change."""
    return datetime.combine(first, time(), zone).astimezone(UTC)
