"""What the ledger knows of one person, for the access of GDPR Art. 15: every row, opened, under names that can be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, Row, Table, select

from arbitration.errors import LedgerError
from serving.ledger import schema
from serving.ledger.bookkeeping import outbox, postponed, requests
from serving.ledger.consents import opened
from serving.ledger.packing import unpacked
from serving.ledger.reading import Reading
from serving.ledger.schema import from_micros
from serving.ledger.subjects import Subject

_NUMBERS = ("number", "version", "epoch")  # whole numbers that are no moments
_SEALED = ("answer", "inputs")
_UNREADABLE = {"damaged": True}


def known_of(reading: Reading, customer_id: str) -> dict[str, Any]:
    """Everything of a customer as plain JSON values, by kind; moments as ISO 8601 in UTC. Empty lists for somebody unknown.

    What was said and done under an alias of theirs is among it, and `other_names` tells of those. Decisions come with the answer that was given and all that went into them; the list of rivals that lost is left out.
    """
    told: dict[str, Any] = {
        "profile": _of_shop(reading, schema.shop_customers, customer_id),
        "aliases": _of_shop(reading, schema.shop_aliases, customer_id),
        "shop_consents": _of_shop(reading, schema.shop_consents, customer_id),
        "shop_contacts": _of_shop(reading, schema.shop_contacts, customer_id),
        "rights": {"suppressed": reading.is_suppressed(customer_id)},
    }
    subject = reading.subject_of(customer_id)
    names = [subject, *(other.subject for other in reading.others_of(customer_id))]
    own = (schema.consents, schema.contacts, schema.outcomes, postponed, requests, outbox)
    told |= {table.name: _of_all(names, partial(_rows, reading, table)) for table in own}
    told["evidence"] = _of_all(
        names, lambda one: _rows(reading, schema.evidence, one, lambda row: _evidence(reading, row, one))
    )
    told["decisions"] = _of_all(
        names, lambda one: _rows(reading, schema.decisions, one, lambda row: _decision(reading, row, one))
    )
    if subject is not None:
        row = reading.first(select(schema.subjects).where(schema.subjects.c.subject == subject.id))
        told["rights"] |= _plain(schema.subjects, row) if row else {}
    told["other_names"] = _of_all(names[1:], partial(_rows, reading, schema.subjects))
    return told


def _of_all(names: Iterable[Subject | None], rows: Callable[[Subject], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows of the same person under all their names, in order of the names."""
    return [row for one in names if one is not None for row in rows(one)]


def _of_shop(reading: Reading, table: Table, customer_id: str) -> list[dict[str, Any]]:
    found = reading.connection.execute(select(table).where(table.c.customer_id == customer_id))
    return [_plain(table, row) for row in found]


def _rows(
    reading: Reading, table: Table, subject: Subject, more: Callable[[Row[Any]], dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    found = reading.connection.execute(select(table).where(table.c.subject == subject.id))
    return [_plain(table, row) | (more(row) if more else {}) for row in found]


def _plain(table: Table, row: Row[Any]) -> dict[str, Any]:
    """Columns by name without what is sealed; what is unknown is left out."""
    told: dict[str, Any] = {}
    for column in table.columns:
        value = getattr(row, column.name)
        if value is None or isinstance(value, bytes | memoryview):
            continue
        moment = isinstance(column.type, BigInteger) and column.name not in _NUMBERS
        told[column.name] = from_micros(value).isoformat() if moment else value
    return told


def _evidence(reading: Reading, row: Row[Any], subject: Subject) -> dict[str, Any]:
    try:
        found = opened(reading, row, subject.wrapped)
    except LedgerError:
        return _UNREADABLE
    names = ("text_id", "text_sha256", "source", "reference", "conditions")
    return {name: value for name in names if (value := getattr(found, name)) is not None}


def _decision(reading: Reading, row: Row[Any], subject: Subject) -> dict[str, Any]:
    """The sealed parts that were told to the caller or came from the customer, opened."""
    told: dict[str, Any] = {}
    for name in _SEALED:
        try:
            key = reading.keyring.unwrapped(subject.wrapped, row.subject)
            part = unpacked(reading.keyring.open(key, getattr(row, name), f"{row.decision_id}.{name}"))
            told[name] = json.loads(part) if part is not None else _UNREADABLE
        except (LedgerError, ValueError):
            told[name] = _UNREADABLE
    return told
