"""Counterfactuals: every one that is shown flips, when its change is made by other code than the code that proposed it."""

from __future__ import annotations

import json
import re
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from arbitration.changes import Start, applied, proposals
from arbitration.codec import decode, encode
from arbitration.counterfactual import KINDS, SHOWN, _kept, counterfactuals
from arbitration.decide import decide
from arbitration.domain import Context, Decision, Estimate, Estimates
from arbitration.explanation import Change, Counterfactual
from arbitration.policy import BusinessName, Cap, Policy
from arbitration.thresholds import AMOUNTS, EVENTS, happened, nearest
from features.registry import FEATURES
from tests.cases.test_cases import FOLDER, merged
from tests.unit.arbitration.situations import LAWS, POLICY, situations
from tests.unit.arbitration.test_decide import Situation

BASE = json.loads((FOLDER / "base.json").read_text(encoding="utf-8"))
MORE = settings(LAWS, max_examples=40)
ONE = Cap("one_a_month", BusinessName("One a month", "Eine im Monat"), 1, 672)
TIGHT = replace(
    POLICY,
    journeys={
        journey.id: replace(journey, lever=(0.6, -0.3, 0.0)[number % 3])
        for number, journey in enumerate(POLICY.journeys.values())
    },
    contact_policy=replace(POLICY.contact_policy, caps=(ONE, *POLICY.contact_policy.caps)),
)
"""The example shop with levers that count and one contact a month."""


def favorite(decision: Decision) -> str:
    """Spelled out again, so that a mistake in the one is not made in the other."""
    if decision.ranked and decision.ranked[0].value.decided_on > 0:
        return decision.ranked[0].candidate.treatment.id
    return "silence"


def by_hand(change: Change, context: Context, policy: Policy, now: datetime) -> tuple[Context, Policy, datetime]:
    """The change, made on plain JSON by what docs/reasons.md says about it."""
    person: dict[str, Any] = encode(context)
    rules: dict[str, Any] = deepcopy(encode(policy))
    if change.kind == "feature":
        features = person["features"] | {change.what: change.after}
        if (change.what, change.after) == ("recency_days", 0):
            counted = [name for name in features if name == "purchases_total" or re.match(r"frequency_\d+d$", name)]
            features |= {name: features[name] + 1 for name in counted if features[name] is not None}
            features |= {"gap_ratio": 0.0} if features.get("gap_ratio") is not None else {}
        person["features"] = features
    elif change.kind == "consent":
        channel, purpose = change.what.split("/")
        proof = {"legal_basis": "consent", "evidence_id": "by-hand", "valid_from": encode(now), "valid_to": None}
        person["consents"].append({"channel": channel, "purpose": purpose, "state": change.after} | proof)
    elif change.kind == "contact":
        journey, channel = change.what.split("/")
        same = [
            one
            for one in person["contacts"]
            if (one["journey"], one["channel"], one["sent_at"]) == (journey, channel, change.before)
        ]
        person["contacts"].remove(same[0])
    elif change.kind == "cap":
        cap = next(one for one in rules["contact_policy"]["caps"] if one["id"] == change.what)
        assert change.before == cap["limit"] == change.after - 1  # type: ignore[operator]
        cap["limit"] = change.after
    elif change.kind == "lever":
        assert rules["journeys"][change.what]["lever"] == change.before
        rules["journeys"][change.what]["lever"] = change.after
    elif change.kind == "time":
        later = datetime.fromisoformat(str(change.after))
        hours, features = (later - now).total_seconds() / 3600, person["features"]
        for name in ("session_age_hours", "store_visit_age_hours", "cart_age_hours"):
            features |= {name: features[name] + hours} if features.get(name) is not None else {}
        for name, way in (("recency_days", 1), ("tenure_days", 1), ("reward_expires_days", -1)):
            known = features.get(name)
            features |= {name: max(0.0, known + way * hours / 24)} if known is not None else {}
        features |= {"in_store": 0} if features.get("in_store") is not None else {}
        now = later
    return decode(Context, person), decode(Policy, rules), now


def check(one: Counterfactual, decision: Decision, situation: Situation, policy: Policy) -> None:
    context, estimates, _, draw = situation
    changed, rules, now = by_hand(one.change, context, policy, decision.decided_at)
    again = decide(changed, estimates, rules, decision_id="d-1", now=now, draw=draw)
    assert favorite(again) == one.favorite != favorite(decision)


def considered(situation: Situation, policy: Policy = POLICY) -> tuple[Decision, tuple[Counterfactual, ...]]:
    context, estimates, now, draw = situation
    decision = decide(context, estimates, policy, decision_id="d-1", now=now, draw=draw)
    return decision, counterfactuals(context, estimates, policy, decision, draw=draw)


@pytest.mark.parametrize("policy", [POLICY, TIGHT], ids=["example", "tight"])
@MORE
@given(situation=situations())
def test_every_counterfactual_that_is_shown_flips(policy: Policy, situation: Situation) -> None:
    context = situation[0]
    decision, found = considered(situation, policy)
    for one in found:
        check(one, decision, situation, policy)
    assert found == considered(situation, policy)[1], "equal inputs, equal lines"
    assert len(found) <= SHOWN
    assert [KINDS.index(one.change.kind) for one in found] == sorted(KINDS.index(one.change.kind) for one in found)
    if context.objected or context.suppressed or context.holdout:
        assert found == ()


@LAWS
@given(situations())
def test_no_more_than_forty_changes_are_tried_and_each_changes_one_thing(situation: Situation) -> None:
    context, _, _, _ = situation
    decision, _ = considered(situation)
    start = Start(context, POLICY, decision.decided_at)
    tried = list(proposals(start, decision))
    assert len(tried) == len(set(tried)) <= 39
    for change in tried:
        after = applied(change, start)
        other = [
            name for name in Context.__dataclass_fields__ if getattr(after.context, name) != getattr(context, name)
        ]
        expected = {"consent": ["consents"], "feature": ["features"], "contact": ["contacts"]}.get(change.kind)
        assert other in ([], ["features"]) if expected is None else other == expected
        assert (after.policy != POLICY) is (change.kind in ("cap", "lever"))
        assert (after.now != start.now) is (change.kind == "time")


def test_the_search_meets_counterfactuals() -> None:
    """It would be worthless otherwise; the kinds that are rare at random have tests of their own below."""
    seen: Counter[str] = Counter()

    @settings(LAWS, max_examples=150, database=None, derandomize=True, phases=[Phase.generate])
    @given(situations())
    def search(situation: Situation) -> None:
        for policy in (POLICY, TIGHT):
            seen.update(one.change.kind for one in considered(situation, policy)[1])

    search()
    assert {"feature", "lever"} <= set(seen), seen
    assert seen.total() > 40, seen


def base(change: dict[str, Any]) -> tuple[Context, Estimates, Policy, Decision, tuple[Counterfactual, ...]]:
    """The base case with a change, decided and weighed."""
    told = merged(BASE, change)
    told["context"] = {"features": {}, **told["context"]}
    context, estimates, policy = (
        decode(Context, told["context"]), decode(Estimates, told["estimates"]), decode(Policy, told["policy"]),
    )  # fmt: skip
    now, draw = datetime.fromisoformat(told["now"]), told["draw"]
    decision = decide(context, estimates, policy, decision_id="case", now=now, draw=draw)
    return context, estimates, policy, decision, counterfactuals(context, estimates, policy, decision, draw=draw)


FULL_AT = "2018-01-03T14:00:00Z"
FULL = {
    "context": {"contacts": [{"journey": "other", "channel": "push", "sent_at": FULL_AT, "purpose": "marketing", "engaged": None}]}
}  # fmt: skip
"""A contact that is reserved for tomorrow fills the cap of one a day for every window."""


def kinds(found: tuple[Counterfactual, ...]) -> set[tuple[str, str, object, object]]:
    return {(one.change.kind, one.change.what, one.change.before, one.change.after) for one in found}


def test_a_missing_consent_is_granted() -> None:
    *_, decision, found = base({"context": {"consents": []}})
    assert favorite(decision) == "silence"
    assert ("consent", "push/marketing", None, "granted") in kinds(found)


def test_a_full_cap_allows_one_more_and_the_contact_that_fills_it_was_not_made() -> None:
    *_, decision, found = base(FULL)
    assert favorite(decision) == "silence"
    assert ("cap", "one_a_day", 1, 2) in kinds(found)
    assert ("contact", "other/push", FULL_AT, None) in kinds(found)


def test_ages_and_what_is_left_move_with_the_clock() -> None:
    features = {
        "recency_days": 3.0, "tenure_days": 40.0, "session_age_hours": 0.1, "store_visit_age_hours": 0.2, "cart_age_hours": 5.0,
        "reward_expires_days": 0.5, "in_store": 1, "points_balance": 7, "tier_name": "gold", "cart_value": None,
    }  # fmt: skip
    context = replace(decode(Context, BASE["context"]), features=features)
    now = datetime.fromisoformat(BASE["now"])
    change = Change("time", "now", encode(now), encode(now + timedelta(hours=18)))
    later = applied(change, Start(context, POLICY, now))
    assert later.context == by_hand(change, context, POLICY, now)[0]
    assert later.now == now + timedelta(hours=18)
    assert later.context.features == features | {
        "recency_days": 3.75, "tenure_days": 40.75, "session_age_hours": 18.1, "store_visit_age_hours": 18.2, "cart_age_hours": 23.0,
        "reward_expires_days": 0.0, "in_store": 0,
    }  # fmt: skip


def test_a_rule_that_says_no_is_met_at_its_own_threshold() -> None:
    assert list(
        nearest(["money_28d > 0 and points_balance >= 500"], {"money_28d": 3.0, "points_balance": 12}, holding=True)
    ) == [("points_balance", 500)]
    assert list(nearest(["0 < money_to_next_tier <= 150"], {"money_to_next_tier": 187.5}, holding=True)) == [
        ("money_to_next_tier", 150.0)
    ]
    assert list(nearest(["support_cases_28d == 0"], {"support_cases_28d": 2}, holding=True)) == [
        ("support_cases_28d", 0)
    ]
    assert list(nearest(["support_cases_28d == 0"], {"support_cases_28d": 0}, holding=False)) == [], (
        "nobody opens a case"
    )
    assert list(nearest(["cart_open == 1"], {"cart_open": 1}, holding=False)) == [("cart_open", 0)]
    assert list(nearest(["session_age_hours <= 0.5"], {}, holding=True)) == [("session_age_hours", 0)]
    assert list(nearest(["tenure_days > 45"], {"tenure_days": 3.0}, holding=True)) == [], "nobody changes a past"
    assert list(nearest(["recency_days > 56"], {"recency_days": 3.0}, holding=True)) == [], "a purchase makes it 0"


POOR = {"estimates": {"basket_margin": {"mean": 0.01}, "recency_value": {"mean": 0.01}}}


def test_the_lever_is_the_smallest_in_whole_cents() -> None:
    context, estimates, policy, decision, found = base(POOR)
    lever = next(one.change for one in found if one.change.kind == "lever")
    assert isinstance(lever.after, float)
    less = replace(policy.journeys[lever.what], lever=round(lever.after - 0.01, 2))
    again = decide(
        context, estimates, replace(policy, journeys={**policy.journeys, lever.what: less}), decision_id="d-1",
        now=decision.decided_at, draw=0.5,
    )  # fmt: skip
    assert favorite(again) == favorite(decision)


def test_only_features_that_are_known_changeable_and_not_sensitive_may_change() -> None:
    for name in {*EVENTS, *AMOUNTS}:
        assert not FEATURES[name].sensitive


@pytest.mark.parametrize("word", ["objected", "suppressed", "holdout"])
def test_no_change_is_tried_for_who_objected_is_suppressed_or_in_the_control_group(word: str) -> None:
    *_, found = base({"context": {word: True, "consents": []}})
    assert found == ()


def test_models_are_asked_again_where_a_change_touches_what_they_read() -> None:
    context, estimates, policy, decision, held = base({"context": {"features": {"recency_days": 80.0}}})
    asked: list[Context] = []

    def believe(changed: Context) -> Estimates:
        asked.append(changed)
        return replace(estimates, basket_margin=Estimate(0.0), recency_value=Estimate(0.0))

    found = counterfactuals(context, estimates, policy, decision, draw=0.5, believe=believe)
    assert asked
    assert not any(one.held for one in found)
    assert all(one.held is (one.change.kind in ("feature", "contact", "time")) for one in held)
    assert {one.favorite for one in found if one.change.kind == "feature"} <= {"silence"}, (
        "worthless purchases win nothing"
    )


def test_a_purchase_is_one_purchase_more() -> None:
    features = {
        "recency_days": 30.0,
        "purchases_total": 4,
        "frequency_28d": 0,
        "frequency_56d": None,
        "gap_ratio": 2.5,
        "money_28d": 7.0,
    }
    assert happened("recency_days", 0.0, features) == features | {
        "recency_days": 0.0, "purchases_total": 5, "frequency_28d": 1, "gap_ratio": 0.0,
    }  # fmt: skip


def test_less_of_the_customers_own_is_shown_only_where_nothing_else_is_left() -> None:
    poorer = Counterfactual(Change("feature", "cart_value", 21.0, 9.0), "silence", 0.0)
    lever = Counterfactual(Change("lever", "welcome", 0.0, 1.0), "silence", 0.0)
    assert _kept([poorer, lever]) == (lever,)
    assert _kept([poorer]) == (poorer,)


def test_later_is_tomorrow_morning_or_when_a_gate_opens() -> None:
    *_, found = base(FULL)
    times = [datetime.fromisoformat(str(one.change.after)) for one in found if one.change.kind == "time"]
    assert times
    now = datetime.fromisoformat(BASE["now"])
    assert all(now < moment <= now + timedelta(days=7) for moment in times)
