"""Whether every contact that was made from here was allowed at its time: those that nothing proves. There must be none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select

from arbitration.codec import decode
from arbitration.domain import EVERY_CHANNEL, Context
from arbitration.errors import DirigentError
from arbitration.policy import Policy
from serving.compact import plain
from serving.ledger.reading import Reading
from serving.ledger.schema import consents, contacts, decisions, evidence, shop_consents, subjects, to_micros

_MADE = ("reserved", "confirmed")
BY_OUTCOME = "outcome"
"""Why a contact is confirmed that nobody confirmed before it was sent."""
_ASKED_OF = contacts.c.state.in_(_MADE), subjects.c.customer_id.is_not(None)
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Gap:
    """One contact that nothing proves, and what is missing, in words."""

    reservation_id: str
    channel: str
    missing: str


@dataclass(frozen=True, slots=True)
class Grant:
    """One consent that was granted, as far as it is known: from when until when (None: open), in microseconds."""

    since: int
    until: int | None


def judged(reading: Reading) -> int:
    """How many contacts `evidence_gaps` looks at."""
    asked = select(func.count()).select_from(contacts).join(subjects, contacts.c.subject == subjects.c.subject)
    return int(reading.connection.execute(asked.where(*_ASKED_OF)).scalar_one())


def evidence_gaps(reading: Reading) -> list[Gap]:
    """Contacts reserved or confirmed here on a channel that needs consent, without evidence that held at their time, or in spite of
    a withdrawal that was there by then. Their time is when the place was taken while it is reserved, then when it was confirmed; of
    what was reported as sent without a confirmation, the report: nothing proves that it was sent before. The evidence is a consent reported here, one of the shop's tables, or,
    where those were replaced since, the consent as the decision's own record keeps it.

    Contacts of customers who were erased are left out: that they cannot be told apart any more is what erasure is for.
    """
    policies: dict[str, Policy] = {}
    return [gap for row in _made(reading) if (gap := _gap(reading, row, policies)) is not None]


def _made(reading: Reading) -> Iterator[Row[Any]]:
    """Contacts with their customer and the version of the policy that decided, some at a time, in order of their ids."""
    asked = select(contacts, subjects.c.customer_id, decisions.c.policy_version, decisions.c.mode)
    asked = asked.join_from(contacts, subjects, contacts.c.subject == subjects.c.subject)
    asked = asked.outerjoin(decisions, contacts.c.decision_id == decisions.c.decision_id)
    asked = asked.where(*_ASKED_OF)
    asked = asked.order_by(contacts.c.reservation_id).limit(_AT_ONCE)
    last = ""
    while rows := reading.connection.execute(asked.where(contacts.c.reservation_id > last)).all():
        yield from rows
        last = rows[-1].reservation_id


def _gap(reading: Reading, row: Row[Any], policies: dict[str, Policy]) -> Gap | None:
    if row.evidence_id is None:
        needed = _needs_consent(reading, row, policies)
        return Gap(row.reservation_id, row.channel, "the contact names no evidence") if needed else None
    held = [grant for grant in _grants(reading, row) if _held(grant, row)]
    if not held:
        return Gap(row.reservation_id, row.channel, f"{row.evidence_id} proves no consent that held then")
    if _withdrawn(reading, row, max(grant.since for grant in held)):
        return Gap(row.reservation_id, row.channel, "the consent had been taken back by then")
    return None


def _needs_consent(reading: Reading, row: Row[Any], policies: dict[str, Policy]) -> bool:
    """By the policy that decided. Without it, or without the channel in it: yes."""
    version = row.policy_version
    if version is None:
        return True
    if version not in policies:
        body = reading.policy(version)
        if body is None:
            return True
        policies[version] = decode(Policy, json.loads(body))
    channel = policies[version].channels.get(row.channel)
    return channel is None or channel.needs_consent


def _judged_at(row: Row[Any]) -> int:
    """The last moment at which the contact could still have been kept back, as far as it is known, in microseconds."""
    if row.state == "reserved":
        return int(row.reserved_at)
    return int(max(row.settled_at, row.sent_at) if row.settled_by == BY_OUTCOME else row.settled_at)


def _held(grant: Grant, row: Row[Any]) -> bool:
    """Whether the consent covered the moment at which the contact is planned, and was there at the contact's time."""
    return grant.since <= _judged_at(row) and (grant.until is None or grant.until > row.sent_at)


def _grants(reading: Reading, row: Row[Any]) -> Iterator[Grant]:
    """Every consent of that customer, channel and purpose that the contact's evidence proves, the nearest source first."""
    own, shop = consents.c, shop_consents.c
    reported = select(own.valid_from, own.valid_to).join_from(
        consents, evidence, own.evidence_id == evidence.c.evidence_id
    )
    reported = reported.where(own.subject == row.subject, evidence.c.missing.is_(None), *_named(own, row))
    brought = select(shop.valid_from, shop.valid_to).where(shop.customer_id == row.customer_id, *_named(shop, row))
    for asked in (reported, brought):
        for found in reading.connection.execute(asked):
            yield Grant(found.valid_from, found.valid_to)
    yield from _recorded(reading, row)


def _named(columns: Any, row: Row[Any]) -> tuple[Any, ...]:
    fits = columns.channel == row.channel, columns.purpose == row.purpose
    return *fits, columns.evidence_id == row.evidence_id, columns.state == "granted"


def _recorded(reading: Reading, row: Row[Any]) -> Iterator[Grant]:
    """The consents as they stood in the record of the decision."""
    try:
        found = reading.decision(row.decision_id)
        told: Mapping[str, Any] = plain(found.inputs)["context"] if found else {}
        given = decode(Context, told).consents if told else ()
    except (DirigentError, ValueError, KeyError, TypeError):
        return
    for consent in given:
        fits = (consent.channel, consent.purpose, consent.evidence_id) == (row.channel, row.purpose, row.evidence_id)
        if fits and consent.state == "granted":
            until = None if consent.valid_to is None else to_micros(consent.valid_to)
            yield Grant(to_micros(consent.valid_from), until)


def _withdrawn(reading: Reading, row: Row[Any], since: int) -> bool:
    """Whether a no was reported here after that consent began and by the contact's time."""
    own = consents.c
    no = (own.subject == row.subject) & own.channel.in_((row.channel, EVERY_CHANNEL)) & (own.purpose == row.purpose)
    no &= (own.state != "granted") & (own.valid_from >= since) & (own.recorded_at <= _judged_at(row))
    brand = select(own.brand).where(own.evidence_id == row.evidence_id, own.subject == row.subject)
    of_brand = reading.connection.execute(brand).scalars().first()
    if of_brand is not None:
        no &= own.brand == of_brand
    return reading.first(select(own.consent_id).where(no)) is not None
