"""How sure a decision is, and what would change it: the distance to what comes next as a picture, and the changes as lines."""

from __future__ import annotations

from dataclasses import dataclass

from arbitration.explanation import Explanation, Sensitivity
from arbitration.naming import Naming
from arbitration.what_if import capital
from arbitration.wording import decimals
from serving.console.voice import Voice
from serving.console.waterfall import EDGE, Scale


@dataclass(frozen=True, slots=True)
class Distance:
    """The favorite's lead over what comes next, and the uncertainty of the effect around it. Places are picture units."""

    sentence: str
    title: str
    description: str
    first: str
    second: str
    margin: str
    zero_x: float
    width: float
    low_x: float
    high_x: float
    drops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Altered:
    """One change that would bring another choice."""

    kind: str
    label: str
    sentence: str


def distance(told: Explanation, naming: Naming, voice: Voice) -> Distance | None:
    """The view of a decision's sensitivity; None where nothing was weighed."""
    given = told.sensitivity
    if given is None:
        return None
    low, high = given.margin - given.spread, given.margin + given.spread
    scale = Scale(min(0.0, low), max(0.0, high))
    x, width = scale.span(0.0, given.margin)
    money = _money(given, voice)
    first, second = capital(naming.choice(given.favorite)), naming.choice(given.rival)
    return Distance(
        sentence=given.sentence,
        title=voice.words("sure_picture", first=first, margin=money["margin"], second=second),
        description=voice.words("sure_range", low=money["low"], high=money["high"]),
        first=first,
        second=capital(second),
        margin=money["margin"],
        zero_x=max(x, EDGE),
        width=width,
        low_x=scale.x(low),
        high_x=scale.x(high),
        drops=tuple(drop.sentence for drop in given.drops),
    )


def _money(given: Sensitivity, voice: Voice) -> dict[str, str]:
    """Lead and its range, with the same decimals."""
    amounts = {"margin": given.margin, "low": given.margin - given.spread, "high": given.margin + given.spread}
    digits = decimals([given.margin])
    return {name: voice.formats.money(amount, digits, signed=True) for name, amount in amounts.items()}


def alterations(told: Explanation, voice: Voice) -> tuple[Altered, ...]:
    """The counterfactuals, one line each."""
    return tuple(
        Altered(one.change.kind, voice.words(f"change_{one.change.kind}"), one.sentence) for one in told.counterfactuals
    )
