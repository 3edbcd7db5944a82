"""What a customer's stored consents and contacts amount to at a moment. Where two rows contradict, the stricter one holds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, false, literal, null, or_, select, true, union_all

from arbitration.domain import Consent, Contact
from serving.ledger.schema import consents, contacts, evidence, from_micros, shop_consents, shop_contacts, to_micros

OCCUPIES = ("reserved", "confirmed")
"""States in which a contact takes a place; a reservation does so only while its lease runs."""


def consents_of(
    connection: Connection, customer_id: str, subject: str | None, brand: str, now: datetime
) -> tuple[Consent, ...]:
    """Consents, oldest first, from the shop's tables and from what was reported here.

    Consent whose evidence is incomplete is given without evidence, so that the gate says no; it is left out where anything else is
    known, because a request that nobody confirmed changes nothing. The shop's own rows count for every brand: its tables know only
    one.
    """
    shop = shop_consents.c
    columns = (
        shop.channel,
        shop.purpose,
        shop.state,
        shop.legal_basis,
        shop.evidence_id,
        shop.valid_from,
        shop.valid_to,
    )
    asked: Any = select(*columns, false().label("reported")).where(shop.customer_id == customer_id)
    if subject is not None:
        own = consents.c
        whole = (own.evidence_id == evidence.c.evidence_id) & evidence.c.missing.is_(None)
        proof = case((own.state == "granted", evidence.c.evidence_id), else_=own.evidence_id)
        told = (own.channel, own.purpose, own.state, own.legal_basis, proof, own.valid_from, own.valid_to)
        mine = select(*told, true().label("reported")).join_from(consents, evidence, whole, isouter=True)
        asked = union_all(asked, mine.where(own.subject == subject, own.brand == brand))
    return consents_held(connection.execute(asked), now)


def with_refusals(
    connection: Connection, held: tuple[Consent, ...], others: Iterable[str], brand: str, now: datetime
) -> tuple[Consent, ...]:
    """The consents with every no that was said under another name of the customer. A yes under another name opens nothing."""
    noes = [it for other in others for it in consents_of(connection, "", other, brand, now) if it.state != "granted"]
    return tuple(sorted((*held, *noes), key=lambda consent: consent.valid_from)) if noes else held


def consents_held(rows: Iterable[Row[Any]], now: datetime) -> tuple[Consent, ...]:
    """Consents, oldest first. A withdrawal that was reported here holds from `now` on even when the clock was set back
    behind it; then a grant that begins between the two is left out, because the withdrawal came after it. A grant of the shop's
    that is still to begin is left out as well where a no was reported here: nobody knows which of the two was said last.
    """
    found, at = _said(rows), to_micros(now)
    ends: dict[tuple[str, str], int] = {}
    for row in found:
        if _withdrawn_here(row):
            ends[row.channel, row.purpose] = max(row.valid_from, ends.get((row.channel, row.purpose), 0))
    closed = {(row.channel, row.purpose) for row in found if row.reported and row.state != "granted"}
    held = [
        row
        for row in found
        if _withdrawn_here(row)
        or not (
            at < row.valid_from <= ends.get((row.channel, row.purpose), 0)
            or (at < row.valid_from and _granted_by_shop(row) and (row.channel, row.purpose) in closed)
        )
    ]
    given = [_consent(row, min(row.valid_from, at) if _withdrawn_here(row) else row.valid_from) for row in held]
    return tuple(sorted(given, key=lambda consent: consent.valid_from))


def _said(rows: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Rows, oldest first, without requests that nobody confirmed where the customer said anything else about channel and purpose."""
    found = sorted(rows, key=lambda row: row.valid_from)
    settled = {(row.channel, row.purpose) for row in found if not _unproven(row)}
    return [row for row in found if not (_unproven(row) and (row.channel, row.purpose) in settled)]


def contacts_of(
    connection: Connection, customer_id: str, subject: str | None, since: datetime, now: datetime
) -> tuple[Contact, ...]:
    """Contacts in the order of their moments, each once: what was decided here and came back with the shop's tables is counted
    where it was decided. A reservation counts until its lease ends; while it runs it is live.
    """
    shop, own, at = shop_contacts.c, contacts.c, to_micros(now)
    columns = (shop.journey, shop.channel, shop.purpose, shop.sent_at, shop.engaged, shop.decision_id)
    asked: Any = select(*columns, literal("history").label("state"), null().label("lease_until"))
    asked = asked.where(shop.customer_id == customer_id, shop.sent_at >= to_micros(since))
    if subject is not None:
        told = (
            own.journey,
            own.channel,
            own.purpose,
            own.sent_at,
            own.engaged,
            own.decision_id,
            own.state,
            own.lease_until,
        )
        holds = or_(own.state == "confirmed", (own.state == "reserved") & (own.lease_until > at))
        asked = union_all(asked, select(*told).where(own.subject == subject, own.sent_at >= to_micros(since), holds))
    return contacts_held(connection.execute(asked))


def contacts_held(rows: Iterable[Row[Any]]) -> tuple[Contact, ...]:
    """Contacts of the ledger and of the shop's tables, each once."""
    found = sorted(rows, key=lambda row: row.sent_at)
    decided = {(row.decision_id, row.channel) for row in found if row.state != "history"}
    return tuple(
        Contact(
            row.journey, row.channel, from_micros(row.sent_at), row.purpose, _flag(row.engaged), live_until=_live(row)
        )
        for row in found
        if row.state != "history" or (row.decision_id, row.channel) not in decided
    )


def _live(row: Row[Any]) -> datetime | None:
    return from_micros(row.lease_until) if row.state == "reserved" else None


def _flag(stored: Any) -> bool | None:
    """A union loses the column's type in SQLite, and with it the difference between 1 and true."""
    return None if stored is None else bool(stored)


def _unproven(row: Row[Any]) -> bool:
    return bool(row.reported and row.state == "granted" and row.evidence_id is None)


def _granted_by_shop(row: Row[Any]) -> bool:
    return bool(not row.reported and row.state == "granted")


def _withdrawn_here(row: Row[Any]) -> bool:
    return bool(row.reported and row.state == "withdrawn")


def _consent(row: Row[Any], valid_from: int) -> Consent:
    until = from_micros(row.valid_to) if row.valid_to is not None else None
    return Consent(
        row.channel, row.purpose, row.state, row.legal_basis, row.evidence_id, from_micros(valid_from), until
    )
