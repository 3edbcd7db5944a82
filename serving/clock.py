"""The shop's clock: real time, or a past moment from which time runs on at normal speed; jumps of the machine's are not believed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_STEP_SECONDS = 2.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _elapsed() -> float:
    """Seconds on a clock that nobody can set and that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """`now()` is an aware moment in UTC and never goes back.

    It follows the machine's clock as long as that runs evenly. Where the machine's clock jumps by more than two seconds, forwards
    or backwards, this one runs on as if nothing had happened, and `jumped` says by how much: a jump would open caps too early or
    make a withdrawal lie in the future. `start` declares a past moment; `began` (Unix seconds) is when it was declared, so that
    several processes of one service agree.
    """

    def __init__(
        self,
        start: datetime | None = None,
        began: float | None = None,
        *,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = _elapsed,
    ) -> None:
        self._wall, self._elapsed = wall, elapsed
        first = wall()
        since = first if began is None else began
        self.declared = start is not None
        self.shift = start.astimezone(UTC) - _at(since) if start else timedelta(0)
        self._anchor = (first, elapsed())
        self._last = first
        self.jumped = 0.0

    def now(self) -> datetime:
        """The present moment of the shop."""
        return _at(self._even()) + self.shift

    def _even(self) -> float:
        wall, elapsed = self._wall(), self._elapsed()
        expected = self._anchor[0] + elapsed - self._anchor[1]
        if abs(wall - expected) <= _STEP_SECONDS:
            self._anchor, self.jumped = (wall, elapsed), 0.0
        else:
            wall, self.jumped = expected, wall - expected
        self._last = max(self._last, wall)
        return self._last


def _at(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
