"""What goes into the ledger and comes out of it, as plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from arbitration.domain import Consent, Contact


@dataclass(frozen=True, slots=True)
class Profile:
    """What a decision needs of a customer besides features."""

    customer_id: str
    time_zone: str | None
    locale: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What may have changed since a decision was computed, and is therefore read again under the lock."""

    consents: tuple[Consent, ...] = ()
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered over HTTP, and the digest of the body it answered."""

    body_digest: str
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision: who asked, what was answered, and the record from which it can be decided again."""

    decision_id: str
    client: str
    request_id: str
    customer_id: str
    decided_at: datetime
    mode: str
    answer: Answer
    record: bytes


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One observation. `matched` is False when its decision is not in this ledger."""

    source: str
    id: str
    decision_id: str
    step: int
    type: str
    occurred_at: datetime
    received_at: datetime
    value: float | None
    matched: bool
    answer: Answer
