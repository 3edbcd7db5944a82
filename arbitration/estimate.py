"""What models and priors believe of one customer, with who said so and on which evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from arbitration.situation import FeatureValue


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
    """A model's margin taken apart: base + sum of contributions = margin, within 1e-6; `probability` is after calibration
    (an amount where the margin is log money).
    """

    model: str
    base: float
    contributions: tuple[Contribution, ...]
    margin: float
    probability: float


@dataclass(frozen=True, slots=True)
class LikelyCategory:
    """The product category that the next purchase is most likely mostly of, with its probability, who said so, and the evidence tier."""

    category: str
    probability: float
    source: str
    tier: int


@dataclass(frozen=True, slots=True)
class Estimates:
    """What the models believe for one context. Keys: treatment id, channel id, or slot number as text.

    churn_risk       P(no purchase in the next 28 days), for a customer active in the last 56
    base_purchase    P(purchase in the effect window without any contact)
    basket_margin    M: money earned by one more purchase now
    recency_value    delta * (V+ - V-): money gained by being a recent buyer rather than not
    tier_progress    money gained because one more purchase brings the next loyalty tier closer
    attention_price  phi: money per unit of contact pressure
    propensity       treatment id -> P(engage); sets reach, and the individual part of `effect`
    effect           treatment id -> tau: incremental purchases per contact
    timing           slot -> engagement relative to the pooled mean (1.0), already shrunk
    opt_out          channel -> P(opt-out because of one contact)
    reach_value      channel -> W: money lost when the customer can no longer be reached there
    next_category    what a message may be about; no value and no choice depends on it; None: unknown
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
    tier_progress: Estimate = Estimate(0.0)
    next_category: LikelyCategory | None = None
