"""The rule engine: Python's own answer on known values, Kleene's on unknown ones, and nothing but rules."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arbitration.domain import FeatureValue
from arbitration.errors import ExpressionError
from arbitration.expression import Unknown, compile_expression

NAMES = ("a", "b", "push.c")
numbers = st.one_of(st.integers(-5, 5), st.floats(-4, 4).map(lambda value: round(value, 1)))
values = st.fixed_dictionaries(dict.fromkeys(NAMES, numbers))


def _arithmetic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner) | inner.map("(-{})".format)


terms = st.recursive(st.sampled_from(NAMES) | numbers.map(str), _arithmetic, max_leaves=4)
orders = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
comparisons = (
    st.builds("{} {} {}".format, terms, orders, terms)
    | st.builds("{} {} {} {} {}".format, terms, orders, terms, orders, terms)
    | st.builds("{} {} [{}, {}]".format, terms, st.sampled_from(["in", "not in"]), numbers, numbers)
)
rules = st.recursive(
    comparisons,
    lambda inner: (
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or"]), inner) | inner.map("not ({})".format)
    ),
    max_leaves=5,
)


def by_python(rule: str, known: dict[str, float]) -> bool:
    text = rule.replace("push.c", "push_c")
    return bool(eval(text, {}, {name.replace(".", "_"): value for name, value in known.items()}))  # noqa: S307


@given(rules, values)
def test_on_known_values_it_says_what_python_says(rule: str, known: dict[str, float]) -> None:
    answer = compile_expression(rule)(known)
    if isinstance(answer, Unknown):  # a division by zero that the result depends on
        with pytest.raises(ZeroDivisionError):
            by_python(rule, known)
        return
    try:
        assert answer is by_python(rule, known)
    except ZeroDivisionError:
        assume(False)


@given(rules, values, st.sampled_from(NAMES), st.lists(numbers, min_size=3, max_size=3))
def test_an_answer_without_a_feature_holds_for_every_value_of_it(
    rule: str, known: dict[str, float], hidden: str, tries: list[float]
) -> None:
    expression = compile_expression(rule)
    answer = expression({**known, hidden: None})
    for value in tries:
        full = expression({**known, hidden: value})
        assert isinstance(answer, Unknown) or full is answer


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ("a > 1 or b > 1", True),
        ("a < 1 or b > 1", Unknown("b")),
        ("a < 1 and b > 1", False),
        ("a > 1 and b > 1", Unknown("b")),
        ("not b", Unknown("b")),
        ("1 < b < 3", Unknown("b")),
        ("3 < a < b", False),
        ("b in [1, 2]", Unknown("b")),
        ("b - b == 0", Unknown("b")),
        ("a / zero > 1", Unknown("a / zero")),
        ("a > 'x'", Unknown("a against 'x'")),
        ("tier == 'gold' and tier in ('gold', 'silver')", True),
        ("tier * 3 == 'goldgoldgold'", Unknown("tier * 3")),
        ("push.opens >= 2", True),
        ("email.opens >= 2", Unknown("email.opens")),
        ("nan < 1 or nan >= 1", Unknown("nan")),
        ("huge * huge - huge * huge == 0", Unknown("huge * huge - huge * huge")),
        ("  a\n  > 1", True),
    ],
)
def test_unknown_spreads_only_where_the_answer_depends_on_it(rule: str, answer: bool | Unknown) -> None:
    known: dict[str, FeatureValue] = {
        "a": 2,
        "b": None,
        "zero": 0,
        "tier": "gold",
        "push.opens": 2,
        "nan": float("nan"),
        "huge": 1e300,
    }
    assert compile_expression(rule)(known) == answer


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("a >", 4),
        ("a > 1 and len(b)", 11),
        ("__import__('os')", 1),
        ("a.b.c > 1", 1),
        ("a ** 9 > 1", 1),
        ("a > 1 if b else c", 1),
        ("[x for x in a]", 1),
        ("a is b", 1),
        ("a in b", 6),
        ("a in [b]", 6),
        ("(a := 1) > 0", 2),
        ("a[0] > 1", 1),
        ("f'{a}' == 'x'", 1),
        ("None == a", 1),
        ("lambda: 1", 1),
        ("", 1),
        ("a > 1; b", 6),
        ("a " + "+ a" * 700, 1),
        ("(" * 300 + "a" + ")" * 300, 1),
    ],
)
def test_only_rules_are_allowed(rule: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(rule)
    assert caught.value.mend
    if len(rule) < 100:
        assert caught.value.column == column


def test_a_rule_names_what_it_reads_and_is_compiled_once() -> None:
    rule = compile_expression("a > 1 and push.c < a")
    assert rule.names == ("a", "push.c")
    assert compile_expression("a > 1 and push.c < a") is rule
