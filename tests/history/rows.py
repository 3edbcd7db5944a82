"""What the checker holds of a ledger dump and of histories: one small record per row or call. The fields are those of FORMAT.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

STATES = ("reserved", "confirmed", "released", "expired")
FOREVER = 1 << 62
"""Later than every moment (microseconds, nanoseconds) and every order number."""


class Place(NamedTuple):
    """Where something was read: the number of the file and of the line in it."""

    file: int
    line: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation: `invariant` is I1 ... I8; `lines` are the places that show it, file 0 being the dump."""

    invariant: str
    customer: str
    what: str
    lines: tuple[Place, ...] = ()


@dataclass(slots=True)
class Cap:
    """At most `limit` contacts in any `window` (microseconds) or local `calendar` period, `reserve` of them not for marketing."""

    id: str
    limit: int
    reserve: int
    window: int | None
    calendar: str | None
    channels: frozenset[str]
    journeys: frozenset[str]


@dataclass(slots=True)
class Contact:
    """One row of `contacts`. `reserved_order` is 0 for imported ones, `settled_*` are None while it is reserved."""

    place: Place
    subject: str
    customer: str | None
    journey: str
    channel: str
    purpose: str
    timing: str
    send_at: int
    sent_at: int
    state: str
    imported: bool
    reservation_id: str | None
    decision_id: str | None
    step: int | None
    epoch: int
    lease_until: int
    reserved_at: int
    reserved_order: int
    settled_at: int | None
    settled_order: int | None
    outcomes: int | None

    @property
    def ends_at(self) -> int:
        """When it is no longer a live reservation: settled, or its lease over."""
        return self.lease_until if self.settled_at is None else min(self.settled_at, self.lease_until)

    @property
    def ends_order(self) -> int:
        """The order number that ended it; never, while it is reserved."""
        return FOREVER if self.settled_order is None else self.settled_order

    @property
    def named(self) -> str:
        """The customer as far as the ledger still knows who it is."""
        return self.customer or self.subject


class Decision(NamedTuple):
    """One row of `decisions`."""

    place: Place
    decision_id: str
    client: str
    request_id: str
    body: str
    status: int
    sha: str
    subject: str
    customer: str | None
    order: int


class Consent(NamedTuple):
    """One row of `consents`."""

    place: Place
    subject: str
    customer: str | None
    channel: str
    purpose: str
    state: str
    valid_from: int
    order: int
    evidence: str | None


class Right(NamedTuple):
    """One row of `rights`: an objection, a pause (with `until`) or an erasure (with `id`)."""

    place: Place
    kind: str
    subject: str
    customer: str | None
    order: int
    until: int
    id: str | None


class Outcome(NamedTuple):
    """One row of `outcomes`."""

    place: Place
    source: str
    id: str
    decision_id: str
    step: int
    type: str
    matched: bool


class Attempt(NamedTuple):
    """One call that has a key of idempotency: `decide`, `reserve` or `outcome`. Without an answer `status` is 0, `answered_at` FOREVER."""

    place: Place
    customer: str
    asked_at: int
    answered_at: int
    status: int
    body: str
    sha: str | None
    retry: bool
    decision_id: str | None

    @property
    def done(self) -> bool:
        """Whether it was answered 2xx."""
        return 200 <= self.status < 300


class Handed(NamedTuple):
    """A reservation that a client was told of. `asked_at` is the first ask of its key, `answered_at` this answer."""

    place: Place
    key: tuple[str, str, str]
    reservation_id: str
    customer: str
    asked_at: int
    answered_at: int
    told: dict[str, object]


class Settling(NamedTuple):
    """One `confirm` or `release` call."""

    place: Place
    kind: str
    reservation_id: str
    epoch: int | None
    asked_at: int
    answered_at: int
    status: int

    @property
    def done(self) -> bool:
        """Whether it was answered 2xx."""
        return 200 <= self.status < 300


class Wish(NamedTuple):
    """One `grant`, `withdraw`, `object`, `pause` or `erase` call; `channel` and `purpose` are empty where it has none."""

    place: Place
    kind: str
    customer: str
    channel: str
    purpose: str
    until: int
    asked_at: int
    answered_at: int
    status: int
    evidence: str | None
    erasure_id: str | None

    @property
    def done(self) -> bool:
        """Whether it was answered 2xx."""
        return 200 <= self.status < 300


class Report(NamedTuple):
    """What an `outcome` call told, besides its `Attempt`."""

    decision_id: str
    step: int
    type: str
