"""What goes into the ledger and comes out of it, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from arbitration.domain import Consent, Contact, Context


@dataclass(frozen=True, slots=True)
class Profile:
    """What a decision needs of a customer besides features."""

    customer_id: str
    time_zone: str | None
    locale: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What may have changed since a decision was computed, and is therefore read again under the lock.

    `stopped` names the journeys that are stopped; `version` and `epoch` are the customer's (`serving.ledger.subjects`), `others` the
    versions of those whom the shop knows to be the same person, `marks` tell whether
    anything changed that concerns all customers, `next_lease` is when the first of the customer's reservations is given back, `waits` whether a postponed journey
    of theirs does.
    """

    consents: tuple[Consent, ...] = ()
    contacts: tuple[Contact, ...] = ()
    stock: Mapping[str, int] = field(default_factory=dict)
    stopped: tuple[str, ...] = ()
    objected: bool = False
    suppressed: bool = False
    paused_until: datetime | None = None
    version: int = 0
    others: tuple[tuple[str, int], ...] = ()
    epoch: int = 0
    marks: tuple[object, ...] = ()
    next_lease: datetime | None = None
    waits: bool = False

    def holds_in(self, context: Context) -> bool:
        """Whether a decision on this context still stands. Of a stock it matters alone whether anything is left: a unit that
        another customer took meanwhile changes no decision as long as it was not the last.
        """
        return _rests_on(self) == _rests_on(context)

    def put_into(self, context: Context) -> Context:
        """The context as it is by now."""
        return replace(
            context, consents=self.consents, contacts=self.contacts, stock=self.stock, stopped=self.stopped,
            objected=self.objected, suppressed=self.suppressed, paused_until=self.paused_until,
        )  # fmt: skip


def _rests_on(known: Standing | Context) -> tuple[object, ...]:
    rights = (known.objected, known.suppressed, known.paused_until)
    return known.consents, known.contacts, _used_up(known.stock), known.stopped, rights


def _used_up(stock: Mapping[str, int]) -> dict[str, bool]:
    return {resource: left <= 0 for resource, left in stock.items()}


@dataclass(frozen=True, slots=True)
class Reservation:
    """A place that is held for a contact. `epoch` must be named by who confirms it; `review` says whether a person must agree
    first ("required", "approved", "rejected").
    """

    id: str
    epoch: int
    lease_until: datetime
    review: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered over HTTP, and the digest of the body it answered."""

    body_digest: str
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Summary:
    """What a policy holds for best in one decision, free of the draw: the favorite treatment, or None for silence.

    `opens_at` is its send window; `net` is what it is expected to earn, without the lever, which is a wish and no money; `decided_on`
    ranks (both 0 for silence). `stopped` counts the treatments of which no window
    may be used, by the gate that their most promising window did not pass.
    """

    favorite: str | None
    opens_at: datetime | None
    net: float
    decided_on: float
    stopped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision: who asked, what was answered, what was best, and the record from which it can be decided again.

    The record lies in two parts, so that what went in can be read without what came out, which is much longer.
    """

    decision_id: str
    client: str
    request_id: str
    customer_id: str
    decided_at: datetime
    mode: str
    answer: Answer
    policy_version: str
    summary: Summary
    inputs: bytes
    decision: bytes


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
