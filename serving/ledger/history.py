"""The shop's customers, aliases, consents and recent contacts, copied from its tables into the ledger at start.

Into the ledger rather than into memory, because a decision must read consents and contacts again under the same lock
that writes it, one indexed query finds a customer, and memory stays flat however many customers there are. A table is
copied again only when its file changed (or, for contacts, when the shop's day or the catalog's reach did).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
from sqlalchemy import Connection, Table, delete, insert, select, text

from arbitration.domain import SILENCE
from arbitration.errors import StateError
from arbitration.policy import Cap, Policy
from features.barred import barred
from features.home import Home
from features.tables.store import open_tables
from serving.ledger import schema
from serving.ledger.deadline import patient
from serving.ledger.engine import connection_of, transaction
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger

LEAST_REACH = timedelta(days=91)
ENGAGED = ("opened", "clicked", "converted")
_LONGEST_HOURS = {"day": 24, "week": 7 * 24, "month": 31 * 24}
_BATCH = 20_000
_COPY_SECONDS = 600
_LOCK = 0x4449_5301  # behind the locks of the audit's lanes and of the migrations
_CUSTOMERS = "SELECT customer_id, time_zone, locale FROM customers"
_IDENTITIES = "SELECT alias_type, alias, epoch_us(valid_from) AS valid_from, customer_id FROM identities"
_CONSENTS = """
SELECT customer_id, channel, purpose, state, legal_basis, evidence_id, epoch_us(valid_from) AS valid_from,
       epoch_us(valid_to) AS valid_to
FROM consents"""
# What is known of the reaction up to now: some engagement (no machine's opening), some other report, or nothing.
_CONTACTS = """
SELECT customer_id, journey, channel, offer, 'marketing' AS purpose, epoch_us(sent_at) AS sent_at, decision_id,
       bool_or(type IN {engaged} AND NOT coalesce(machine_open, false)) FILTER (epoch_us(occurred_at) <= {until}) AS engaged
FROM contacts LEFT JOIN outcomes USING (contact_id)
WHERE journey <> '{silence}' AND epoch_us(sent_at) BETWEEN {since} AND {until}
GROUP BY contact_id, customer_id, journey, channel, offer, sent_at, decision_id"""


@dataclass(frozen=True, slots=True)
class Source:
    """SQL over the shop's tables, the ledger's table it fills, the files whose change asks for a new copy, and what else does."""

    table: Table
    sql: str
    files: tuple[str, ...]
    asked: str = ""


def reach_of(policy: Policy) -> timedelta:
    """How far back contacts matter: the longest cap, cool-down, horizon or stock of the catalog, and 91 days at least."""
    journeys = policy.journeys.values()
    hours = [_hours_of(cap) for cap in policy.contact_policy.caps]
    hours += [max(journey.cooldown_hours, journey.horizon_hours) for journey in journeys]
    hours += [24 * resource.per_days for resource in policy.resources.values()]
    return max(LEAST_REACH, *(timedelta(hours=length) for length in hours))


def _hours_of(cap: Cap) -> int:
    """How long a contact can count for a cap; a calendar period at its longest, and an hour more for a changed clock."""
    return _LONGEST_HOURS[cap.calendar] + 1 if cap.calendar else cap.window_hours or 0


def _sources(now: datetime, reach: timedelta, purposes: Mapping[str, str]) -> tuple[Source, ...]:
    since, until = to_micros(now - reach), to_micros(now)
    asked = f"{now:%Y-%m-%d} {reach} {sorted(purposes.items())}"
    contacts = _CONTACTS.format(engaged=ENGAGED, since=since, until=until, silence=SILENCE)
    return (
        Source(schema.shop_customers, _CUSTOMERS, ("customers",)),
        Source(schema.shop_aliases, _IDENTITIES, ("identities",)),
        Source(schema.shop_consents, _CONSENTS, ("consents",)),
        Source(schema.shop_contacts, contacts, ("contacts", "outcomes"), asked),
    )


def load_history(ledger: Ledger, home: Home, now: datetime, policy: Policy) -> None:
    """Bring the ledger up to date with the shop's tables, as far back as the policy looks.

    Contacts of journeys that the catalog does not have count as marketing.
    Raises `TableError` when the shop has no customers yet, `StateError` when a table cannot be read.
    """
    purposes = {name: journey.purpose for name, journey in policy.journeys.items()}
    sources = _sources(now, reach_of(policy), purposes)
    with connection_of(ledger.engine, ledger.place) as connection:
        if all(_is_copied(connection, source, home) for source in sources):
            return
    with transaction(ledger.engine, ledger.place) as connection, patient(connection, _COPY_SECONDS):
        _only_copier(connection)
        for source in sources:
            if not _is_copied(connection, source, home):
                _copy(connection, source, home, purposes)


def _only_copier(connection: Connection) -> None:
    """Hosts that start together copy one after the other: the later one then finds everything in place. SQLite locked its file already."""
    if connection.dialect.name == "postgresql":
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {limit} = {_COPY_SECONDS * 1000}")
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _is_copied(connection: Connection, source: Source, home: Home) -> bool:
    """Whether the ledger holds a table as the shop's files have it now."""
    marks = schema.imports
    found = connection.execute(select(marks.c.fingerprint).where(marks.c.name == source.table.name)).scalar()
    return found == _fingerprint(home, source)


def _copy(connection: Connection, source: Source, home: Home, purposes: Mapping[str, str]) -> None:
    mark, marks, name = _fingerprint(home, source), schema.imports, source.table.name
    connection.execute(delete(source.table))
    try:
        with open_tables(home, without=("erasure",)) as reader:  # who objected is still somebody
            _insert(connection, source.table, reader.execute(source.sql), purposes)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise StateError(f"cannot be read ({reason})", where=str(home.tables), mend="run: dirigent import") from None
    connection.execute(delete(marks).where(marks.c.name == name))
    connection.execute(insert(marks).values(name=name, fingerprint=mark))


def _insert(
    connection: Connection, table: Table, found: duckdb.DuckDBPyConnection, purposes: Mapping[str, str]
) -> None:
    """Rows as they come to the driver: through SQLAlchemy the parameters of each took longer than writing it."""
    names = [column[0] for column in found.description or ()]
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join([mark] * len(names))})"
    while rows := found.fetchmany(_BATCH):
        if table is schema.shop_contacts:
            journey, purpose = names.index("journey"), names.index("purpose")
            rows = [(*row[:purpose], purposes.get(row[journey], "marketing"), *row[purpose + 1 :]) for row in rows]
        connection.exec_driver_sql(statement, rows)


def _fingerprint(home: Home, source: Source) -> str:
    files = [home.tables / f"{name}.parquet" for name in source.files]
    marks = [f"{file.stat().st_size}:{file.stat().st_mtime_ns}" if file.exists() else "missing" for file in files]
    erased = hashlib.sha256("\n".join(sorted(barred(home, "erasure"))).encode()).hexdigest()[:16]
    return " ".join((*marks, source.asked, erased))
