"""The customers of the ledger: a pseudonym, a key, and the lock that every write about a customer takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, literal_column, select
from sqlalchemy.dialects import postgresql

from arbitration.errors import LedgerError
from serving.clock import Clock
from serving.ledger.engine import Open
from serving.ledger.keyring import Keyring
from serving.ledger.schema import from_micros, shop_aliases, subjects, suppressions, to_micros
from serving.ledger.statements import Step, adding, first, question, row_of, rows_of, run

SETBACK_MICROS = 60_000_000
"""A clock that is this far behind what the ledger has seen of a customer is wrong, and nothing is decided by it."""
_DATABASE_CLOCK: Any = literal_column("(extract(epoch FROM clock_timestamp()) * 1000000)::bigint").label("clock")

_PRESENT = select(_DATABASE_CLOCK)
_OF_CUSTOMER = select(subjects).where(subjects.c.customer_id == bindparam("customer_id"))
_LOCKED_BY_SERVER = _OF_CUSTOMER.add_columns(_DATABASE_CLOCK).with_for_update()
_NAMES = select(shop_aliases.c.alias_type + ":" + shop_aliases.c.alias)
_ALIASES = (
    select(subjects)
    .where(subjects.c.customer_id.in_(_NAMES.where(shop_aliases.c.customer_id == bindparam("owner"))))
    .order_by(subjects.c.customer_id)
)
_ALIASES_LOCKED = _ALIASES.with_for_update()
_GIVEN = ("subject", "customer_id", "sealing_key", "version", "epoch", "last_at")
_MADE_ONCE = postgresql.insert(subjects).values({it: bindparam(it) for it in _GIVEN}).on_conflict_do_nothing()


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


class Other(NamedTuple):
    """Another name of the same person, and who that is in the ledger: None where nothing was ever written about them."""

    customer_id: str
    subject: Subject | None


def find(connection: Connection, customer_id: str) -> Subject | None:
    """The subject of a customer, or None when nothing was ever written about them."""
    return _subject(first(connection, _OF_CUSTOMER, customer_id=customer_id))


def others_of(connection: Connection, customer_id: str, *, locked: bool = False) -> tuple[Other, ...]:
    """Who else is the same person: subjects called `alias_type:alias`, who spoke before the shop said whose that name is; and for such
    a one the customer with the other aliases. `locked`: their rows stay locked until the transaction ends.
    """
    owners = _owners_of(connection, customer_id)
    if owners:
        mine = _NAMES.where(shop_aliases.c.customer_id.in_(owners))
        named = subjects.c.customer_id.in_(owners) | subjects.c.customer_id.in_(mine)
        asked = select(subjects).where(named, subjects.c.customer_id != customer_id).order_by(subjects.c.customer_id)
        rows = connection.execute(asked.with_for_update() if locked else asked).all()
    else:
        rows = rows_of(connection, _ALIASES_LOCKED if locked else _ALIASES, owner=customer_id)
    found = {row.customer_id: Other(row.customer_id, _subject(row)) for row in rows}
    return (*found.values(), *(Other(name, None) for name in owners if name not in found))


def _owners_of(connection: Connection, name: str) -> tuple[str, ...]:
    """The customers whom the shop ever called by this `alias_type:alias`, in order; none for what is no such name."""
    alias_type, colon, alias = name.partition(":")
    if not colon:
        return ()
    table = shop_aliases.c
    asked = select(table.customer_id).where(table.alias_type == alias_type, table.alias == alias).distinct()
    return tuple(connection.execute(asked.order_by(table.customer_id)).scalars())


def versions_of(others: Iterable[Other]) -> tuple[tuple[str, int], ...]:
    """By what a later look tells whether anything was written about any of them, also for the first time."""
    return tuple((one.subject.id, one.subject.version) if one.subject else ("", 0) for one in others)


def is_suppressed(connection: Connection, hashed: str) -> bool:
    """Whether a keyed hash stands on the suppression list."""
    return connection.execute(select(suppressions.c.hash).where(suppressions.c.hash == hashed)).first() is not None


def lock(
    opened: Open, customer_id: str, keyring: Keyring, *more: Step, new: bool = False
) -> tuple[Subject, int | None, list[Any]]:
    """Begin, and lock the customer's row until the transaction ends; it is made when it is not there. Returns it with the database's
    clock, in microseconds (None: SQLite has none of its own), and the cursors of what `more` was to be carried out behind the lock.
    Where the customer is perhaps `new`, PostgreSQL is not asked first whether the row is there.
    """
    connection = opened.connection
    server = connection.dialect.name == "postgresql"
    asked = _LOCKED_BY_SERVER if server else _OF_CUSTOMER
    locking, begun = question(connection.dialect, asked, {"customer_id": customer_id}), opened.begin
    if server and ":" in customer_id:  # an alias waits for its customer first, so that no two wait for each other
        begun()
        _lock_in_order(connection, _owners_of(connection, customer_id), keyring)
        begun = partial(run, connection)
    making = (question(connection.dialect, _MADE_ONCE, _fresh(customer_id, keyring)),) if server and new else ()
    locked, *told = begun(*making, locking, *more)[len(making) :]
    row = row_of(asked, locked)
    if row is None:
        made = _fresh(customer_id, keyring)
        if not server:  # SQLite holds the whole ledger's lock already: nobody else can have made it
            run(connection, adding(connection.dialect, subjects, made))
            return (
                Subject(made["subject"], customer_id, made["sealing_key"], 0, 0, 0, objected=False, paused_until=None),
                None,
                told,
            )
        _, locked, *told = run(connection, question(connection.dialect, _MADE_ONCE, made), locking, *more)
        row = row_of(asked, locked)
    found = _subject(row)
    if found is None:
        raise LedgerError("a customer was erased at this moment", mend="ask again")
    return found, int(row.clock) if server else None, told


def _lock_in_order(connection: Connection, owners: tuple[str, ...], keyring: Keyring) -> None:
    """Whoever is asked for by an alias waits for the customer first, whose row is made for that, then for all aliases in their order: so
    no two who decide for one person under two names wait for each other.
    """
    for owner in owners:
        run(connection, question(connection.dialect, _MADE_ONCE, _fresh(owner, keyring)))
    if owners:
        names = _NAMES.where(shop_aliases.c.customer_id.in_(owners))
        for which in (subjects.c.customer_id.in_(owners), subjects.c.customer_id.in_(names)):
            asked = select(subjects.c.subject).where(which).order_by(subjects.c.customer_id)
            connection.execute(asked.with_for_update())


def _fresh(customer_id: str, keyring: Keyring) -> dict[str, Any]:
    """The row of a customer about whom nothing was written yet."""
    subject = keyring.new_id("s")
    return {
        "subject": subject, "customer_id": customer_id, "sealing_key": keyring.new_key(subject), "version": 0, "epoch": 0, "last_at": 0,
    }  # fmt: skip


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
    return int(first(connection, _PRESENT).clock) + shift_of(clock)


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
