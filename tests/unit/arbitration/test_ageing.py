"""A candidate speaks when its window opens, a plan's step days later: each keeps the journey's rules as they stand then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbitration.decide import decide
from arbitration.domain import Candidate, Context, Decision, Estimate, FeatureValue
from arbitration.explain import explain
from arbitration.expression import compile_expression
from arbitration.gates.ageing import AGES, AGES_ON_CHANNEL, aged, ages, stays
from arbitration.gates.case import Case
from arbitration.policy import ContactPolicy, JourneyTreatment, Policy
from features.registry import VIEWS
from tests.unit.arbitration import catalogs
from tests.unit.arbitration.oracle import then
from tests.unit.arbitration.pairwise import BELIEFS, channel, journey, policy
from tests.unit.arbitration.test_store_presence import customer

NOW = datetime(2018, 5, 15, 14, 20, tzinfo=UTC)
HOUR, INSTANT = timedelta(hours=1), timedelta(milliseconds=1)
CART = "1 <= cart_age_hours <= 72"
RULES = (
    *catalogs.RULES, CART, "not cart_age_hours > 24", "70 < cart_age_hours or tier == 'gold'", "cart_age_hours == True",
    "recency_days and True", "recency_days in [5.5, 6]", "recency_days < tenure_days", "-recency_days < -20", "points ? 1",
)  # fmt: skip


def broken(candidate: Candidate, context: Context, rules: Policy, now: datetime) -> list[str]:
    """The rules of the candidate's journey that do not hold at its own time, nor an instant before or after: sums of days round."""
    passed, own = candidate.window.opens_at - now, rules.journeys[candidate.treatment.journey]
    about = [then(context.features, passed + shift * INSTANT) for shift in (-1, 0, 1)]
    asked = [compile_expression(it) for it in (own.eligible, own.applicable, own.suitable)]
    return [rule.text for rule in asked if not any(rule(features) is True for features in about)]


def spoken(decision: Decision) -> list[Candidate]:
    return [it.candidate for it in decision.ranked] + [it.candidate for it in decision.plan.steps]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_no_candidate_and_no_step_breaks_a_rule_at_its_own_time(seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - reproducible, not secret
    rules, now = catalogs.policy_of(dice), catalogs.now_of(dice)
    for _ in range(4):
        context = tame(catalogs.context_of(dice, rules, now))
        decision = decide(context, catalogs.estimates_of(dice, rules), rules, decision_id="d", now=now, draw=0.0)
        assert [it.id for it in spoken(decision) if broken(it, context, rules, now)] == []


def tame(context: Context) -> Context:
    """Without the whole number that no float holds."""
    return replace(context, features={name: it for name, it in context.features.items() if it != 10**400})


def shop(**own: str) -> Policy:
    lines = [JourneyTreatment("push", "a"), JourneyTreatment("mail", "c")]
    return policy([channel("push", wait_hours=12), channel("mail", wait_hours=12)], [journey("care", *lines, **own)])


def ask(features: dict[str, FeatureValue], **own: str) -> Decision:
    believed = replace(BELIEFS, propensity={"care/push/a": Estimate(0.1), "care/mail/c": Estimate(0.1)})
    return decide(customer(features), believed, shop(**own), decision_id="d", now=NOW, draw=0.0)


@pytest.mark.parametrize("name", ["eligible", "applicable", "suitable"])
@pytest.mark.parametrize(("age", "steps"), [(10.0, 2), (70.7, 1), (71.99, 1)])
def test_a_cart_that_grows_too_old_is_spoken_of_only_until_then(name: str, age: float, steps: int) -> None:
    decision = ask({"cart_age_hours": age}, **{name: CART})
    too_old = NOW + (72 - age) * HOUR
    assert len(decision.plan.steps) == steps
    assert all(it.window.opens_at <= too_old for it in spoken(decision))
    late = {it.candidate.window.opens_at for it in decision.rejections}
    assert all(opens > too_old for opens in late)
    assert {(it.code, it.by, it.free_at) for it in decision.rejections} <= {(f"not_{name}", CART, None)}
    assert bool(late) == (age > 24)


def test_why_not_names_the_value_at_the_window_that_broke_the_rule() -> None:
    features: dict[str, FeatureValue] = {"cart_age_hours": 71.5}
    night, rules = NOW + 13 * HOUR, replace(shop(applicable=CART), contact_policy=ContactPolicy((), 21, 8))
    decision = decide(customer(features), BELIEFS, rules, decision_id="d", now=night, draw=0.0)
    assert decision.winner is None
    found = explain(decision, rules, names={}, attributions=(), lang="en", features=features)
    opens = min(it.candidate.window.opens_at for it in decision.rejections if it.code == "not_applicable")
    here = f"here: {71.5 + (opens - night) / HOUR:.2f}"
    assert [it.sentence.count(here) for it in found.why_not] == [1, 1], found.why_not


def test_what_becomes_true_only_later_is_spoken_of_later() -> None:
    decision = ask({"recency_days": 27.8}, applicable="recency_days > 28")
    assert decision.winner is not None
    assert min(it.window.opens_at for it in spoken(decision)) > NOW + 4.8 * HOUR


def test_what_is_unknown_stays_unknown_and_presence_is_about_now() -> None:
    silent = ask({"cart_age_hours": None}, applicable=CART)
    assert {(it.code, it.missing) for it in silent.rejections} == {("missing_feature", "cart_age_hours")}
    case = Case(customer({"in_store": 1, "cart_age_hours": 70}), shop(), NOW)
    assert [case.holds_at("in_store == 1", NOW + hours * HOUR) for hours in (0, 30)] == [True, True]
    assert [case.holds_at(CART, NOW + hours * HOUR) for hours in (-9, 0, 2, 3)] == [True, True, True, False]


@given(
    st.sampled_from(["cart_age_hours", "push.days_since_click", "tenure_days", "reward_expires_days", "in_store", "tier"]),
    st.one_of(st.none(), st.booleans(), st.text(max_size=2), st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6)),
    st.floats(0, 400),
)  # fmt: skip
def test_values_age_as_a_second_statement_says(name: str, value: FeatureValue, hours: float) -> None:
    expected = then({name: value}, hours * HOUR)[name]
    found = aged(name, value, (hours * HOUR) / HOUR)
    assert found == expected if not isinstance(expected, float) else found == pytest.approx(expected, abs=1e-6)
    assert type(found) in (type(value), float)


def test_a_whole_number_that_no_float_holds_and_what_is_no_number_stay() -> None:
    assert aged("cart_age_hours", 10**400, 3.0) == 10**400
    assert aged("reward_expires_days", -2.0, 30.0) == -2.0
    assert aged("reward_expires_days", 0.5, 30.0) == 0.0
    found = aged("recency_days", float("nan"), 3.0)
    assert found != found  # noqa: PLR0124 - NaN


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(RULES), st.integers(0, 2**32), st.floats(0, 336))
def test_a_rule_that_is_said_to_stay_says_the_same_all_the_while(rule: str, seed: int, hours: float) -> None:
    dice = Random(seed)  # noqa: S311 - reproducible, not secret
    rules = catalogs.policy_of(dice)
    case = Case(catalogs.context_of(dice, rules, NOW), rules, NOW)
    if stays(rule, case.context.features, hours):
        moments = [NOW + hours * share / 60 * HOUR for share in range(61)]
        assert len({case.holds_at(rule, moment) for moment in moments}) == 1


@pytest.mark.parametrize(
    ("rule", "cart_age", "expected"),
    [
        (CART, 10.0, True), (CART, 60.0, False), (CART, 0.5, False), (CART, 72, False), (CART, 72.1, True), (CART, None, True),
        ("cart_age_hours + 1 <= 72", 10.0, False), ("cart_age_hours == True", 10.0, False), ("in_store == 1", 10.0, True),
        ("cart_age_hours", 10.0, False), ("cart_age_hours < recency_days", 10.0, False), ("points ? 1", 10.0, True),
    ],
)  # fmt: skip
def test_a_rule_surely_stays_where_no_age_comes_across_its_numbers(
    rule: str, cart_age: FeatureValue, *, expected: bool
) -> None:
    assert stays(rule, {"cart_age_hours": cart_age}, 24.0) is expected


def test_the_features_that_age_are_features_of_the_store() -> None:
    assert set(AGES) <= {feature.name for name in ("customer", "context") for feature in VIEWS[name].features}
    assert set(AGES_ON_CHANNEL) <= {feature.name for feature in VIEWS["channel"].features}
    assert ages("push.days_since_contact > 3")
    assert not ages("push.contacts_28d > 3 and in_store == 0")
