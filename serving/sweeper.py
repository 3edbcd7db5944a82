"""The sweeper: gives back reservations whose lease is over, tells postponed journeys that are due, forgets old answers.

Nothing depends on it for being right: a lease that is over counts nowhere, whether it was swept or not. It makes free places known
and wakes what waits. One process sweeps at a time (a row of the table `leases`); each customer is one short transaction of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from arbitration.errors import DirigentError
from features.home import Home
from serving.ledger.anchors import anchor_when_due
from serving.ledger.bookkeeping import leases, postponed, requests
from serving.ledger.contacts import expire_due
from serving.ledger.keyring import Erased
from serving.ledger.postponed import make_due
from serving.ledger.schema import contacts, subjects, to_micros
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from serving.ledger.volume import purge
from serving.logs import log, where

if TYPE_CHECKING:
    from serving.bootstrap import Runtime

EVERY_SECONDS = 5.0
LEASE = timedelta(seconds=30)
"""Another process sweeps when the one that did has not been heard of for this long."""
KEPT = timedelta(days=7)
"""How long an answer is kept for a repeated request; 24 hours are promised."""
AT_ONCE = 200
"""Customers per round: what is left waits for the next one, which then begins at once."""
REST_SECONDS = 60.0
"""A customer who could not be swept is left alone for this long, so that others are not kept waiting behind them."""
MOST_RESTING = 5000
"""How many are left alone at a time: they are named in every query."""
_NAME = "sweep"
_KEPT_MICROS = KEPT // timedelta(microseconds=1)
_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Swept:
    """What one round did: reservations that expired, journeys that became due, answers forgotten, customers that had to be left;
    `full`: parts of the round that found as much as one round takes, so that there may be more.
    """

    expired: int = 0
    due: int = 0
    forgotten: int = 0
    left: int = 0
    full: int = 0

    @property
    def more(self) -> bool:
        """Whether the next round should begin at once: there may be more, and it is not that everything fails."""
        return self.full > 0 and self.expired + self.due + self.forgotten > 0

    def __add__(self, other: Swept) -> Swept:
        return Swept(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


def start(runtime: Runtime) -> Callable[[], None]:
    """Sweep from now on every few seconds in a thread of its own. Returns what stops it (and waits for the round at hand)."""
    ledger, home, ending = runtime.ledger, runtime.settings.paths, threading.Event()
    thread = threading.Thread(target=run, args=(ledger, home, ending), name="sweeper", daemon=True)
    thread.start()

    def stop() -> None:
        ending.set()
        thread.join(_WAIT_SECONDS)

    return stop


def run(ledger: Ledger, home: Home, ending: threading.Event) -> None:
    """Sweep until told to end, and anchor the audit once an hour. Whatever fails is logged and tried again at the next round: a
    service whose sweeper has died looks well and tells nobody what is due.
    """
    holder, resting = ledger.keyring.new_id("h"), dict[str, float]()
    while not ending.is_set():
        swept: Swept | None = None
        with _survived("not swept"):
            swept = sweep(ledger, holder, resting)
            if swept is not None and swept != Swept():
                log.info("swept", **{one.name: getattr(swept, one.name) for one in fields(swept)})
        if swept is not None:
            with _survived("not anchored"):
                anchor_when_due(ledger, home)
        ending.wait(0 if swept is not None and swept.more else EVERY_SECONDS)
    with _survived("not resigned"):
        resign(ledger, holder)


@contextmanager
def _survived(told: str) -> Iterator[None]:
    """Log what goes wrong inside, without a word that could quote a row, and go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - not even a mistake in our own code may end the thread unnoticed
        with suppress(OSError, ValueError):  # nobody reads the log any more
            _tell(told, error)


def _tell(told: str, error: Exception) -> None:
    if isinstance(error, DirigentError):
        log.warning(told, what=str(error))
    elif isinstance(error, OSError | SQLAlchemyError):
        log.warning(told, error=type(error).__name__)
    else:
        log.error(told, error=type(error).__name__, where=where(error))


def sweep(ledger: Ledger, holder: str, resting: dict[str, float] | None = None) -> Swept | None:
    """One round as `holder`; None when another process sweeps. Raises `LedgerError`.

    `resting` is kept from round to round: customers who could not be swept, and until when (`time.monotonic`) they are left alone.
    """
    if not is_its_turn(ledger, holder):
        return None
    resting = {} if resting is None else resting
    for customer in [one for one, until in resting.items() if until <= time.monotonic()]:
        del resting[customer]
    with ledger.reading() as reading:
        now = to_micros(reading.now())
        lease, free, asked = contacts.c.lease_until, postponed.c.free_at, requests.c.answered_at
        found = [
            _customers(reading.connection, contacts, (contacts.c.state == "reserved") & (lease <= now), lease, resting),
            _customers(reading.connection, postponed, (postponed.c.state == "waiting") & (free <= now), free, resting),
            _customers(reading.connection, requests, asked < now - _KEPT_MICROS, asked, resting),
        ]
        nobodys = reading.first(_nobodys(now)) is not None
    swept = Swept(full=sum(len(names) >= AT_ONCE for names in found))
    if nobodys:
        forgotten = ledger.write(None, _forget_nobodys)
        swept += Swept(forgotten=forgotten, full=int(forgotten >= AT_ONCE))
    for customer in dict.fromkeys(name for names in found for name in names):
        one = _sweep_one(ledger, customer)
        if one.left and len(resting) < MOST_RESTING:
            resting[customer] = time.monotonic() + REST_SECONDS
        swept += one
    return swept


def is_its_turn(ledger: Ledger, holder: str) -> bool:
    """Whether `holder` sweeps now: it did already, or nobody does. Most rounds ask only; it is written anew in half of a lease."""
    with ledger.reading() as reading:
        now = to_micros(reading.now())
        row = reading.first(select(leases).where(leases.c.name == _NAME))
    length = LEASE // timedelta(microseconds=1)
    if row is not None and row.until > now and (row.holder != holder or row.until - now > length // 2):
        return bool(row.holder == holder)
    return ledger.write(None, lambda tx: _claim(tx, holder, length))


def resign(ledger: Ledger, holder: str) -> None:
    """Let another process sweep at once. Raises `LedgerError`."""
    own = delete(leases).where(leases.c.name == _NAME, leases.c.holder == holder)
    ledger.write(None, lambda tx: tx.connection.execute(own))


def _claim(tx: Transaction, holder: str, length: int) -> bool:
    """Take or renew the lease. Written past the audit: who sweeps is no fact about a customer, and it is written all day long.
    Counts of journeys' volumes that are long over go with it.
    """
    purge(tx)
    insert = postgresql.insert if tx.connection.dialect.name == "postgresql" else sqlite.insert
    tx.connection.execute(insert(leases).values(name=_NAME, holder="", until=0).on_conflict_do_nothing())
    free = (leases.c.holder == holder) | (leases.c.until <= tx.at)
    taken = update(leases).where(leases.c.name == _NAME, free).values(holder=holder, until=tx.at + length)
    return tx.connection.execute(taken).rowcount == 1


def _customers(
    connection: Any, table: Table, due: ColumnElement[bool], order: Any, resting: Collection[str]
) -> list[str]:
    """Customers with something due, the longest due first, at most one round of rows. Nothing is left of an erased one that could be."""
    asked = select(subjects.c.customer_id).join_from(table, subjects, table.c.subject == subjects.c.subject)
    asked = asked.where(due, subjects.c.customer_id.is_not(None), subjects.c.customer_id.not_in(resting))
    return [str(name) for name in connection.execute(asked.order_by(order).limit(AT_ONCE)).scalars()]


def _sweep_one(ledger: Ledger, customer: str) -> Swept:
    """Everything of one customer that is due, in one transaction; who is locked for long, or in whose rows something is wrong, waits."""
    done = [Swept(left=1)]
    with _survived("a customer was not swept"):
        done = [ledger.write(customer, _due)]
    return done[0]


def _due(tx: Transaction) -> Swept:
    if tx.subject is None or tx.subject.version == 0:  # erased after the look-up: undo that the lock made them anew
        raise Erased("was erased meanwhile")
    old = (requests.c.subject == tx.owner) & (requests.c.answered_at < tx.at - _KEPT_MICROS)
    return Swept(expire_due(tx), make_due(tx), tx.remove(requests, old))


def _nobodys(now: int) -> Select[Any]:
    """Old answers that concern no customer."""
    old = requests.c.subject.is_(None) & (requests.c.answered_at < now - _KEPT_MICROS)
    return select(requests.c.answered_at).where(old).order_by(requests.c.answered_at)


def _forget_nobodys(tx: Transaction) -> int:
    moments = tx.connection.execute(_nobodys(tx.at).limit(AT_ONCE)).scalars().all()
    return tx.remove(requests, requests.c.subject.is_(None) & (requests.c.answered_at <= max(moments, default=0)))
