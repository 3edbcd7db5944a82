"""The console's pages, made from real decisions over the example catalog and served by a small application."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from arbitration.codec import decode, encode
from arbitration.decide import decide
from arbitration.domain import Attribution, Consent, Context, Contribution, CustomerId, Estimate, Estimates
from catalog.loading import EXAMPLE, load_catalog
from serving.console.formats import LANGS
from serving.console.page import page_of
from serving.console.rendering import html
from serving.console.rivals import fates_of
from serving.records import Record

POLICY = load_catalog(EXAMPLE)
NOW = datetime(2018, 1, 2, 15, 30, tzinfo=UTC)
SINCE = datetime(2017, 3, 1, tzinfo=UTC)
FEATURES = {
    "recency_days": 21.4, "gap_ratio": 2.9, "gap_mean_days": 7.4, "purchases_total": 41, "frequency_28d": 1, "frequency_182d": 20,
    "money_28d": 31.2, "money_182d": 812.5, "basket_value_182d": 40.6, "trend_frequency": 0.42, "discount_share_182d": 0.18,
    "coupon_share_182d": 0.05, "weekend_share_182d": 0.35, "tenure_days": 371.0, "support_cases_28d": 0, "contacts_all_7d": 0,
    "tier_level": 1, "money_to_next_tier": 187.5, "points_balance": 812.0, "points_expiring_30d": 0.0, "reward_value": 8.0,
    "cart_open": 0, "session_age_hours": 300.0, "active_weeks_91d": 9, "returns_182d": 0, "reward_expires_days": 61.0,
}  # fmt: skip
MARGINS = {
    "gap_ratio": 0.92, "recency_days": 0.61, "trend_frequency": 0.28, "frequency_28d": 0.22, "active_weeks_91d": -0.31,
    "tenure_days": -0.12, "money_182d": -0.2, "weekend_share_182d": 0.05, "discount_share_182d": 0.03,
    "basket_value_182d": -0.021, "returns_182d": 0.004,
}  # fmt: skip


def consent(channel: str) -> Consent:
    return Consent(channel, "marketing", "granted", "consent", f"text-7/{channel}/2017", SINCE)


def attribution(model: str, base: float, margins: dict[str, float]) -> Attribution:
    margin = base + math.fsum(margins.values())
    parts = tuple(Contribution(name, FEATURES.get(name, 1.0), margin) for name, margin in margins.items())
    return Attribution(model, base, parts, margin, 1 / (1 + math.exp(-(0.9 * margin - 0.1))))


def context(**changes: object) -> Context:
    known = Context(
        CustomerId("household-1042"), known=True, time_zone="America/New_York", locale="en", features=FEATURES,
        consents=(consent("push"), consent("email")),
    )  # fmt: skip
    return replace(known, **changes)  # type: ignore[arg-type]


def record(draw: float = 0.5, effect: float = 0.035, simulated: bool = True, **changes: object) -> Record:
    estimates = Estimates(
        Estimate(0.31, 0.0, "churn_risk", 2), Estimate(0.42, 0.0, "base_purchase", 2), Estimate(9.2, 0.0, "features", 2),
        Estimate(4.0), Estimate(0.05),
        effect={f"churn_recovery/{channel}": Estimate(effect, 0.01, "cells", 1) for channel in ("push/miss_you", "email/miss_you_favorites")},
    )  # fmt: skip
    given = context(**changes)
    decision = decide(given, estimates, POLICY, decision_id="d-1042", now=NOW, draw=draw)
    attributions = (
        attribution("churn_risk", -2.1, MARGINS),
        attribution("channel_propensity", -2.4, {"channel=push": 0.31, "click_rate_91d": -0.2, "recency_days": -0.04}),
    )
    return Record(
        client="shop", request={"request_id": "r-1"}, mode="live", now=NOW, draw=draw, context=given, estimates=estimates,
        attributions=attributions, bundle="sha256:" + "ab" * 32, models={"churn_risk": "linear-0a1b2c", "channel_propensity": "tree-3d4e5f"},
        features="sha256:0123456789abcdef", simulated=simulated, decision=decision,
    )  # fmt: skip


def rendered(given: Record, lang: str = "en") -> str:
    page = page_of(given, POLICY, "de" if lang == "de" else "en")
    return html("decision.html", page.lang, page=page)
