"""What a decision consists of: rejections, values, the ranked candidates, the plan, the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from arbitration.estimate import Estimate
from arbitration.situation import Candidate, CustomerId, FeatureValue

Arm = Literal["exploit", "explore", "holdout", "silence_floor"]
Stage = Literal["consent", "contact_policy", "eligibility", "selection"]


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
    """Expected incremental money of a candidate and its parts; `net` is exactly the sum of the parts in the order of `PARTS`.

    `low` and `high` are net at mean -/+ one standard deviation of the effect. `decided_on` is the pessimistic
    number that ranks (mean - half a standard deviation). `tiers` holds the evidence tier of each part, in the same order;
    `tier` is the lowest among effect, opt-out and money.
    """

    margin: float
    future: float
    progress: float
    channel_cost: float
    incentive_cost: float
    subsidy_cost: float
    points_cost: float
    opt_out_cost: float
    attention_cost: float
    shadow_cost: float
    lever: float
    net: float
    low: float
    high: float
    decided_on: float
    tier: int
    tiers: tuple[int, ...]


PARTS = (
    "margin", "future", "progress", "channel_cost", "incentive_cost", "subsidy_cost", "points_cost", "opt_out_cost",
    "attention_cost", "shadow_cost", "lever",
)  # fmt: skip
"""Names of the parts of a `Value`, in the order in which they are summed."""


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
