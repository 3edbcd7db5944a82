"""One relay at a time for a ledger: who holds the lease, and the fence that keeps everybody else out of the deliveries.

Every write about deliveries renews the lease in its own transaction, or is undone. A relay that was paused and wakes up after another
one took over may therefore tell what it had in hand a second time, but it can note nothing any more.
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from serving.ledger.bookkeeping import leases
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction

LENGTH = timedelta(seconds=30)
"""Another relay takes over when the one that led has not been heard of for this long."""
_NAME = "relay"


class LostLeaseError(Exception):
    """Another relay has taken over: what was about to be written is not."""


class Lease:
    """The claim of a process to be the relay. For several threads at once; they lead together."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self.holder = ledger, ledger.keyring.new_id("h")
        self._renewed = float("-inf")
        self._turn = threading.Lock()

    def held(self) -> bool:
        """Whether this process leads, for at least half of the lease more; taken or renewed where it can be. Raises `LedgerError`."""
        with self._turn:
            if time.monotonic() - self._renewed < LENGTH.total_seconds() / 3:
                return True
            began = time.monotonic()
            if not self._may_be_free() or not self._ledger.write(None, self._take):
                self._renewed = float("-inf")
                return False
            self._renewed = began
            return True

    @property
    def until(self) -> float:
        """Nothing new is begun after this moment of `time.monotonic()`: what takes long must be done before another one leads."""
        return self._renewed + LENGTH.total_seconds() / 2

    def renew(self, tx: Transaction) -> None:
        """Lock and renew the lease within a transaction. Raises `LostLeaseError`."""
        began = time.monotonic()
        mine = update(leases).where(leases.c.name == _NAME, leases.c.holder == self.holder)
        if tx.connection.execute(mine.values(until=tx.at + _micros())).rowcount != 1:
            self._renewed = float("-inf")
            raise LostLeaseError
        self._renewed = max(self._renewed, began)

    def give_up(self) -> None:
        """Let the next relay lead at once. Raises `LedgerError`."""
        mine = update(leases).where(leases.c.name == _NAME, leases.c.holder == self.holder).values(until=0)
        self._ledger.write(None, lambda tx: tx.connection.execute(mine).rowcount)
        self._renewed = float("-inf")

    def _may_be_free(self) -> bool:
        """Asked without a lock, so that who waits disturbs nobody."""
        with self._ledger.reading() as reading:
            row = reading.first(select(leases).where(leases.c.name == _NAME))
            return row is None or row.holder == self.holder or row.until <= to_micros(reading.now())

    def _take(self, tx: Transaction) -> bool:
        insert = postgresql.insert if tx.connection.dialect.name == "postgresql" else sqlite.insert
        tx.connection.execute(insert(leases).values(name=_NAME, holder="", until=0).on_conflict_do_nothing())
        free = (leases.c.holder == self.holder) | (leases.c.until <= tx.at)
        taken = update(leases).where(leases.c.name == _NAME, free).values(holder=self.holder, until=tx.at + _micros())
        return tx.connection.execute(taken).rowcount == 1


def _micros() -> int:
    return LENGTH // timedelta(microseconds=1)
