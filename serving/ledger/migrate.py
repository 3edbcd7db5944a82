"""Bringing a ledger's tables up to what this program reads."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from arbitration.errors import LedgerError
from serving.ledger import key_marks
from serving.ledger.bookkeeping import audit
from serving.ledger.deadline import patient
from serving.ledger.engine import Held, connection_of, open_read_only, transaction
from serving.ledger.keyring import Keyring
from serving.ledger.place import Place

HEAD = "0002"
"""The last step of `serving.ledger.migrations`: the version of the tables that this program reads and writes."""
VERSION_TABLE = "ledger_version"
_STEPS = Path(__file__).parent / "migrations"
_UPGRADE_SECONDS = 600
_WAIT_SECONDS = 60  # for another program that upgrades
_LOCK = 0x4449_5300  # behind the locks of the audit's lanes
_NO_TABLE = "42P01"
_OLD_LAYOUT = "schema_version"


def bring_up(engine: Engine, place: Place, keyring: Keyring) -> None:
    """Make the tables of a new ledger, or change those of an older one; nothing, after two queries, where they are as they should be.

    Programs that start together do it once. Raises `LedgerError` for a ledger of a newer program, or of one before the first step,
    and `StateError` for one that was made with other keys.
    """
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        try:  # looking is waited for, too: who makes a new SQLite file holds it against readers until it has a write-ahead log
            if _is_ready(engine, place, keyring):
                return
            with transaction(engine, place) as connection:
                _upgrade(connection, place)
                key_marks.note(connection, keyring, place)
        except Held:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _is_ready(engine: Engine, place: Place, keyring: Keyring) -> bool:
    """Whether the tables are as they should be and the keys are noted. Raises `StateError` when those are others."""
    with connection_of(engine, place) as connection:
        if _version(connection) != HEAD:
            return False
        stored = key_marks.stored_marks(connection)
    key_marks.compare(stored, keyring, place)
    return bool(stored)


def check_version(engine: Engine, place: Place, keyring: Keyring) -> None:
    """Raise `LedgerError` unless the ledger is of the version that this program reads, and `StateError` unless the keys are its own."""
    with connection_of(engine, place) as connection:
        found = _version(connection)
        if found == HEAD:
            key_marks.compare(key_marks.stored_marks(connection), keyring, place)
            return
        known = _refused(connection, place, found)
    if not known:
        raise LedgerError("holds no ledger yet", where=place.shown, mend="run: dirigent serve, and ask it something")
    raise _of_another(found, place, "start the service once, which brings it up to date")


def holds_keys(place: Place) -> bool:
    """Whether a ledger lies there whose keys are noted: who opens it without them must not make new ones. Raises `LedgerError`."""
    engine = open_read_only(place)
    try:
        with connection_of(engine, place) as connection:
            return _version(connection) is not None and bool(key_marks.stored_marks(connection))
    finally:
        engine.dispose()


def _version(connection: Connection) -> str | None:
    """The last step that was done here, or None where there is no record of any."""
    try:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    except (OperationalError, ProgrammingError) as error:
        if "no such table" in str(error.orig) or getattr(error.orig, "sqlstate", None) == _NO_TABLE:
            return None
        raise
    return None if found is None else str(found)


def _upgrade(connection: Connection, place: Place) -> None:
    """Do the steps that are missing, in a transaction that nobody else is in."""
    if not place.is_sqlite:  # SQLite has locked its file when the transaction began
        if not connection.execute(text(f"SELECT pg_try_advisory_xact_lock({_LOCK})")).scalar():
            raise Held("another program upgrades the ledger", where=place.shown, mend="start again when it is done")
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    found = _version(connection) if inspect(connection).has_table(VERSION_TABLE) else None
    _refused(connection, place, found)
    if found != HEAD:
        with patient(connection, _UPGRADE_SECONDS):
            _do(connection)


def _do(connection: Connection) -> None:
    from alembic import command  # a quarter of a second, which a ledger that is up to date does not need
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _refused(connection: Connection, place: Place, found: str | None) -> bool:
    """Whether a ledger is there. Raises `LedgerError` where it is one that this program cannot bring up to date."""
    if found is not None:
        if not found.isdigit() or int(found) > int(HEAD):
            raise _of_another(found, place, _MOVE)
        return True
    there = set(inspect(connection).get_table_names())
    if _OLD_LAYOUT in there:
        old = connection.execute(text(f"SELECT max(version) FROM {_OLD_LAYOUT}")).scalar()
        raise _of_another(f"{old} of an earlier layout", place, _MOVE)
    if there & set(audit.metadata.tables):
        raise _of_another("none", place, _MOVE)
    return False


_MOVE = "start the program that wrote it, or move the ledger away"


def _of_another(found: str | None, place: Place, mend: str) -> LedgerError:
    return LedgerError(f"has version {found}, this program reads version {HEAD}", where=place.shown, mend=mend)
