"""What a customer's stored consents and contacts amount to at a moment. Where two rows contradict, the stricter one holds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, false, literal, null, or_, select, true, union_all

from arbitration.domain import EVERY_CHANNEL, Consent, Contact
from serving.ledger.schema import consents, contacts, evidence, from_micros, shop_consents, shop_contacts, to_micros
from serving.ledger.statements import rows_of
from serving.ledger.subjects import Other, Subject

OCCUPIES = ("reserved", "confirmed")
"""States in which a contact takes a place; a reservation does so only while its lease runs."""


def _consents() -> tuple[Any, Any]:
    """The shop's consents of a customer, and these together with those that were reported here."""
    shop, own = shop_consents.c, consents.c
    given = (shop.channel, shop.purpose, shop.state, shop.legal_basis, shop.evidence_id, shop.valid_from, shop.valid_to)
    asked = select(*given, false().label("reported")).where(shop.customer_id == bindparam("customer_id"))
    whole = (own.evidence_id == evidence.c.evidence_id) & evidence.c.missing.is_(None)
    proof = case((own.state == "granted", evidence.c.evidence_id), else_=own.evidence_id)
    told = (own.channel, own.purpose, own.state, own.legal_basis, proof, own.valid_from, own.valid_to)
    mine = select(*told, true().label("reported")).join_from(consents, evidence, whole, isouter=True)
    return asked, union_all(asked, mine.where(own.subject == bindparam("subject"), own.brand == bindparam("brand")))


def _contacts() -> tuple[Any, Any]:
    """The shop's contacts of a customer, and these together with the places that were taken here and hold."""
    shop, own = shop_contacts.c, contacts.c
    since: Any = bindparam("since")
    given = (shop.journey, shop.channel, shop.purpose, shop.sent_at, shop.engaged, shop.decision_id)
    asked = select(*given, literal("history").label("state"), null().label("lease_until"))
    asked = asked.where(shop.customer_id == bindparam("customer_id"), shop.sent_at >= since)
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
    holds = or_(own.state == "confirmed", (own.state == "reserved") & (own.lease_until > bindparam("at")))
    mine = select(*told).where(own.subject == bindparam("subject"), own.sent_at >= since, holds)
    return asked, union_all(asked, mine)


_SHOP_CONSENTS, _CONSENTS = _consents()
_SHOP_CONTACTS, _CONTACTS = _contacts()


def consents_of(
    connection: Connection, customer_id: str, subject: str | None, brand: str, now: datetime
) -> tuple[Consent, ...]:
    """Consents, oldest first, from the shop's tables and from what was reported here.

    Consent whose evidence is incomplete is given without evidence, so that the gate says no; it is left out where anything else is
    known, because a request that nobody confirmed changes nothing. The shop's own rows count for every brand: its tables know only
    one.
    """
    if subject is None:
        return consents_held(rows_of(connection, _SHOP_CONSENTS, customer_id=customer_id), now)
    return consents_held(rows_of(connection, _CONSENTS, customer_id=customer_id, subject=subject, brand=brand), now)


def with_refusals(
    connection: Connection, held: tuple[Consent, ...], others: Iterable[Other], brand: str, now: datetime
) -> tuple[Consent, ...]:
    """The consents with every no that was said under another name of the customer. A yes under another name opens nothing."""
    said = (consents_of(connection, other.customer_id, _id(other.subject), brand, now) for other in others)
    noes = [consent for told in said for consent in told if consent.state != "granted"]
    return tuple(sorted((*held, *noes), key=lambda consent: consent.valid_from)) if noes else held


def consents_held(rows: Iterable[Row[Any]], now: datetime) -> tuple[Consent, ...]:
    """Consents, oldest first. A withdrawal that was reported here holds from `now` on even when the clock was set back
    behind it; then a grant that begins between the two is left out, because the withdrawal came after it. A grant of the shop's
    that is still to begin is left out as well where a no was reported here: nobody knows which of the two was said last. A no for
    every channel counts as one for each.
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
            at < row.valid_from <= max(ends.get(scope, 0) for scope in _scopes(row))
            or (at < row.valid_from and _granted_by_shop(row) and not closed.isdisjoint(_scopes(row)))
        )
    ]
    given = [_consent(row, min(row.valid_from, at) if _withdrawn_here(row) else row.valid_from) for row in held]
    return tuple(sorted(given, key=lambda consent: consent.valid_from))


def _said(rows: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Rows, oldest first, without requests that nobody confirmed where the customer said anything else about channel and purpose."""
    found = sorted(rows, key=lambda row: row.valid_from)
    settled = {(row.channel, row.purpose) for row in found if not _unproven(row)}
    return [row for row in found if not (_unproven(row) and not settled.isdisjoint(_scopes(row)))]


def _scopes(row: Row[Any]) -> tuple[tuple[str, str], tuple[str, str]]:
    """Under which channel and purpose something was said that concerns a row: its own, or every channel's."""
    return (row.channel, row.purpose), (EVERY_CHANNEL, row.purpose)


def contacts_of(
    connection: Connection, customer_id: str, subject: str | None, since: datetime, now: datetime, *,
    others: Iterable[Other] = (),
) -> tuple[Contact, ...]:  # fmt: skip
    """Contacts in the order of their moments, each once: what was decided here and came back with the shop's tables is counted
    where it was decided. A reservation counts until its lease ends; while it runs it is live. Those of the customer's other names
    count as well.
    """
    rows = []
    for name, owner in ((customer_id, subject), *((other.customer_id, _id(other.subject)) for other in others)):
        asked = _SHOP_CONTACTS if owner is None else _CONTACTS
        own = {} if owner is None else {"subject": owner, "at": to_micros(now)}
        rows += rows_of(connection, asked, customer_id=name, since=to_micros(since), **own)
    return contacts_held(rows)


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


def _id(subject: Subject | None) -> str | None:
    return subject.id if subject else None


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
