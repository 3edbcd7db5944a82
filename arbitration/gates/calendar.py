"""Calendar periods on the customer's own clock: days, weeks from Monday, months. A period is named by its first day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Calendar = Literal["day", "week", "month"]


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
