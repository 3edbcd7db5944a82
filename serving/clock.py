"""The shop's clock: real time, or a past moment from which time runs on at normal speed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """`now()` is an aware moment in UTC; a clock with a start never goes back, whatever happens to the system's."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start.astimezone(UTC) if start else None
        self._began = time.monotonic()

    def now(self) -> datetime:
        """The present moment of the shop."""
        if self._start is None:
            return datetime.now(UTC)
        return self._start + timedelta(seconds=time.monotonic() - self._began)
