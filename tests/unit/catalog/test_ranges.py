"""Rules that can never hold are found, and only those."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbitration.expression import compile_expression
from catalog.ranges import Span, can_hold, feature_ranges
from catalog.rules import feature_kinds

RANGES = {"a": Span(0, 10), "b": Span(-5, 5), "n": Span(0, 3, whole=True), "free": Span()}

NEVER = [
    "a < 0", "a > 10", "a > 5 and a < 3", "a > 5 and a <= 5", "not (a >= 0)", "a == 11", "a != a + 0 and a < 0", "n > 2 and n < 3",
    "n == 1.5", "5 < a < 5", "a > 8 and b > 3 and a + b < 10", "free > 3 and free < 2", "free > 3 and not free > 3",
    "(a > 5 or b > 3) and a < 5 and b < 3", "n in [4, 5]", "n in [1, 2] and n == 3", "text == 'x' and text == 'y'",
    "text == 'x' and not (text == 'x')", "text in ['x', 'y'] and text == 'z'", "False", "not True", "a < b and b < -1", "a * 2 > 21",
    "-a > 1", "a / 2 > 6", "n >= 1 and n not in [1, 2, 3] and n < 2", "a > free and free > 10",
]  # fmt: skip
MAYBE = [
    "a <= 0", "a >= 10", "a > 5 and a < 5.0001", "n == 1", "n != 1", "a > 5 or a < 3", "a / b > 100", "1 / b > 1000", "free > 1e300",
    "text == 'x'", "text != 'x'", "text == 'x' or text == 'y'", "text < 'x' and text > 'y'", "not (a > 5 and b > 3)", "True",
    "a - a > -1", "a > b", "n in [3, 4]", "unknown_name > 3", "a == b", "n not in [0, 1, 2]",
]  # fmt: skip


@pytest.mark.parametrize("rule", NEVER)
def test_what_can_never_hold_is_found(rule: str) -> None:
    assert not can_hold([(rule, True)], RANGES)


@pytest.mark.parametrize("rule", MAYBE)
def test_what_may_hold_is_left_alone(rule: str) -> None:
    assert can_hold([(rule, True)], RANGES)


def test_rules_are_looked_at_together_and_may_be_wanted_false() -> None:
    assert can_hold([("a > 5", True)], RANGES)
    assert not can_hold([("a > 5", True), ("a > 4", False)], RANGES)
    assert can_hold([("a > 5", True), ("a > 6", False)], RANGES)


def test_more_alternatives_than_are_followed_are_left_alone() -> None:
    several, many = (f"a in {[*range(count)]}" for count in (10, 400))
    assert not can_hold([(several, True), ("a > 9", True)], {"a": Span()})
    assert can_hold([(many, True), ("a > 399", True)], {"a": Span()})  # impossible, but not looked into
    halves = " and ".join(f"(a == {number} or free > {number})" for number in range(40))
    assert can_hold([(halves, True)], RANGES)


def test_the_ranges_of_the_features_are_theirs() -> None:
    ranges = feature_ranges(feature_kinds(["push"]))
    assert ranges["cart_open"] == Span(0, 1, whole=True)
    assert ranges["recency_days"] == Span(0, 3650)
    assert ranges["push.contacts_28d"] == Span(0, math.inf, whole=True)


_NUMBERS = st.one_of(st.integers(-6, 12), st.sampled_from([0.5, 2.5, -1.5, 1e9]))
_TERMS = st.recursive(
    st.one_of(st.sampled_from(["a", "b", "n", "free"]), _NUMBERS.map(str)),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda it: f"({it[0]} {it[1]} {it[2]})"),
    max_leaves=4,
)
_COMPARED = st.tuples(_TERMS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), _TERMS).map(" ".join)
_CHAINED = st.tuples(_TERMS, st.sampled_from(["<", "<="]), _TERMS, st.sampled_from(["<", "<="]), _TERMS).map(" ".join)
_LISTED = st.tuples(
    st.sampled_from(["a", "n", "b + 1"]), st.sampled_from(["in", "not in"]), st.lists(_NUMBERS, min_size=1, max_size=3)
).map(lambda it: f"{it[0]} {it[1]} [{', '.join(map(str, it[2]))}]")
_RULES = st.recursive(
    st.one_of(_COMPARED, _CHAINED, _LISTED),
    lambda inner: st.one_of(
        inner.map(lambda it: f"not ({it})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda it: f"({it[0]}) {it[1]} ({it[2]})"),
    ),
    max_leaves=6,
)
_CUSTOMERS = st.fixed_dictionaries({
    "a": st.floats(0, 10), "b": st.one_of(st.floats(-5, 5), st.integers(-5, 5)), "n": st.integers(0, 3),
    "free": st.one_of(st.floats(-20, 20), st.none()),
})  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(rule=_RULES, customer=_CUSTOMERS)
def test_no_rule_that_holds_for_a_customer_is_called_impossible(rule: str, customer: dict[str, float | None]) -> None:
    answer = compile_expression(rule)(customer)
    if isinstance(answer, bool):
        assert can_hold([(rule, answer)], RANGES)
