"""Caps as arrays: when a cap that is full in a window would have room again; NEVER where it has room."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.clock import NEVER, Windows, hours, micros
from arbitration.batch.layout import Layout
from arbitration.batch.people import People, Sent
from arbitration.batch.tables import begins
from arbitration.gates.calendar import Calendar, begin_of
from arbitration.policy import Bound, Cap
from arbitration.windows import zone_of

Array = npt.NDArray[Any]
_EPOCH_DAY = np.datetime64("1970-01-01", "D")
LOOK_BACK = 34
"""Days back from which a contact can still lie in the calendar period of now."""


Counted = Sequence[tuple[Bound, Sent]]
"""The contacts that count for each bound of a cap."""


def counted(cap: Cap, layout: Layout, sent: Sent) -> Counted:
    """The contacts that a cap counts, for each of its bounds."""
    keep = np.ones(len(sent.row), dtype=bool)
    if cap.channels:
        keep = keep & _among(sent.channel, [layout.channel_at[it] for it in cap.channels])
    if cap.journeys:
        keep = keep & _among(sent.journey, [layout.journey_at[it] for it in cap.journeys if it in layout.journey_at])
    return [
        (bound, sent.only(np.flatnonzero(keep if bound.with_service else keep & sent.marketing)))
        for bound in cap.bounds
    ]


def _among(values: Array, chosen: list[int]) -> Array:
    found = np.zeros(len(values), dtype=bool)
    for one in chosen:
        found |= values == one
    return found


def sliding(cap: Cap, contacts: Counted, now: Array, windows: Windows) -> Array | None:
    """When no run of counted contacts that uses up a bound is in one sliding window with the new one any more; None: room in all
    windows.
    """
    length = hours(cap.window_hours or 0)
    found = [_runs(bound, sent, length, now) for bound, sent in contacts]
    row, first, last = (np.concatenate(parts) for parts in zip(*found, strict=True))
    if not len(row):
        return None
    order = np.lexsort((first, row))
    row, first, last = row[order], first[order, None], last[order, None]
    hits = np.maximum(last, windows.opens[row]) - np.minimum(first, windows.closes[row]) < length
    free = np.full(windows.opens.shape, NEVER)
    starts = begins(row)
    runs_of = np.diff(np.append(starts, len(row)))
    for step in range(int(runs_of.max())):  # what is reserved ahead closes the cap, too, if the full stretches overlap
        at = starts[runs_of > step] + step
        before = free[row[at]]
        joins = (before != NEVER) & (last[at] - length < before) & (before < first[at] + length)
        free[row[at]] = np.where(hits[at] | joins, first[at] + length, before)
    return free


def _runs(bound: Bound, sent: Sent, length: int, now: Array) -> tuple[Array, Array, Array]:
    """Row, first and last moment of the runs that use the bound up and still matter."""
    ahead = bound.limit - 1
    size = max(0, len(sent.row) - ahead)
    row, first, last = sent.row[:size], sent.at[:size], sent.at[ahead:]
    runs = (row == sent.row[ahead:]) & (last - first < length) & (now[row] - first < length)
    return row[runs], first[runs], last[runs]


class Periods:
    """Contacts that a calendar cap counts, by local period; only customers whose time zone is known have any."""

    def __init__(self, cap: Cap, contacts: Counted, people: People) -> None:
        self._clock, self._people = people.clock, people
        self._calendar: Calendar = cap.calendar or "day"
        self._used = [(bound.limit, *self._placed(sent)) for bound, sent in contacts]

    def _placed(self, sent: Sent) -> tuple[Array, Array]:
        """Row and period of the contacts that can matter."""
        people = self._people
        near = people.zoned[sent.row] & (sent.at > people.now[sent.row] - hours(24 * LOOK_BACK))
        row = sent.row[near]
        return row, period(self._clock.day(self._clock.locate(people.zone[row], sent.at[near])), self._calendar)

    def full(self, windows: Windows) -> Array | None:
        """The period without room in which a window opens, else the one in which it closes, NEVER if both have room."""
        found = np.full(windows.opens.shape, NEVER)
        for day in (windows.last_day, windows.day) if windows.last_day is not windows.day else (windows.day,):
            for limit, row, periods in self._used:
                if not len(row):
                    continue
                starts = begins(row)
                rows = row[starts]
                wanted = period(day[rows], self._calendar)
                inside = periods[:, None] == np.repeat(wanted, np.diff(np.append(starts, len(row))), axis=0)
                used = np.add.reduceat(inside, starts, axis=0, dtype=np.int64)
                found[rows] = np.where(used >= limit, wanted, found[rows])
        return found if (found != NEVER).any() else None

    def free(self, row: Array, full: Array) -> Array:
        """When the next period with room begins, for rows and the full periods they stand before."""
        current = full.copy()
        every = np.arange(self._people.size + 1)
        used = [(limit, np.searchsorted(rows, every), periods) for limit, rows, periods in self._used]
        for at, one in enumerate(row):
            mine = [(limit, periods[ends[one] : ends[one + 1]].tolist()) for limit, ends, periods in used]
            while any(periods.count(current[at]) >= limit for limit, periods in mine):
                current[at] = _after(int(current[at]), self._calendar)
        zones = self._people.audience.zones
        names = [zones[self._people.zone[one]] for one in row]
        return np.array([_begin(name, int(day)) for name, day in zip(names, current, strict=True)], dtype=np.int64)


def period(day: Array, calendar: Calendar) -> Array:
    """First day of the period that holds a day, both as days since 1970."""
    if calendar == "day":
        return day
    if calendar == "week":
        monday: Array = day - (day + 3) % 7
        return monday
    first: Array = day.astype("M8[D]").astype("M8[M]").astype("M8[D]").astype(np.int64)
    return first


def _after(first: int, calendar: Calendar) -> int:
    if calendar != "month":
        return first + (7 if calendar == "week" else 1)
    return int((np.datetime64(first, "D").astype("M8[M]") + 1).astype("M8[D]").astype(np.int64))


@lru_cache(maxsize=65536)
def _begin(time_zone: str, day: int) -> int:
    zone = zone_of(time_zone)
    assert zone is not None, "only customers with a time zone have periods"  # noqa: S101
    return micros(begin_of((_EPOCH_DAY + day).item(), zone))
