"""The store interface of the ledger: reads, and one short write transaction per request (see `docs/architecture.md`)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select, true, update

from arbitration.domain import Consent, Contact
from arbitration.errors import LedgerError
from arbitration.policy import Policy
from serving.ledger import schema
from serving.ledger.engine import connection_of, open_engine, transaction
from serving.ledger.packing import packed, summary_in, summary_out, unpacked
from serving.ledger.rows import Answer, DecisionRow, OutcomeRow, Profile, Standing
from serving.ledger.schema import from_micros, to_micros
from serving.ledger.standing import consents_held, contacts_held
from serving.ledger.stock import uses_of

QUEUE_SECONDS = 10.0


class Reading:
    """Questions to the ledger; every method is one indexed query."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def profile(self, customer_id: str) -> Profile | None:
        """The customer's row of the shop's tables, or None for a stranger."""
        table = schema.customers
        row = self._first(select(table).where(table.c.customer_id == customer_id))
        return Profile(row.customer_id, row.time_zone, row.locale or "en") if row else None

    def customers(self, limit: int) -> list[str]:
        """Some customers of the shop."""
        table = schema.customers
        return [str(name) for name in self._connection.execute(select(table.c.customer_id).limit(limit)).scalars()]

    def customer_of(self, alias_type: str, alias: str, at: datetime) -> str | None:
        """The customer an alias named at that moment."""
        table = schema.aliases
        fits = (table.c.alias_type == alias_type) & (table.c.alias == alias) & (table.c.valid_from <= to_micros(at))
        row = self._first(select(table).where(fits).order_by(table.c.valid_from.desc()))
        return str(row.customer_id) if row else None

    def stock(self, policy: Policy, now: datetime) -> dict[str, int]:
        """Units left of every resource that has a limit, over all customers."""
        return {
            resource.id: resource.limit - uses_of(self._connection, resource, now)
            for resource in policy.resources.values()
            if resource.limit is not None
        }

    def standing(self, customer_id: str, since: datetime, now: datetime) -> Standing:
        """Consents as they hold `now`, oldest first, and the contacts that were sent or reserved `since` and not released."""
        consents, contacts = schema.consents, schema.contacts
        granted = self._connection.execute(
            select(consents)
            .where(consents.c.customer_id == customer_id)
            .order_by(consents.c.valid_from, consents.c.number)
        )
        made = self._connection.execute(
            select(contacts)
            .where(contacts.c.customer_id == customer_id, contacts.c.sent_at >= to_micros(since), ~contacts.c.released)
            .order_by(contacts.c.sent_at, contacts.c.number)
        )
        return Standing(consents_held(granted, now), contacts_held(made))

    def holds_decisions(self) -> bool:
        """Whether anything was ever decided and kept here."""
        return self._first(select(schema.decisions.c.decision_id)) is not None

    def answer_to(self, client: str, request_id: str) -> Answer | None:
        """What this client was answered for this request id."""
        table = schema.decisions
        row = self._first(select(table).where(table.c.client == client, table.c.request_id == request_id))
        return _answer(row) if row else None

    def decision(self, decision_id: str) -> DecisionRow | None:
        """A decision by its id. Raises `LedgerError` when its record is damaged."""
        table = schema.decisions
        row = self._first(select(table).where(table.c.decision_id == decision_id))
        if row is None:
            return None
        inputs, decision = unpacked(row.inputs), unpacked(row.decision)
        if inputs is None or decision is None:
            raise _damaged(f"the record of {decision_id}")
        with _readable(f"the record of {decision_id}"):
            summary = summary_out(row.favorite, row.opens_at, row.net, row.decided_on, row.stopped)
            return DecisionRow(
                row.decision_id, row.client, row.request_id, row.customer_id, from_micros(row.decided_at), row.mode,
                _answer(row), row.policy_version, summary, inputs, decision,
            )  # fmt: skip

    def policy(self, version: str) -> bytes | None:
        """The policy that decided, as canonical JSON."""
        table = schema.policies
        row = self._first(select(table).where(table.c.version == version))
        return bytes(row.body) if row else None

    def answer_to_outcome(self, source: str, outcome_id: str) -> Answer | None:
        """What was answered when this observation came first."""
        table = schema.outcomes
        row = self._first(select(table).where(table.c.source == source, table.c.id == outcome_id))
        return _answer(row) if row else None

    def outcomes_of(self, decision_id: str) -> tuple[OutcomeRow, ...]:
        """All observations of a decision in the order in which they happened."""
        table = schema.outcomes
        asked = select(table).where(table.c.decision_id == decision_id).order_by(table.c.occurred_at, table.c.id)
        with _readable(f"an outcome of {decision_id}"):
            return tuple(map(_outcome, self._connection.execute(asked)))

    def _first(self, query: Any) -> Row[Any] | None:
        with _readable("a row of the ledger"):
            return self._connection.execute(query.limit(1)).first()


class Writing(Reading):
    """Reads and writes inside one transaction that holds the ledger's write lock."""

    def add_policy(self, version: str, body: bytes) -> None:
        """Keep a policy once."""
        if self.policy(version) is None:
            self._connection.execute(insert(schema.policies).values(version=version, body=body))

    def add_decision(self, row: DecisionRow) -> None:
        """Keep a decision; its (client, request_id) must be new."""
        self._connection.execute(
            insert(schema.decisions).values(
                decision_id=row.decision_id, client=row.client, request_id=row.request_id,
                customer_id=row.customer_id, decided_at=to_micros(row.decided_at), mode=row.mode,
                body_digest=row.answer.body_digest, status=row.answer.status, answer=row.answer.body,
                policy_version=row.policy_version, **summary_in(row.summary),
                inputs=packed(row.inputs), decision=packed(row.decision),
            )
        )  # fmt: skip

    def add_contact(
        self, customer_id: str, contact: Contact, decision_id: str, step: int, offer: str | None = None
    ) -> None:
        """Reserve a contact and the offer it carries: from now on caps, cool-downs and stocks count it."""
        self._connection.execute(
            insert(schema.contacts).values(
                customer_id=customer_id, journey=contact.journey, channel=contact.channel, purpose=contact.purpose, offer=offer,
                sent_at=to_micros(contact.sent_at), decision_id=decision_id, step=step, origin="decision",
            )
        )  # fmt: skip

    def release_contact(self, decision_id: str, step: int, *, released: bool = True) -> None:
        """A reserved contact was not made after all; or it was, whatever was said before."""
        self._connection.execute(update(schema.contacts).where(_made_by(decision_id, step)).values(released=released))

    def note_reaction(self, decision_id: str, step: int, *, engaged: bool) -> None:
        """What is known of the customer's reaction to a contact; an engagement is never taken back by a later report."""
        table = schema.contacts
        fits = _made_by(decision_id, step) & (true() if engaged else table.c.engaged.is_(None))
        self._connection.execute(update(table).where(fits).values(engaged=engaged))

    def add_consent(self, customer_id: str, consent: Consent) -> None:
        """Keep a consent or its withdrawal; the newest of a channel and purpose holds."""
        self._connection.execute(
            insert(schema.consents).values(
                customer_id=customer_id, channel=consent.channel, purpose=consent.purpose, state=consent.state,
                legal_basis=consent.legal_basis, evidence_id=consent.evidence_id,
                valid_from=to_micros(consent.valid_from), origin="outcome",
                valid_to=to_micros(consent.valid_to) if consent.valid_to else None,
            )
        )  # fmt: skip

    def add_outcome(self, row: OutcomeRow) -> None:
        """Keep an observation; its (source, id) must be new."""
        self._connection.execute(
            insert(schema.outcomes).values(
                source=row.source, id=row.id, decision_id=row.decision_id, step=row.step, type=row.type,
                occurred_at=to_micros(row.occurred_at), received_at=to_micros(row.received_at), value=row.value,
                matched=row.matched, body_digest=row.answer.body_digest, status=row.answer.status,
                answer=row.answer.body,
            )
        )  # fmt: skip


class Ledger:
    """The ledger in one SQLite file; safe for many threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = open_engine(path)
        self._turn = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Reads without a lock."""
        with connection_of(self.engine, self.path) as connection:
            yield Reading(connection)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """One transaction; it commits at the end of the block, or leaves no trace when the block raises.

        Threads of this process take turns: SQLite's own waiting is by chance, and under load some would wait in vain.
        """
        if not self._turn.acquire(timeout=QUEUE_SECONDS):
            raise LedgerError(
                f"no turn to write came within {QUEUE_SECONDS:g} s", where=str(self.path), mend="ask again later"
            )
        try:
            with transaction(self.engine, self.path) as connection:
                yield Writing(connection)
        finally:
            self._turn.release()

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _damaged(what: str) -> LedgerError:
    return LedgerError(f"{what} is damaged", mend="restore the ledger from your backup")


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Values of another kind than their column's, which SQLite keeps, become `LedgerError`."""
    try:
        yield
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise _damaged(what) from None


def _made_by(decision_id: str, step: int) -> ColumnElement[bool]:
    table = schema.contacts
    return (table.c.decision_id == decision_id) & (table.c.step == step)


def _answer(row: Row[Any]) -> Answer:
    return Answer(row.body_digest, row.status, bytes(row.answer))


def _outcome(row: Row[Any]) -> OutcomeRow:
    return OutcomeRow(
        row.source, row.id, row.decision_id, row.step, row.type, from_micros(row.occurred_at),
        from_micros(row.received_at), row.value, row.matched, _answer(row),
    )  # fmt: skip
