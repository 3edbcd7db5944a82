"""How much of a scarce resource is used up, counted over the contacts of all customers."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select

from arbitration.policy import Resource
from serving.ledger import schema
from serving.ledger.schema import to_micros


def uses_of(connection: Connection, resource: Resource, now: datetime) -> int:
    """Contacts that used a unit within the resource's days up to `now`, or are reserved for later, and were not released.

    Those reserved for later count, because they will be within the same days as the next one. What was decided here and
    came back with the shop's tables counts once.
    """
    table = schema.contacts
    since = to_micros(now - timedelta(days=resource.per_days))
    fits = [column == wanted for column, wanted in _wanted(resource)]
    asked = select(func.count()).where(*fits, table.c.sent_at > since, ~table.c.released, ~_came_back())
    if fits:  # SQLite knows no statistics of a new file: the most particular of the three is named for it
        column = _wanted(resource)[0][0]
        asked = asked.with_hint(table, f"INDEXED BY contacts_of_{column.name}", "sqlite")
    return int(connection.execute(asked.select_from(table)).scalar_one())


def _wanted(resource: Resource) -> list[tuple[ColumnElement[str], str]]:
    """What a contact must have to use a unit, the most particular first."""
    columns = schema.contacts.c
    asked = ((columns.offer, resource.offer), (columns.journey, resource.journey), (columns.channel, resource.channel))
    return [(column, wanted) for column, wanted in asked if wanted is not None]


def _came_back() -> ColumnElement[bool]:
    """Whether a row of the shop's tables is a contact that was decided here and counts already."""
    table, decided = schema.contacts, schema.contacts.alias("decided")
    same = and_(
        decided.c.decision_id == table.c.decision_id, decided.c.channel == table.c.channel,
        decided.c.origin == "decision", ~decided.c.released,
    )  # fmt: skip
    return and_(table.c.origin == "history", exists(select(1).select_from(decided).where(same).correlate(table)))
