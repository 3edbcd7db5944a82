"""Caps as arrays: when a cap that is full in a window would have room again; NEVER where it has room."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.clock import NEVER, Windows, hours, micros
from arbitration.batch.layout import Layout
from arbitration.batch.people import People, Sent
from arbitration.batch.tables import begins
from arbitration.gates.calendar import Calendar, begin_of
from arbitration.policy import Cap
from arbitration.windows import zone_of

Array = npt.NDArray[Any]
_EPOCH_DAY = np.datetime64("1970-01-01", "D")
LOOK_BACK = 34
"""Days back from which a contact can still lie in the calendar period of now."""


def counted(cap: Cap, layout: Layout, sent: Sent) -> Sent:
    """The contacts that a cap counts."""
    keep = sent.marketing
    if cap.channels:
        keep = keep & _among(sent.channel, [layout.channel_at[it] for it in cap.channels])
    if cap.journeys:
        keep = keep & _among(sent.journey, [layout.journey_at[it] for it in cap.journeys if it in layout.journey_at])
    return sent.only(np.flatnonzero(keep))


def _among(values: Array, chosen: list[int]) -> Array:
    found = np.zeros(len(values), dtype=bool)
    for one in chosen:
        found |= values == one
    return found


def sliding(cap: Cap, sent: Sent, now: Array, windows: Windows) -> Array | None:
    """When no run of `limit` counted contacts is in one sliding window with the new one any more; None: room in all windows."""
    length, ahead = hours(cap.window_hours or 0), cap.limit - 1
    size = max(0, len(sent.row) - ahead)
    row, first, last = sent.row[:size], sent.at[:size], sent.at[ahead:]
    runs = (row == sent.row[ahead:]) & (last - first < length) & (now[row] - first < length)
    if not runs.any():
        return None
    row, first, last = row[runs], first[runs, None], last[runs, None]
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


class Periods:
    """Contacts that a calendar cap counts, by local period; only customers whose time zone is known have any."""

    def __init__(self, cap: Cap, sent: Sent, people: People) -> None:
        self._cap, self._clock, self._people = cap, people.clock, people
        self._calendar: Calendar = cap.calendar or "day"
        near = people.zoned[sent.row] & (sent.at > people.now[sent.row] - hours(24 * LOOK_BACK))
        self._row = sent.row[near]
        day = self._clock.day(self._clock.locate(people.zone[self._row], sent.at[near]))
        self._period = period(day, self._calendar)

    def full(self, windows: Windows) -> Array | None:
        """The period without room in which a window opens, else the one in which it closes, NEVER if both have room."""
        if not len(self._row):
            return None
        starts = begins(self._row)
        rows = self._row[starts]
        found = np.full(windows.opens.shape, NEVER)
        for day in (windows.last_day, windows.day) if windows.last_day is not windows.day else (windows.day,):
            wanted = period(day[rows], self._calendar)
            inside = self._period[:, None] == np.repeat(wanted, np.diff(np.append(starts, len(self._row))), axis=0)
            used = np.add.reduceat(inside, starts, axis=0, dtype=np.int64)
            found[rows] = np.where(used >= self._cap.limit, wanted, found[rows])
        return found if (found != NEVER).any() else None

    def free(self, row: Array, full: Array) -> Array:
        """When the next period with room begins, for rows and the full periods they stand before."""
        current = full.copy()
        ends = np.searchsorted(self._row, np.arange(self._people.size + 1))
        for at, one in enumerate(row):
            mine = self._period[ends[one] : ends[one + 1]].tolist()
            while mine.count(current[at]) >= self._cap.limit:
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
