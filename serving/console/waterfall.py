"""The value of a candidate as a waterfall: each part starts where the one before it ended, the last bar is the net.

Rows stand below each other, text above its bar, so that long words fit on a phone. Lengths are picture units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from arbitration.domain import PARTS, Value
from arbitration.wording import decimals
from serving.console.voice import Voice

WIDTH = 400.0
ROW = 42.0
BAR = 14.0
EDGE = 6.0
LEAST = 1.5
"""Even the smallest part keeps a visible width."""
ONLY_IF_USED = frozenset({"progress", "incentive_cost", "subsidy_cost", "points_cost", "shadow_cost", "lever"})
"""Parts that many contacts do not have; they are left out where they are zero."""
Kind = Literal["gain", "cost", "nothing", "net"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Money or log-odds between `low` and `high` laid out on the picture's width."""

    low: float
    high: float

    def x(self, amount: float) -> float:
        """The place of an amount."""
        span = self.high - self.low
        share = (amount - self.low) / span if span > 0 else 0.0
        return round(EDGE + share * (WIDTH - 2 * EDGE), 2)

    def span(self, start: float, end: float) -> tuple[float, float]:
        """Left edge and width of the bar between two amounts."""
        left, right = self.x(min(start, end)), self.x(max(start, end))
        return left, round(max(right - left, LEAST), 2)


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: its part, exact amount and text, what it rests on, and where the bar stands; `joint` is where the next begins."""

    key: str
    label: str
    amount: float
    text: str
    evidence: str
    kind: Kind
    x: float
    width: float
    y: float
    joint: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The picture and the numbers of its table. `bars` end with the net; `low_x` and `high_x` bound its likely range."""

    bars: tuple[Bar, ...]
    height: float
    zero_x: float
    low_x: float
    high_x: float
    title: str
    description: str
    low: str
    high: str
    ranked_on: str
    digits: int


def parts_of(value: Value) -> tuple[tuple[str, float], ...]:
    """The parts in the order of the objective."""
    parts = ((name, float(getattr(value, name))) for name in PARTS)
    return tuple((name, amount) for name, amount in parts if amount != 0 or name not in ONLY_IF_USED)


def waterfall(value: Value, voice: Voice) -> Waterfall:
    """The picture of a value; its bars sum to `value.net` because the parts do."""
    parts = parts_of(value)
    ends = running(parts)
    scale = Scale(min(0.0, value.low, *ends), max(0.0, value.high, *ends))
    digits = decimals([*(amount for _, amount in parts), value.net])
    bars = tuple(_bars(parts, value, scale, digits, voice))
    said = {
        name: voice.formats.money(getattr(value, name), digits, signed=True)
        for name in ("net", "low", "high", "decided_on")
    }
    listed = ", ".join(f"{bar.label} {bar.text}" for bar in bars[:-1])
    return Waterfall(
        bars=bars,
        height=ROW * len(bars) + EDGE,
        zero_x=scale.x(0.0),
        low_x=scale.x(value.low),
        high_x=scale.x(value.high),
        title=voice.words("waterfall_title", net=said["net"]),
        description=voice.words("waterfall_desc", parts=listed, net=said["net"], low=said["low"], high=said["high"]),
        low=said["low"],
        high=said["high"],
        ranked_on=said["decided_on"],
        digits=digits,
    )


def running(parts: tuple[tuple[str, float], ...]) -> list[float]:
    """The sum after each part."""
    total, ends = 0.0, []
    for _, amount in parts:
        total += amount
        ends.append(total)
    return ends


def _bars(parts: tuple[tuple[str, float], ...], value: Value, scale: Scale, digits: int, voice: Voice) -> Iterator[Bar]:
    starts = [0.0, *running(parts)]
    tiers = dict(zip(PARTS, value.tiers, strict=True)) | {"net": value.tier}
    rows = [(*part, start) for part, start in zip(parts, starts, strict=False)]
    for number, (name, amount, start) in enumerate([*rows, ("net", value.net, 0.0)]):
        x, width = scale.span(start, start + amount)
        yield Bar(
            key=name,
            label=voice.words(name),
            amount=amount,
            text=voice.formats.money(amount, digits, signed=True),
            evidence=voice.words(f"evidence_{tiers[name]}"),
            kind=kind_of(name, amount),
            x=x,
            width=width,
            y=ROW * number,
            joint=scale.x(start + amount),
        )


def kind_of(name: str, amount: float) -> Kind:
    """How the bar is drawn; a part that costs nothing is neither gain nor cost."""
    if name == "net":
        return "net"
    return "gain" if amount > 0 else "cost" if amount < 0 else "nothing"
