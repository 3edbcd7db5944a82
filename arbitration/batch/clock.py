"""Local time for many customers: the block edges of `arbitration.windows` as sorted moments, per time zone and month.

A moment is int64 microseconds since 1970 in UTC; `NEVER` stands for "no such moment".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.gates.calendar import span
from arbitration.gates.contact_policy import is_quiet, quiet_end
from arbitration.policy import ContactPolicy
from arbitration.propose import HOURS
from arbitration.windows import BLOCK_HOURS, PRESENCE, SHORTEST, windows, zone_of

Array = npt.NDArray[Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
NEVER = np.iinfo(np.int64).min
FAR = np.iinfo(np.int64).max
HOUR = 3_600_000_000
UNZONED = "UTC"
"""Whose clock names the slot of a customer without a time zone."""
_STEP = timedelta(minutes=15)


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // INSTANT


def hours(length: float) -> int:
    """Microseconds of so many hours, as `arbitration.gates.calendar.span` counts them."""
    return span(length) // INSTANT


def moment_of(instant: int) -> datetime:
    """The moment as an aware datetime in UTC."""
    return EPOCH + int(instant) * INSTANT


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of local time in order, from edge to edge: opening moment, slot, local day (days since 1970), end of quiet hours or NEVER.

    `plain` is False where the clock jumps so oddly that a block depends on the moment it is looked at from.
    """

    opens: Array
    slot: Array
    day: Array
    quiet: Array
    plain: bool


@lru_cache(maxsize=8192)
def month_of_blocks(time_zone: str, quiet_from: int, quiet_to: int, month: int) -> Blocks:
    """The blocks of one month (months since 1970), with a day on either side."""
    zone = zone_of(time_zone)
    assert zone is not None, "only known zones have blocks"  # noqa: S101
    cuts = [hour for hour in (quiet_from, quiet_to) if 0 <= hour < HOURS]
    rules = ContactPolicy((), quiet_from, quiet_to)
    since, until = _first_of(month) - timedelta(days=1), _first_of(month + 1) + timedelta(days=1)
    found = windows(since, until, zone, cuts)[1:]
    plain = all(a.closes_at == b.opens_at for a, b in pairwise(found))
    opens, slots, days, quiets = [], [], [], []
    for window in found:
        local = window.opens_at.astimezone(zone)
        opens.append(micros(window.opens_at))
        slots.append(window.slot)
        days.append(local.toordinal() - date(1970, 1, 1).toordinal())
        quiets.append(micros(quiet_end(local, rules)) if is_quiet(local.hour, rules) else NEVER)
        changes = local.utcoffset() != (window.closes_at - INSTANT).astimezone(zone).utcoffset()
        if changes and window.closes_at < until:
            plain = plain and _plain(window.opens_at, window.closes_at, local, cuts, rules)
    return Blocks(np.array(opens), np.array(slots, np.int8), np.array(days), np.array(quiets), plain)


def _first_of(month: int) -> datetime:
    return datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _plain(opens_at: datetime, closes_at: datetime, local: datetime, cuts: Iterable[int], rules: ContactPolicy) -> bool:
    """Whether a block in which the clock is changed looks the same from each of its moments."""
    zone, moment = local.tzinfo, opens_at
    while (moment := moment + _STEP) < closes_at - SHORTEST:
        here = moment.astimezone(zone)
        same = here.date() == local.date() and here.hour // BLOCK_HOURS == local.hour // BLOCK_HOURS
        alike = is_quiet(here.hour, rules) == is_quiet(local.hour, rules)
        ends = windows(moment, closes_at + SHORTEST, here.tzinfo, cuts)[0].closes_at  # type: ignore[arg-type]
        if not (same and alike and ends == closes_at):
            return False
    return True


@dataclass(frozen=True, slots=True)
class Windows:
    """Send windows as matrices, one line per row: opening, closing, slot, local day of opening and of the last instant, end of quiet
    hours; `real` where there is one.
    """

    opens: Array
    closes: Array
    slot: Array
    day: Array
    last_day: Array
    quiet: Array
    real: Array

    def only(self, rows: Array) -> Windows:
        """The windows of some rows."""
        return Windows(*(getattr(self, name)[rows] for name in Windows.__slots__))

    def times(self, copies: int) -> Windows:
        """Each window so many times over, side by side."""
        if copies == 1:
            return self
        return Windows(*(np.repeat(getattr(self, name), copies, axis=1) for name in Windows.__slots__))


class Clock:
    """The blocks of all time zones of an audience, one after the other."""

    def __init__(self, zones: Sequence[str], spans: Sequence[Array], rules: ContactPolicy) -> None:
        """`spans` holds per zone the months (since 1970) that will be looked at."""
        parts, self._first, size = [], [0], 0
        self.plain = np.ones(len(zones), dtype=bool)
        for at, (zone, months) in enumerate(zip(zones, spans, strict=True)):
            blocks = [month_of_blocks(zone, rules.quiet_from, rules.quiet_to, int(month)) for month in months]
            self.plain[at] = all(block.plain for block in blocks)
            parts.append(_merged(blocks))
            size += len(parts[-1].opens)
            self._first.append(size)
        join = np.concatenate
        self._opens = join([*(part.opens for part in parts), np.array([FAR])])
        self._slot = join([part.slot for part in parts])
        self._day = join([part.day for part in parts])
        self._quiet = join([part.quiet for part in parts])

    def locate(self, zone: Array, moment: Array) -> Array:
        """Position of the block that holds each moment, in that row's zone."""
        found = np.zeros(moment.shape, dtype=np.int64)
        for at in np.unique(zone):
            first, end = self._first[at], self._first[at + 1]
            rows = zone == at
            found[rows] = first - 1 + np.searchsorted(self._opens[first:end], moment[rows], side="right")
        return found

    def slot(self, position: Array) -> Array:
        """Hour-of-week slot of blocks."""
        return self._slot[position]

    def day(self, position: Array) -> Array:
        """Local day of blocks, days since 1970."""
        return self._day[position]

    def windows(self, zone: Array, since: Array, until: Array) -> Windows:
        """What `arbitration.windows.windows` finds from `since` to `until` in each row; a block too short to use is not real."""
        start = self.locate(zone, since)
        count = np.maximum(self.locate(zone, until - 1) - start + 1, 0)
        steps = np.arange(max(1, int(count.max(initial=0))))
        at = np.minimum(start[:, None] + steps, len(self._slot) - 1)
        opens = np.maximum(self._opens[at], since[:, None])
        closes = np.minimum(self._opens[at + 1], until[:, None])
        real = (steps < count[:, None]) & (closes - opens >= SHORTEST // INSTANT)
        day = self._day[at]
        return Windows(opens, closes, self._slot[at], day, day, self._quiet[at], real)

    def presence(self, zone: Array, now: Array) -> Windows:
        """The one window in which a customer who is present now counts as present."""
        start, closes = self.locate(zone, now), now + PRESENCE // INSTANT
        last_day = self._day[self.locate(zone, closes - 1)]
        opens, ends, slot, day, last = (
            it[:, None] for it in (now, closes, self._slot[start], self._day[start], last_day)
        )
        return Windows(opens, ends, slot, day, last, np.full(opens.shape, NEVER), np.ones(opens.shape, dtype=bool))


def _merged(blocks: Sequence[Blocks]) -> Blocks:
    if not blocks:
        none = np.zeros(0, dtype=np.int64)
        return Blocks(none, np.zeros(0, dtype=np.int8), none, none, plain=True)
    opens = np.concatenate([block.opens for block in blocks])
    opens, keep = np.unique(opens, return_index=True)
    slot, day, quiet = (
        np.concatenate([getattr(block, name) for block in blocks])[keep] for name in ("slot", "day", "quiet")
    )
    return Blocks(opens, slot, day, quiet, plain=True)


def months(moments: Array) -> Array:
    """Months since 1970 of moments."""
    return moments.astype("M8[us]").astype("M8[M]").astype(np.int64)
