"""Looking at what a decision set going: the places of its steps, the journeys it postponed, and what waits for a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, select

from serving.ledger.bookkeeping import postponed
from serving.ledger.keyring import erased
from serving.ledger.reading import Reading, readable
from serving.ledger.schema import contacts, decisions, subjects, to_micros

Row = dict[str, Any]


def contact(reading: Reading, reservation_id: str) -> Row | None:
    """One reserved contact as it is now, None when there is no such reservation. Raises `Erased`."""
    asked = select(contacts, subjects.c.customer_id).join_from(
        contacts, subjects, contacts.c.subject == subjects.c.subject
    )
    row = reading.first(asked.where(contacts.c.reservation_id == reservation_id))
    if row is None:
        return None
    if row.customer_id is None:
        raise erased()
    return row._asdict()


def contacts_of_decision(reading: Reading, decision_id: str) -> list[Row]:
    """Every place that was ever taken for a step of a decision, by step and in the order in which they were taken."""
    asked = select(contacts).where(contacts.c.decision_id == decision_id)
    return _rows(reading, asked.order_by(contacts.c.step, contacts.c.epoch))


def postponed_by(reading: Reading, decision_id: str) -> list[Row]:
    """The journeys that a decision postponed, by name, and how each wait stands."""
    asked = select(postponed).where(postponed.c.decision_id == decision_id)
    return _rows(reading, asked.order_by(postponed.c.journey))


def waiting_for_review(reading: Reading, limit: int) -> list[Row]:
    """The contacts that wait for a person and whose lease runs, the first to end first, each with `customer_id` and with the `client`
    that asked for its decision, which may not review it.
    """
    table = contacts.c
    asked = (
        select(contacts, subjects.c.customer_id, decisions.c.client)
        .join_from(contacts, subjects, table.subject == subjects.c.subject)
        .join(decisions, decisions.c.decision_id == table.decision_id)
        .where(table.state == "reserved", table.review == "required", table.lease_until > to_micros(reading.now()))
        .order_by(table.lease_until, table.reservation_id)
    )
    return _rows(reading, asked.limit(limit))


def _rows(reading: Reading, asked: Select[Any]) -> list[Row]:
    with readable("a row of the ledger"):
        found: Iterable[Any] = reading.connection.execute(asked)
        return [row._asdict() for row in found]
