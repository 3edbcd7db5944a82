"""Questions to the ledger; every method is one indexed query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect, Row, bindparam, exists, func, select

from arbitration.errors import LedgerError
from arbitration.policy import Resource
from serving.clock import Clock
from serving.ledger import schema, subjects
from serving.ledger.bookkeeping import postponed, stops
from serving.ledger.keyring import Erased, Keyring, erased
from serving.ledger.packing import summary_out, unpacked
from serving.ledger.rows import Answer, DecisionRow, OutcomeRow, Profile, Standing
from serving.ledger.schema import from_micros, to_micros
from serving.ledger.standing import consents_of, contacts_of, with_refusals
from serving.ledger.statements import Step, first, question, run
from serving.ledger.stock import uses_of
from serving.ledger.subjects import Other, Subject, versions_of

_STOPS = select(func.count()).select_from(stops)
_IMPORTED = select(func.max(schema.imports.c.fingerprint))
_MARKS = select(
    _STOPS.scalar_subquery(),
    _STOPS.where(stops.c.ended_at.is_(None)).scalar_subquery(),
    _IMPORTED.where(schema.imports.c.name == bindparam("consents")).scalar_subquery(),
    _IMPORTED.where(schema.imports.c.name == bindparam("aliases")).scalar_subquery(),
    exists(select(1).where(schema.suppressions.c.hash == bindparam("hashed"))),
)


_RESERVED = (schema.contacts.c.subject == bindparam("owner")) & (schema.contacts.c.state == "reserved")
_WAITING = (postponed.c.subject == bindparam("owner")) & (postponed.c.state != "done")
_PENDING = select(
    select(func.min(schema.contacts.c.lease_until)).where(_RESERVED).scalar_subquery().label("lease"),
    exists(select(1).where(_WAITING)).label("waits"),
)
_PROFILE = select(schema.shop_customers).where(schema.shop_customers.c.customer_id == bindparam("customer_id"))
_ANSWERED = (
    select(*(schema.decisions.c[name] for name in ("decision_id", "body_digest", "status", "answer", "subject")))
    .add_columns(schema.subjects.c.sealing_key)
    .join_from(schema.decisions, schema.subjects, schema.decisions.c.subject == schema.subjects.c.subject)
    .where(schema.decisions.c.client == bindparam("client"), schema.decisions.c.request_id == bindparam("request_id"))
)
STOPPED = select(stops.c.journey).where(stops.c.ended_at.is_(None)).order_by(stops.c.journey)


def asked_marks(dialect: Dialect, keyring: Keyring, customer_id: str) -> Step:
    """The question for a customer's `marks`."""
    hashed = keyring.suppressed_hash(customer_id)
    return question(dialect, _MARKS, {"consents": "shop_consents", "aliases": "shop_aliases", "hashed": hashed})


class Reading:
    """Reads through one connection. `connection` and `run` are there for the modules of this package.

    `strangers` are customers about whom nothing was written when they were looked for.
    """

    def __init__(self, connection: Connection, keyring: Keyring, clock: Clock) -> None:
        self._connection, self.keyring, self._clock = connection, keyring, clock
        self.strangers: set[str] = set()

    @property
    def connection(self) -> Connection:
        """What questions are put to."""
        return self._connection

    @property
    def dialect(self) -> Dialect:
        """The language of the database."""
        return self._connection.dialect

    def now(self) -> datetime:
        """The present moment by the clock that decides: the database's own in PostgreSQL, else this machine's."""
        return from_micros(subjects.present(self.connection, self._clock))

    def profile(self, customer_id: str) -> Profile | None:
        """The customer's row of the shop's tables, or None for a stranger."""
        row = first(self.connection, _PROFILE, customer_id=customer_id)
        return Profile(row.customer_id, row.time_zone, row.locale or "en") if row else None

    def customers(self, limit: int) -> list[str]:
        """Some customers of the shop."""
        table = schema.shop_customers
        return [str(name) for name in self.connection.execute(select(table.c.customer_id).limit(limit)).scalars()]

    def customer_of(self, alias_type: str, alias: str, at: datetime) -> str | None:
        """The customer an alias named at that moment."""
        table = schema.shop_aliases
        fits = (table.c.alias_type == alias_type) & (table.c.alias == alias) & (table.c.valid_from <= to_micros(at))
        row = self.first(select(table).where(fits).order_by(table.c.valid_from.desc()))
        return str(row.customer_id) if row else None

    def subject_of(self, customer_id: str) -> Subject | None:
        """The customer as the ledger knows them, or None when nothing was ever written about them."""
        found = subjects.find(self.connection, customer_id)
        if found is None:
            self.strangers.add(customer_id)
        return found

    def others_of(self, customer_id: str) -> tuple[Other, ...]:
        """Who else is the same person, under other names; in a transaction their rows are locked, too."""
        return subjects.others_of(self.connection, customer_id)

    def is_suppressed(self, *names: str) -> bool:
        """Whether one of these stands on the suppression list: a customer_id, or `alias_type:alias`."""
        return any(subjects.is_suppressed(self.connection, self.keyring.suppressed_hash(name)) for name in names)

    def stock(self, resources: Iterable[Resource], now: datetime) -> dict[str, int]:
        """Units left of each of these resources that has a limit, over all customers."""
        return {
            resource.id: resource.limit - uses_of(self.connection, resource, now)
            for resource in resources
            if resource.limit is not None
        }

    def stopped(self) -> tuple[str, ...]:
        """Journeys that a person or their own volume stopped, in order of name."""
        return tuple(str(row[0]) for row in self.run(question(self.dialect, STOPPED))[0])

    def run(self, *steps: Step) -> list[Any]:
        """Carry out statements, in PostgreSQL in one round trip; the driver's cursor of each."""
        return run(self._connection, *steps)

    def marks(self, customer_id: str) -> tuple[object, ...]:
        """Changes whenever a journey is stopped or resumed, the shop's consents or aliases are imported anew, or the customer is suppressed."""
        return tuple(self.run(asked_marks(self.dialect, self.keyring, customer_id))[0].fetchone() or ())

    def standing(self, customer_id: str, since: datetime, now: datetime, brand: str) -> Standing:
        """Consents of a brand as they hold `now`, oldest first, and the contacts `since` that were made or are reserved."""
        # Witnesses first, then what they speak of: what changes in between shows as a difference later, never as none.
        subject, marks = self.subject_of(customer_id), self.marks(customer_id)
        owner, others = subject.id if subject else None, self.others_of(customer_id)
        known = [one for one in (subject, *(other.subject for other in others)) if one]
        consents = consents_of(self.connection, customer_id, owner, brand, now)
        next_lease, waits = self._pending(owner)
        return Standing(
            with_refusals(self.connection, consents, others, brand, now) if others else consents,
            contacts_of(self.connection, customer_id, owner, since, now, others=others),
            stopped=self.stopped(),
            objected=any(one.objected for one in known),
            suppressed=bool(marks[-1]),
            paused_until=max((one.paused_until for one in known if one.paused_until), default=None),
            version=subject.version if subject else 0,
            others=versions_of(others),
            epoch=subject.epoch if subject else 0,
            marks=marks,
            next_lease=next_lease,
            waits=waits,
        )

    def _pending(self, owner: str | None) -> tuple[datetime | None, bool]:
        """When the first of a customer's reservations is over, or was, None when there is none; and whether a postponed journey waits."""
        found = first(self.connection, _PENDING, owner=owner) if owner else None
        if found is None:
            return None, False
        return (None if found.lease is None else from_micros(found.lease)), bool(found.waits)

    def holds_decisions(self) -> bool:
        """Whether anything was ever decided and kept here."""
        return self.first(select(schema.decisions.c.decision_id)) is not None

    def answer_to(self, client: str, request_id: str) -> Answer | None:
        """What this client was answered for this request id. Raises `Erased`."""
        row = first(self.connection, _ANSWERED, client=client, request_id=request_id)
        return self._answer(row) if row else None

    def subject_of_decision(self, decision_id: str) -> tuple[str, str] | None:
        """Pseudonym and customer_id of whom a decision was made for, None when it is not here. Raises `Erased`."""
        table = schema.decisions
        asked = select(schema.subjects.c.subject, schema.subjects.c.customer_id)
        row = self.first(
            asked.join_from(table, schema.subjects, _owned(table)).where(table.c.decision_id == decision_id)
        )
        if row is None:
            return None
        if row.customer_id is None:
            raise erased()
        return row.subject, row.customer_id

    def decided_at(self, decision_id: str) -> datetime | None:
        """When a decision was made, None when it is not here."""
        table = schema.decisions.c
        row = self.first(select(table.decided_at).where(table.decision_id == decision_id))
        return None if row is None else from_micros(row.decided_at)

    def decision(self, decision_id: str) -> DecisionRow | None:
        """A decision by its id. Raises `LedgerError` when its record is damaged, `Erased` when its customer was erased."""
        table, owner = schema.decisions, schema.subjects
        asked = select(table, owner.c.sealing_key, owner.c.customer_id).join_from(table, owner, _owned(table))
        row = self.first(asked.where(table.c.decision_id == decision_id))
        if row is None:
            return None
        inputs, decision = self._part(row, "inputs"), self._part(row, "decision")
        with readable(f"the record of {decision_id}"):
            summary = summary_out(row.favorite, row.opens_at, row.net, row.decided_on, row.stopped)
            return DecisionRow(
                row.decision_id, row.client, row.request_id, row.customer_id, from_micros(row.decided_at), row.mode,
                self._answer(row), row.policy_version, summary, inputs, decision,
            )  # fmt: skip

    def decision_if_kept(self, decision_id: str) -> DecisionRow | None:
        """A decision by its id, None also when its customer was erased. Raises `LedgerError` when its record is damaged."""
        try:
            return self.decision(decision_id)
        except Erased:
            return None

    def policy(self, version: str) -> bytes | None:
        """The policy that decided, as canonical JSON."""
        table = schema.policies
        row = self.first(select(table).where(table.c.version == version))
        return bytes(row.body) if row else None

    def answer_to_outcome(self, source: str, outcome_id: str) -> Answer | None:
        """What was answered when this observation came first."""
        table = schema.outcomes
        row = self.first(select(table).where(table.c.source == source, table.c.id == outcome_id))
        return Answer(row.body_digest, row.status, bytes(row.answer)) if row else None

    def outcomes_of(self, decision_id: str) -> tuple[OutcomeRow, ...]:
        """All observations of a decision in the order in which they happened."""
        table = schema.outcomes
        asked = select(table).where(table.c.decision_id == decision_id).order_by(table.c.occurred_at, table.c.id)
        with readable(f"an outcome of {decision_id}"):
            return tuple(map(_outcome, self.connection.execute(asked)))

    def first(self, query: Any) -> Row[Any] | None:
        """The first row of a query."""
        with readable("a row of the ledger"):
            return self.connection.execute(query.limit(1)).first()

    def _answer(self, row: Row[Any]) -> Answer:
        return Answer(row.body_digest, row.status, self._part(row, "answer"))

    def _part(self, row: Row[Any], name: str) -> bytes:
        """A sealed part of a decision's row."""
        key = self.keyring.unwrapped(row.sealing_key, row.subject)
        part = unpacked(self.keyring.open(key, getattr(row, name), f"{row.decision_id}.{name}"))
        if part is None:
            raise damaged(f"the record of {row.decision_id}")
        return part


def damaged(what: str) -> LedgerError:
    """The error for stored bytes that say nothing."""
    return LedgerError(f"{what} is damaged", mend="restore the ledger from your backup")


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Values of another kind than their column's, which SQLite keeps, become `LedgerError`."""
    try:
        yield
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise damaged(what) from None


def _owned(table: Any) -> Any:
    return table.c.subject == schema.subjects.c.subject


def _outcome(row: Row[Any]) -> OutcomeRow:
    return OutcomeRow(
        row.source, row.id, row.decision_id, row.step, row.type, from_micros(row.occurred_at),
        from_micros(row.received_at), row.value, row.matched, Answer(row.body_digest, row.status, bytes(row.answer)),
    )  # fmt: skip
