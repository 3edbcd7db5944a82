"""Up to which number the outbox is complete: below it, no event can appear any more.

SQLite commits in the order of numbers. In PostgreSQL a number is drawn before its transaction commits, so a lower one may appear after a
higher one. Its transaction had begun, though, when the higher one was seen: once every transaction that ran then is over, whatever
it wrote can be seen.
"""

from __future__ import annotations

from collections import deque

from sqlalchemy import Connection, text

# Two questions: SQLite answers each from the end of its table, but looks through all of it when they are one.
_ENDS = text("SELECT (SELECT coalesce(min(number), 1) FROM outbox), (SELECT coalesce(max(number), 0) FROM outbox)")
_SNAPSHOT = text(
    "SELECT (SELECT coalesce(min(number), 1) FROM outbox), (SELECT coalesce(max(number), 0) FROM outbox), "
    "txid_snapshot_xmin(txid_current_snapshot()), txid_snapshot_xmax(txid_current_snapshot())"
)


class Horizon:
    """Remembers, for the newest numbers it saw, the first transaction that had not begun then."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque()
        self._safe = 0

    def look(self, connection: Connection) -> tuple[int, int, int]:
        """The lowest number, the highest, and the one up to which whoever asks from now on sees every event there will ever be."""
        if connection.dialect.name != "postgresql":
            low, high = connection.execute(_ENDS).one()
            return int(low), int(high), int(high)
        low, high, oldest, following = connection.execute(_SNAPSHOT).one()
        while self._seen and self._seen[0][1] <= oldest:
            self._safe = self._seen.popleft()[0]
        if not self._seen or self._seen[-1][0] < high:
            self._seen.append((int(high), int(following)))
        return int(low), int(high), self._safe
