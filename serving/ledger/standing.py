"""What a customer's stored consents and contacts amount to at a moment. Where two rows contradict, the stricter one holds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from arbitration.domain import Consent, Contact
from serving.ledger.schema import from_micros, to_micros


def consents_held(rows: Iterable[Row[Any]], now: datetime) -> tuple[Consent, ...]:
    """Consents, oldest first. A withdrawal that was reported here holds from `now` on even when the clock was set back
    behind it; then a grant that begins between the two is left out, because the withdrawal came after it.
    """
    found, at = list(rows), to_micros(now)
    ends: dict[tuple[str, str], int] = {}
    for row in found:
        if _reported(row):
            ends[row.channel, row.purpose] = max(row.valid_from, ends.get((row.channel, row.purpose), 0))
    held = [
        row for row in found if _reported(row) or not at < row.valid_from <= ends.get((row.channel, row.purpose), 0)
    ]
    consents = [_consent(row, min(row.valid_from, at) if _reported(row) else row.valid_from) for row in held]
    return tuple(sorted(consents, key=lambda consent: consent.valid_from))


def contacts_held(rows: Iterable[Row[Any]]) -> tuple[Contact, ...]:
    """Contacts, each once: what was decided here and came back with the shop's tables is counted where it was decided."""
    found = list(rows)
    decided = {(row.decision_id, row.channel) for row in found if row.origin == "decision"}
    return tuple(
        Contact(row.journey, row.channel, from_micros(row.sent_at), row.purpose, row.engaged)
        for row in found
        if row.origin == "decision" or (row.decision_id, row.channel) not in decided
    )


def _reported(row: Row[Any]) -> bool:
    return bool(row.origin == "outcome" and row.state == "withdrawn")


def _consent(row: Row[Any], valid_from: int) -> Consent:
    until = from_micros(row.valid_to) if row.valid_to is not None else None
    return Consent(
        row.channel, row.purpose, row.state, row.legal_basis, row.evidence_id, from_micros(valid_from), until
    )
