"""Which features a counterfactual may change, and the smallest change that makes rules hold, or no longer hold.

A feature is on the list if the customer or the shop can change it and it is nobody's private matter; values come from the
thresholds of the rules themselves.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from arbitration.domain import FeatureValue
from arbitration.expression import Expression, compile_expression, feature_name

EVENTS: Mapping[str, int] = MappingProxyType(
    {"recency_days": 0, "session_age_hours": 0, "store_visit_age_hours": 0, "in_store": 1}
)
"""A purchase, an opened app, a visit: what happens now sets the value, no other value can be had."""
AMOUNTS: Mapping[str, int] = MappingProxyType(
    {
        "cart_open": 0, "cart_value": 0, "points_balance": 0, "frequency_28d": 1, "money_28d": 1, "contacts_all_7d": -1,
        "money_to_next_tier": -1, "support_cases_28d": -1,
    }
)  # fmt: skip
"""Features that may move to the threshold of a rule: both ways (0), only up (1) or only down (-1). A case can be solved; that one is
opened is no change that anybody would propose.
"""
FLAGS = frozenset({"cart_open", "in_store"})
"""Features that are 1 for yes and 0 for no."""
COUNTED = re.compile(r"frequency_\d+d")
"""Features that count purchases."""
STEP = 1
"""How far a value goes beyond a threshold that itself does not suffice."""


PURCHASE = "recency_days"


def happened(name: str, value: FeatureValue, features: Mapping[str, FeatureValue]) -> dict[str, FeatureValue]:
    """The features with one of them changed. A purchase is one purchase more and on time, too; sums of money are held, as it is unknown."""
    changed = {**features, name: value}
    if name != PURCHASE or value != EVENTS[PURCHASE]:
        return changed
    for other, known in features.items():
        if known is None or isinstance(known, (str, bool)):
            continue
        if other == "purchases_total" or COUNTED.fullmatch(other):
            changed[other] = known + 1
        elif other == "gap_ratio":
            changed[other] = 0.0
    return changed


def nearest(
    rules: Sequence[str], features: Mapping[str, FeatureValue], *, holding: bool
) -> Iterator[tuple[str, FeatureValue]]:
    """Per changeable feature the value nearest to its own at which all rules hold (`holding`), or at which one no longer does."""
    compiled = [compile_expression(rule) for rule in rules]
    if _hold(compiled, features) is holding:
        return
    for name in dict.fromkeys(name for rule in compiled for name in rule.names):
        for value in _values(name, compiled, features.get(name)):
            if _hold(compiled, happened(name, value, features)) is holding:
                yield name, value
                break


def thresholds(rule: Expression, name: str) -> set[float]:
    """The numbers that a rule compares the feature with."""
    found: set[float] = set()
    for node in ast.walk(rule.tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for pair in pairwise(sides):
                if any(feature_name(side) == name for side in pair):
                    found |= {number for side in pair for number in _numbers(side)}
    return found


def _numbers(node: ast.expr) -> Iterator[float]:
    """The constants of one side of a comparison; a list after `in` has several."""
    for one in getattr(node, "elts", [node]):
        value = getattr(one, "value", None)
        if isinstance(one, ast.Constant) and isinstance(value, (int, float)) and not isinstance(value, bool):
            yield value


def _values(name: str, rules: Sequence[Expression], own: FeatureValue) -> list[FeatureValue]:
    """What the feature could be instead, nearest first; none if it is not on the list, or holds no number."""
    if isinstance(own, (bool, str)):
        return []
    if name in EVENTS:
        options = {float(EVENTS[name])}
    elif name in AMOUNTS:
        known = {float(number) for rule in rules for number in thresholds(rule, name)}
        options = {number + step for number in known for step in (-STEP, 0, STEP)}
        if own is not None:
            options = {value for value in options if (value - own) * AMOUNTS[name] >= 0}
    else:
        return []
    start = 0.0 if own is None else float(own)
    ordered = sorted((value for value in options if value >= 0 and value != own), key=lambda it: (abs(it - start), it))
    return [value if isinstance(own, float) or not value.is_integer() else int(value) for value in ordered]


def _hold(rules: Sequence[Expression], features: Mapping[str, FeatureValue]) -> bool:
    return all(rule(features) is True for rule in rules)
