"""Send windows: local four-hour blocks of the customer's time zone, as moments in UTC.

Local time is turned into UTC edge by edge through `zoneinfo`, so a block is three or five hours long where the clock is changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from arbitration.domain import SendWindow
from arbitration.errors import InputError

BLOCK_HOURS = 4
BLOCKS_A_DAY = 24 // BLOCK_HOURS
SHORTEST = timedelta(minutes=15)
"""A first block with less time left than this is skipped: nobody can send into it in time."""
PRESENCE = timedelta(minutes=30)
"""How long a customer who is present now counts as present."""


@lru_cache(maxsize=1024)
def zone_of(time_zone: str | None) -> ZoneInfo | None:
    """The IANA time zone, or None when it is unknown."""
    if not time_zone:
        return None
    try:
        return ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):  # no such name; not a name; a folder of names such as "America"
        return None


def slot_of(moment: datetime, time_zone: str) -> int:
    """Hour-of-week slot of a moment in a time zone: weekday (Monday 0) * 6 + local hour // 4, 0 to 41."""
    zone = zone_of(time_zone)
    if zone is None:
        raise InputError(f"'{time_zone}' is not an IANA time zone", mend="use a name such as Europe/Berlin")
    return _slot(moment, zone)


def windows(now: datetime, until: datetime, zone: ZoneInfo, cuts: Iterable[int] = ()) -> tuple[SendWindow, ...]:
    """The blocks from `now` to `until` in order, the first and last cut to fit; `cuts` are local hours that split blocks."""
    edges = sorted({*range(0, 24, BLOCK_HOURS), *cuts})
    found = []
    opens_at = now
    while opens_at < until:
        closes_at = min(_next_edge(opens_at, zone, edges), until)
        if closes_at - opens_at >= SHORTEST:
            found.append(SendWindow(opens_at, closes_at, _slot(opens_at, zone)))
        opens_at = closes_at
    return tuple(found)


def presence(now: datetime, zone: ZoneInfo) -> SendWindow:
    """The one window of an immediate channel: it opens now and closes when the customer may be gone."""
    return SendWindow(now, now + PRESENCE, _slot(now, zone))


def _slot(moment: datetime, zone: ZoneInfo) -> int:
    local = moment.astimezone(zone)
    return local.weekday() * BLOCKS_A_DAY + local.hour // BLOCK_HOURS


def _next_edge(moment: datetime, zone: ZoneInfo, edges: list[int]) -> datetime:
    """The first block edge after `moment`; a local time that the clock skips stands for the moment of the change."""
    local = moment.astimezone(zone)
    days = 0
    while True:
        day = local.replace(minute=0, second=0, microsecond=0, fold=0) + timedelta(days=days)
        for hour in edges:
            if days == 0 and hour <= local.hour:
                continue
            edge = day.replace(hour=hour).astimezone(UTC)
            if edge > moment:
                return edge
        days += 1
