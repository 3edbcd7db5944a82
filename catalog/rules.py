"""Rules of the catalog checked before any customer is asked: names that exist, types that fit, an answer of yes or no."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Literal

from arbitration.errors import ExpressionError
from arbitration.expression import compile_expression, feature_name

Kind = Literal["number", "text", "yes or no"]


def feature_kinds(channels: Iterable[str]) -> dict[str, Kind]:
    """Every name that a rule may use, and what it holds; channel features exist once per channel: `push.contacts_28d`."""
    from features.registry import VIEWS

    kinds: dict[str, Kind] = {}
    for view in VIEWS.values():
        prefixes = [f"{channel}." for channel in channels] if "channel" in view.keys else [""]
        for feature in view.features:
            kind: Kind = "text" if feature.dtype == "string" else "number"
            kinds.update(dict.fromkeys((prefix + feature.name for prefix in prefixes), kind))
    return kinds


def check_rule(text: str, kinds: Mapping[str, Kind]) -> None:
    """Raise `ExpressionError` with column and mend when the rule is not a yes-or-no question over known features."""
    tree = compile_expression(text).tree
    if _kind(tree, kinds) != "yes or no":
        raise ExpressionError("the rule is not a yes-or-no question", mend="compare it, such as recency_days > 28")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The mend for a name that does not exist."""
    choices = sorted(set(known))
    close = close_to(name, choices)
    if close is not None:
        return f"did you mean '{close}'?"
    return f"known are: {', '.join(choices[:12])}" if choices else "remove it"


def close_to(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelled one most likely means."""
    return next(iter(get_close_matches(name, sorted(known), n=1)), None)


def _kind(node: ast.expr, kinds: Mapping[str, Kind]) -> Kind:
    match node:
        case ast.Constant(value=value):
            return "yes or no" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
        case ast.Name() | ast.Attribute():
            return _feature_kind(node, kinds)
        case ast.BoolOp(values=parts):
            return _all(parts, "yes or no", kinds)
        case ast.UnaryOp(op=op, operand=operand):
            return _all([operand], "yes or no" if isinstance(op, ast.Not) else "number", kinds)
        case ast.BinOp(left=left, right=right):
            return _all([left, right], "number", kinds)
        case ast.Compare(left=left, comparators=comparators):
            return _comparison(left, comparators, kinds)
    raise TypeError(f"the engine let {type(node).__name__} pass")


def _feature_kind(node: ast.expr, kinds: Mapping[str, Kind]) -> Kind:
    name = feature_name(node) or ""
    if name not in kinds:
        raise ExpressionError(
            f"there is no feature '{name}'", column=node.col_offset + 1, mend=did_you_mean(name, kinds)
        )
    return kinds[name]


def _all(parts: list[ast.expr], wanted: Kind, kinds: Mapping[str, Kind]) -> Kind:
    for part in parts:
        if (found := _kind(part, kinds)) != wanted:
            raise ExpressionError(
                f"'{ast.unparse(part)}' is a {found}, not a {wanted}",
                column=part.col_offset + 1,
                mend=f"write a {wanted} here",
            )
    return wanted


def _comparison(left: ast.expr, comparators: list[ast.expr], kinds: Mapping[str, Kind]) -> Kind:
    """All sides hold the same kind; a list is compared item by item."""
    sides = [left]
    for side in comparators:
        sides += side.elts if isinstance(side, (ast.List, ast.Tuple, ast.Set)) else [side]
    _all(sides[1:], _kind(sides[0], kinds), kinds)
    return "yes or no"
