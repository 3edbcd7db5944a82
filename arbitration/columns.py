"""Rules over columns: the second evaluator of `arbitration.expression`, one answer per row, equal to the first in every row.

Numbers are computed as float64. That is what Python computes, except for whole numbers beyond 2**53; rows that meet one are
asked again, one by one, with the first evaluator.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.expression import Expression, Unknown, feature_name

Array = npt.NDArray[Any]
EXACT = 2.0**53
"""Up to here float64 holds every whole number."""
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True, slots=True)
class Answers:
    """A rule's answer per row: `truth` where `known`, else the name of what is missing."""

    truth: Array
    known: Array
    missing: Array


@dataclass(frozen=True, slots=True)
class _Part:
    """One node of a rule, per row or for all rows alike.

    `number` holds numbers and truth values, `text` texts where `is_text`. `missing` is 0 where the value is known, else
    1 + the position of what is missing in the list of labels. `whole`: a whole number in Python's eyes. `lost`: float64 cannot hold it.
    """

    number: Array
    missing: Array
    text: Array | None = None
    is_text: Array | bool = False
    whole: Array | bool = False
    lost: Array | bool = False


def evaluate(expression: Expression, columns: Mapping[str, Array], rows: int | tuple[int, ...]) -> Answers:
    """The rule's answer for each of `rows` customers; a feature without a column is unknown to all.

    A column is float64 (NaN is unknown), integer, bool, or object with Python's own numbers and texts (None is unknown). `rows` may be
    a shape, such as customers x moments; columns then have as many axes, and one that is 1 long holds for all of its axis.
    """
    reader = _Reader(columns)
    with np.errstate(all="ignore"):
        part = reader.part(expression.tree)
    missing = np.broadcast_to(part.missing, rows).copy()
    truth = np.broadcast_to(_truth(part), rows) & (missing == 0)
    names = np.array([None, *reader.labels], dtype=object)[missing]
    known = missing == 0
    for at in zip(*np.nonzero(np.broadcast_to(part.lost, rows)), strict=True):
        answer = expression({name: _python(columns[name], rows, at) for name in expression.names if name in columns})
        known[at] = not isinstance(answer, Unknown)
        truth[at] = answer is True
        names[at] = answer.name if isinstance(answer, Unknown) else None
    return Answers(truth, known, names)


def _python(column: Array, rows: int | tuple[int, ...], at: tuple[Any, ...]) -> Any:
    """One value of a column as Python's own."""
    value = np.broadcast_to(column, rows)[at]
    return value.item() if isinstance(value, np.generic) else value


class _Reader:
    """Walks a rule's tree and remembers the names of what may be missing."""

    def __init__(self, columns: Mapping[str, Array]) -> None:
        self._columns = columns
        self.labels: list[str] = []

    def part(self, node: ast.expr) -> _Part:
        """The values of one node of the white list of `arbitration.expression`."""
        match node:
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return _constant(value)
            case ast.Name() | ast.Attribute():
                return self._feature(feature_name(node) or "")
            case ast.UnaryOp():
                return self._negation(node)
            case ast.BoolOp():
                return _junction([self.part(value) for value in node.values], stop=isinstance(node.op, ast.Or))
            case ast.BinOp():
                left, right = self.part(node.left), self.part(node.right)
                return self._operation(_ARITHMETIC[type(node.op)], left, right, ast.unparse(node))
            case ast.Compare():
                sides = [node.left, *node.comparators]
                pairs = [self._pair(op, a, b) for op, a, b in zip(node.ops, sides, sides[1:], strict=False)]
                return pairs[0] if len(pairs) == 1 else _junction(pairs, stop=False)
        raise TypeError(f"{type(node).__name__} is no part of a rule")

    def _negation(self, node: ast.UnaryOp) -> _Part:
        inner = self.part(node.operand)
        if isinstance(node.op, ast.USub):
            return self._operation(np.subtract, _constant(0), inner, ast.unparse(node))
        return replace(inner, number=1.0 - _truth(inner), text=None, is_text=False, whole=True)

    def _label(self, text: str) -> int:
        self.labels.append(text)
        return len(self.labels)

    def _feature(self, name: str) -> _Part:
        label = self._label(name)
        column = self._columns.get(name)
        if column is None:
            return _Part(np.asarray(np.nan), np.asarray(label))
        if column.dtype == object:
            return _shaped(_mixed(column.ravel(), label), column.shape)
        number = column.astype(np.float64)
        whole = column.dtype.kind in "iub"
        return _Part(number, np.where(np.isnan(number), label, 0), whole=whole, lost=whole & (np.abs(number) >= EXACT))

    def _operation(self, apply: Callable[[Any, Any], Any], a: _Part, b: _Part, text: str) -> _Part:
        number = apply(a.number, b.number)
        fault = np.isnan(number) | a.is_text | b.is_text
        if apply is np.divide:
            fault = fault | (b.number == 0)
        missing = np.where(a.missing, a.missing, np.where(b.missing, b.missing, np.where(fault, self._label(text), 0)))
        whole = np.logical_and(a.whole, b.whole) & (apply is not np.divide)
        lost = np.logical_or(a.lost, b.lost) | (whole & (np.abs(number) >= EXACT))
        return _Part(number, missing, whole=whole, lost=lost)

    def _pair(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> _Part:
        a = self.part(left)
        if isinstance(op, (ast.In, ast.NotIn)) and isinstance(right, (ast.List, ast.Tuple, ast.Set)):
            items = [self.part(item) for item in right.elts]
            found: Any = np.False_
            for item in items:
                found = found | _equal(a, item)
            lost = np.logical_or.reduce(np.broadcast_arrays(a.lost, *(item.lost for item in items)))
            return _Part((found ^ isinstance(op, ast.NotIn)).astype(np.float64), a.missing, whole=True, lost=lost)
        b = self.part(right)
        missing = np.where(a.missing, a.missing, b.missing)
        if isinstance(op, (ast.Eq, ast.NotEq)):
            number = _equal(a, b) ^ isinstance(op, ast.NotEq)
        else:
            label = self._label(f"{ast.unparse(left)} against {ast.unparse(right)}")
            missing = np.where(missing, missing, np.where(np.not_equal(a.is_text, b.is_text), label, 0))
            number = _ordered(_ORDER[type(op)], a, b)
        return _Part(number.astype(np.float64), missing, whole=True, lost=np.logical_or(a.lost, b.lost))


def _constant(value: float | str) -> _Part:
    if isinstance(value, str):
        text = np.empty((), dtype=object)
        text[()] = value
        return _Part(np.asarray(np.nan), np.asarray(0), text, is_text=True)
    whole = isinstance(value, int)
    lost = whole and abs(value) >= EXACT
    return _Part(np.asarray(np.nan if lost else value, dtype=np.float64), np.asarray(0), whole=whole, lost=lost)


def _mixed(column: Array, label: int) -> _Part:
    """A column of Python values: numbers of any kind, truth values, texts, None."""
    kinds = set(map(type, column))
    texts = np.fromiter((isinstance(value, str) for value in column), bool, len(column)) if str in kinds else False
    unknown = np.array([value is None for value in column], dtype=bool)
    number = np.full(len(column), np.nan)
    plain = ~unknown & ~np.asarray(texts)
    whole: Array | bool = False
    lost: Array | bool = False
    if kinds & {int, bool}:
        whole = np.fromiter((isinstance(value, int) for value in column), bool, len(column))
        lost = np.zeros(len(column), dtype=bool)
        for row in np.flatnonzero(whole):
            lost[row] = abs(column[row]) >= EXACT
        plain = plain & ~lost
    number[plain] = column[plain].astype(np.float64)
    missing = np.where(unknown | (plain & np.isnan(number)), label, 0)
    return _Part(number, missing, column if str in kinds else None, texts, whole, lost)


def _shaped(part: _Part, shape: tuple[int, ...]) -> _Part:
    """The part of a column that was looked at as one long line."""
    fields = {name: getattr(part, name) for name in _Part.__slots__}
    return _Part(**{name: it.reshape(shape) if isinstance(it, np.ndarray) else it for name, it in fields.items()})


def _truth(part: _Part) -> Array:
    truth: Array = np.asarray(part.number != 0)
    if part.text is not None:
        truth = np.where(part.is_text, part.text.astype(bool) if part.text.shape else bool(part.text[()]), truth)
    return truth


def _junction(parts: list[_Part], *, stop: bool) -> _Part:
    """Kleene's `or` (stop is True) and `and`: what stops wins over what is unknown, the first unknown names itself."""
    stopped: Any = np.False_
    missing: Array = np.asarray(0)
    lost: Array = np.asarray(a=False)
    for part in parts:
        stopped = stopped | ((part.missing == 0) & (_truth(part) == stop))
        missing = np.where(missing, missing, part.missing)
        lost = lost | part.lost
    number = np.where(stopped, stop, not stop).astype(np.float64)
    return _Part(number, np.where(stopped, 0, missing), whole=True, lost=lost)


def _equal(a: _Part, b: _Part) -> Array:
    """Equality; a text never equals a number."""
    same: Array = np.asarray(~np.logical_or(a.is_text, b.is_text) & (a.number == b.number))
    if a.text is not None and b.text is not None:
        both = np.logical_and(a.is_text, b.is_text)
        same = np.where(both, np.asarray(a.text == b.text, dtype=bool), same)
    return same


def _ordered(apply: Callable[[Any, Any], Any], a: _Part, b: _Part) -> Array:
    """Order among numbers and among texts; what has no order is False here and unknown in `missing`."""
    answer: Array = np.asarray(apply(a.number, b.number))
    if a.text is None or b.text is None:
        return answer
    both, answer, left, right = np.broadcast_arrays(np.logical_and(a.is_text, b.is_text), answer, a.text, b.text)
    answer = answer.copy()
    answer[both] = apply(left[both], right[both]).astype(bool)
    return answer
