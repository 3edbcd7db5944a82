"""The audit: one entry per transaction, naming every row that it wrote and what the row says; entries are chained by keyed seals.

Sixteen lanes, chosen by the customer's pseudonym, so that writers for different customers do not queue for one chain; lane 16 is
for what concerns no customer. A seal covers the seal before it: altering, inserting or leaving out an entry breaks every seal
after it, and nobody can make new ones without the audit key, which lies outside of the database.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import Boolean, Connection, Dialect, Float, Table, bindparam, func, literal_column, select, union_all

from serving.ledger.bookkeeping import audit
from serving.ledger.statements import first, question

LANES = 17
SHOP_LANE = 16
NOTHING_BEFORE = "0" * 64
Entry = tuple[str, str, str | None]
"""A table's name, the key of a row, and the digest of the row as it is now; None: the row was removed."""
_Kind = Literal["plain", "number", "flag"]
# What the database numbers, and what moves with every write. A customer's id is told only together with their random key: once
# an erasure has destroyed that, nobody can guess ids until one fits a digest.
LEFT_OUT: Mapping[str, tuple[str, ...]] = {"decisions": ("number",), "subjects": ("version", "epoch", "last_at")}
_LOCKS = 0x4449_5200  # the first of our advisory locks in PostgreSQL

_LAST = select(func.max(audit.c.number)).where(audit.c.lane == bindparam("lane")).scalar_subquery()
_IS_LAST = (audit.c.lane == bindparam("lane")) & (audit.c.number == _LAST)
_NEWEST = select(audit.c.number, audit.c.seal).where(_IS_LAST)
_LOCK = select(func.pg_advisory_xact_lock(bindparam("lock")))


def _end(lanes: Iterable[Any]) -> Any:
    """One row: the latest moment of the lanes, number and seal of the newest entry of this one; NULL where there is none."""
    one = select(_latest(lanes).scalar_subquery().label("latest")).subquery()
    return select(one.c.latest, audit.c.number, audit.c.seal).select_from(one.outerjoin(audit, _IS_LAST))


def _latest(lanes: Iterable[Any]) -> Any:
    """The latest moment among the newest entries of some lanes, each of which is one look into the index."""
    ends = [
        select(audit.c.at).where(
            audit.c.lane == lane,
            audit.c.number == select(func.max(audit.c.number)).where(audit.c.lane == lane).scalar_subquery(),
        )
        for lane in lanes
    ]
    return select(func.max(union_all(*ends).subquery().c.at).label("at"))


_END = _end((bindparam("lane"), literal_column(str(SHOP_LANE))))
_END_OF_SHOP = _end([literal_column(str(lane)) for lane in range(LANES)])


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
    """What a row says, as SHA-256: every column by name, bytes by their own digest, so that both databases agree. Raises `TypeError`
    or `ValueError` where a value is of another kind than its column's, which SQLite keeps.
    """
    told = {name: _plain(row[name], kind) for name, kind in _told_of(table)}
    return hashlib.sha256(json.dumps(told, separators=(",", ":")).encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=64)
def columns_of(table: Table) -> tuple[str, ...]:
    """The names of a table's columns."""
    return tuple(column.name for column in table.columns)


@lru_cache(maxsize=64)
def _told_of(table: Table) -> tuple[tuple[str, _Kind], ...]:
    """The columns that a digest covers, by name, and how their values are told."""
    left_out = LEFT_OUT.get(table.name, ())
    kept = [column for column in table.columns if column.name not in left_out]
    return tuple(sorted((column.name, _kind(column.type)) for column in kept))


def _kind(kind: object) -> _Kind:
    return "flag" if isinstance(kind, Boolean) else "number" if isinstance(kind, Float) else "plain"


def _plain(value: Any, kind: _Kind) -> Any:
    """A value as JSON can hold it, the same whether it was given or comes back from a database."""
    if value is None:
        return None
    if kind == "number":
        return float(value) + 0.0  # -0.0 becomes 0.0, as in SQLite
    if kind == "flag":
        return bool(value) if value in (0, 1) else value
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes | memoryview) else value


def seal_of(key: bytes, before: str, *, lane: int, number: int, at: int, entries: str) -> str:
    """The seal of one entry; `before` is the seal of the entry before it in its lane."""
    told = f"{before}\n{lane}\n{number}\n{at}\n{entries}"
    return hmac.new(key, told.encode(), hashlib.sha256).hexdigest()


def newest(connection: Connection, lane: int) -> tuple[int, str] | None:
    """Number and seal of the last entry of a lane, None where there is none."""
    last = first(connection, _NEWEST, lane=lane)
    return (last.number, last.seal) if last else None


def latest(connection: Connection) -> int | None:
    """The latest moment, in microseconds, with which a lane of customers ends; None where nothing was ever written about one. Time waits for
    customers alone, so the shop's lane is not asked.
    """
    asked = (
        select(audit.c.at).where(audit.c.lane == lane).order_by(audit.c.number.desc()) for lane in range(SHOP_LANE)
    )
    ends = [connection.execute(one.limit(1)).scalar() for one in asked]
    return max((int(at) for at in ends if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class End:
    """The last entry of a lane; `latest` is the latest moment of all entries that may name the same rows."""

    number: int
    seal: str
    latest: int | None


def end_of(dialect: Dialect, run: Callable[..., list[Any]], lane: int) -> End:
    """Where the next entry of a lane goes; other writers of the lane wait until this transaction ends."""
    asked = _END_OF_SHOP if lane == SHOP_LANE else _END
    steps = [question(dialect, asked, {"lane": lane})]
    if dialect.name == "postgresql":
        steps.insert(0, question(dialect, _LOCK, {"lock": _LOCKS + lane}))
    latest, number, seal = run(*steps)[-1].fetchone()
    return End(number or 0, seal or NOTHING_BEFORE, latest)


def entry_after(end: End, key: bytes, lane: int, at: int, entries: list[Entry]) -> dict[str, Any]:
    """The next entry of a lane.

    `at` is the shop's clock, which may be set back and, where it was declared, begins anew with the service. An entry is therefore
    never told to be earlier than those whose rows it may name once more: a customer's lane and the shop's may name the same rows.
    """
    if end.latest is not None and end.latest >= at:
        at = end.latest + 1
    told, number = json.dumps(entries, separators=(",", ":")), end.number + 1
    seal = seal_of(key, end.seal, lane=lane, number=number, at=at, entries=told)
    return {"lane": lane, "number": number, "at": at, "entries": told, "seal": seal}
