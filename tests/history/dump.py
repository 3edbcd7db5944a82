"""Writes down what a ledger holds, in the checker's format. The only file here that knows the project: it reads, and judges nothing."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from arbitration.errors import LedgerError
from arbitration.policy import Policy
from serving.ledger import bookkeeping, schema
from serving.ledger.auditing import digest_of, key_of
from serving.ledger.deadline import patient
from serving.ledger.keyring import Keyring
from serving.ledger.packing import unpacked
from serving.ledger.requests import hidden, veiled
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger

Row = dict[str, Any]
WHOLE_LEDGER_SECONDS = 600.0


def dump(
    ledger: Ledger, policy: Policy, file: Path, *, verified: int, reported: Collection[tuple[str, str, str]] = ()
) -> None:
    """Write the whole ledger to `file`; `verified` is the exit code of its verification, `reported` as in `rows_of`."""
    with ledger.reading() as reading, unhurried(reading.connection), file.open("w") as out:
        for row in rows_of(reading.connection, ledger.keyring, policy, reported):
            out.write(json.dumps(row) + "\n")
        out.write(json.dumps({"table": "verify", "exit": verified}) + "\n")


@contextmanager
def unhurried(connection: Connection) -> Iterator[None]:
    """Without the limits that keep callers from waiting: whoever reads a whole ledger has minutes."""
    postgresql = connection.dialect.name == "postgresql"
    with patient(connection, WHOLE_LEDGER_SECONDS):
        if postgresql:
            connection.exec_driver_sql("SET statement_timeout = 0")
        yield
        if postgresql:
            connection.exec_driver_sql("RESET statement_timeout")


def outcomes_in(lines: Iterable[Row]) -> set[tuple[str, str, str]]:
    """Source, id and decision of every outcome that a history tells of."""
    asked = (line for line in lines if (line["kind"], line["phase"]) == ("outcome", "ask"))
    return {(line["source"], line["id"], line["decision_id"]) for line in asked}


def rows_of(
    connection: Connection, keyring: Keyring, policy: Policy, reported: Collection[tuple[str, str, str]] = ()
) -> Iterator[Row]:
    """Every row, caps first. The ledger keeps hashes of the ids of outcomes, and of those that it could not match also of source and
    decision; those of `reported` (source, id, decision) are told in clear.
    """
    orders = _Orders(connection)
    names = {row["subject"]: row["customer_id"] for row in _all(connection, schema.subjects)}
    yield from map(_cap, policy.contact_policy.caps)
    yield from _subjects(connection)
    planned: dict[str, int] = {}
    yield from _decisions(connection, keyring, names, orders, planned)
    yield from _contacts(connection, names, orders, planned)
    yield from _of_shop(connection, names, policy)
    yield from _consents(connection, names, orders)
    yield from _rights(connection, names, orders)
    yield from _outcomes(connection, orders, _Clear(connection, keyring, reported))


class _Orders:
    """Where the audit names each row, when, and with which digest. Numbers of one customer are of one lane, and rise."""

    def __init__(self, connection: Connection) -> None:
        self._named: dict[tuple[str, str], list[tuple[int, int, str | None]]] = defaultdict(list)
        table = bookkeeping.audit
        asked = select(table.c.number, table.c.at, table.c.entries).order_by(table.c.lane, table.c.number)
        for number, at, entries in connection.execute(asked):
            for name, key, digest in json.loads(entries):
                self._named[name, key].append((number, at, digest))

    def first(self, table: Table, row: Row) -> int | None:
        """The entry that wrote the row first."""
        return next((number for number, _, _ in self._of(table, row)), None)

    def left_reserved(self, row: Row) -> tuple[int | None, int]:
        """The entry with which a contact was no longer reserved, and its moment.

        What was confirmed and then not sent is given back much later: its row tells of that alone. The entry after the first is the
        one, or that after its approval.
        """
        entries = self._of(schema.contacts, row)[2 if row["review"] == "approved" else 1 :]
        return (entries[0][0], entries[0][1]) if entries else (None, row["settled_at"])

    def since(self, table: Table, row: Row, **maybe: tuple[Any, ...]) -> int | None:
        """The entry from which on the row has said what it says now. Columns in `maybe` may have had one of those values since."""
        rows = [row]
        for name, values in maybe.items():
            rows = [one | {name: value} for one in rows for value in {*values, row[name]}]
        same, found = {digest_of(table, one) for one in rows}, None
        for number, _, digest in self._of(table, row):
            found = (number if found is None else found) if digest in same else None
        return found

    def _of(self, table: Table, row: Row) -> list[tuple[int, int, str | None]]:
        return self._named.get((table.name, key_of(table, row)), [])


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


def _decisions(
    connection: Connection, keyring: Keyring, names: Row, orders: _Orders, planned: dict[str, int]
) -> Iterator[Row]:
    """Decisions; the time that each told for its reservation goes into `planned`. Of an erased customer's nobody knows any more who
    asked for it: its client is left empty.
    """
    keys = {row["subject"]: row["sealing_key"] for row in _all(connection, schema.subjects)}
    for row in _all(connection, schema.decisions):
        told = _answer(keyring, keys[row["subject"]], row)
        _note_plan(planned, told or b"{}")
        yield {
            "table": "decisions", "decision_id": row["decision_id"], "subject": row["subject"],
            "client": row["client"] if told is not None else "",
            "request_id": row["request_id"], "body_digest": row["body_digest"], "status": row["status"],
            "answer_sha256": hashlib.sha256(told or b"").hexdigest(), "decided_at": row["decided_at"],
            "customer": names[row["subject"]], "order": orders.first(schema.decisions, row),
        }  # fmt: skip


def _answer(keyring: Keyring, wrapped: bytes | None, row: Row) -> bytes | None:
    """The answer that was given; None where its customer was erased."""
    try:
        return unpacked(
            keyring.open(keyring.unwrapped(wrapped, row["subject"]), row["answer"], f"{row['decision_id']}.answer")
        )
    except LedgerError:
        return None


def _note_plan(planned: dict[str, int], answer: bytes) -> None:
    """For when the answer promised its contact. Confirming one later than that moves the moment in its row."""
    told = json.loads(answer)
    held = told.get("reservation")
    if held:
        planned[held["id"]] = to_micros(datetime.fromisoformat(told.get("action", told)["send_at"]))


def _contacts(connection: Connection, names: Row, orders: _Orders, planned: dict[str, int]) -> Iterator[Row]:
    for row in _all(connection, bookkeeping.requests):
        if row["endpoint"] == "/v1/reservations":
            _note_plan(planned, row["answer"])
    for row in _all(connection, schema.contacts):
        settled: tuple[int | None, int | None] = (None, None)
        if row["state"] == "confirmed":  # what was heard of it came later and moves no place
            erased = (
                names[row["subject"]] is None
            )  # then the row has lost more since, and no digest tells when it said what
            since = (
                orders.left_reserved(row)[0]
                if erased
                else orders.since(schema.contacts, row, engaged=(None, False, True))
            )
            settled = (since, row["settled_at"])
        elif row["state"] != "reserved":
            settled = orders.left_reserved(row)
        send_at: int = planned[row["reservation_id"]] if row["reservation_id"] in planned else row["sent_at"]
        yield {
            **{name: value for name, value in row.items() if name != "evidence_id"},
            "table": "contacts", "customer": names[row["subject"]], "evidence": row["evidence_id"],
            "send_at": send_at if send_at // 1000 != row["sent_at"] // 1000 else row["sent_at"],
            "reserved_order": orders.first(schema.contacts, row), "settled_order": settled[0],
            "settled_at": settled[1],
        }  # fmt: skip


def _of_shop(connection: Connection, names: Row, policy: Policy) -> Iterator[Row]:
    """What was imported of the customers whom the ledger knows: contacts that were not decided here, and consents."""
    subjects = {customer: subject for subject, customer in names.items() if customer is not None}
    decided = {row["decision_id"] for row in _all(connection, schema.contacts)}
    for row in _all(connection, schema.shop_contacts):
        if row["customer_id"] in subjects and row["decision_id"] not in decided:
            channel = policy.channels.get(row["channel"])
            yield {
                "table": "contacts", "origin": "history", "state": "confirmed", "subject": subjects[row["customer_id"]],
                "customer": row["customer_id"], "timing": channel.timing if channel else "scheduled",
                **{name: row[name] for name in ("journey", "channel", "purpose", "offer")}, "send_at": row["sent_at"],
            }  # fmt: skip
    for row in _all(connection, schema.shop_consents):
        if row["customer_id"] in subjects:
            told = {name: row[name] for name in ("channel", "purpose", "state", "valid_from")}
            whose = {"subject": subjects[row["customer_id"]], "customer": row["customer_id"]}
            yield {"table": "consents", **told, **whose, "evidence": row["evidence_id"], "order": 0}


def _consents(connection: Connection, names: Row, orders: _Orders) -> Iterator[Row]:
    for row in _all(connection, schema.consents):
        told = {name: row[name] for name in ("subject", "channel", "purpose", "state", "valid_from", "recorded_at")}
        yield {
            "table": "consents", **told, "customer": names[row["subject"]], "evidence": row["evidence_id"],
            "order": orders.first(schema.consents, row),
        }  # fmt: skip


def _rights(connection: Connection, names: Row, orders: _Orders) -> Iterator[Row]:
    """Objections and pauses as they stand, every pause whose answer is still remembered, and erasures."""
    paused = set()
    for row in _all(connection, bookkeeping.requests):
        answer: Mapping[str, Any] = json.loads(row["answer"]) if row["endpoint"] == "pauses" else {}
        if answer.get("kept") and row["subject"] is not None:
            until = to_micros(datetime.fromisoformat(answer["until"]))
            paused.add((row["subject"], until))
            told = {"subject": row["subject"], "customer": names[row["subject"]], "until": until}
            yield {"table": "rights", "kind": "pause", **told, "order": orders.first(bookkeeping.requests, row)}
    for row in _all(connection, schema.subjects):
        told = {"table": "rights", "subject": row["subject"], "customer": names[row["subject"]]}
        objected, until = row["objected_at"], row["paused_until"]
        if objected is not None:
            # The pause may have been given, and ended, before or after: of what it said then only digests are left.
            order = orders.since(schema.subjects, row, paused_until=(None,))
            yield told | {"kind": "objection", "at": objected, "order": order}
        if until is not None and (row["subject"], until) not in paused:
            order = orders.since(schema.subjects, row, objected_at=(None,))
            yield told | {"kind": "pause", "until": until, "order": order}
    for row in _all(connection, bookkeeping.erasures):
        order = orders.first(bookkeeping.erasures, row)
        yield {"table": "rights", "kind": "erasure", "subject": row["subject"], "id": row["erasure_id"], "order": order}


class _Clear:
    """What the hashes in rows of outcomes stand for, as far as histories or decisions tell."""

    def __init__(self, connection: Connection, keyring: Keyring, reported: Collection[tuple[str, str, str]]) -> None:
        self._names = {hidden(keyring, source, "outcomes", name): (source, name) for source, name, _ in reported}
        known = {row["decision_id"] for row in _all(connection, schema.decisions)} | {it for _, _, it in reported}
        self._decisions = {veiled(keyring, "decisions", name): name for name in known}

    def named(self, row: Row) -> Row:
        """Source, id and decision of a row."""
        source, name = self._names.get(row["id"], (row["source"], row["id"]))
        decision_id = self._decisions.get(row["decision_id"], row["decision_id"])
        return {"source": source, "id": name, "decision_id": decision_id}


def _outcomes(connection: Connection, orders: _Orders, clear: _Clear) -> Iterator[Row]:
    for row in _all(connection, schema.outcomes):
        told = clear.named(row) | {name: row[name] for name in ("step", "type", "matched")}
        yield {"table": "outcomes", **told, "order": orders.first(schema.outcomes, row)}
