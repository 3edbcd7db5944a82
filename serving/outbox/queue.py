"""What a sink still has to be told: rows of the table `deliveries`, one for each event and sink.

Every event is first noted (`next_at` 0), then offered, then settled: delivered, or to be tried again at `next_at`. Noting looks for events
that have no row yet, whatever their number, so that one which was committed late is not passed over; it only need not look below the
horizon. The row with number 0 says that the sink is known, and since when: a sink that is to start from now has what came before
marked as settled without any attempt.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, exists, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from serving.ledger.bookkeeping import deliveries, outbox
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from serving.outbox.backoff import micros_until
from serving.outbox.events import Event
from serving.outbox.horizon import Horizon
from serving.outbox.lease import Lease
from serving.outbox.sinks import Failure

BATCH = 500
_WINDOW = 10_000
_WHOLE_LOOK_SECONDS = 600.0
"""So often everything is looked through again, in case that numbers did what they should not (a restored or emptied ledger)."""
_EVENT = [outbox.c[name] for name in ("number", "event_id", "subject", "version", "place", "type", "at", "data")]


class Queue:
    """The deliveries of one sink, written by the relay that holds the lease. For one thread."""

    def __init__(self, ledger: Ledger, sink: str, lease: Lease) -> None:
        self._ledger, self._sink, self._lease = ledger, sink, lease
        self._horizon = Horizon()
        self._mark = 0  # everything up to here is noted
        self._floor = 0  # everything below is settled
        self._looked = float("-inf")
        self._known = False

    def note(self, *, from_start: bool = False) -> int:
        """Note every event that is not noted yet; the first time, mark the sink as known. Returns how many. Raises `LedgerError`
        or `LostLeaseError`.
        """
        if not self._known:
            self._meet(from_start)
        return self._sweep(settled_at=None)

    def due(self) -> tuple[list[Event], dict[int, Failure]]:
        """Events to offer now, in order for each subject, and those that cannot be told. Subjects whose next event is to be
        tried later are left out.
        """
        with self._ledger.reading() as reading:
            now = to_micros(reading.now())
            waits = (deliveries.c.sink == self._sink) & deliveries.c.delivered_at.is_(None)
            waits &= deliveries.c.number >= self._floor
            lowest = reading.connection.execute(select(func.min(deliveries.c.number)).where(waits)).scalar()
            self._floor = self._mark + 1 if lowest is None else lowest
            if lowest is None:
                return [], {}
            pairs = outbox.join(deliveries, deliveries.c.number == outbox.c.number)
            resting = select(outbox.c.subject).select_from(pairs).where(waits, deliveries.c.next_at > now)
            asked = select(*_EVENT).select_from(pairs).where(waits, outbox.c.subject.not_in(resting))
            rows = reading.connection.execute(asked.order_by(deliveries.c.number).limit(BATCH)).all()
        return _events_of(rows)

    def settle(self, told: Mapping[int, Failure | None]) -> None:
        """Keep what became of offered events. Raises `LedgerError`, or `LostLeaseError`: then they will be offered again."""
        done = [number for number, failure in told.items() if failure is None]
        failed = {number: failure for number, failure in told.items() if failure is not None}
        self._ledger.write(None, lambda tx: self._settle(tx, done, failed))

    def _settle(self, tx: Transaction, done: list[int], failed: Mapping[int, Failure]) -> None:
        self._lease.renew(tx)
        waits = (deliveries.c.sink == self._sink) & deliveries.c.delivered_at.is_(None)
        if done:
            values = {"attempts": deliveries.c.attempts + 1, "delivered_at": tx.at, "next_at": None, "error": None}
            tx.connection.execute(update(deliveries).where(waits, deliveries.c.number.in_(done)).values(values))
        if failed:
            rows = deliveries.c.number.in_(list(failed))
            attempts = {
                row.number: row.attempts for row in tx.connection.execute(select(deliveries).where(waits, rows))
            }
            one = deliveries.c.number == bindparam("which")
            tx.connection.execute(update(deliveries).where(waits, one), [
                {"which": number, "attempts": tries + 1, "error": failed[number].reason,
                 "next_at": tx.at + micros_until(failed[number], tries + 1, tx.keyring.dice)}
                for number, tries in attempts.items()
            ])  # fmt: skip

    def _meet(self, from_start: bool) -> None:
        known = select(deliveries.c.number).where(deliveries.c.sink == self._sink, deliveries.c.number == 0)
        with self._ledger.reading() as reading:
            found, now = reading.first(known) is not None, to_micros(reading.now())
        if not found:
            if not from_start:
                self._sweep(settled_at=now)
            self._ledger.write(None, self._register)
        self._known = True

    def _register(self, tx: Transaction) -> None:
        self._lease.renew(tx)
        tx.connection.execute(insert(deliveries).values(sink=self._sink, number=0, attempts=0, delivered_at=tx.at))

    def _sweep(self, settled_at: int | None) -> int:
        """Give every event a row that has none, some thousand at a time. Returns how many."""
        with self._ledger.reading() as reading:
            low, high, safe = self._horizon.look(reading.connection)
        if time.monotonic() - self._looked > _WHOLE_LOOK_SECONDS:
            self._mark, self._looked = 0, time.monotonic()
        noted = 0
        for start in range(max(self._mark, low - 1), high, _WINDOW):
            count = self._note(start, min(start + _WINDOW, high), settled_at)
            if count:
                self._floor = min(self._floor, start + 1)
            noted += count
        self._mark = max(self._mark, min(safe, high))
        return noted

    def _note(self, after: int, to: int, settled_at: int | None) -> int:
        row = select(deliveries.c.number).where(deliveries.c.sink == self._sink, deliveries.c.number == outbox.c.number)
        new = (outbox.c.number > after) & (outbox.c.number <= to) & ~exists(row)
        with self._ledger.reading() as reading:  # most looks find nothing, and need no write
            if reading.first(select(outbox.c.number).where(new)) is None:
                return 0
        return self._ledger.write(None, lambda tx: self._insert(tx, new, settled_at))

    def _insert(self, tx: Transaction, new: Any, settled_at: int | None) -> int:
        self._lease.renew(tx)
        into = postgresql.insert if tx.connection.dialect.name == "postgresql" else sqlite.insert
        next_at = literal(0) if settled_at is None else literal(None, deliveries.c.next_at.type)
        settled = literal(settled_at, deliveries.c.delivered_at.type)
        rows = select(literal(self._sink), outbox.c.number, literal(0), next_at, settled).where(new)
        names = ["sink", "number", "attempts", "next_at", "delivered_at"]
        return tx.connection.execute(into(deliveries).from_select(names, rows).on_conflict_do_nothing()).rowcount


def _events_of(rows: Sequence[Row[Any]]) -> tuple[list[Event], dict[int, Failure]]:
    """In order for each subject. A row whose data cannot be read holds up its subject, and is reported."""
    events: list[Event] = []
    damaged: dict[int, Failure] = {}
    halted: set[str] = set()
    for row in sorted(rows, key=lambda row: (row.version, row.place, row.number)):
        if row.subject in halted:
            continue
        try:
            events.append(Event(**(row._asdict() | {"data": json.loads(row.data)})))
        except (ValueError, TypeError):
            damaged[row.number] = Failure("its data is damaged", slow=True)
            halted.add(row.subject)
    return events, damaged
