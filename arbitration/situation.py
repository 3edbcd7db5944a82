"""What a decision starts from: times, treatments, candidates, and the customer's context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NewType

CustomerId = NewType("CustomerId", str)
FeatureValue = float | int | str | bool | None
Purpose = Literal["marketing", "service"]
ConsentState = Literal["granted", "denied", "withdrawn"]
LegalBasis = Literal["consent", "existing_customer_7_3", "contract", "none"]
Kind = Literal["message", "module", "reward", "route", "suppress"]
"""What a treatment does: send a message, show a module of web or app, present a reward, hand over to another journey, or keep
a contact that would be made otherwise (an advertisement) from being made."""
Consequence = Literal["none", "price", "benefit_loss", "denial"]
"""What a treatment does to the customer that must not become final on a model's word alone: it sets a price, takes a benefit away,
or denies something; a person looks at it first."""
SILENCE = "silence"
EVERY_CHANNEL = "*"
"""The channel of a refusal or withdrawal that is for all of them, also for those that come later."""


@dataclass(frozen=True, slots=True)
class SendWindow:
    """One admissible stretch of time. `slot` is the hour-of-week slot: weekday (Monday 0) * 6 + local hour // 4, 0 to 41."""

    opens_at: datetime
    closes_at: datetime
    slot: int


@dataclass(frozen=True, slots=True)
class Offer:
    """The benefit inside a treatment. `face_value` is the money it costs when used, `redemption` the share of buyers who use it.

    `points` is what using it does to the customer's balance: positive points are granted, negative ones are redeemed.
    """

    id: str
    face_value: float
    redemption: float = 1.0
    points: int = 0


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a journey speaks on one channel, or acts there: see `Kind` and `Consequence`. `route_to` is the journey that takes over."""

    journey: str
    channel: str
    template: str
    offer: Offer | None = None
    kind: Kind = "message"
    route_to: str | None = None
    consequence: Consequence = "none"

    @property
    def id(self) -> str:
        """`journey/channel/template`: the key of every per-treatment estimate."""
        return f"{self.journey}/{self.channel}/{self.template}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One (treatment, send window) that competes in a decision; a bandit's action."""

    treatment: Treatment
    window: SendWindow

    @property
    def id(self) -> str:
        """`journey/channel/template@opening time`, unique within a decision."""
        return f"{self.treatment.id}@{self.window.opens_at:%Y-%m-%dT%H:%MZ}"


@dataclass(frozen=True, slots=True)
class Consent:
    """Permission for channel and purpose, with its legal basis, evidence and validity. A no may be for `EVERY_CHANNEL`."""

    channel: str
    purpose: Purpose
    state: ConsentState
    legal_basis: LegalBasis
    evidence_id: str | None
    valid_from: datetime
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact made or reserved earlier; what caps and cool-downs count. `engaged` False: the customer is known not to have
    engaged, so the journey may go on with its next channel; None is unknown and ends the journey's run. `live_until`: it is reserved
    and neither sent nor given back, and the reservation holds until then; None once it is one or the other.
    """

    journey: str
    channel: str
    sent_at: datetime
    purpose: Purpose = "marketing"
    engaged: bool | None = None
    live_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """The event or state that makes a journey ask to speak now."""

    journey: str
    occurred_at: datetime | None = None
    expires_at: datetime | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """All that is known of a customer at the moment of decision.

    `features` holds values by feature name; a name that is absent or None is unknown.
    `channels` is what the caller can serve; empty means every channel of the catalog.
    `triggers` empty means: all journeys the customer qualifies for.
    `holdout`: the customer belongs to the permanent control group (`arbitration.selection.in_holdout`).
    `stock`: units left of each scarce resource of the catalog, over all customers (`arbitration.policy.Resource`).
    `stopped` names the journeys that speak to nobody, because a person or their own volume budget stopped them.
    `degraded` names what was missing or stale, for the answer.
    """

    customer_id: CustomerId
    known: bool
    time_zone: str | None
    locale: str
    features: Mapping[str, FeatureValue]
    consents: tuple[Consent, ...] = ()
    contacts: tuple[Contact, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    channels: tuple[str, ...] = ()
    objected: bool = False
    suppressed: bool = False
    paused_until: datetime | None = None
    degraded: tuple[str, ...] = ()
    holdout: bool = False
    stock: Mapping[str, int] = field(default_factory=dict)
    stopped: tuple[str, ...] = ()
