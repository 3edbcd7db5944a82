"""What differs between two catalogs is told in plain words."""

from __future__ import annotations

import pytest

from catalog.changes import changes
from catalog.loading import EXAMPLE, load_catalog
from tests.unit.catalog.conftest import Edit

NEW_JOURNEY = """journeys:
  birthday:
    name: {en: Birthday, de: Geburtstag}
    goal: {en: a good day, de: ein guter Tag}
    applicable: tenure_days > 365
    horizon_hours: 24
    cooldown_hours: 24
    effect_prior: 0.02
    effect_prior_sd: 0.01
    treatments:
      - {channel: push, template: cake}
      - {channel: receipt, template: cake}
"""

CHANGES = {
    "lever": ("journeys.yaml", "effect_prior: 0.014", "lever: 0.5\n    effect_prior: 0.014", ["journey Thank you (post_purchase): lever 0.00 → 0.50 USD"]),
    "rule": ("journeys.yaml", "recency_days > 56", "recency_days > 70", ["journey Come back (win_back): applicable 'recency_days > 56' → 'recency_days > 70'"]),
    "group": ("journeys.yaml", "exclusive_group: tier\n    effect_prior: 0.025", "effect_prior: 0.025", ["journey Next tier (tier_upgrade): exclusive_group tier → nothing"]),
    "journey added": ("journeys.yaml", "journeys:\n", NEW_JOURNEY, ["journey Birthday (birthday) added, on Push (push), Line on the receipt (receipt)"]),
    "treatment added": ("journeys.yaml", "      - {channel: push, template: thank_you}", "      - {channel: push, template: thank_you}\n      - {channel: sms, template: thanks}", ["journey Thank you (post_purchase): treatment SMS (sms/thanks) added"]),
    "offer": ("journeys.yaml", "face_value: 2.0", "face_value: 2.5", ["journey We miss you (churn_recovery): treatment Letter (direct_mail/miss_you_coupon): offer: face_value 2.00 → 2.50 USD"]),
    "offer gone": ("journeys.yaml", "        offer: {id: coupon_2, face_value: 2.0, redemption: 0.4}\n", "", ["journey We miss you (churn_recovery): treatment Letter (direct_mail/miss_you_coupon): offer {id: coupon_2, face_value: 2.00 USD, redemption: 0.4, points: 0} → nothing"]),
    "name": ("channels.yaml", "name: {en: Push, de: Push}", "name: {en: Push message, de: Push}", ["channel Push message (push): name: en Push → 'Push message'"]),
    "cap": ("contact_policy.yaml", "limit: 3, window_hours: 168, channels: [push", "limit: 2, window_hours: 168, channels: [push", ["cap Three messages a week (three_messages_a_week): limit 3 → 2"]),
    "cap's channels": ("contact_policy.yaml", "channels: [in_app, home_tile]", "channels: [in_app]", ["cap Two places in the app a day (app_two_a_day): channels [In-app message (in_app), Tile on the app's home page (home_tile)] → [In-app message (in_app)]"]),
    "reserve": ("contact_policy.yaml", "limit: 3, window_hours: 168, channels: [push", "limit: 3, reserve: 1, window_hours: 168, channels: [push", ["cap Three messages a week (three_messages_a_week): reserve 0 → 1"]),
    "stop factor": ("contact_policy.yaml", "stop_factor: 10.0", "stop_factor: 5.0", ["contact policy: stop_factor 10.0 → 5.0"]),
    "hourly plan": ("journeys.yaml", "    hourly_plan: 1000\n", "", ["journey Welcome (welcome): hourly_plan 1000 → nothing"]),
    "consequence": ("journeys.yaml", "template: tier_close}", "template: tier_close, consequence: price}", ["journey Next tier (tier_upgrade): treatment Push (push/tier_close): consequence none → price"]),
    "quiet hours": ("contact_policy.yaml", "quiet_to: 8", "quiet_to: 9", ["contact policy: quiet_to 8 → 9"]),
    "resource": ("resources.yaml", "price: 0.05", "price: 0.07", ["resource Call center minutes (call_capacity): price 0.05 → 0.07 USD"]),
    "small money": ("channels.yaml", "cost: 0.001", "cost: 0.0015", ["channel Push (push): cost 0.001 → 0.0015 USD"]),
    "route": ("journeys.yaml", "route_to: care}", "route_to: welcome}", ["journey Open case (open_case): treatment Hand over (handover/to_care): route_to Care (care) → Welcome (welcome)"]),
    "economics": ("economics.yaml", "margin_rate: 0.25", "margin_rate: 0.3", ["economics: margin_rate 0.25 → 0.3"]),
    "selection": ("economics.yaml", "exploration: 0.04", "exploration: 0.05", ["selection: exploration 0.04 → 0.05"]),
    "a comment": ("economics.yaml", "economics:", "# nothing\neconomics:", []),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_told_in_one_line(edited: Edit, change: tuple[str, str, str, list[str]]) -> None:
    *edit, told = change
    assert changes(load_catalog(EXAMPLE), load_catalog(edited(*edit))) == told


def test_another_currency_is_named_on_both_sides(edited: Edit) -> None:
    edited("economics.yaml", "currency: USD", "currency: EUR")
    folder = edited("economics.yaml", "tier_value_prior: 6.0", "tier_value_prior: 5.0")
    assert changes(load_catalog(EXAMPLE), load_catalog(folder)) == [
        "economics: currency USD → EUR",
        "economics: tier_value_prior 6.00 USD → 5.00 EUR",
    ]


def test_what_was_added_is_removed_the_other_way_round(edited: Edit) -> None:
    longer = load_catalog(edited("journeys.yaml", "journeys:\n", NEW_JOURNEY))
    assert changes(longer, load_catalog(EXAMPLE)) == ["journey Birthday (birthday) removed"]
