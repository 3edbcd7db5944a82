"""The audit: one entry per transaction, naming every row that it wrote and what the row says; entries are chained by keyed seals.

Sixteen lanes, chosen by the customer's pseudonym, so that writers for different customers do not queue for one chain; lane 16 is
for what concerns no customer. A seal covers the seal before it: altering, inserting or leaving out an entry breaks every seal
after it, and nobody can make new ones without the audit key, which lies outside of the database.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, select, text

from serving.ledger.bookkeeping import audit
from serving.ledger.statements import add_row, first

LANES = 17
SHOP_LANE = 16
NOTHING_BEFORE = "0" * 64
Entry = tuple[str, str, str | None]
"""A table's name, the key of a row, and the digest of the row as it is now; None: the row was removed."""
# What the database numbers, what moves with every write, and what an erasure empties: none of it says what was done.
_LEFT_OUT = {"decisions": ("number",), "subjects": ("customer_id", "sealing_key", "version", "epoch", "last_at")}
_LOCKS = 0x4449_5200  # the first of our advisory locks in PostgreSQL

_LAST = select(func.max(audit.c.number)).where(audit.c.lane == bindparam("lane")).scalar_subquery()
_NEWEST = select(audit.c.number, audit.c.seal).where(audit.c.lane == bindparam("lane"), audit.c.number == _LAST)


def lane_of(subject: str | None) -> int:
    """The lane that the entries of a subject go to."""
    return SHOP_LANE if subject is None else int(subject[-1], 16)


def key_of(table: Table, row: Mapping[str, Any]) -> str:
    """What names a row, as one text: its primary key unless the table says otherwise."""
    return json.dumps([row[name] for name in names_of(table)], separators=(",", ":"))


def names_of(table: Table) -> tuple[str, ...]:
    """The columns that name a row of a table."""
    return tuple(table.info.get("key", ())) or tuple(column.name for column in table.primary_key)


def digest_of(table: Table, row: Mapping[str, Any]) -> str:
    """What a row says, as SHA-256: every column by name, bytes by their own digest, so that both databases agree."""
    left_out = _LEFT_OUT.get(table.name, ())
    told = {column.name: _plain(row[column.name]) for column in table.columns if column.name not in left_out}
    text_of = json.dumps(told, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text_of.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes | memoryview) else value


def seal_of(key: bytes, before: str, *, lane: int, number: int, at: int, entries: str) -> str:
    """The seal of one entry; `before` is the seal of the entry before it in its lane."""
    told = f"{before}\n{lane}\n{number}\n{at}\n{entries}"
    return hmac.new(key, told.encode(), hashlib.sha256).hexdigest()


def append(connection: Connection, key: bytes, lane: int, at: int, entries: list[Entry]) -> None:
    """Add an entry at the end of a lane; other writers of the lane wait until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCKS + lane})
    last = first(connection, _NEWEST, lane=lane)
    number, before = (last.number + 1, last.seal) if last else (1, NOTHING_BEFORE)
    told = json.dumps(entries, separators=(",", ":"))
    seal = seal_of(key, before, lane=lane, number=number, at=at, entries=told)
    add_row(connection, audit, {"lane": lane, "number": number, "at": at, "entries": told, "seal": seal})
