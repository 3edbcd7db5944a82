"""The greatest value among everything that comes before a moment, found by bisection."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class GreatestBefore(Generic[Thing]):
    """Made of (moment, value, thing); answers for a moment which thing strictly before it has the greatest value."""

    def __init__(self, entries: Iterable[tuple[int, int, Thing]]) -> None:
        self._moments: list[int] = []
        self._greatest: list[tuple[int, Thing]] = []
        for moment, value, thing in sorted(entries, key=lambda entry: entry[0]):
            self._moments.append(moment)
            before = self._greatest[-1] if self._greatest else None
            self._greatest.append(before if before is not None and before[0] >= value else (value, thing))

    def at(self, moment: int) -> tuple[int, Thing] | None:
        """The greatest (value, thing) of what lies strictly before `moment`; None if nothing does."""
        found = bisect_left(self._moments, moment)
        return self._greatest[found - 1] if found else None
