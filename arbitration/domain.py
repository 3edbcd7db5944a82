"""The vocabulary: every noun of a decision, one word per thing (see `docs/vocabulary.md`).

All types are frozen. Money is a float in the shop's currency. Every moment is an aware `datetime` in UTC;
local time exists only inside the gates and the window builder, through the customer's IANA time zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NewType

from arbitration import explanation

CustomerId = NewType("CustomerId", str)
FeatureValue = float | int | str | bool | None
Purpose = Literal["marketing", "service"]
ConsentState = Literal["granted", "denied", "withdrawn"]
LegalBasis = Literal["consent", "existing_customer_7_3", "contract", "none"]
Arm = Literal["exploit", "explore", "holdout", "silence_floor"]
Stage = Literal["consent", "contact_policy", "eligibility", "selection"]
Explanation = explanation.Explanation
SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class SendWindow:
    """One admissible stretch of time. `slot` is the hour-of-week slot: weekday (Monday 0) * 6 + local hour // 4, 0 to 41."""

    opens_at: datetime
    closes_at: datetime
    slot: int


@dataclass(frozen=True, slots=True)
class Offer:
    """The benefit inside a treatment. `face_value` is the money it costs when used, `redemption` the share of buyers who use it."""

    id: str
    face_value: float
    redemption: float = 1.0


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a journey speaks on one channel."""

    journey: str
    channel: str
    template: str
    offer: Offer | None = None

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
    """Permission for channel and purpose, with its legal basis, evidence and validity."""

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
    engaged, so the journey may go on with its next channel; None is unknown and ends the journey's run.
    """

    journey: str
    channel: str
    sent_at: datetime
    purpose: Purpose = "marketing"
    engaged: bool | None = None


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


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number a model or a prior believes: mean, standard deviation, who said so, and its evidence tier.

    Tiers: 0 rules and priors, 1 cell means, 2 individual model.
    """

    mean: float
    sd: float = 0.0
    source: str = "prior"
    tier: int = 0


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature added to a model's raw margin (log-odds), and the value it had."""

    feature: str
    value: FeatureValue
    margin: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """A model's margin taken apart: base + sum of contributions = margin, within 1e-6; `probability` is after calibration."""

    model: str
    base: float
    contributions: tuple[Contribution, ...]
    margin: float
    probability: float


@dataclass(frozen=True, slots=True)
class Estimates:
    """What the models believe for one context. Keys: treatment id, channel id, or slot number as text.

    churn_risk       P(no purchase in the next 28 days), for a customer active in the last 56
    base_purchase    P(purchase in the effect window without any contact)
    basket_margin    M: money earned by one more purchase now
    recency_value    delta * (V+ - V-): money gained by being a recent buyer rather than not
    attention_price  phi: money per unit of contact pressure
    propensity       treatment id -> P(engage); sets reach, and the individual part of `effect`
    effect           treatment id -> tau: incremental purchases per contact
    timing           slot -> engagement relative to the pooled mean (1.0), already shrunk
    opt_out          channel -> P(opt-out because of one contact)
    reach_value      channel -> W: money lost when the customer can no longer be reached there
    """

    churn_risk: Estimate
    base_purchase: Estimate
    basket_margin: Estimate
    recency_value: Estimate
    attention_price: Estimate
    propensity: Mapping[str, Estimate] = field(default_factory=dict)
    effect: Mapping[str, Estimate] = field(default_factory=dict)
    timing: Mapping[str, Estimate] = field(default_factory=dict)
    opt_out: Mapping[str, Estimate] = field(default_factory=dict)
    reach_value: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A candidate removed by a gate. `code` is the gate's function name, `free_at` when it would pass.

    `missing` is what is unknown, `by` what stood in the way: the cap's id, the exclusive group, the consent's evidence.
    """

    candidate: Candidate
    stage: Stage
    code: str
    free_at: datetime | None = None
    missing: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """Expected incremental money of a candidate and its parts; `net` is exactly the sum of the parts in this order.

    `low` and `high` are net at mean -/+ one standard deviation of the effect. `decided_on` is the pessimistic
    number that ranks (mean - half a standard deviation). `tier` is the lowest evidence tier among effect, opt-out and money.
    """

    margin: float
    future: float
    channel_cost: float
    incentive_cost: float
    opt_out_cost: float
    attention_cost: float
    shadow_cost: float
    lever: float
    net: float
    low: float
    high: float
    decided_on: float
    tier: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate that passed every gate, with its value and the probability with which the policy chose it."""

    candidate: Candidate
    value: Value
    propensity: Estimate
    probability: float


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step of the plan; the next runs after `wait_hours` if `advance_if` holds, unless `stop_if` happened. After
    `expires_at` it must not be sent. `expected_value` is the step's own net, given that it is reached.
    """

    candidate: Candidate
    send_at: datetime
    wait_hours: float
    advance_if: str
    stop_if: tuple[str, ...]
    expires_at: datetime
    expected_value: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered steps that follow from a decision; only the first is committed. `expected_value` by backward induction."""

    steps: tuple[PlanStep, ...]
    expected_value: float


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason code with the facts its sentence needs (`arbitration/explain.py` has the sentences, German and English)."""

    code: str
    facts: Mapping[str, FeatureValue]


@dataclass(frozen=True, slots=True)
class Decision:
    """The one answer for one customer and moment, with every intermediate.

    `winner` is None when silence won. `ranked` is ordered by `decided_on`, best first; their probabilities and
    `silence_probability` sum to exactly 1. Every proposed candidate is in `ranked` or in `rejections`, once.
    """

    decision_id: str
    customer_id: CustomerId
    decided_at: datetime
    valid_until: datetime
    outcome: Literal["act", "silence"]
    arm: Arm
    winner: Ranked | None
    probability: float
    silence_probability: float
    ranked: tuple[Ranked, ...]
    rejections: tuple[Rejection, ...]
    plan: Plan
    reasons: tuple[Reason, ...]
    degraded: tuple[str, ...]
    policy_version: str
    time_zone: str | None = None
