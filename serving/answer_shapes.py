"""The shape of answers, as published: every field that is not known is left out, nothing is null."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from arbitration.domain import Kind


def utc(moment: datetime) -> str:
    """A moment in UTC as every answer writes it: to the millisecond, with a Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(utc, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


class Shape(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def body(self) -> bytes:
        """The answer as it is sent and kept."""
        return self.model_dump_json(exclude_none=True).encode()


class Text(Shape):
    """The same text in both languages."""

    de: str
    en: str


class Window(Shape):
    """When the contact may happen."""

    opens_at: Moment
    closes_at: Moment


class ExpectedValue(Shape):
    """Expected incremental money: the net, the cautious value that ranks, the range of one standard deviation, the parts.

    `tiers` says for each part what it rests on: 0 rules and priors, 1 cell means, 2 an individual model.
    """

    currency: str
    net: float
    cautious: float
    low: float
    high: float
    parts: dict[str, float]
    tiers: dict[str, int]


class NextCategory(Shape):
    """The product category, by the shop's own name, that the customer's next purchase is most likely mostly of, if there is one."""

    category: str
    probability: float


class Content(Shape):
    """What a message or module may be about. It says nothing of what a contact is worth, and no choice depends on it."""

    next_category: NextCategory | None = None


class Action(Shape):
    """What to do now: send a message, show a module, present a reward, route to another journey, or suppress a contact.

    `send_at` is UTC, `send_at_local` the same moment in the customer's time zone.
    """

    journey: str
    treatment: str
    channel: str
    template: str
    kind: Kind
    route_to: str | None = None
    offer: str | None = None
    send_at: Moment
    send_at_local: str | None = None
    window: Window
    probability: float
    arm: str
    propensity: float
    expected_value: ExpectedValue
    content: Content | None = None


class Step(Shape):
    """One step of the plan. Only the first holds a place. At its time-out the next step asks for one and passes every gate anew; if
    it may not, the customer is arbitrated again.
    """

    step: int
    journey: str
    treatment: str
    channel: str
    template: str
    kind: Kind
    route_to: str | None = None
    offer: str | None = None
    send_at: Moment
    send_at_local: str | None = None
    window: Window
    wait_hours: float
    advance_if: str
    stop_if: list[str]
    expires_at: Moment
    expected_value: float


class Alternative(Shape):
    """The best a losing treatment had to offer. `lost_by` compares cautious values (mean - half a standard deviation), which rank."""

    candidate: str
    journey: str
    channel: str
    probability: float
    expected_value: float
    cautious_value: float
    lost_by: float


class Rejected(Shape):
    """A treatment a gate removed, once per reason; `free_at` is the earliest moment at which it would pass, told only where every
    reason of the treatment has one.
    """

    candidate: str
    stage: str
    reason: str
    free_at: Moment | None = None
    missing: str | None = None


class PostponedJourney(Shape):
    """A journey that had a trigger and was kept back by the contact policy: an event `dirigent.decision.due.v1` follows at `free_at`."""

    journey: str
    reason: str
    free_at: Moment


class ConsentEvidence(Shape):
    """The permission a contact of this decision rests on."""

    channel: str
    purpose: str
    basis: str
    evidence: str | None = None


class Versions(Shape):
    """What decided: the policy is the catalog's digest, `bundle` the digest of the models' files."""

    policy: str
    catalog: str
    features: str
    bundle: str
    models: dict[str, str]


class Held(Shape):
    """The place that is held: confirm it when the contact is handed over for sending, before the window closes; the lease ends five
    minutes later.
    """

    id: str
    epoch: int
    lease_until: Moment
    review: Literal["required", "approved", "rejected"] | None = None


class DecisionAnswer(Shape):
    """The answer to a decision request, self-contained."""

    decision_id: str
    decided_at: Moment
    valid_until: Moment
    mode: Literal["live", "shadow", "dry_run"]
    outcome: Literal["act", "silence"]
    probability: float
    arm: str
    degraded: list[str]
    action: Action | None = None
    reservation: Held | None = None
    plan: list[Step]
    stop_if: list[str]
    alternatives: list[Alternative]
    rejected: list[Rejected]
    postponed: list[PostponedJourney]
    consent: list[ConsentEvidence]
    versions: Versions
    simulated: bool
    explanation: Text
    store_summary: Text


class OutcomeAnswer(Shape):
    """The answer to an outcome. `matched` is false when the decision is not known here, or was made more than a day later: kept, but nothing
    follows from it.
    """

    id: str
    source: str
    decision_id: str
    matched: bool


class FieldProblem(Shape):
    """One wrong field."""

    field: str
    expected: str


class ProblemBody(Shape):
    """Every error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] | None = None
    stage: str | None = None
    reason: str | None = None
    free_at: Moment | None = None
