"""Opening the ledger file: durable settings, one writer at a time, and errors in our own words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from arbitration.errors import LedgerError
from serving.ledger.schema import METADATA, VERSION, schema_version

BUSY_SECONDS = 2.0


def open_engine(path: Path) -> Engine:
    """The ledger at `path`, created (readable by its owner only) when it is not there; `LedgerError` when it cannot be used."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    # AUTOCOMMIT hands BEGIN and COMMIT to `transaction`: Python's driver would otherwise begin late, and never IMMEDIATE.
    engine = create_engine(
        f"sqlite:///{path}", isolation_level="AUTOCOMMIT", pool_size=8, max_overflow=40,
        connect_args={"timeout": BUSY_SECONDS},
    )  # fmt: skip
    event.listen(engine, "connect", _configure)
    try:
        _prepare(engine, path)
    except BaseException:
        engine.dispose()
        raise
    return engine


def open_read_only(path: Path) -> Engine:
    """The ledger at `path` for reading alone, also while a service writes to it; `LedgerError` when there is none."""
    if not path.exists():
        raise LedgerError("there is no ledger yet", where=str(path), mend="run: dirigent serve, and ask it something")
    engine = create_engine(
        f"sqlite:///file:{quote(str(path))}?mode=ro&uri=true",
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": BUSY_SECONDS},
    )
    try:
        with connection_of(engine, path) as connection:
            _check_version(connection, path)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # WAL lets readers go on while one writes; FULL makes a commit survive a power cut, which WAL's default does not.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare(engine: Engine, path: Path) -> None:
    with transaction(engine, path) as connection:
        METADATA.create_all(connection)
        if connection.execute(select(schema_version.c.version)).first() is None:
            connection.execute(insert(schema_version).values(version=VERSION))
        _check_version(connection, path)


def _check_version(connection: Connection, path: Path) -> None:
    found = connection.execute(select(schema_version.c.version)).scalar()
    if found != VERSION:
        raise LedgerError(
            f"has version {found}, this program reads version {VERSION}",
            where=str(path),
            mend="start the program that wrote it, or move the file away",
        )


@contextmanager
def transaction(engine: Engine, path: Path) -> Iterator[Connection]:
    """One write transaction: the lock is taken at once, so what is read inside cannot change before the commit."""
    with connection_of(engine, path) as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


@contextmanager
def connection_of(engine: Engine, path: Path) -> Iterator[Connection]:
    """A connection whose driver errors become `LedgerError`."""
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.IntegrityError):
            raise
        raise _explained(error.orig, path) from None
    except sqlite3.Error as error:  # raised while connecting, before SQLAlchemy wraps it
        raise _explained(error, path) from None


def _explained(error: BaseException | None, path: Path) -> LedgerError:
    text = str(error)
    if "locked" in text or "busy" in text:
        return LedgerError(
            f"the ledger is locked by another process for more than {BUSY_SECONDS:g} s",
            where=str(path),
            mend="end the program that holds it (a backup, a shell), then ask again",
        )
    if "not a database" in text or "malformed" in text:
        return LedgerError("the ledger is damaged", where=str(path), mend="restore it from your backup")
    return LedgerError(f"the ledger cannot be used ({text})", where=str(path), mend="check disk space and file rights")
