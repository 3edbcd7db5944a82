"""The example catalog loads; every mistake is told with file, line, column and mend."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from arbitration.codec import canonical_json, decode
from arbitration.errors import CatalogError
from arbitration.policy import Policy
from catalog.loading import EXAMPLE, load_catalog
from catalog.schema import SCHEMA_FILE, schema_text
from tests.unit.catalog.conftest import Edit

JOURNEYS = {
    "welcome", "earn_to_redeem", "tier_upgrade", "near_next_tier", "reward_expiry", "churn_recovery", "win_back", "cart_recovery",
    "post_purchase", "sure_buyer", "open_case", "care",
}  # fmt: skip
MESSAGES = ("push", "email", "sms", "direct_mail")
PLACES = {"in_app", "home_tile", "web_banner", "pos_note", "receipt", "call_hint", "paid_media", "handover"}


def test_the_example_has_the_shop() -> None:
    policy = load_catalog(EXAMPLE)
    assert set(policy.journeys) == JOURNEYS
    assert set(policy.channels) == {*MESSAGES, *PLACES}
    assert {name for name, channel in policy.channels.items() if channel.timing == "immediate"} == PLACES
    assert {name for name, channel in policy.channels.items() if channel.held != "False"} == {"push", "sms"}
    assert (policy.contact_policy.quiet_from, policy.contact_policy.quiet_to) == (21, 8)
    assert not policy.channels["direct_mail"].needs_consent
    assert all(0.005 <= journey.effect_prior <= 0.05 for journey in policy.journeys.values())
    assert policy.journeys["cart_recovery"].eligible == "cart_open == 1"


def test_the_caps_of_the_example_count_messages_apart_from_places() -> None:
    caps = {cap.id: cap for cap in load_catalog(EXAMPLE).contact_policy.caps}
    assert caps["one_message_a_day"].channels == caps["three_messages_a_week"].channels == MESSAGES
    assert not any(set(cap.channels) & PLACES and set(cap.channels) & set(MESSAGES) for cap in caps.values())
    assert caps["letter_one_a_month"].calendar == "month"
    assert caps["tier_two_a_week"].journeys == ("tier_upgrade", "near_next_tier")


def test_journeys_have_a_plan_that_no_demonstration_reaches_and_nothing_waits_for_a_person() -> None:
    policy = load_catalog(EXAMPLE)
    plans = {journey.hourly_plan for journey in policy.journeys.values()}
    assert {plan and plan * policy.contact_policy.stop_factor for plan in plans} == {10_000}
    assert {line.consequence for journey in policy.journeys.values() for line in journey.treatments} == {"none"}


def test_reserve_and_consequence_are_read(edited: Edit) -> None:
    edited(
        "contact_policy.yaml",
        "limit: 2, window_hours: 168, channels: [email]",
        "limit: 3, reserve: 1, window_hours: 168, channels: [email]",
    )
    folder = edited("journeys.yaml", "template: tier_close}", "template: tier_close, consequence: denial}")
    policy = load_catalog(folder)
    assert {cap.id: cap.reserve for cap in policy.contact_policy.caps if cap.reserve} == {"email_two_a_week": 1}
    marked = [line for line in policy.journeys["tier_upgrade"].treatments if line.consequence == "denial"]
    assert [line.template for line in marked] == ["tier_close"]


def test_every_kind_of_treatment_and_both_kinds_of_resource_are_in_the_example() -> None:
    policy = load_catalog(EXAMPLE)
    lines = [line for journey in policy.journeys.values() for line in journey.treatments]
    assert {line.kind for line in lines} == {"message", "module", "reward", "route", "suppress"}
    assert {line.offer.points for line in lines if line.kind == "reward" and line.offer} == {-500}
    assert [line.route_to for line in lines if line.kind == "route"] == ["care"]
    assert {resource.id: resource.price > 0 for resource in policy.resources.values()} == {
        "coupon_3_stock": False,
        "call_capacity": True,
    }


def test_the_version_is_the_digest_of_what_was_said_and_not_of_how_it_was_written(edited: Edit) -> None:
    policy = load_catalog(EXAMPLE)
    assert re.fullmatch(r"sha256:[0-9a-f]{16}", policy.version)
    commented = edited("economics.yaml", "economics:", "# one more comment\neconomics:")
    assert load_catalog(commented) == policy
    text = (commented / "economics.yaml").read_text(encoding="utf-8")
    (commented / "economics.yaml").write_text(text.replace("margin_rate: 0.25", "margin_rate: 0.26"), encoding="utf-8")
    changed = load_catalog(commented)
    assert changed.version != policy.version
    assert replace(changed, version="", economics=policy.economics) == replace(policy, version="")


def test_a_policy_survives_json() -> None:
    policy = load_catalog(EXAMPLE)
    assert decode(Policy, json.loads(canonical_json(policy))) == policy


def test_the_json_schema_is_current() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run: python -m catalog.schema"


MISTAKES = {
    "unknown setting": ("channels.yaml", "    pressure: 0.8", "    presure: 0.8", "there is no setting 'presure'", "did you mean 'pressure'"),
    "wrong type": ("channels.yaml", "    wait_hours: 24", "    wait_hours: soon", "valid integer, found 'soon'", "correct"),
    "number as text": ("channels.yaml", "    cost: 0.001", "    cost: '0.001'", "valid number, found '0.001'", "correct"),
    "out of bounds": ("channels.yaml", "    opt_out_prior: 0.002", "    opt_out_prior: 2", "less than or equal to 1, found 2", "correct"),
    "not a number": ("channels.yaml", "    cost: 0.001", "    cost: .nan", "finite number", "correct"),
    "unknown choice": ("channels.yaml", "    timing: scheduled", "    timing: later", "'scheduled' or 'immediate', found 'later'", "correct"),
    "missing setting": ("channels.yaml", "    needs_consent: true\n", "", "channels.push.needs_consent is missing", "add 'needs_consent:'"),
    "YAML": ("channels.yaml", "    cost: 0.001", "    cost: [0.001", "expected", "check indentation"),
    "tab": ("channels.yaml", "    cost: 0.001", "\tcost: 0.001", "", "check indentation"),
    "double key": ("channels.yaml", "    pressure: 0.8", "    pressure: 0.8\n    pressure: 0.9", "'pressure' stands here twice", "rename or remove"),
    "indentation": ("journeys.yaml", "    horizon_hours: 168\n    cooldown_hours: 336", "   horizon_hours: 168\n    cooldown_hours: 336", "the indentation differs", "check indentation"),
    "decimal comma": ("channels.yaml", "    pressure: 0.8", "    pressure: 0,8", "found '0,8'", "write 0.8"),
    "unknown channel": ("journeys.yaml", "{channel: push, template: reward_ready}", "{channel: pusch, template: reward_ready}", "there is no channel 'pusch'", "did you mean 'push'"),
    "cap on unknown channel": ("contact_policy.yaml", "channels: [sms]", "channels: [smss]", "there is no channel 'smss'", "did you mean 'sms'"),
    "double cap": ("contact_policy.yaml", "id: three_messages_a_week", "id: one_message_a_day", "'one_message_a_day' stands here twice", "keep one"),
    "cap on unknown journey": ("contact_policy.yaml", "[tier_upgrade,", "[tier_upgrad,", "there is no journey 'tier_upgrad'", "did you mean 'tier_upgrade'"),
    "channel twice in a cap": ("contact_policy.yaml", "[in_app, home_tile]", "[in_app, in_app]", "'in_app' stands here twice", "keep one"),
    "cap without a time": ("contact_policy.yaml", " calendar: month,", "", "does not say in what time", "add 'window_hours: 168' or"),
    "cap with two times": ("contact_policy.yaml", "calendar: month,", "calendar: month, window_hours: 24,", "both window_hours and calendar", "keep one"),
    "reserve of the whole limit": ("contact_policy.yaml", "limit: 2, window_hours: 168, channels: [email]", "limit: 2, reserve: 2, window_hours: 168, channels: [email]", "a reserve of 2 leaves marketing nothing of a limit of 2", "lower it"),
    "reserve below nothing": ("contact_policy.yaml", "limit: 2, window_hours: 168, channels: [email]", "limit: 2, reserve: -1, window_hours: 168, channels: [email]", "greater than or equal to 0, found -1", "correct"),
    "plan of nothing": ("journeys.yaml", "hourly_plan: 1000", "hourly_plan: 0", "greater than or equal to 1, found 0", "correct"),
    "stopped within the plan": ("contact_policy.yaml", "stop_factor: 10.0", "stop_factor: 0.5", "greater than or equal to 1, found 0.5", "correct"),
    "unknown consequence": ("journeys.yaml", "template: tier_close}", "template: tier_close, consequence: prize}", "found 'prize'", "correct"),
    "unknown calendar": ("contact_policy.yaml", "calendar: month", "calendar: year", "'day', 'week' or 'month', found 'year'", "correct"),
    "cap without a name": ("contact_policy.yaml", "name: {en: One SMS a week, de: Eine SMS in der Woche}, ", "", "name is missing", "add 'name:'"),
    "resource on unknown offer": ("resources.yaml", "offer: coupon_3", "offer: coupon_33", "there is no offer 'coupon_33'", "did you mean 'coupon_3'"),
    "resource on unknown channel": ("resources.yaml", "channel: call_hint", "channel: cal_hint", "there is no channel 'cal_hint'", "did you mean 'call_hint'"),
    "resource without end": ("resources.yaml", "limit: 300", "limit: 0", "greater than or equal to 1, found 0", "correct"),
    "route to unknown journey": ("journeys.yaml", "route_to: care", "route_to: caer", "there is no journey 'caer'", "did you mean 'care'"),
    "route to nowhere": ("journeys.yaml", ", route_to: care", "", "does not say where to", "add 'route_to:'"),
    "route to itself": ("journeys.yaml", "route_to: care", "route_to: open_case", "'open_case' routes to itself", "name the journey"),
    "message that routes": ("journeys.yaml", "template: tier_close}", "template: tier_close, route_to: care}", "a message routes nowhere", "write 'kind: route'"),
    "suppression with an offer": ("journeys.yaml", "kind: suppress}", "kind: suppress, offer: {id: a, face_value: 1.0}}", "brings no offer", "remove the offer"),
    "reward without an offer": ("journeys.yaml", "template: tier_close}", "template: tier_close, kind: reward}", "a reward needs an offer", "add 'offer:'"),
    "points beside the offer": ("journeys.yaml", "template: tier_close}", "template: tier_close, points: -500}", "there is no setting 'points'", "known are"),
    "points in parts": ("journeys.yaml", "points: 20}", "points: 20.5}", "valid integer, found 20.5", "correct"),
    "unknown kind": ("journeys.yaml", "kind: suppress}", "kind: supress}", "found 'supress'", "correct"),
    "unknown strategy": ("economics.yaml", "strategy: inverse_gap", "strategy: bold", "found 'bold'", "correct"),
    "rule of a held channel": ("channels.yaml", "held: in_store == 1", "held: in_stor == 1", "held: there is no feature 'in_stor'", "did you mean 'in_store'"),
    "held is no question": ("channels.yaml", "held: in_store == 1", "held: in_store", "not a yes-or-no question", "compare it"),
    "double treatment": ("journeys.yaml", "{channel: push, template: welcome_short}", "{channel: email, template: welcome_letter}", "stands here twice", "keep one"),
    "floor above exploration": ("economics.yaml", "silence_floor: 0.01", "silence_floor: 0.2", "above exploration", "lower it"),
    "bad identifier": ("journeys.yaml", "  win_back:", "  Win Back:", "match pattern", "correct"),
    "unknown feature": ("journeys.yaml", "tier_level < 2", "teir_level < 2", "eligible: there is no feature 'teir_level'", "did you mean 'tier_level'"),
    "channel feature without channel": ("journeys.yaml", "tier_level < 2", "contacts_28d < 2", "there is no feature 'contacts_28d'", "contacts_28d'?"),
    "text against number": ("journeys.yaml", "tier_level < 2", "tier_level < 'gold'", "''gold'' is a text, not a number", "write a number"),
    "not a question": ("journeys.yaml", "tier_level < 2", "tier_level + 2", "not a yes-or-no question", "compare it"),
    "bare feature in and": ("journeys.yaml", "tier_level < 2", "tier_level and recency_days > 2", "is a number, not a yes or no", "write a yes or no"),
    "rule that is no rule": ("journeys.yaml", "tier_level < 2", "tier_level <", "eligible: this is not a rule", "write a comparison"),
    "call in a rule": ("journeys.yaml", "tier_level < 2", "len(tier_level) < 2", "'len(tier_level)' is not allowed", "write a comparison"),
    "rule of a channel": ("channels.yaml", "session_age_hours <= 0.5", "session_age <= 0.5", "available: there is no feature", "session_age_hours"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place_and_mend(edited: Edit, mistake: tuple[str, str, str, str, str]) -> None:
    file, old, new, what, mend = mistake
    folder = edited(file, old, new)
    before = (EXAMPLE / file).read_text(encoding="utf-8").split(old)[0]
    with pytest.raises(CatalogError) as caught:
        load_catalog(folder)
    error = caught.value
    path, line, column = error.where.rsplit(":", 2)
    assert path == str(folder / file)
    assert what in error.what
    assert mend in error.mend
    assert "\n" not in str(error)
    assert int(column) >= 1
    expected = before.count("\n") + 1
    # A missing setting is told at its parent; a YAML parser notices an open bracket some lines later, and a key's second time.
    at_parent = error.what.endswith("is missing") and int(line) < expected
    second = old in new and "twice" in error.what and int(line) == expected + 1
    assert int(line) == expected or at_parent or second or "check" in error.mend


def test_all_mistakes_of_a_load_are_told_in_the_order_of_files_and_lines(edited: Edit) -> None:
    folder = edited("channels.yaml", "    pressure: 0.8", "    presure: 0.8")
    for mistake in (
        ("channels.yaml", "cost: 0.03", "cost: dear"),
        ("contact_policy.yaml", "channels: [sms]", "channels: [smss]"),
        ("economics.yaml", "silence_floor: 0.01", "silence_floor: 0.2"),
        ("journeys.yaml", "eligible: tier_level < 2", "eligible: teir_level < 2"),
        ("journeys.yaml", "applicable: recency_days > 56", "applicable: recency > 56"),
    ):
        edited(*mistake)
    with pytest.raises(CatalogError) as caught:
        load_catalog(folder)
    lines = str(caught.value).splitlines()
    whats = [
        "no setting 'presure'",
        "found 'dear'",
        "no channel 'smss'",
        "above exploration",
        "'teir_level'",
        "'recency'",
    ]
    assert [what in line for what, line in zip(whats, lines, strict=True)] == [True] * 6
    places = [re.match(r"(.*):(\d+):(\d+): ", line) for line in lines]
    assert all(places)
    found = [(place[1], int(place[2])) for place in places if place]
    assert found == sorted(found)


def test_a_file_that_cannot_be_read_does_not_hide_the_mistakes_of_the_others(edited: Edit) -> None:
    folder = edited("channels.yaml", "    cost: 0.001", "    cost: [0.001")
    edited("contact_policy.yaml", "quiet_to: 8", "quiet_to: 25")
    with pytest.raises(CatalogError) as caught:
        load_catalog(folder)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "channels.yaml" in lines[0]
    assert "quiet_to" in lines[1]


@pytest.mark.parametrize("part", ["channels", "journeys", "contact_policy", "resources", "selection"])
@pytest.mark.parametrize("content", ["5", "[a, 5, {}]", "{a: 5, 7: {x: []}, treatments: {}}", "", "{a: {treatments: [5, {channel: [], kind: {}}]}}"])  # fmt: skip
def test_whatever_stands_in_a_part_is_a_mistake_and_no_crash(edited: Edit, part: str, content: str) -> None:
    folder = edited("economics.yaml", "economics:", "economics:")
    for file in folder.glob("*.yaml"):
        if f"\n{part}:" in file.read_text(encoding="utf-8"):
            file.unlink()
    (folder / "part.yaml").write_text(f"{part}: {content}\n", encoding="utf-8")
    with pytest.raises(CatalogError):
        load_catalog(folder)


def test_a_catalog_beyond_all_measure_is_refused(edited: Edit) -> None:
    folder = edited("economics.yaml", "economics:", "economics:")
    lines = "\n".join(f"      - {{channel: push, template: t{number}}}" for number in range(41))
    text = (folder / "journeys.yaml").read_text(encoding="utf-8")
    (folder / "journeys.yaml").write_text(text.rstrip() + "\n" + lines + "\n", encoding="utf-8")
    with pytest.raises(CatalogError, match="at most 40 items"):
        load_catalog(folder)


def test_the_column_of_a_rule_points_into_the_rule(edited: Edit) -> None:
    folder = edited("journeys.yaml", "applicable: recency_days > 56", "applicable: recency_days > 56 and odd == 1")
    with pytest.raises(CatalogError) as caught:
        load_catalog(folder)
    _, line, column = caught.value.where.rsplit(":", 2)
    text = (folder / "journeys.yaml").read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert text[int(column) - 1 :].startswith("odd == 1")


def test_the_column_of_a_value_points_at_the_value(edited: Edit) -> None:
    folder = edited("contact_policy.yaml", "quiet_to: 8", "quiet_to: 25")
    with pytest.raises(CatalogError) as caught:
        load_catalog(folder)
    _, line, column = caught.value.where.rsplit(":", 2)
    text = (folder / "contact_policy.yaml").read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert text[int(column) - 1 :] == "25"


def test_a_channel_feature_may_be_used_with_its_channel(edited: Edit) -> None:
    folder = edited("journeys.yaml", "tier_level < 2", "push.contacts_28d < 2 and tier_level in [0, 1]")
    assert load_catalog(folder).journeys["tier_upgrade"].eligible.startswith("push.contacts_28d")


def test_a_key_in_two_files_is_refused(edited: Edit) -> None:
    folder = edited("economics.yaml", "economics:", "economics:")
    (folder / "more.yaml").write_text("selection: {}\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"more.yaml:1:1: 'selection' stands in economics.yaml too"):
        load_catalog(folder)


@pytest.mark.parametrize(
    ("content", "what"),
    [("", "expected keys"), ("- a\n", "expected keys"), ("jurneys: {}\n", "there is no setting 'jurneys'")],
)
def test_a_file_that_is_no_part_of_a_catalog_is_refused(edited: Edit, content: str, what: str) -> None:
    folder = edited("economics.yaml", "economics:", "economics:")
    (folder / "zz.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(CatalogError, match=what) as caught:
        load_catalog(folder)
    assert "zz.yaml:1:1" in caught.value.where


def test_a_file_that_is_not_text_is_refused(edited: Edit) -> None:
    folder = edited("economics.yaml", "economics:", "economics:")
    (folder / "zz.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogError, match="not UTF-8"):
        load_catalog(folder)


def test_a_missing_part_and_a_missing_folder_are_named(edited: Edit, tmp_path: Path) -> None:
    folder = edited("economics.yaml", "economics:", "economics:")
    (folder / "journeys.yaml").unlink()
    with pytest.raises(CatalogError, match="'journeys:' is in no file"):
        load_catalog(folder)
    with pytest.raises(CatalogError, match="there is no catalog here"):
        load_catalog(tmp_path / "nowhere")
