"""The ledger: the one truth about decisions, contacts, consents and outcomes, in a SQLite file or a PostgreSQL database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from arbitration.errors import LedgerError
from serving.clock import Clock
from serving.ledger import subjects
from serving.ledger.engine import Again, Open, connection_of, open_engine
from serving.ledger.keyring import Keyring
from serving.ledger.migrate import bring_up
from serving.ledger.place import Address, Place
from serving.ledger.reading import Reading, asked_marks
from serving.ledger.schema import to_micros
from serving.ledger.transaction import Transaction

QUEUE_SECONDS = 10.0
TRIES = 3
T = TypeVar("T")


class Ledger:
    """Safe for many threads and processes. `clock` is the shop's; in PostgreSQL the database's own clock counts, shifted as the
    shop's is. Opening raises `LedgerError`, and `StateError` when `keyring` is not what the ledger was made with.
    """

    def __init__(self, named: Path | str, keyring: Keyring, clock: Clock | None = None) -> None:
        self.place = Place.of(named)
        self.keyring, self.clock = keyring, clock or Clock()
        self.engine = open_engine(self.place)
        self._turn = threading.Lock()
        self._policies: frozenset[str] = frozenset()
        try:
            bring_up(self.engine, self.place, keyring)
        except BaseException:
            self.engine.dispose()
            raise

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Reads without a lock."""
        with connection_of(self.engine, self.place) as connection:
            yield Reading(connection, self.keyring, self.clock)

    @contextmanager
    def writing(self, customer_id: str | None = None, after: Reading | None = None) -> Iterator[Transaction]:
        """One transaction; it commits at the end of the block, or leaves no trace when the block raises. `after` is what was read before:
        its connection is used again, unless it was lost.

        It holds the customer's lock, and in SQLite the whole ledger's. Threads of this process take turns there: SQLite's own
        waiting is by chance, and under load some would wait in vain. Raises `LedgerError`; `Again` when another try may succeed.
        """
        through = after.connection if after and not after.connection.invalidated else None
        with self._turns(), Open(self.engine, self.place, through) as begun:
            found = self._begin(begun, customer_id, new=after is not None and customer_id in after.strangers)
            found.kept_policies = self._policies
            yield found
            begun.last = found.finished()
        self._policies |= found.new_policies  # only now are they committed

    def write(self, customer_id: str | None, work: Callable[[Transaction], T], after: Reading | None = None) -> T:
        """What `work` returns, from a transaction that is tried again when the database undid it for another one's sake.

        `work` may therefore run more than once and must have no effect but on the transaction. `after`: see `writing`.
        """
        for _ in range(TRIES - 1):
            try:
                with self.writing(customer_id, after) as found:
                    return work(found)
            except Again:
                continue
        with self.writing(customer_id, after) as found:
            return work(found)

    @property
    def address(self) -> Address:
        """Where it lies and what opens it."""
        return Address(self.place, self.keyring)

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def _begin(self, begun: Open, customer_id: str | None, *, new: bool) -> Transaction:
        connection, clock = begun.connection, self.clock
        if customer_id is None:
            begun.begin()
            return Transaction(connection, self.keyring, clock, None, subjects.present(connection, clock))
        marks = asked_marks(connection.dialect, self.keyring, customer_id)
        subject, server, told = subjects.lock(begun, customer_id, self.keyring, marks, new=new)
        micros = to_micros(clock.now()) if server is None else server + subjects.shift_of(clock)
        at = subjects.moment_of(subject, micros, declared=clock.declared)
        return Transaction(connection, self.keyring, clock, subject, at, marks=tuple(told[0].fetchone()))

    @contextmanager
    def _turns(self) -> Iterator[None]:
        if not self.place.is_sqlite:
            yield
            return
        if not self._turn.acquire(timeout=QUEUE_SECONDS):
            raise LedgerError(
                f"no turn to write came within {QUEUE_SECONDS:g} s", where=self.place.shown, mend="ask again later"
            )
        try:
            yield
        finally:
            self._turn.release()
