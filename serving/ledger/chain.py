"""Walking the audit chain: every entry's number and seal, and what the entries say that the rows are, kept in a file of its own.

A ledger of millions of rows does not fit into memory, so what the chain names is kept in a temporary SQLite file.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Table, text

from serving.ledger.anchors import NOTED
from serving.ledger.auditing import NOTHING_BEFORE, SHOP_LANE, seal_of
from serving.ledger.bookkeeping import audit

What = Literal["altered", "removed", "inserted", "cut off", "replaced", "missing"]
OVERLAP = 60_000_000
"""Microseconds within which two lanes may name one row in either order: no transaction lasts longer."""
AT_ONCE = 500
_MAP = """
CREATE TABLE named (of TEXT, key TEXT, lane INT, number INT, at INT, digest TEXT, seen INT DEFAULT 0, PRIMARY KEY (of, key, lane))
WITHOUT ROWID"""
_NAME = """
INSERT INTO named (of, key, lane, number, at, digest) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET number = excluded.number, at = excluded.at, digest = excluded.digest"""
_MISSING = f"""
SELECT named.of, named.key, named.lane, named.number, max(named.at)
FROM named JOIN (SELECT of, key, max(at) AS newest FROM named WHERE seen = 0 GROUP BY of, key) AS last USING (of, key)
WHERE named.at >= last.newest - {OVERLAP} GROUP BY named.of, named.key HAVING count(*) = count(named.digest)"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written. `key` names a row as JSON; `lane`, `number` and `at` (microseconds since 1970) are
    of the audit entry that says what it ought to be, None where no entry names it.
    """

    what: What
    table: str
    key: str
    lane: int | None = None
    number: int | None = None
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """What one lane says of a row last; no digest: the row was removed."""

    lane: int
    number: int
    at: int
    digest: str | None


class Names:
    """What the chain names, on disk: table and key of a row -> the newest word of each lane that named it."""

    def __init__(self, folder: Path) -> None:
        self._file = sqlite3.connect(folder / "named.db", isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -65536"):
            self._file.execute(f"PRAGMA {pragma}")
        self._file.execute("BEGIN")  # one transaction for everything, because each of its own costs more
        self._file.execute(_MAP)
        self._file.execute("CREATE TABLE people (subject TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, lane: int, number: int, at: int, entries: Iterable[Sequence[Any]]) -> None:
        """What one entry names; entries of a lane come in their order."""
        self._file.executemany(_NAME, ((of, key, lane, number, at, digest) for of, key, digest in entries))

    def of(self, table: str, key: str) -> list[Named]:
        """The words on a row that may be the newest: more than one only where two lanes spoke at nearly the same time."""
        rows = self._file.execute("SELECT lane, number, at, digest FROM named WHERE of = ? AND key = ?", (table, key))
        found = sorted((Named(*row) for row in rows), key=lambda one: -one.at)
        return [one for one in found if one.at >= found[0].at - OVERLAP]

    def seen(self, table: str, keys: Iterable[str]) -> None:
        """These rows are there."""
        self._file.executemany("UPDATE named SET seen = 1 WHERE of = ? AND key = ?", ((table, key) for key in keys))

    def missing(self, tables: Iterable[str]) -> Iterator[Finding]:
        """Rows of these tables that ought to be there and were not seen."""
        known = frozenset(tables)
        for of, key, lane, number, at in self._file.execute(_MISSING):
            if of in known:
                yield Finding("removed", of, key, lane, number, at)

    def meet(self, subjects: Iterable[str]) -> None:
        """These pseudonyms have a row of their own."""
        self._file.executemany("INSERT OR IGNORE INTO people VALUES (?)", ((name,) for name in subjects))

    def knows(self, subject: str) -> bool:
        """Whether a pseudonym has a row of its own."""
        return self._file.execute("SELECT 1 FROM people WHERE subject = ?", (subject,)).fetchone() is not None

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@contextmanager
def names() -> Iterator[Names]:
    """An empty map in a temporary folder, which is removed afterward."""
    with tempfile.TemporaryDirectory(prefix="dirigent-verify-") as folder:
        found = Names(Path(folder))
        try:
            yield found
        finally:
            found.close()


class Walk:
    """One pass over the chain. `anchored` holds what anchors say: (lane, number) -> (seal, moment of the anchor).

    `entries` counts; `over` gives the findings and fills `into` with what the entries name. Those of an altered entry are believed,
    too: that it was altered is told, and rows that fit what it says need not be told again.
    """

    def __init__(self, key: bytes, anchored: Mapping[tuple[int, int], tuple[str, int]], into: Names) -> None:
        self._key, self._anchored, self._into = key, dict(anchored), into
        self._lane, self._last, self._seal = -1, 0, NOTHING_BEFORE
        self._ends, self._noted = dict[int, int](), dict[int, tuple[int, int, int]]()
        self.entries = 0
        self.first_noted: int | None = None
        """Where the shop's lane ended at the oldest anchor that it notes; None: it notes none."""

    def over(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
        """The findings of all lanes, whose entries come in order."""
        for row in rows:
            yield from self._entry(row)
            self.entries += 1
        for (lane, number), (_, at) in sorted(self._anchored.items()):
            yield Finding("cut off", audit.name, f"[{lane},{number}]", lane, number, at)
        told = {lane for lane, _ in self._anchored}
        for lane, (end, number, at) in sorted(self._noted.items()):
            if end > self._ends.get(lane, 0) and lane not in told:
                yield Finding("cut off", audit.name, f"[{lane},{end}]", SHOP_LANE, number, at)

    def _entry(self, row: Mapping[str, Any]) -> Iterator[Finding]:
        lane, number, at = row["lane"], row["number"], row["at"]
        if not all(isinstance(value, int) for value in (lane, number, at)):  # SQLite keeps values of another kind
            yield Finding("altered", audit.name, json.dumps([str(lane), str(number)]))
            return
        if lane != self._lane:
            self._lane, self._last, self._seal = lane, 0, NOTHING_BEFORE
        where = (audit.name, f"[{lane},{number}]")
        if number != self._last + 1:
            missed = self._last + 1
            yield Finding("removed", audit.name, f"[{lane},{missed}]", lane, missed, at)
        elif not self._sealed(row):
            yield Finding("altered", *where, lane, number, at)
        kept, _ = self._anchored.pop((lane, number), (row["seal"], 0))
        if kept != row["seal"]:
            yield Finding("replaced", *where, lane, number, at)
        self._name(row)
        self._ends[lane] = max(number, self._ends.get(lane, 0))
        self._last, self._seal = number, row["seal"]

    def _sealed(self, row: Mapping[str, Any]) -> bool:
        told = {name: row[name] for name in ("lane", "number", "at", "entries")}
        expected = seal_of(self._key, self._seal, **told)
        return hmac.compare_digest(expected.encode(), str(row["seal"]).encode("utf-8", "replace"))

    def _name(self, row: Mapping[str, Any]) -> None:
        try:
            entries = [(str(of), str(key), digest) for of, key, digest in json.loads(row["entries"])]
        except (ValueError, TypeError):  # it was altered, and is told as such
            return
        self._into.add(row["lane"], row["number"], row["at"], entries)
        for of, key, _ in entries:
            if of == NOTED and row["lane"] == SHOP_LANE:
                self._note(key, row["number"], row["at"])

    def _note(self, key: str, number: int, at: int) -> None:
        """The shop's lane says where all lanes ended when an anchor was written."""
        try:
            ends = {int(lane): int(end) for lane, end in json.loads(key)}
        except (ValueError, TypeError):
            return
        if self.first_noted is None:
            self.first_noted = ends.get(SHOP_LANE, 0)
        self._noted |= {lane: (end, number, at) for lane, end in ends.items()}


def pages(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    """All rows of a table in the order of its primary key, some hundred at a time, values as the driver gives them."""
    keys = [column.name for column in table.primary_key]
    listed, marks = ", ".join(keys), ", ".join(f":{name}" for name in keys)
    names_ = [column.name for column in table.columns]
    asked = f"SELECT {', '.join(names_)} FROM {table.name} {{}} ORDER BY {listed} LIMIT {AT_ONCE}"
    first, more = text(asked.format("")), text(asked.format(f"WHERE ({listed}) > ({marks})"))
    rows = connection.execute(first).all()
    while rows:
        page = [dict(zip(names_, row, strict=True)) for row in rows]
        yield page
        rows = connection.execute(more, {name: page[-1][name] for name in keys}).all()
