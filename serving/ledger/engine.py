"""Opening a ledger: durable settings, transactions that lock, deadlines, and the driver's errors in our own words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import quote

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from arbitration.errors import LedgerError
from serving.ledger.deadline import DEADLINE_SECONDS, bound
from serving.ledger.place import Place
from serving.ledger.statements import NOTHING, Step, run

BUSY_SECONDS = 2.0
FILE_SECONDS = 3.5
"""SQLite tries again and again by chance, nobody queues for its file: one of many processes may have bad luck for long."""
_CONNECT_SECONDS = 2
_IDLE_SECONDS = 15
# The operating system finds a line that is idle and was cut without a word within these seconds: after 20, 3 times every 5.
_KEEP_ALIVE = {"keepalives": 1, "keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 3}
# Codes of PostgreSQL after which the same transaction may well succeed: serialization failure, deadlock.
_TRY_AGAIN = ("40001", "40P01")
# What the server says before anybody is connected comes without a code.
_TOO_MANY = ("too many clients", "remaining connection slots", "too many connections")
_KNOWN = {
    "53100": ("the disk of the ledger's database is full", "free some space; nothing that was answered is lost"),
    "53300": ("the ledger's database has no connection left", "raise its max_connections, or start fewer workers"),
    "57014": (f"the ledger's database took longer than {DEADLINE_SECONDS:g} s", "check its load, then ask again"),
    "25006": ("the ledger's database is read-only", "name the primary server in DIRIGENT_LEDGER, not a copy of it"),
}


def open_engine(place: Place) -> Engine:
    """An engine for reading and writing; the file is created, readable by its owner only. `LedgerError` when it cannot be."""
    if place.path is None:
        return _postgres(place)
    try:
        place.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(place.path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise explained(error, place) from None
    return _sqlite(URL.create("sqlite", database=str(place.path)), writing=True)


def open_read_only(place: Place) -> Engine:
    """An engine for reading alone, also while a service writes; `LedgerError` when there is no ledger."""
    if place.path is None:
        return _postgres(place, "-c default_transaction_read_only=on")
    if not place.path.exists():
        raise LedgerError("there is no ledger yet", where=place.shown, mend="run: dirigent serve, and ask it something")
    query = {"mode": "ro", "uri": "true"}
    return _sqlite(URL.create("sqlite", database=f"file:{quote(str(place.path))}", query=query), writing=False)


def _sqlite(url: URL, *, writing: bool) -> Engine:
    # AUTOCOMMIT hands BEGIN and COMMIT to `transaction`: Python's driver would otherwise begin late, and never IMMEDIATE.
    engine = create_engine(
        url, isolation_level="AUTOCOMMIT", pool_size=8, max_overflow=40, pool_use_lifo=True,
        connect_args={"timeout": FILE_SECONDS},
        hide_parameters=True,
    )  # fmt: skip
    if writing:
        event.listen(engine, "connect", _configure)
    return engine


def _configure(connection: sqlite3.Connection, _: object) -> None:
    # WAL lets readers go on while one writes; FULL makes a commit survive a power cut, which WAL's default does not;
    # secure_delete overwrites what is erased with zeros.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _postgres(place: Place, more: str = "") -> Engine:
    limit = int(DEADLINE_SECONDS * 1000)
    least = limit - 500  # the server gives up before the client does, as long as it runs, and keeps the connection
    options = f"-c lock_timeout={int(BUSY_SECONDS * 1000)} -c statement_timeout={least} -c synchronous_commit=on "
    options += (
        f"-c idle_in_transaction_session_timeout={_IDLE_SECONDS * 1000} {more}"  # whoever sleeps gives up their locks
    )
    engine = create_engine(
        place.url, isolation_level="AUTOCOMMIT", pool_size=8, max_overflow=16, pool_timeout=BUSY_SECONDS, pool_use_lifo=True, hide_parameters=True,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "options": options, "application_name": "dirigent",
                      "tcp_user_timeout": limit, **_KEEP_ALIVE},
    )  # fmt: skip
    bound(engine)
    return engine


class Open:
    """A write transaction, on a connection of its own or `through` one that the caller has.

    The block begins it with `begin`, together with the first statements, and leaves those to end it with in `last`. It commits at the end
    of the block, or leaves no trace when the block raises. A class, because every live decision passes here.
    """

    def __init__(self, engine: Engine, place: Place, through: Connection | None = None) -> None:
        self._engine, self._place, self._own = engine, place, through is None
        self.last: list[Step] = []
        if through is not None:
            self.connection = through

    def __enter__(self) -> Self:
        if self._own:
            try:
                self.connection = self._engine.connect()
            except _OF_DRIVERS as error:
                raise _told(error, self._place) from None
        return self

    def begin(self, *steps: Step) -> list[Any]:
        """Begin, and carry out the first statements. In SQLite the lock is taken at once, so what is read inside cannot change before the
        commit; in PostgreSQL `serving.ledger.subjects` locks the customer's row first (isolation: read committed).
        """
        word = "BEGIN IMMEDIATE" if self.connection.dialect.name == "sqlite" else "BEGIN"
        return run(self.connection, (word, NOTHING), *steps)[1:]

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            try:
                if error is None:
                    run(self.connection, *self.last, ("COMMIT", NOTHING))
                else:
                    _roll_back(self.connection)
            except BaseException:  # a commit that failed may have left the transaction open, too
                _roll_back(self.connection)
                raise
            finally:
                if self._own:
                    self.connection.close()
        except _OF_DRIVERS as failed:
            raise _told(failed, self._place) from None
        if isinstance(error, _OF_DRIVERS):
            raise _told(error, self._place) from None


@contextmanager
def transaction(engine: Engine, place: Place) -> Iterator[Connection]:
    """One write transaction. It commits at the end of the block, or leaves no trace when the block raises."""
    with Open(engine, place) as found:
        found.begin()
        yield found.connection


def _roll_back(connection: Connection) -> None:
    if connection.invalidated:
        return
    try:
        connection.exec_driver_sql("ROLLBACK")
    except SQLAlchemyError:  # the connection is gone, and with it the transaction
        connection.invalidate()


@contextmanager
def connection_of(engine: Engine, place: Place) -> Iterator[Connection]:
    """A connection whose driver errors become `LedgerError`; only `IntegrityError` stays one, without the row that PostgreSQL quotes."""
    try:
        with engine.connect() as connection:
            yield connection
    except _OF_DRIVERS as error:
        raise _told(error, place) from None


_OF_DRIVERS = (
    DBAPIError,
    PoolTimeout,
    PendingRollbackError,
    sqlite3.Error,
    psycopg.Error,
)  # the drivers' own come from `run`


def _told(error: BaseException, place: Place) -> Exception:
    """The error of a driver or of SQLAlchemy as one of ours."""
    if isinstance(error, IntegrityError):
        return IntegrityError(None, None, Refused(_constraint(error.orig)))
    if isinstance(error, sqlite3.IntegrityError | psycopg.IntegrityError):
        return IntegrityError(None, None, Refused(_constraint(error)))
    return explained(error.orig if isinstance(error, DBAPIError) else error, place)


class Refused(Exception):
    """A constraint of the ledger that a row does not meet; its text is the constraint's name."""


def _constraint(error: Any) -> str:
    """What PostgreSQL calls the constraint, or the column that must not be empty; SQLite's own text names no more than that."""
    told = getattr(error, "diag", None)
    if told is None:
        return str(error) if isinstance(error, sqlite3.Error | Refused) else type(error).__name__
    return str(told.constraint_name or told.column_name or error.sqlstate)


class Again(LedgerError):
    """The database undid the transaction to untangle it from another one: the same transaction may be tried once more."""


class Held(LedgerError):
    """Somebody else holds what is wanted, longer than anybody waits for it."""


def explained(error: BaseException | None, place: Place) -> LedgerError:
    """What went wrong, in words that say how to mend it; the driver's text only where it cannot quote a row."""
    if isinstance(error, PoolTimeout):
        return LedgerError(
            f"no connection to the ledger was free within {BUSY_SECONDS:g} s", where=place.shown, mend="ask again later"
        )
    return _of_sqlite(str(error), place) if place.is_sqlite else _of_postgres(error, place)


def _of_sqlite(text: str, place: Place) -> LedgerError:
    if "locked" in text or "busy" in text:
        return _held(place)
    if "not a database" in text or "malformed" in text:
        return LedgerError("the ledger is damaged", where=place.shown, mend="restore it from your backup")
    return LedgerError(
        f"the ledger cannot be used ({text})", where=place.shown, mend="check disk space and file rights"
    )


def _of_postgres(error: BaseException | None, place: Place) -> LedgerError:
    code = _code(error)
    if code in _TRY_AGAIN:
        return Again("two transactions stood in each other's way", where=place.shown, mend="ask again")
    if code == "55P03":
        return _held(place)
    unknown = (
        f"the database of the ledger does not answer ({code or type(error).__name__})",
        "check that PostgreSQL runs, has disk space, and that DIRIGENT_LEDGER names it",
    )
    what, mend = _KNOWN.get(code or "", unknown)
    return LedgerError(what, where=place.shown, mend=mend)


def _held(place: Place) -> Held:
    seconds = FILE_SECONDS if place.is_sqlite else BUSY_SECONDS
    return Held(
        f"the ledger is locked by another program for more than {seconds:g} s", where=place.shown,
        mend="end the program that holds it (a backup, a shell), then ask again",
    )  # fmt: skip


def _code(error: Any) -> str | None:
    """PostgreSQL's five letters for an error, which name its kind and quote nothing."""
    found = getattr(error, "sqlstate", None)
    if isinstance(found, str):
        return found
    return "53300" if any(words in str(error) for words in _TOO_MANY) else None
