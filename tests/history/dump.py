"""Writes down what a ledger holds, in the checker's format. The only file here that knows the project: it reads, and judges nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from arbitration.errors import LedgerError
from arbitration.policy import Policy
from serving.ledger import bookkeeping, schema
from serving.ledger.auditing import key_of
from serving.ledger.keyring import Keyring
from serving.ledger.packing import unpacked
from serving.ledger.store import Ledger

Row = dict[str, Any]


def dump(ledger: Ledger, policy: Policy, file: Path, *, verified: int) -> None:
    """Write the whole ledger to `file`; `verified` is the exit code of its verification."""
    with ledger.reading() as reading, file.open("w") as out:
        for row in rows_of(reading.connection, ledger.keyring, policy):
            out.write(json.dumps(row) + "\n")
        out.write(json.dumps({"table": "verify", "exit": verified}) + "\n")


def rows_of(connection: Connection, keyring: Keyring, policy: Policy) -> Iterator[Row]:
    """Every row, caps first."""
    orders = _Orders(connection)
    names = dict(connection.execute(select(schema.subjects.c.subject, schema.subjects.c.customer_id)).tuples().all())
    yield from map(_cap, policy.contact_policy.caps)
    yield from _subjects(connection)
    yield from _decisions(connection, keyring, names, orders)
    yield from _contacts(connection, names, orders)
    yield from _consents(connection, names, orders)
    yield from _rights(connection, names, orders)
    yield from _outcomes(connection, orders)


class _Orders:
    """Where the audit names each row: the first time, and the last. Numbers of one customer are of one lane, and rise."""

    def __init__(self, connection: Connection) -> None:
        self._first: dict[tuple[str, str], int] = {}
        self._last: dict[tuple[str, str], int] = {}
        self.rights: list[tuple[str, str, int]] = []
        table = bookkeeping.audit
        asked = select(table.c.number, table.c.entries).order_by(table.c.lane, table.c.number)
        for number, entries in connection.execute(asked):
            for name, key, digest in json.loads(entries):
                self._first.setdefault((name, key), number)
                self._last[name, key] = number
                if name == "subjects":
                    self.rights.append((json.loads(key)[0], digest, number))

    def first(self, table: Table, row: Row) -> int | None:
        return self._first.get((table.name, key_of(table, row)))

    def last(self, table: Table, row: Row) -> int | None:
        return self._last.get((table.name, key_of(table, row)))


def _cap(cap: Any) -> Row:
    return {
        "table": "caps", "id": cap.id, "limit": cap.limit, "window_hours": cap.window_hours, "calendar": cap.calendar,
        "reserve": cap.reserve, "channels": list(cap.channels), "journeys": list(cap.journeys),
    }  # fmt: skip


def _all(connection: Connection, table: Table) -> Iterator[Row]:
    for row in connection.execute(select(table)):
        yield row._asdict()


def _subjects(connection: Connection) -> Iterator[Row]:
    subjects, shop = schema.subjects, schema.shop_customers
    zone = subjects.c.customer_id == shop.c.customer_id
    asked = select(subjects.c.subject, subjects.c.customer_id, shop.c.time_zone).join_from(
        subjects, shop, zone, isouter=True
    )
    for row in connection.execute(asked):
        yield {"table": "subjects", "subject": row.subject, "customer": row.customer_id, "time_zone": row.time_zone}


def _decisions(connection: Connection, keyring: Keyring, names: Row, orders: _Orders) -> Iterator[Row]:
    keys = dict(connection.execute(select(schema.subjects.c.subject, schema.subjects.c.sealing_key)).tuples().all())
    for row in _all(connection, schema.decisions):
        yield {
            "table": "decisions", "decision_id": row["decision_id"], "client": row["client"], "subject": row["subject"],
            "request_id": row["request_id"], "body_digest": row["body_digest"], "status": row["status"],
            "answer_sha256": _answer(keyring, keys[row["subject"]], row), "decided_at": row["decided_at"],
            "customer": names[row["subject"]], "order": orders.first(schema.decisions, row),
        }  # fmt: skip


def _answer(keyring: Keyring, wrapped: bytes | None, row: Row) -> str:
    """Digest of the answer that was given; of nothing where its customer was erased."""
    try:
        told = unpacked(keyring.open(keyring.unwrapped(wrapped), row["answer"], f"{row['decision_id']}.answer"))
    except LedgerError:
        told = None
    return hashlib.sha256(told or b"").hexdigest()


def _contacts(connection: Connection, names: Row, orders: _Orders) -> Iterator[Row]:
    for row in _all(connection, schema.contacts):
        settled = orders.last(schema.contacts, row) if row["settled_at"] is not None else None
        yield {
            **{name: value for name, value in row.items() if name not in ("evidence_id", "epoch")},
            "table": "contacts", "customer": names[row["subject"]], "send_at": row["sent_at"], "epoch": row["epoch"],
            "evidence": row["evidence_id"], "reserved_order": orders.first(schema.contacts, row),
            "settled_order": settled,
        }  # fmt: skip


def _consents(connection: Connection, names: Row, orders: _Orders) -> Iterator[Row]:
    for row in _all(connection, schema.consents):
        told = {name: row[name] for name in ("subject", "channel", "purpose", "state", "valid_from", "recorded_at")}
        yield {
            "table": "consents", **told, "customer": names[row["subject"]], "evidence": row["evidence_id"],
            "order": orders.first(schema.consents, row),
        }  # fmt: skip


def _rights(connection: Connection, names: Row, orders: _Orders) -> Iterator[Row]:
    """Objections, pauses and erasures as they stand: the audit's first word on a subject's row is the earliest that can be."""
    numbers: dict[str, int] = {}
    for subject, _, number in orders.rights:
        numbers.setdefault(subject, number)
    for row in _all(connection, schema.subjects):
        told = {"table": "rights", "subject": row["subject"], "customer": names[row["subject"]]}
        told["order"] = numbers.get(row["subject"])
        if row["objected_at"] is not None:
            yield told | {"kind": "objection", "at": row["objected_at"]}
        if row["paused_until"] is not None:
            yield told | {"kind": "pause", "until": row["paused_until"]}
    for row in _all(connection, bookkeeping.erasures):
        order = orders.first(bookkeeping.erasures, row)
        yield {"table": "rights", "kind": "erasure", "subject": row["subject"], "id": row["erasure_id"], "order": order}


def _outcomes(connection: Connection, orders: _Orders) -> Iterator[Row]:
    for row in _all(connection, schema.outcomes):
        told = {name: row[name] for name in ("source", "id", "decision_id", "step", "type", "matched")}
        yield {"table": "outcomes", **told, "order": orders.first(schema.outcomes, row)}
