"""How long the ledger keeps what, and taking out what is older. What goes is named in the audit, which thereby still verifies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, or_, select, tuple_
from sqlalchemy.orm import aliased

from features.home import Progress, silent
from serving.ledger import auditing, schema
from serving.ledger.bookkeeping import deliveries, outbox, postponed, requests
from serving.ledger.deadline import patient
from serving.ledger.reading import Reading
from serving.ledger.schema import consents, contacts, evidence, to_micros
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction

IDEMPOTENCY = timedelta(hours=24)
"""For as long as this, at least, a repeated call must find what was answered to the first."""
_AT_ONCE, _LOOKED_UP, _LOOK_SECONDS = 500, 20_000, 600


@dataclass(frozen=True, slots=True)
class Retention:
    """Days to keep things for. Decisions and contacts must outlast the longest cap, cool-down and horizon of the catalog (91 days,
    or what `serving.ledger.history.reach_of` says) and the check that every contact was allowed; consents that were replaced stay
    for three years, within which somebody may ask for proof of an old contact. Decisions stay as long as contacts at least, and each
    until the last contact that it led to has gone. Raises `ValueError` for days that break this.
    """

    decisions: int = 400
    contacts: int = 400
    outcomes: int = 400
    replaced_consents: int = 1100
    answers: int = 30
    events: int = 30

    def __post_init__(self) -> None:
        shortest = min(self.decisions, self.contacts, self.outcomes, self.replaced_consents, self.answers, self.events)
        if timedelta(days=shortest) <= IDEMPOTENCY:
            raise ValueError("everything is kept for more than a day, within which a call may be repeated")
        if self.decisions < self.contacts:
            raise ValueError(
                f"decisions are kept for {self.decisions} days and contacts for {self.contacts}: keep decisions as long as contacts, because"
                " what a contact was allowed on may stand in its decision's record alone"
            )


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of row that is too old: its name for people, its table, and which of its rows."""

    name: str
    table: Table
    which: ColumnElement[bool]


def rules_of(kept: Retention, now: datetime) -> tuple[Rule, ...]:
    """What is too old by `now`, in the order in which it goes: what points to a row before the row."""

    def before(days: int) -> int:
        return to_micros(now - timedelta(days=days))

    over = (contacts.c.sent_at < before(kept.contacts)) & (contacts.c.state != "reserved")
    led_to = exists(select(contacts.c.step).where(contacts.c.decision_id == schema.decisions.c.decision_id, ~over))
    return (
        Rule("outcomes", schema.outcomes, schema.outcomes.c.received_at < before(kept.outcomes)),
        Rule("contacts", contacts, over),
        Rule("decisions", schema.decisions, (schema.decisions.c.decided_at < before(kept.decisions)) & ~led_to),
        Rule("replaced consents", consents, _replaced(before(kept.replaced_consents))),
        Rule("evidence of nothing", evidence, _idle(before(kept.replaced_consents))),
        Rule("answers", requests, requests.c.answered_at < before(kept.answers)),
        Rule(
            "postponed journeys",
            postponed,
            (postponed.c.state == "done") & (postponed.c.free_at < before(kept.answers)),
        ),
    )


def retain(
    ledger: Ledger, kept: Retention | None = None, *, dry_run: bool = False, progress: Progress = silent
) -> dict[str, int]:
    """Take out what is too old, some hundred rows at a time, so that decisions go on meanwhile. Returns rows by kind.

    `dry_run` only counts: a row that another one still points to is then not counted with it. Killed at any point, run again it
    goes on.
    """
    with ledger.reading() as reading:
        rules = rules_of(kept or Retention(), reading.now())
        delivered = _delivered(reading.now() - timedelta(days=(kept or Retention()).events))
    if dry_run:
        with ledger.reading() as reading, _unhurried(reading.connection):
            found = {rule.name: _count(reading, rule.table, rule.which) for rule in rules}
            return found | {"delivered events": _count(reading, outbox, delivered)}
    gone = {}
    for rule in rules:
        gone[rule.name] = 0
        for count in _removed(ledger, rule.table, auditing.names_of(rule.table), rule.which):
            gone[rule.name] += count
            progress(f"{rule.name}, {gone[rule.name]:,}")
    gone["delivered events"] = 0
    for count in _removed(ledger, outbox, ("number",), delivered):
        gone["delivered events"] += count
        progress(f"delivered events, {gone['delivered events']:,}")
    return gone


def _removed(ledger: Ledger, table: Table, names: tuple[str, ...], which: ColumnElement[bool]) -> Iterator[int]:
    """Take rows out, some hundred at a time; gives how many each time. Many are looked up at once, before the transactions begin, in
    which SQLite lets nobody else write: looking may mean going through the whole table. What became different in between stays.
    """
    keys = [table.c[name] for name in names]
    went = True
    while went:  # where nothing went all that was found became different, and is left to the next time
        with ledger.reading() as reading, _unhurried(reading.connection):
            found = [tuple(row) for row in reading.connection.execute(select(*keys).where(which).limit(_LOOKED_UP))]
        went = False
        for at in range(0, len(found), _AT_ONCE):
            still = and_(tuple_(*keys).in_(found[at : at + _AT_ONCE]), which)
            remove = partial(_remove_events, which=still) if table is outbox else partial(_remove, table, still)
            count = ledger.write(None, remove)
            went = went or count > 0
            yield count


@contextmanager
def _unhurried(connection: Connection) -> Iterator[None]:
    """Looking through a whole table may take longer than a caller of the service waits. Nobody waits for this, and it locks nothing."""
    if connection.dialect.name != "postgresql":
        yield
        return
    with patient(connection, _LOOK_SECONDS):
        connection.exec_driver_sql("BEGIN READ ONLY")
        try:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_LOOK_SECONDS * 1000}")
            yield
        finally:
            connection.exec_driver_sql("ROLLBACK")


def _remove(table: Table, which: ColumnElement[bool], tx: Transaction) -> int:
    return tx.remove(table, which)


def _remove_events(tx: Transaction, which: ColumnElement[bool]) -> int:
    """Events are no part of the audit: it names the rows that they tell of."""
    numbers = tx.connection.execute(select(outbox.c.number).where(which)).scalars().all()
    tx.connection.execute(delete(deliveries).where(deliveries.c.number.in_(numbers)))
    tx.connection.execute(delete(outbox).where(outbox.c.number.in_(numbers)))
    return len(numbers)


def _count(reading: Reading, table: Table, which: ColumnElement[bool]) -> int:
    return int(reading.connection.execute(select(func.count()).select_from(table).where(which)).scalar_one())


def _replaced(before: int) -> ColumnElement[bool]:
    """Consents that a later word replaced before that moment."""
    newer: Any = aliased(consents, name="newer")
    same = [newer.c[name] == consents.c[name] for name in ("subject", "channel", "purpose", "brand")]
    later = or_(
        newer.c.valid_from > consents.c.valid_from,
        and_(newer.c.valid_from == consents.c.valid_from, newer.c.consent_id > consents.c.consent_id),
    )
    proven = or_(newer.c.state != "granted", exists(_whole(newer)))
    return exists(select(newer.c.consent_id).where(*same, later, proven, newer.c.recorded_at < before))


def _whole(newer: Any) -> Any:
    return select(evidence.c.evidence_id).where(
        evidence.c.evidence_id == newer.c.evidence_id, evidence.c.missing.is_(None)
    )


def _idle(before: int) -> ColumnElement[bool]:
    """Evidence on which neither a consent nor a contact of its customer rests any more."""
    named, whose = evidence.c.evidence_id, evidence.c.subject
    rests = or_(
        exists(select(consents.c.consent_id).where(consents.c.subject == whose, consents.c.evidence_id == named)),
        exists(select(contacts.c.reservation_id).where(contacts.c.subject == whose, contacts.c.evidence_id == named)),
    )
    return and_(evidence.c.recorded_at < before, ~rests)


def _delivered(before: datetime) -> ColumnElement[bool]:
    """Old events that every sink which took note of them has got; one that no sink has seen yet stays."""
    told = deliveries.alias("told")  # the few sinks are named, because deliveries are found by sink and number
    of_it = deliveries.c.sink.in_(select(told.c.sink).distinct()) & (deliveries.c.number == outbox.c.number)
    got = exists(select(deliveries.c.sink).where(of_it, deliveries.c.delivered_at.is_not(None)))
    waits = exists(select(deliveries.c.sink).where(of_it, deliveries.c.delivered_at.is_(None)))
    return and_(outbox.c.at < to_micros(before), got, ~waits)
