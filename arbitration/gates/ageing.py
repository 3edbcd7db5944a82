"""Features that move with the clock alone, aged to a moment: a rule is asked with what will be true when the window opens.

What people do moves every other feature, and nobody knows now whether they will.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache

from arbitration.domain import FeatureValue
from arbitration.errors import ExpressionError
from arbitration.expression import compile_expression, feature_name
from arbitration.thresholds import thresholds

DAY = 1 / 24
AGES: Mapping[str, float] = {
    "recency_days": DAY, "tenure_days": DAY, "session_age_hours": 1.0, "store_visit_age_hours": 1.0, "cart_age_hours": 1.0,
    "reward_expires_days": -DAY,
}  # fmt: skip
"""Features of a customer that move with the clock, by how much an hour."""
AGES_ON_CHANNEL: Mapping[str, float] = {"days_since_contact": DAY, "days_since_click": DAY}
"""The same for features of a customer on a channel, such as `push.days_since_contact`."""


def age_of(feature: str) -> float:
    """By how much the clock moves a feature in an hour; 0 for most."""
    _, on_channel, name = feature.rpartition(".")
    return (AGES_ON_CHANNEL if on_channel else AGES).get(name, 0.0)


def aged(feature: str, value: FeatureValue, hours: float) -> FeatureValue:
    """The value after so many hours, if only time passes. What counts down ends at 0; what is no number stays."""
    age = age_of(feature)
    if age == 0.0 or value is None or isinstance(value, (str, bool)):
        return value
    try:
        return max(min(value, 0.0), value + age * hours)
    except OverflowError:  # a whole number that no float holds: hours make no difference
        return value


@lru_cache(maxsize=4096)
def ages(rule: str) -> bool:
    """Whether a rule reads a feature that ages, so that its answer may depend on when it is asked."""
    try:
        return any(age_of(name) for name in compile_expression(rule).names)
    except (ExpressionError, RecursionError):  # the answer to such a rule is unknown at all times
        return False


def stays(rule: str, features: Mapping[str, FeatureValue], hours: float) -> bool:
    """Whether the rule surely says the same all these hours: no feature that ages comes across a number it is compared with."""
    turns = _turns(rule) if ages(rule) else {}
    if turns is None:
        return False
    for name, numbers in turns.items():
        value = features.get(name)
        later = aged(name, value, hours)
        if isinstance(value, (int, float)) and isinstance(later, (int, float)):
            low, high = min(value, later), max(value, later)
            if any(low <= number <= high for number in numbers):
                return False
    return True


@lru_cache(maxsize=4096)
def _turns(rule: str) -> dict[str, set[float]] | None:
    """Per feature that ages the numbers it is compared with; None if the rule does anything else with one."""
    expression = compile_expression(rule)
    names = [name for name in expression.names if age_of(name)]
    read = [node for node in ast.walk(expression.tree) if feature_name(node) in names]
    compared = [side for node in ast.walk(expression.tree) if isinstance(node, ast.Compare) for side in _sides(node)]
    alone = all(any(node is side for side in compared) for node in read)
    return {name: thresholds(expression, name) for name in names} if alone else None


def _sides(node: ast.Compare) -> list[ast.expr]:
    """The features that a comparison sets beside numbers only."""
    sides = [node.left, *node.comparators]
    found = []
    for at, side in enumerate(sides):
        beside = [*sides[max(0, at - 1) : at], *sides[at + 1 : at + 2]]
        if all(isinstance(one, ast.Constant) and type(one.value) in (int, float) for one in beside):
            found.append(side)
    return found
