"""What is correct but hardly meant is told with its place; the example catalog leaves no doubt."""

from __future__ import annotations

import pytest

from catalog.doubts import doubts
from catalog.loading import EXAMPLE, read_catalog
from tests.unit.catalog.conftest import Edit

DOUBTS = {
    "rule outside a feature's range": ("journeys.yaml", "applicable: recency_days > 56", "applicable: recency_days < 0", "'win_back' can never speak: applicable can never hold", "recency_days < 0"),
    "rule against itself": ("journeys.yaml", "applicable: recency_days > 56", "applicable: recency_days > 56 and recency_days < 28", "applicable can never hold", "recency_days > 56"),
    "rules against each other": ("journeys.yaml", "applicable: recency_days > 56", "applicable: recency_days > 56 and purchases_total < 2", "can never hold together", "recency_days > 56"),
    "flag of neither": ("journeys.yaml", "eligible: cart_open == 1", "eligible: cart_open == 2", "eligible can never hold", "cart_open == 2"),
    "channel that is closed then": ("channels.yaml", "reach_value_prior: 9.0", "reach_value_prior: 9.0\n    available: cart_open == 1 and recency_days > 5000", "'email' is never available when 'welcome' speaks", "email"),
    "scheduled channel that is closed": ("channels.yaml", "reach_value_prior: 9.0", "reach_value_prior: 9.0\n    available: \"False\"", "'email' is never available when 'welcome' speaks", "email"),
    "channel that is held then": ("journeys.yaml", "eligible: cart_open == 1", "eligible: cart_open == 1 and in_store == 1", "'push' is always held when 'cart_recovery' speaks", "push"),
    "reward beyond the rules": ("journeys.yaml", "applicable: reward_value >= 5 and", "applicable: points_balance < 500 and reward_value >= 5 and", "nobody for whom 'earn_to_redeem' speaks holds the 500 points", "offer:"),
    "cap within a cap": ("contact_policy.yaml", "limit: 2, window_hours: 168, channels: [email]", "limit: 3, window_hours: 168, channels: [email]", "cap 'email_two_a_week' is never reached: 'three_messages_a_week'", "- {id: email_two_a_week"),
    "cap by the hour within a day": ("contact_policy.yaml", "limit: 3, window_hours: 168, channels: [push", "limit: 7, window_hours: 168, channels: [push", "cap 'three_messages_a_week' is never reached: 'one_message_a_day'", "- {id: three_messages_a_week"),
    "cap within what another's reserve leaves": ("contact_policy.yaml", "limit: 3, window_hours: 168, channels: [push, email, sms, direct_mail]", "limit: 9, reserve: 7, window_hours: 168, channels: [push, email, sms, direct_mail]", "cap 'email_two_a_week' is never reached: 'three_messages_a_week'", "- {id: email_two_a_week"),
    "month within a week": ("contact_policy.yaml", "limit: 1, calendar: month, channels: [direct_mail]", "limit: 15, calendar: month, channels: [direct_mail]", "cap 'letter_one_a_month' is never reached", "- {id: letter_one_a_month"),
    "cap that says the same": ("contact_policy.yaml", "limit: 1, calendar: month, channels: [direct_mail]}", "limit: 1, calendar: month, channels: [direct_mail]}\n    - {id: again, name: {en: a, de: a}, limit: 1, calendar: month, channels: [direct_mail]}", "cap 'again' is never reached: 'letter_one_a_month'", "- {id: again"),
    "cap on service": ("contact_policy.yaml", "journeys: [tier_upgrade, near_next_tier]", "journeys: [care]", "cap 'tier_two_a_week' never stops anything", "- {id: tier_two_a_week"),
    "cap on a channel that its journeys lack": ("contact_policy.yaml", "journeys: [tier_upgrade, near_next_tier]", "journeys: [near_next_tier], channels: [sms]", "cap 'tier_two_a_week' never stops anything", "- {id: tier_two_a_week"),
    "journey that cannot win": ("journeys.yaml", "effect_prior: 0.014\n    effect_prior_sd: 0.008", "effect_prior: 0.001\n    effect_prior_sd: 0.0", "'post_purchase' can never win", "0.001"),
    "lever larger than the value": ("journeys.yaml", "effect_prior: 0.014", "lever: 2.0\n    effect_prior: 0.014", "the lever adds 2.000 USD to the", "2.0"),
    "lever larger than what most customers are worth": ("journeys.yaml", "effect_prior: 0.014", "lever: 0.21\n    effect_prior: 0.014", "the lever adds 0.210 USD to the", "0.21"),
    "lever that always silences": ("journeys.yaml", "effect_prior: 0.014", "lever: -2.0\n    effect_prior: 0.014", "the lever takes 2.000 USD from the", "-2.0"),
    "effect never seen": ("journeys.yaml", "effect_prior: 0.05", "effect_prior: 0.5", "an effect of 0.5 purchases per contact has never been seen", "0.5"),
    "effect far from the others": ("journeys.yaml", "effect_prior: 0.05", "effect_prior: 0.15", "an effect of 0.15 is 5.0 times that of the other journeys", "0.15"),
    "offer larger than what a purchase earns": ("journeys.yaml", "offer: {id: coupon_2, face_value: 2.0", "offer: {id: coupon_2, face_value: 8.0", "'coupon_2' costs 8.00 USD when used, a purchase earns 7.25", "offer:"),
    "points larger than what a purchase earns": ("journeys.yaml", "points: 20}", "points: 2000}", "'bonus_points_20' costs 18.00 USD", "offer:"),
    "channel that is held whenever it is available": ("channels.yaml", "available: in_store == 1", "available: in_store == 1\n    held: in_store == 1", "'pos_note' can never be used: whenever 'available' holds, so does 'held'", "in_store == 1"),
    "group of one": ("journeys.yaml", "exclusive_group: points", "exclusive_group: point", "'earn_to_redeem' is alone in its exclusive_group 'point'", "point"),
    "quiet hours off": ("contact_policy.yaml", "quiet_to: 8", "quiet_to: 21", "there are no quiet hours, because they begin and end at 21:00", "21"),
    "quiet hours nearly all day": ("contact_policy.yaml", "quiet_to: 8", "quiet_to: 18", "quiet hours leave 3 of 24 hours, from 18:00 to 21:00", "18"),
    "quiet hours that leave the time around midnight": ("contact_policy.yaml", "quiet_from: 21\n  quiet_to: 8", "quiet_from: 2\n  quiet_to: 23", "quiet hours leave 3 of 24 hours, from 23:00 to 2:00", "23"),
    "one offer with two face values": ("journeys.yaml", "template: come_back_letter\n        offer: {id: coupon_3, face_value: 3.0", "template: come_back_letter\n        offer: {id: coupon_3, face_value: 4.0", "'coupon_3' is 4.00 USD with 0 points here and 3.00 USD with 0 points in 'win_back'", "offer:"),
    "one offer with two numbers of points": ("journeys.yaml", "template: reward_at_the_till, kind: reward, offer: {id: reward_5, face_value: 0.0, redemption: 0.25, points: -500", "template: reward_at_the_till, kind: reward, offer: {id: reward_5, face_value: 0.0, redemption: 0.25, points: -400", "'reward_5' is 0.00 USD with -400 points here and 0.00 USD with -500 points in 'earn_to_redeem'", "offer:"),
    "offer paid twice": ("journeys.yaml", "face_value: 0.0, redemption: 0.25, points: -500", "face_value: 5.0, redemption: 0.25, points: -500", "'reward_5' is paid twice: with 500 points, and with 5.00 USD", "offer:"),
    "exploration above the promise": ("economics.yaml", "exploration: 0.04", "exploration: 0.05", "up to 5.0% of decisions are not the favorite, 4% is what is promised", "0.05"),
    "two journeys of one name": ("journeys.yaml", "name: {en: Come back, de: Komm zurück}", "name: {en: we miss you, de: Komm zurück}", "'win_back' and 'churn_recovery' have the same name 'we miss you'", "we miss you"),
    "two channels of one name": ("channels.yaml", "name: {en: Letter, de: Brief}", "name: {en: Letter, de: E-Mail}", "'direct_mail' and 'email' have the same name 'E-Mail'", "E-Mail"),
    "name that is longer than a glance": ("journeys.yaml", "name: {en: Thank you, de: Danke}", "name: {en: Thank you, de: Vielen Dank für deinen Einkauf}", "'Vielen Dank für deinen Einkauf' has 5 words, the associate sees 4 at most", "Vielen Dank"),
}  # fmt: skip


@pytest.mark.parametrize("doubt", DOUBTS.values(), ids=DOUBTS)
def test_a_doubt_is_told_with_its_place(edited: Edit, doubt: tuple[str, str, str, str, str]) -> None:
    file, old, new, what, points_at = doubt
    folder = edited(file, old, new)
    found = [one for one in doubts(*read_catalog(folder)) if what in one.what]
    assert found
    spot = found[0].spot
    line = (folder / spot.file.rsplit("/", 1)[1]).read_text(encoding="utf-8").splitlines()[spot.line - 1]
    at = max(0, spot.column - 1 - (2 if points_at.startswith("- ") else 0))
    assert line[at:].startswith(points_at)
    assert found[0].mend


def test_the_example_leaves_no_doubt() -> None:
    assert doubts(*read_catalog(EXAMPLE)) == []


DOUBTLESS = {
    "exploration as promised": ("economics.yaml", "exploration: 0.04", "exploration: 0.039"),
    "four open hours": ("contact_policy.yaml", "quiet_to: 8", "quiet_to: 17"),
    "name of four words": ("journeys.yaml", "name: {en: Thank you, de: Danke}", "name: {en: Thank you very much, de: Danke}"),
    "equal names in two languages": ("journeys.yaml", "name: {en: Thank you, de: Danke}", "name: {en: Danke, de: Danke}"),
    "held at another place than available": ("channels.yaml", "available: session_age_hours <= 0.5", "available: session_age_hours <= 0.5\n    held: in_store == 1"),
    "small lever": ("journeys.yaml", "effect_prior: 0.014", "lever: 0.02\n    effect_prior: 0.014"),
    "small lever against it": ("journeys.yaml", "effect_prior: 0.014", "lever: -0.02\n    effect_prior: 0.014"),
    "one offer that is used more often in one place": ("journeys.yaml", "face_value: 3.0, redemption: 0.5", "face_value: 3.0, redemption: 0.4"),
}  # fmt: skip


@pytest.mark.parametrize("edit", DOUBTLESS.values(), ids=DOUBTLESS)
def test_what_is_meant_leaves_no_doubt(edited: Edit, edit: tuple[str, str, str]) -> None:
    assert doubts(*read_catalog(edited(*edit))) == []


def test_a_placeholder_for_a_caller_is_no_doubt(edited: Edit) -> None:
    folder = edited("channels.yaml", "available: session_age_hours <= 0.5", 'available: "False"')
    assert doubts(*read_catalog(folder)) == []  # whoever names an immediate channel opens it


def test_doubts_come_in_the_order_of_files_and_lines(edited: Edit) -> None:
    edited("journeys.yaml", "effect_prior: 0.05", "effect_prior: 0.5")
    edited("journeys.yaml", "applicable: recency_days > 56", "applicable: recency_days < 0")
    folder = edited("contact_policy.yaml", "limit: 2, window_hours: 168, channels: [email]", "limit: 3, window_hours: 168, channels: [email]")  # fmt: skip
    found = [one.order for one in doubts(*read_catalog(folder))]
    assert len(found) == 3
    assert found == sorted(found)
