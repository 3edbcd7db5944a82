"""The customers of the ledger: a pseudonym, a key, and the lock that every write about a customer takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, text
from sqlalchemy.dialects import postgresql

from arbitration.errors import LedgerError
from serving.clock import Clock
from serving.ledger.keyring import Keyring
from serving.ledger.schema import from_micros, shop_aliases, subjects, suppressions, to_micros
from serving.ledger.statements import add_row, first

SETBACK_MICROS = 60_000_000
"""A clock that is this far behind what the ledger has seen of a customer is wrong, and nothing is decided by it."""
_DATABASE_CLOCK = text("(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS clock")

_OF_CUSTOMER = select(subjects).where(subjects.c.customer_id == bindparam("customer_id"))
_LOCKED_BY_SERVER = _OF_CUSTOMER.add_columns(_DATABASE_CLOCK).with_for_update()


@dataclass(frozen=True, slots=True)
class Subject:
    """A customer as the ledger knows them. `version` rises with every write about them, `epoch` with every reservation.

    `wrapped` is their key as it is stored, None once erased; `last_at` the latest moment of a write, in microseconds.
    """

    id: str
    customer_id: str
    wrapped: bytes | None
    version: int
    epoch: int
    last_at: int
    objected: bool
    paused_until: datetime | None


def find(connection: Connection, customer_id: str) -> Subject | None:
    """The subject of a customer, or None when nothing was ever written about them."""
    return _subject(first(connection, _OF_CUSTOMER, customer_id=customer_id))


def of_aliases(connection: Connection, customer_id: str) -> list[Subject]:
    """Who spoke under a name of this customer before the shop said whose it is: subjects called `alias_type:alias`."""
    names = shop_aliases.c.alias_type + ":" + shop_aliases.c.alias
    asked = select(subjects).join_from(shop_aliases, subjects, subjects.c.customer_id == names)
    rows = connection.execute(asked.where(shop_aliases.c.customer_id == customer_id).distinct())
    return [found for found in map(_subject, rows) if found is not None]


def is_suppressed(connection: Connection, hashed: str) -> bool:
    """Whether a keyed hash stands on the suppression list."""
    return connection.execute(select(suppressions.c.hash).where(suppressions.c.hash == hashed)).first() is not None


def lock(connection: Connection, customer_id: str, keyring: Keyring) -> tuple[Subject, int | None]:
    """The customer's row, locked until the transaction ends and made when it is not there; and the database's clock, in
    microseconds (None: SQLite has none of its own).
    """
    server = connection.dialect.name == "postgresql"
    asked = _LOCKED_BY_SERVER if server else _OF_CUSTOMER
    row = first(connection, asked, customer_id=customer_id)
    if row is None:
        made = _create(connection, customer_id, keyring)
        if not server:  # SQLite holds the whole ledger's lock already: nobody else can have made it
            return made, None
        row = first(connection, asked, customer_id=customer_id)
    found = _subject(row)
    if row is None or found is None:
        raise LedgerError("a customer was erased at this moment", mend="ask again")
    return found, int(row.clock) if server else None


def _create(connection: Connection, customer_id: str, keyring: Keyring) -> Subject:
    values: dict[str, Any] = {
        "subject": keyring.new_id("s"), "customer_id": customer_id, "sealing_key": keyring.new_key(),
        "version": 0, "epoch": 0, "last_at": 0,
    }  # fmt: skip
    if connection.dialect.name == "postgresql":
        connection.execute(postgresql.insert(subjects).values(values).on_conflict_do_nothing())
    else:
        add_row(connection, subjects, values)
    return Subject(values["subject"], customer_id, values["sealing_key"], 0, 0, 0, objected=False, paused_until=None)


def _subject(row: Row[Any] | None) -> Subject | None:
    if row is None:
        return None
    paused = from_micros(row.paused_until) if row.paused_until is not None else None
    return Subject(
        row.subject, row.customer_id, bytes(row.sealing_key) if row.sealing_key is not None else None, row.version, row.epoch, row.last_at,
        row.objected_at is not None, paused,
    )  # fmt: skip


def present(connection: Connection, clock: Clock) -> int:
    """The present moment of the shop in microseconds, by the database's clock where it has one."""
    if connection.dialect.name != "postgresql":
        return to_micros(clock.now())
    return int(connection.execute(select(_DATABASE_CLOCK)).scalar_one()) + shift_of(clock)


def shift_of(clock: Clock) -> int:
    """How far the shop's clock is from real time, in microseconds."""
    return clock.shift // timedelta(microseconds=1)


def moment_of(subject: Subject | None, micros: int, *, declared: bool = False) -> int:
    """The moment of a write: what the clock says, but never before what was written last. Raises `LedgerError` when the clock
    is more than a minute behind that; a `declared` clock starts anew with the service, and then time waits for it.
    """
    if subject is None or micros >= subject.last_at:
        return micros
    behind = subject.last_at - micros
    if behind > SETBACK_MICROS and not declared:
        raise LedgerError(
            f"the clock is {behind / 1e6:.0f} s behind what the ledger has already seen", mend="set the clock right"
        )
    return subject.last_at
