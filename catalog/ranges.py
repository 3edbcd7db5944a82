"""Whether rules can hold together at all, by interval reasoning over the ranges of their features.

Only certainty counts: every step keeps at least all values for which a rule holds, so what comes out empty never holds. Unknown
values need no care, because an unknown rule does not hold either.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from arbitration.expression import compile_expression, feature_name
from catalog.rules import Kind

MOST_BOXES = 256
"""Alternatives that are followed; beyond, a rule is not narrowed further, which is always allowed."""
_LARGEST = 1e300
"""Larger whole numbers than this may not fit a float; nothing is said about them."""
_NEGATED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from `low` to `high`; an open end does not belong to them. `whole`: whole numbers alone."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    whole: bool = False

    @property
    def empty(self) -> bool:
        """Whether no number is left."""
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def within(self, other: Span) -> Span:
        """The numbers that are in both."""
        low = max((self.low, self.low_open), (other.low, other.low_open))
        high = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Span(low[0], high[0], low[1], not high[1], self.whole or other.whole).tight()

    def tight(self) -> Span:
        """Ends of whole numbers are whole and belong to them."""
        if not self.whole or self.empty:
            return self
        low, high = self.low, self.high
        if math.isfinite(low):
            low = math.floor(low) + 1 if self.low_open else math.ceil(low)
        if math.isfinite(high):
            high = math.ceil(high) - 1 if self.high_open else math.floor(high)
        return Span(low, high, whole=True)


Texts = frozenset[str]
Domain = Span | Texts
Box = Mapping[str, Domain]
"""What is left of each feature; a feature that is absent may still have any value of its range."""


def can_hold(rules: Iterable[tuple[str, bool]], ranges: Mapping[str, Span]) -> bool:
    """Whether all rules may have the wanted answers (True: the rule holds, False: it is known not to) at the same time."""
    boxes: list[Box] = [{}]
    for text, wanted in rules:
        boxes = _narrowed(compile_expression(text).tree, wanted, boxes, ranges)
    return bool(boxes)


def feature_ranges(kinds: Mapping[str, Kind]) -> dict[str, Span]:
    """The declared range of every number that a rule may use."""
    from features.registry import FEATURES

    found = {}
    for name, kind in kinds.items():
        feature = FEATURES[name.rpartition(".")[2]]
        if kind == "number":
            low = -math.inf if feature.low is None else feature.low
            high = math.inf if feature.high is None else feature.high
            found[name] = Span(low, high, whole=feature.dtype == "int64")
    return found


def _narrowed(node: ast.expr, wanted: bool, boxes: list[Box], ranges: Mapping[str, Span]) -> list[Box]:
    """The boxes in which the node may have the wanted answer."""
    match node:
        case ast.Constant(value=bool() as value):
            return boxes if value is wanted else []
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _narrowed(operand, not wanted, boxes, ranges)
        case ast.BoolOp(op=op, values=parts):
            return _joined(parts, wanted, isinstance(op, ast.And) is wanted, boxes, ranges)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [left, *comparators]
            pairs: list[ast.expr] = [
                ast.Compare(a, [op], [b]) for a, op, b in zip(sides, ops, comparators, strict=False)
            ]
            if len(pairs) > 1:
                return _joined(pairs, wanted, wanted, boxes, ranges)
            op_kind = type(ops[0]) if wanted else _NEGATED[type(ops[0])]
            return [part for box in boxes for part in _compared(left, op_kind, comparators[0], box, ranges)]
    return boxes


def _joined(
    parts: list[ast.expr], wanted: bool, everyone: bool, boxes: list[Box], ranges: Mapping[str, Span]
) -> list[Box]:
    """Every part must have the wanted answer, or one of them."""
    if not everyone:
        found = [box for part in parts for box in _narrowed(part, wanted, boxes, ranges)]
        return found if len(found) <= MOST_BOXES else boxes
    for part in parts:
        boxes = _narrowed(part, wanted, boxes, ranges)
    return boxes


def _compared(left: ast.expr, op: type[ast.cmpop], right: ast.expr, box: Box, ranges: Mapping[str, Span]) -> list[Box]:
    if isinstance(right, (ast.List, ast.Tuple, ast.Set)):
        if op is ast.NotIn:
            for item in right.elts:
                if not (kept := _compared(left, ast.NotEq, item, box, ranges)):
                    return []
                box = kept[0]
            return [box]
        found = [part for item in right.elts for part in _compared(left, ast.Eq, item, box, ranges)]
        return found if len(found) <= MOST_BOXES else [box]
    if any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in (left, right)):
        return _texts(left, op, right, box)
    if (tightened := _tightened(left, op, right, box, ranges)) is None:
        return []
    again = _tightened(right, _MIRRORED[op], left, tightened, ranges)
    return [] if again is None else [again]


def _texts(left: ast.expr, op: type[ast.cmpop], right: ast.expr, box: Box) -> list[Box]:
    """A text feature against a text; order among texts is not narrowed."""
    name, text = (feature_name(left), right) if isinstance(right, ast.Constant) else (feature_name(right), left)
    if name is None or not isinstance(text, ast.Constant) or op not in (ast.Eq, ast.NotEq):
        return [box]
    known = box.get(name)
    if not isinstance(known, frozenset):
        return [{**box, name: frozenset([str(text.value)])}] if op is ast.Eq else [box]
    left_over = {one for one in known if (one == text.value) is (op is ast.Eq)}
    return [{**box, name: frozenset(left_over)}] if left_over else []


def _tightened(
    side: ast.expr, op: type[ast.cmpop], other: ast.expr, box: Box, ranges: Mapping[str, Span]
) -> Box | None:
    """The box with `side` cut to what the comparison with `other` allows; None when nothing is left."""
    span, limit = _span(side, box, ranges), _span(other, box, ranges)
    point = limit.low if limit.low == limit.high else None
    allowed = {
        ast.NotEq: Span(low=span.low, high=span.high, low_open=point == span.low, high_open=point == span.high),
        ast.Lt: Span(high=limit.high, high_open=True),
        ast.LtE: Span(high=limit.high, high_open=limit.high_open),
        ast.Gt: Span(low=limit.low, low_open=True),
        ast.GtE: Span(low=limit.low, low_open=limit.low_open),
        ast.Eq: Span(limit.low, limit.high, limit.low_open, limit.high_open),
    }[op]
    cut = span.within(allowed)
    if cut.empty:
        return None
    name = feature_name(side)
    return {**box, name: cut} if name is not None else box


def _span(node: ast.expr, box: Box, ranges: Mapping[str, Span]) -> Span:
    """All values that a number may have in a box; anything that is not understood may have every value."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return Span(value, value) if abs(value) < _LARGEST else Span()
        case ast.Name() | ast.Attribute():
            name = feature_name(node) or ""
            known = box.get(name, ranges.get(name))
            return known if isinstance(known, Span) else Span()
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _span(operand, box, ranges)
            return Span(-inner.high, -inner.low, inner.high_open, inner.low_open)
        case ast.BinOp(left=left, op=op, right=right):
            return _arithmetic(op, _span(left, box, ranges), _span(right, box, ranges))
    return Span()


def _arithmetic(op: ast.operator, a: Span, b: Span) -> Span:
    """Interval arithmetic, ends closed and widened by the rounding of one operation (R. E. Moore, Interval Analysis, 1966)."""
    if isinstance(op, ast.Div):
        if b.low <= 0 <= b.high:
            return Span()
        ends = [x / y for x, y in product((a.low, a.high), (b.low, b.high))]
    elif isinstance(op, ast.Mult):
        ends = [x * y for x, y in product((a.low, a.high), (b.low, b.high))]
    elif isinstance(op, ast.Add):
        ends = [a.low + b.low, a.high + b.high]
    else:
        ends = [a.low - b.high, a.high - b.low]
    if any(math.isnan(end) for end in ends):
        return Span()
    return Span(math.nextafter(min(ends), -math.inf), math.nextafter(max(ends), math.inf))
