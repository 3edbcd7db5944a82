"""What moved a model, as bars left and right of zero; the strongest eight, and all others as one, so that the sum is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from arbitration.domain import Attribution, Contribution
from serving.console.voice import Voice
from serving.console.waterfall import EDGE, ROW, Scale

SHOWN = 8
Direction = Literal["raises", "lowers", "none"]


@dataclass(frozen=True, slots=True)
class Line:
    """One contribution in words; `margin` is exact log-odds."""

    key: str
    label: str
    value: str
    margin: float


@dataclass(frozen=True, slots=True)
class Influence:
    """One row of picture and table; `odds` says the factor by which it multiplies the odds."""

    line: Line
    direction: Direction
    effect: str
    odds: str
    log_odds: str
    x: float
    width: float
    y: float


@dataclass(frozen=True, slots=True)
class Influences:
    """One model's estimate taken apart: base + rows = sum, in log-odds, exactly."""

    model: str
    name: str
    rows: tuple[Influence, ...]
    height: float
    zero_x: float
    title: str
    description: str
    story: str
    calibrated: str
    base: str
    base_margin: float
    total: str
    total_margin: float


def strongest(parts: Sequence[Contribution], shown: int = SHOWN) -> tuple[list[Contribution], list[Contribution]]:
    """The largest contributions by absolute value, and the rest; a rest of one is shown by itself."""
    ordered = sorted(parts, key=lambda part: -abs(part.margin))
    cut = shown if len(ordered) > shown + 1 else len(ordered)
    return ordered[:cut], ordered[cut:]


def sigmoid(log_odds: float) -> float:
    """1 / (1 + exp(-m)) without overflow."""
    return 0.5 * (1.0 + math.tanh(0.5 * log_odds))


def influences(given: Attribution, voice: Voice, timed: float | None = None) -> Influences:
    """The view of one attribution; `timed` is what its probability becomes at the chosen time, where the time changes it."""
    lines = _lines(given, voice)
    scale = Scale(min(0.0, *(line.margin for line in lines), 0.0), max(0.0, *(line.margin for line in lines), 0.0))
    rows = tuple(_row(number, line, scale, voice) for number, line in enumerate(lines))
    name = voice.words.known(f"model_{given.model}", given.model)
    base, raw = voice.formats.percent(sigmoid(given.base)), voice.formats.percent(sigmoid(given.margin))
    return Influences(
        model=given.model,
        name=name,
        rows=rows,
        height=ROW * len(rows) + EDGE,
        zero_x=scale.x(0.0),
        title=voice.words("bars_title", model=name),
        description="; ".join(" ".join(filter(None, (row.line.label, row.line.value, row.effect))) for row in rows),
        story=voice.words("from_to", base=base, raw=raw),
        calibrated=_calibrated(given, raw, voice, timed),
        base=voice.formats.number(given.base, 3, signed=True),
        base_margin=given.base,
        total=voice.formats.number(given.margin, 3, signed=True),
        total_margin=given.margin,
    )


def _lines(given: Attribution, voice: Voice) -> list[Line]:
    top, rest = strongest(given.contributions)
    lines = [
        Line(part.feature, voice.feature(part.feature), voice.value(part.feature, part.value), part.margin)
        for part in top
    ]
    if rest:
        others = voice.words("others", count=len(rest))
        lines.append(Line("others", others, "", math.fsum(part.margin for part in rest)))
    return lines


def _calibrated(given: Attribution, raw: str, voice: Voice, timed: float | None) -> str:
    """The probability that the decision used, where calibration or the chosen time changes what is shown."""
    probability = voice.formats.percent(given.probability)
    told = [] if probability == raw else [voice.words("calibrated", probability=probability)]
    if timed is not None and (later := voice.formats.percent(timed)) != probability:
        told.append(voice.words("at_chosen_time", probability=later))
    return " ".join(told)


def _row(number: int, line: Line, scale: Scale, voice: Voice) -> Influence:
    direction: Direction = "raises" if line.margin > 0 else "lowers" if line.margin < 0 else "none"
    x, width = scale.span(0.0, line.margin)
    return Influence(
        line=line,
        direction=direction,
        effect=voice.words(direction),
        odds=voice.words("odds", factor=voice.formats.number(math.exp(min(line.margin, 50.0)), 2, padded=True)),
        log_odds=voice.formats.number(line.margin, 3, signed=True),
        x=x,
        width=width,
        y=ROW * number,
    )
