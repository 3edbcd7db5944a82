"""Consents that are reported here: kept with their evidence; a no takes back at once what was reserved on its strength."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from arbitration.domain import EVERY_CHANNEL, Consent, Purpose
from serving.ledger.contacts import settle
from serving.ledger.reading import Reading, damaged
from serving.ledger.schema import consents, contacts, evidence, from_micros, shop_consents, to_micros
from serving.ledger.transaction import Transaction

CONFIRMED_OPT_IN = ("email", "sms", "push")
"""Channels on which a consent holds only once it was confirmed (double opt-in)."""
CONDITIONS = ("obtained_with_sale", "own_similar_goods", "informed_each_time", "not_objected")
"""What UWG section 7(3) asks for, all of it, before existing customers may be written to by e-mail without their consent."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves a consent: which text was agreed to (its id and SHA-256), where it was asked, when, and when it was confirmed.

    `reference` is the shop's own name for its record; `conditions` those of UWG section 7(3), by name.
    """

    text_id: str
    text_sha256: str
    source: str
    requested_at: datetime
    confirmed_at: datetime | None = None
    reference: str | None = None
    conditions: dict[str, bool] | None = None

    def missing(self, channel: str, legal_basis: str) -> str | None:
        """What keeps it from being proof on this channel, as a code; None: nothing."""
        if legal_basis == "existing_customer_7_3":
            return None if all((self.conditions or {}).get(name) for name in CONDITIONS) else "conditions"
        asked = legal_basis == "consent" and channel in CONFIRMED_OPT_IN
        return "confirmation" if asked and self.confirmed_at is None else None

    def since(self, now: datetime) -> datetime:
        """From when on it speaks for the customer: its confirmation, or the request where none is needed; never later than now."""
        return min(self.confirmed_at or self.requested_at, now)


def add_evidence(tx: Transaction, given: Evidence, channel: str, legal_basis: str) -> str:
    """Keep evidence, its body sealed under the customer's key. Returns its id. Raises `Erased`."""
    name = tx.keyring.new_id("v")
    body = {key: value for key, value in asdict(given).items() if not isinstance(value, datetime) and value is not None}
    tx.put(evidence, {
        "evidence_id": name, "subject": tx.owner, "missing": given.missing(channel, legal_basis), "recorded_at": tx.at,
        "requested_at": to_micros(given.requested_at),
        "confirmed_at": to_micros(given.confirmed_at) if given.confirmed_at else None,
        "body": tx.keyring.seal(tx.key, json.dumps(body, sort_keys=True).encode(), name),
    })  # fmt: skip
    return name


def opened(reading: Reading, row: Row[Any], wrapped: bytes | None) -> Evidence:
    """Evidence from its row and its customer's wrapped key. Raises `Erased`, or `LedgerError` when it is damaged."""
    body = reading.keyring.open(reading.keyring.unwrapped(wrapped, row.subject), row.body, row.evidence_id)
    try:
        told = Evidence(**json.loads(body), requested_at=from_micros(row.requested_at))
    except (TypeError, ValueError):
        raise damaged("the evidence of a consent") from None
    return told if row.confirmed_at is None else replace(told, confirmed_at=from_micros(row.confirmed_at))


def unconfirmed(tx: Transaction, consent_id: str) -> tuple[Row[Any], Evidence] | None:
    """A consent of the locked customer that waits for its confirmation, with its evidence; None when there is no such one.

    It waits no longer once anything else was said about its channel, purpose and brand: an old link to confirm must not grant
    again what was taken back, be it for every channel.
    """
    table, mine = consents.c, consents.c.subject == tx.owner
    row = tx.first(select(consents).where(mine, table.consent_id == consent_id, table.state == "granted"))
    proof = tx.first(select(evidence).where(evidence.c.evidence_id == row.evidence_id)) if row else None
    if row is None or proof is None or proof.missing != "confirmation" or tx.subject is None or _overtaken(tx, row):
        return None
    return row, opened(tx, proof, tx.subject.wrapped)


def _overtaken(tx: Transaction, request: Row[Any]) -> bool:
    """Whether anything but requests was said about the same since, here or by the shop's tables (there only a no counts).

    What was recorded in the request's own microsecond counts as later, because nothing tells which of the two came first.
    """
    own, shop = consents.c, shop_consents.c
    named = (request.channel, EVERY_CHANNEL)
    waits = select(evidence.c.evidence_id).where(
        evidence.c.evidence_id == own.evidence_id, evidence.c.missing.is_not(None)
    )
    said = select(own.consent_id).where(
        own.subject == request.subject, own.channel.in_(named), own.purpose == request.purpose,
        own.brand == request.brand, own.recorded_at >= request.recorded_at, own.consent_id != request.consent_id,
        (own.state != "granted") | ~waits.exists(),
    )  # fmt: skip
    told = select(shop.number).where(
        shop.customer_id == (tx.subject.customer_id if tx.subject else None), shop.channel.in_(named),
        shop.purpose == request.purpose, shop.state != "granted", shop.valid_from >= request.valid_from,
    )  # fmt: skip
    return tx.first(said) is not None or tx.first(told) is not None


def confirm(tx: Transaction, consent_id: str, confirmed_at: datetime) -> str | None:
    """The customer confirmed a request: from then on it is a consent. Returns the new consent's id; None: nothing waited for it."""
    found = unconfirmed(tx, consent_id)
    if found is None:
        return None
    row, asked = found
    whole = replace(asked, confirmed_at=max(confirmed_at, asked.requested_at))
    proof = add_evidence(tx, whole, row.channel, row.legal_basis)
    until = from_micros(row.valid_to) if row.valid_to is not None else None
    given = Consent(row.channel, row.purpose, "granted", row.legal_basis, proof, whole.since(tx.now()), until)
    return add_consent(tx, given, row.brand)


def add_consent(tx: Transaction, consent: Consent, brand: str) -> str:
    """Keep a consent, a refusal or a withdrawal; the newest of a channel and purpose holds. Returns its id.

    A refusal or withdrawal releases every reservation of the customer on that channel for that purpose, so that none of them can be
    confirmed any more. One for `EVERY_CHANNEL` holds on those, too, that nobody knows yet.
    """
    name = tx.keyring.new_id("c")
    tx.put(consents, {
        "consent_id": name, "subject": tx.owner, "channel": consent.channel, "purpose": consent.purpose, "brand": brand,
        "state": consent.state, "legal_basis": consent.legal_basis, "evidence_id": consent.evidence_id,
        "valid_from": to_micros(consent.valid_from), "recorded_at": tx.at,
        "valid_to": to_micros(consent.valid_to) if consent.valid_to else None,
    })  # fmt: skip
    if consent.state != "granted":
        table = contacts.c
        rests = (table.subject == tx.owner) & (table.purpose == consent.purpose) & (table.state == "reserved")
        everywhere = consent.channel == EVERY_CHANNEL
        settle(
            tx,
            rests if everywhere else rests & (table.channel == consent.channel),
            "released",
            f"consent_{consent.state}",
        )
    told = {"channel": consent.channel, "purpose": consent.purpose, "state": consent.state, "consent_id": name}
    tx.emit("dirigent.consent.changed.v1", told)
    return name


def channels_known(tx: Transaction, customer_id: str, purpose: Purpose) -> frozenset[str]:
    """Channels of which anything was ever said or reserved for a purpose: those that a no for all of them is told for one by one."""
    asked = (
        select(consents.c.channel).where(consents.c.subject == tx.owner, consents.c.purpose == purpose),
        select(shop_consents.c.channel).where(
            shop_consents.c.customer_id == customer_id, shop_consents.c.purpose == purpose
        ),
        select(contacts.c.channel).where(contacts.c.subject == tx.owner, contacts.c.purpose == purpose),
    )
    return frozenset(str(name) for one in asked for name in tx.connection.execute(one.distinct()).scalars())
