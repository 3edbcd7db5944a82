"""The second evaluator of rules says what the first one says, row by row, down to the name of what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arbitration.columns import evaluate
from arbitration.domain import FeatureValue
from arbitration.expression import LONGEST, Unknown, compile_expression

NAMES = ("a", "b", "push.c", "d")
BIG = st.sampled_from([2**53, 2**53 + 1, -(2**60), 10**9, 3 * 10**9, 10**400])
CLOSE = st.integers(-3, 3) | st.sampled_from([0.5, -1.5, 0.1, 0.2, 1e300, -1e300, float("inf")])
TEXTS = st.sampled_from(["gold", "silver", ""])
values = st.one_of(CLOSE, CLOSE, st.floats(allow_nan=True), st.booleans(), TEXTS, BIG, st.none(), st.just(float("nan")))
features = st.dictionaries(st.sampled_from(NAMES), values)
literals = st.one_of(CLOSE.filter(lambda it: it != float("inf")), st.booleans(), BIG, TEXTS.map(repr)).map(str)


def _arithmetic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner) | inner.map("(-{})".format)


terms = st.recursive(st.sampled_from(NAMES) | st.sampled_from(NAMES) | literals, _arithmetic, max_leaves=4)
orders = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
comparisons = (
    st.builds("{} {} {}".format, terms, orders, terms)
    | st.builds("{} {} {} {} {}".format, terms, orders, terms, orders, terms)
    | st.builds(
        "{} {} [{}, {}, -{}]".format,
        terms,
        st.sampled_from(["in", "not in"]),
        literals,
        literals,
        CLOSE.filter(lambda it: it != float("inf")),
    )
    | terms
)
rules = st.recursive(
    comparisons,
    lambda inner: (
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or"]), inner) | inner.map("not ({})".format)
    ),
    max_leaves=5,
).filter(lambda text: len(text) <= LONGEST)


def columns_of(rows: list[dict[str, FeatureValue]]) -> dict[str, np.ndarray]:
    """The rows as columns: numbers where all are of one kind, else Python's own values."""
    found = {}
    for name in {name for row in rows for name in row}:
        listed = [row.get(name) for row in rows]
        kinds = {type(value) for value in listed}
        if kinds <= {float, type(None)}:
            found[name] = np.array([np.nan if value is None else value for value in listed], dtype=np.float64)
        elif kinds == {bool}:
            found[name] = np.array(listed, dtype=bool)
        elif kinds == {int} and max(abs(value) for value in listed) < 2**62:
            found[name] = np.array(listed, dtype=np.int64)
        else:
            found[name] = np.empty(len(rows), dtype=object)
            found[name][:] = listed
    return found


def agree(rule: str, rows: list[dict[str, FeatureValue]]) -> None:
    expression = compile_expression(rule)
    answers = evaluate(expression, columns_of(rows), len(rows))
    for at, row in enumerate(rows):
        one = expression(row)
        many = bool(answers.truth[at]) if answers.known[at] else Unknown(answers.missing[at])
        assert many == one, (rule, row)
        assert answers.known[at] == (answers.missing[at] is None)


@settings(max_examples=300, deadline=None)
@given(rules, st.lists(features, min_size=1, max_size=4))
def test_a_column_may_hold_for_all_moments_and_another_change_with_them(
    rule: str, rows: list[dict[str, FeatureValue]]
) -> None:
    """Feature `a` has another row's value at the second moment."""
    expression, columns = compile_expression(rule), columns_of(rows)
    wide = {name: column[:, None] for name, column in columns.items()}
    if "a" in columns:
        wide["a"] = np.stack([columns["a"], columns["a"][::-1]], axis=1)
    answers = evaluate(expression, wide, (len(rows), 2))
    for at, row in enumerate(rows):
        other = {name: value for name, value in row.items() if name != "a"}
        swapped = other | ({"a": rows[-1 - at]["a"]} if "a" in rows[-1 - at] else {})
        for moment, asked in enumerate((row, swapped)):
            place = (at, moment)
            many = bool(answers.truth[place]) if answers.known[place] else Unknown(answers.missing[place])
            assert many == expression(asked), (rule, asked)


@settings(max_examples=600, deadline=None)
@given(rules, st.lists(features, min_size=1, max_size=6))
def test_many_rows_are_answered_as_one_by_one(rule: str, rows: list[dict[str, FeatureValue]]) -> None:
    assume(len(rule) <= LONGEST)
    agree(rule, rows)


@pytest.mark.parametrize(
    ("rule", "row"),
    [
        ("a * a == 9000000000000000001", {"a": 3_000_000_001}),
        ("a * a - 1 == a * a", {"a": 3_000_000_001}),
        ("a == 9007199254740993", {"a": 2**53}),
        ("a + 0.5 > 1", {"a": 10**400}),
        ("a / b > 1", {"a": 1, "b": False}),
        ("a - a == 0", {"a": float("inf")}),
        ("a and not b", {"a": "gold", "b": ""}),
        ("a < 'silver' < b", {"a": "gold", "b": 3}),
        ("a in ['gold', 1, True]", {"a": True}),
        ("True", {}),
        ("'x'", {}),
    ],
)
def test_where_numbers_are_wide_and_kinds_differ(rule: str, row: dict[str, FeatureValue]) -> None:
    agree(rule, [row, {"a": 1, "b": 2}, {}])
