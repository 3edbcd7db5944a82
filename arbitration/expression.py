"""Rules over features: one boolean expression, three-valued, parsed once.

Allowed: and, or, not, comparisons (chained too), in and not in a list, + - * /, numbers, texts, True, False, feature names
(`recency_days`, `push.contacts_28d`). Logic is Kleene's: a result is unknown only if it depends on something unknown
(S. C. Kleene, Introduction to Metamathematics, 1952, section 64).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from arbitration.domain import FeatureValue
from arbitration.errors import ExpressionError

LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Unknown:
    """A result that cannot be known; `name` is the feature, or the sub-expression, that is missing."""

    name: str


Known = float | int | str | bool
Part = Callable[[Mapping[str, FeatureValue]], Known | Unknown]
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISON: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda item, choices: item in choices,
    ast.NotIn: lambda item, choices: item not in choices,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled rule: its text, the feature names it reads, its syntax tree, and the function that answers it."""

    text: str
    names: tuple[str, ...]
    tree: ast.expr
    part: Part

    def __call__(self, features: Mapping[str, FeatureValue]) -> bool | Unknown:
        """True, False, or Unknown with the name of what is missing; never raises."""
        answer = self.part(features)
        return answer if isinstance(answer, Unknown) else bool(answer)


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """The rule in `text`; `ExpressionError` gives the column of what is not allowed."""
    if len(text) > LONGEST:
        raise ExpressionError(f"the rule is longer than {LONGEST} characters", mend="split it")
    line = " ".join(text.splitlines()).rstrip()
    indent = len(line) - len(line.lstrip())
    try:
        tree = ast.parse(line.lstrip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(
            "this is not a rule", column=indent + (error.offset or len(line) + 1), mend=_MEND
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"this is not a rule ({error})", mend=_MEND) from error
    part = _part(tree)
    prefixes = [node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    features = (node for node in ast.walk(tree) if node not in prefixes)
    names = tuple(dict.fromkeys(name for node in features if (name := feature_name(node))))
    return Expression(text, names, tree, part)


def feature_name(node: ast.AST) -> str | None:
    """`name` or `channel.name`, or None when the node is not a feature."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else None


_MEND = "write a comparison such as recency_days > 28 and tier_level >= 1"


def _part(node: ast.expr) -> Part:
    """The function for one node of the white list."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return _constant(value)
        case ast.Name() | ast.Attribute(value=ast.Name()):
            return _feature(feature_name(node) or "")
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            return _negation(node)
        case ast.BoolOp():
            return _junction([_part(value) for value in node.values], stop=isinstance(node.op, ast.Or))
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            return _operation(_ARITHMETIC[type(node.op)], _part(node.left), _part(node.right), ast.unparse(node))
        case ast.Compare():
            return _comparisons(node)
    raise ExpressionError(f"'{ast.unparse(node)}' is not allowed", column=node.col_offset + 1, mend=_MEND)


def _feature(name: str) -> Part:
    def part(features: Mapping[str, FeatureValue]) -> Known | Unknown:
        value = features.get(name)
        return Unknown(name) if value is None or value != value else value  # noqa: PLR0124 - NaN is unknown

    return part


def _constant(value: Any) -> Callable[[Mapping[str, FeatureValue]], Any]:
    def part(_: Mapping[str, FeatureValue]) -> Any:
        return value

    return part


def _negation(node: ast.UnaryOp) -> Part:
    inner = _part(node.operand)
    if isinstance(node.op, ast.USub):
        return _operation(operator.sub, _constant(0), inner, ast.unparse(node))

    def part(features: Mapping[str, FeatureValue]) -> Known | Unknown:
        value = inner(features)
        return value if isinstance(value, Unknown) else not value

    return part


def _junction(parts: list[Part], *, stop: bool) -> Part:
    """`or` stops at the first True, `and` at the first False; an unknown part counts only if nothing stops."""

    def part(features: Mapping[str, FeatureValue]) -> Known | Unknown:
        unknown: Unknown | None = None
        for inner in parts:
            value = inner(features)
            if isinstance(value, Unknown):
                unknown = unknown or value
            elif bool(value) is stop:
                return stop
        return unknown or (not stop)

    return part


def _operation(apply: Callable[[Any, Any], Any], left: Part, right: Part, text: str) -> Part:
    """Arithmetic on numbers; anything else, a division by zero or an overflow is unknown."""

    def part(features: Mapping[str, FeatureValue]) -> Known | Unknown:
        a, b = left(features), right(features)
        if isinstance(a, Unknown):
            return a
        if isinstance(b, Unknown):
            return b
        if isinstance(a, str) or isinstance(b, str):
            return Unknown(text)
        try:
            result: float = apply(a, b)
        except (ZeroDivisionError, OverflowError):
            return Unknown(text)
        return result if result == result else Unknown(text)  # noqa: PLR0124 - infinity minus infinity

    return part


def _comparisons(node: ast.Compare) -> Part:
    """`a < b < c` is `a < b and b < c`."""
    sides = [node.left, *node.comparators]
    pairs = [_pair(op, left, right) for op, left, right in zip(node.ops, sides, sides[1:], strict=False)]
    return pairs[0] if len(pairs) == 1 else _junction(pairs, stop=False)


def _pair(op: ast.cmpop, left: ast.expr, right: ast.expr) -> Part:
    if type(op) not in _COMPARISON:
        raise ExpressionError("'is' is not allowed", column=left.col_offset + 1, mend="compare with == or !=")
    a_part = _part(left)
    b_part = _choices(right) if isinstance(op, (ast.In, ast.NotIn)) else _part(right)
    return _compared(_COMPARISON[type(op)], a_part, b_part, f"{ast.unparse(left)} against {ast.unparse(right)}")


def _compared(apply: Callable[[Any, Any], Any], a_part: Part, b_part: Part, text: str) -> Part:
    def part(features: Mapping[str, FeatureValue]) -> Known | Unknown:
        a, b = a_part(features), b_part(features)
        if isinstance(a, Unknown):
            return a
        if isinstance(b, Unknown):
            return b
        try:
            return bool(apply(a, b))
        except TypeError:  # a text against a number has no order
            return Unknown(text)

    return part


def _choices(node: ast.expr) -> Any:
    """The constants of a list after `in`."""
    if not isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        raise ExpressionError("'in' needs a list", column=node.col_offset + 1, mend="write tier_level in [1, 2]")
    choices = tuple(_part(item)({}) for item in node.elts)
    if any(isinstance(choice, Unknown) for choice in choices):
        raise ExpressionError("a list holds numbers and texts only", column=node.col_offset + 1, mend=_MEND)
    return _constant(choices)
