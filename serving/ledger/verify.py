"""Whether the ledger is as it was written: the chain of its audit without gaps, and every row as the chain names it last.

It reads one consistent state while a service writes, and changes nothing. What it needs is the audit key alone: a customer who was
erased verifies like any other.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, event, func, select

from arbitration.errors import LedgerError
from serving.ledger import bookkeeping, schema
from serving.ledger.anchors import Anchor, anchors_in
from serving.ledger.auditing import SHOP_LANE, digest_of, key_of, names_of
from serving.ledger.bookkeeping import audit
from serving.ledger.chain import Finding, Named, Names, Walk, What, names, pages
from serving.ledger.engine import connection_of, open_read_only
from serving.ledger.keyring import Keyring
from serving.ledger.migrate import check_version
from serving.ledger.place import Address

Step = Callable[[int, int], None]
"""Told how many entries and rows are done, of how many."""
SHOWN = 20
AUDITED: tuple[Table, ...] = (
    schema.subjects, schema.suppressions, schema.evidence, schema.consents, schema.contacts, schema.policies,
    schema.decisions, schema.outcomes, bookkeeping.requests, bookkeeping.postponed, bookkeeping.erasures, bookkeeping.stops,
    bookkeeping.changes,
)  # fmt: skip
NOT_AUDITED: Mapping[str, str] = {
    "imports": "says which files of the shop were copied, and holds check values of the keys; copies are made again when it is wrong, and other keys are refused",
    "shop_customers": "a copy of the shop's own table, keyed by customer id",
    "shop_aliases": "a copy of the shop's own table, keyed by customer id",
    "shop_consents": "a copy of the shop's own table, keyed by customer id",
    "shop_contacts": "a copy of the shop's own table, keyed by customer id",
    "audit": "it is the chain itself",
    "outbox": "tells of rows that the chain names, and is emptied once it was delivered",
    "deliveries": "says how far the outbox was delivered",
    "leases": "says which process sweeps",
    "volumes": "counts contacts that the chain names, for two days",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was checked, and what is not as it was written: how much in all, and the first of it, oldest first. `begun`: why somebody let
    the anchors begin anew.
    """

    entries: int
    rows: int
    anchors: int
    count: int
    shown: tuple[Finding, ...]
    begun: str | None = None

    @property
    def holds(self) -> bool:
        """Whether everything is as it was written."""
        return self.count == 0

    @property
    def only_lacks_anchors(self) -> bool:
        """Whether nothing is wrong but that no anchor was ever written, so that nobody can tell whether an end was cut off."""
        return any(one.what == "missing" for one in self.shown)  # told only where nothing else is


@dataclass
class _Found:
    """The first findings by time, and how many there are."""

    count: int = 0
    _first: list[tuple[float, int, Finding]] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        self.count += 1
        order = float("inf") if finding.at is None else float(finding.at)
        heapq.heappush(self._first, (-order, -self.count, finding))
        if len(self._first) > SHOWN:
            heapq.heappop(self._first)

    def shown(self) -> tuple[Finding, ...]:
        return tuple(one for _, _, one in sorted(self._first, key=lambda it: (-it[0], -it[1])))


def verify(address: Address, anchors: Path | None = None, step: Step = lambda _done, _all: None) -> Verdict:
    """Check a whole ledger against its audit key and, where given, a file of anchors. Raises `LedgerError` when it cannot be read."""
    key, found = address.keyring.audit, _Found()
    kept, broken = (
        anchors_in(anchors, key) if anchors else ([], None)
    )  # read first: none may be newer than what is checked
    if anchors and broken is not None:
        found.add(Finding("altered", anchors.name, f"[{broken}]"))
    anchored = {(lane, number): (seal, one.at) for one in kept for lane, number, seal in one.lanes}
    with snapshot(address) as connection, names() as named:
        walk, rows = Walk(key, anchored, named), _Rows(connection, step)
        for finding in walk.over(row for page in rows.of(audit) for row in page):
            found.add(finding)
        for table in AUDITED:
            for page in rows.of(table):
                for finding in _compared(page, table, named, address.keyring):
                    found.add(finding)
        for finding in named.missing(table.name for table in AUDITED):
            found.add(finding)
    lacking = _lacking(kept, walk) if anchors and broken is None else None
    if anchors and (lacking == "removed" or (lacking == "missing" and not found.count)):
        found.add(Finding(lacking, anchors.name, "[1]"))
    begun = kept[0].begun if kept else None
    return Verdict(walk.entries, rows.done - walk.entries, len(kept), found.count, found.shown(), begun)


def _lacking(kept: Sequence[Anchor], walk: Walk) -> What | None:
    """What became of the file's beginning: removed, where the chain notes an anchor from before its first line; missing, where there
    never was an anchor of a ledger that holds something. Nothing, where somebody said that the anchors begin anew.
    """
    if not kept and walk.first_noted is None:
        return "missing" if walk.entries else None
    if walk.first_noted is None or (
        kept and (kept[0].begun is not None or kept[0].number_of(SHOP_LANE) <= walk.first_noted)
    ):
        return None
    return "removed"


class _Rows:
    """The rows of all tables that are checked, and how many of them are done."""

    def __init__(self, connection: Connection, step: Step) -> None:
        self._connection, self._step, self.done = connection, step, 0
        counts = (select(func.count()).select_from(table) for table in (audit, *AUDITED))
        self._all = sum(int(connection.execute(count).scalar_one()) for count in counts)

    def of(self, table: Table) -> Iterator[list[dict[str, Any]]]:
        for page in pages(self._connection, table):
            yield page
            self.done += len(page)
            self._step(self.done, self._all)


def _compared(page: Iterable[dict[str, Any]], table: Table, named: Names, keyring: Keyring) -> Iterator[Finding]:
    """What of these rows is not as the chain names it."""
    keyed = [(_key(table, row), row) for row in page]
    named.seen(table.name, (key for key, _ in keyed))
    if table is schema.subjects:
        named.meet(str(row["subject"]) for _, row in keyed)
    for key, row in keyed:
        words = named.of(table.name, key)
        if not _right(table, row, words, keyring):
            yield _finding("altered" if words and words[0].digest else "inserted", table, key, words)
        owner = row.get("subject")
        if owner is not None and not named.knows(str(owner)):
            named.meet([str(owner)])  # told once
            yield _finding("removed", schema.subjects, json.dumps([str(owner)]), words)


def _finding(what: What, table: Table, key: str, words: Sequence[Named]) -> Finding:
    last = words[0] if words else None
    return Finding(what, table.name, key, *((last.lane, last.number, last.at) if last else ()))


def _right(table: Table, row: Mapping[str, Any], words: Sequence[Named], keyring: Keyring) -> bool:
    """Whether a row is as the chain names it. No entry names a customer about whom nothing was written yet."""
    if table is schema.subjects:
        if not _opens(row, keyring):
            return False
        if not words:
            return bool(row["version"] == 0)
    return _digest(table, row) in {one.digest for one in words if one.digest}


def _opens(row: Mapping[str, Any], keyring: Keyring) -> bool:
    """Whether a customer has a name and a key that opens, or, once erased, neither."""
    if row["erased_at"] is not None:
        return row["customer_id"] is None and row["sealing_key"] is None
    try:
        keyring.unwrapped(row["sealing_key"], row["subject"])
    except (LedgerError, TypeError):
        return False
    return row["customer_id"] is not None


def _digest(table: Table, row: Mapping[str, Any]) -> str:
    """What a row says; nothing where a value is of another kind than its column's."""
    try:
        return digest_of(table, row)
    except (TypeError, ValueError, OverflowError):
        return ""


def _key(table: Table, row: Mapping[str, Any]) -> str:
    try:
        return key_of(table, row)
    except TypeError:
        return json.dumps([str(row[name]) for name in names_of(table)])


@contextmanager
def snapshot(address: Address) -> Iterator[Connection]:
    """One state of a ledger of this program's version, as it is now, whatever is written meanwhile. Raises `LedgerError`."""
    engine = open_read_only(address.place)
    if address.place.is_sqlite:
        event.listen(engine, "connect", _read_anything)
    try:
        check_version(engine, address.place, address.keyring)
        with connection_of(engine, address.place) as connection:
            how = "" if address.place.is_sqlite else " ISOLATION LEVEL REPEATABLE READ READ ONLY"
            connection.exec_driver_sql(f"BEGIN{how}")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")
    finally:
        engine.dispose()


def _read_anything(connection: sqlite3.Connection, _: object) -> None:
    """Text that is no text must be found, not end the search."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
