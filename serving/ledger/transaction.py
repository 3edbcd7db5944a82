"""One write transaction: what is written in it, and what goes along with every write (audit entry, events, the customer's version)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, update
from sqlalchemy.dialects import postgresql, sqlite

from serving.clock import Clock
from serving.ledger import auditing, schema, subjects
from serving.ledger.bookkeeping import audit, outbox
from serving.ledger.keyring import Keyring
from serving.ledger.packing import packed, summary_in
from serving.ledger.reading import Reading
from serving.ledger.rows import DecisionRow, OutcomeRow
from serving.ledger.schema import from_micros, to_micros
from serving.ledger.statements import Step, adding, setting
from serving.ledger.subjects import Other, Subject


class Transaction(Reading):
    """Reads and writes under the customer's lock. `now` was taken under it: nothing that was committed before is later.

    `subject` is None where no customer is concerned. Every row that is written goes through `put`, `change` or `remove`, which note
    it for the audit; `emit` adds an event to the outbox. All of it is committed together or not at all. `put` may wait: rows reach
    the database before the next question, or with the commit. `marks` are those of the customer as they were behind the lock.
    """

    def __init__(
        self, connection: Connection, keyring: Keyring, clock: Clock, subject: Subject | None, now: int,
        *, marks: tuple[object, ...] = (),
    ) -> None:  # fmt: skip
        super().__init__(connection, keyring, clock)
        self.subject, self.at, self._marks = subject, now, marks
        self._waiting: list[Step] = []
        self.epoch = subject.epoch if subject else 0
        self.kept_policies: frozenset[str] = frozenset()
        self.new_policies: set[str] = set()
        self._settings: dict[str, Any] = {}
        self._entries: dict[tuple[str, str], auditing.Entry] = {}
        self._events: list[dict[str, Any]] = []

    def now(self) -> datetime:
        """The moment of this transaction."""
        return from_micros(self.at)

    @property
    def wrote(self) -> bool:
        """Whether anything was written so far."""
        return bool(self._entries)

    @property
    def owner(self) -> str:
        """The customer's pseudonym. Raises `RuntimeError` in a transaction without a customer."""
        if self.subject is None:
            raise RuntimeError("this transaction concerns no customer")
        return self.subject.id

    def others_of(self, customer_id: str) -> tuple[Other, ...]:
        """Who else is the same person: of two who decide for one person under two names the second sees what the first did."""
        return subjects.others_of(self.connection, customer_id, locked=True)

    def is_at(self, version: int, others: tuple[tuple[str, int], ...]) -> bool:
        """Whether nothing was written about the customer and their other names since these were their versions."""
        if self.subject is None or self.subject.version != version:
            return False
        return not others or subjects.versions_of(self.others_of(self.subject.customer_id)) == others

    @property
    def connection(self) -> Connection:
        """What questions are put to; what waited is written first."""
        self.run()
        return self._connection

    def run(self, *steps: Step) -> list[Any]:
        """Carry out what waited and these statements, in PostgreSQL in one round trip; the driver's cursor of each of these."""
        before, self._waiting = self._waiting, []
        return super().run(*before, *steps)[len(before) :] if before or steps else []

    def marks(self, customer_id: str) -> tuple[object, ...]:
        """Those of the locked customer were asked for together with the lock."""
        own = self.subject is not None and self.subject.customer_id == customer_id
        return self._marks if own else super().marks(customer_id)

    def put(self, table: Table, values: Mapping[str, Any]) -> None:
        """Insert one row."""
        row = {name: values.get(name) for name in auditing.columns_of(table)}
        given = {name: value for name, value in row.items() if name in values}
        self._waiting.append(adding(self.dialect, table, given))
        self._note(table, row)

    def change(self, table: Table, which: ColumnElement[bool], values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Update the rows that `which` picks, and give them back as they are now."""
        changed = self.connection.execute(update(table).where(which).values(dict(values)).returning(*table.columns))
        rows = [row._asdict() for row in changed]
        for row in rows:
            self._note(table, row)
        return rows

    def remove(self, table: Table, which: ColumnElement[bool]) -> int:
        """Delete the rows that `which` picks; the audit keeps that they were there. Returns how many."""
        keys = [table.c[name] for name in auditing.names_of(table)]
        gone = self.connection.execute(delete(table).where(which).returning(*keys)).all()
        for row in gone:
            key = auditing.key_of(table, row._asdict())
            self._entries[table.name, key] = (table.name, key, None)
        return len(gone)

    def remark(self, of: str, key: str, digest: str) -> None:
        """Name something in the audit that is no row of a table."""
        self._entries[of, key] = (of, key, digest)

    def set_subject(self, **values: Any) -> None:
        """Change columns of the customer's own row at the end of the transaction."""
        self._settings |= values

    def next_epoch(self) -> int:
        """A number that is higher than that of every reservation the customer ever had."""
        self.epoch += 1
        return self.epoch

    def emit(self, kind: str, data: Mapping[str, Any]) -> None:
        """Send an event out once this commits; `data` must hold no customer id."""
        told = json.dumps(data, separators=(",", ":"), sort_keys=True)
        self._events.append({"type": kind, "data": told, "place": len(self._events)})

    def add_policy(self, version: str, body: bytes) -> None:
        """Keep a policy once, whoever else keeps it at this moment. Those that are known to be kept are not looked for again."""
        if version in self.kept_policies:
            return
        table, row = schema.policies, {"version": version, "body": body}
        dialect: Any = postgresql if self.connection.dialect.name == "postgresql" else sqlite
        once = dialect.insert(table).values(row).on_conflict_do_nothing().returning(table.c.version)
        if self.connection.execute(once).first() is not None:
            self._note(table, row)
        self.new_policies.add(version)

    def add_decision(self, row: DecisionRow) -> None:
        """Keep a decision about the locked customer, sealed; its (client, request_id) must be new."""
        key = self.key
        seal, about = self.keyring.seal, row.decision_id
        self.put(schema.decisions, {
            "decision_id": row.decision_id, "client": row.client, "request_id": row.request_id, "subject": self.owner,
            "decided_at": to_micros(row.decided_at), "mode": row.mode, "body_digest": row.answer.body_digest,
            "status": row.answer.status, "answer": seal(key, packed(row.answer.body), about + ".answer"),
            "policy_version": row.policy_version, **summary_in(row.summary),
            "inputs": seal(key, packed(row.inputs), about + ".inputs"),
            "decision": seal(key, packed(row.decision), about + ".decision"),
        })  # fmt: skip

    def add_outcome(self, row: OutcomeRow) -> None:
        """Keep an observation; its (source, id) must be new."""
        self.put(schema.outcomes, {
            "source": row.source, "id": row.id, "decision_id": row.decision_id, "step": row.step, "type": row.type,
            "subject": self.subject.id if self.subject else None,
            "occurred_at": to_micros(row.occurred_at), "received_at": to_micros(row.received_at), "value": row.value,
            "matched": row.matched, "body_digest": row.answer.body_digest, "status": row.answer.status,
            "answer": row.answer.body,
        })  # fmt: skip

    @property
    def key(self) -> bytes:
        """The locked customer's key. Raises `Erased`."""
        return self.keyring.unwrapped(self.subject.wrapped if self.subject else None, self.owner)

    def finished(self) -> list[Step]:
        """What is still to be written, with what goes along: the customer's version, the events, the audit entry. Called once, before
        the commit.
        """
        if self._entries or self._events or self._settings:
            version, dialect = self._advance(), self.dialect
            owner = self.subject.id if self.subject else "shop"
            for event in self._events:
                told = event | {
                    "event_id": self.keyring.new_id("e"),
                    "subject": owner,
                    "version": version,
                    "at": self.at,
                }
                self._waiting.append(adding(dialect, outbox, told))
            lane = auditing.lane_of(self.subject.id if self.subject else None)
            end = auditing.end_of(dialect, self.run, lane)
            entry = auditing.entry_after(end, self.keyring.audit, lane, self.at, list(self._entries.values()))
            self._waiting.append(adding(dialect, audit, entry))
        return self._waiting

    def _advance(self) -> int:
        if self.subject is None:
            return self.at
        version = self.subject.version + 1
        values = {"version": version, "epoch": self.epoch, "last_at": self.at}
        table = schema.subjects
        if self._settings:
            self.change(table, table.c.subject == self.subject.id, values | self._settings)
        else:
            row = values | {"subject": self.subject.id}
            self._waiting.append(setting(self.dialect, table, "subject", row))
            if (
                self.subject.version == 0
            ):  # the audit names every customer, with the first thing that is written about them
                self._note(table, _fresh(self.subject))
        return version

    def _note(self, table: Table, row: Mapping[str, Any]) -> None:
        key = auditing.key_of(table, row)
        self._entries[table.name, key] = (table.name, key, auditing.digest_of(table, row))


def _fresh(subject: Subject) -> dict[str, Any]:
    """The row of a customer about whom nothing was written before, as far as the audit tells it."""
    row = dict.fromkeys(column.name for column in schema.subjects.columns)
    return row | {"subject": subject.id, "customer_id": subject.customer_id, "sealing_key": subject.wrapped}
