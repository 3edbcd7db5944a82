"""The nouns of an explanation; `domain.py` gives them out together with all others, `explain.py` fills them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Lang = Literal["de", "en"]
Direction = Literal["raises", "lowers", "none"]


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why one treatment did not win: the gate's code, or `lost_by` money against the winner; `sentence` says it to people."""

    treatment: str
    code: str
    lost_by: float | None
    sentence: str


@dataclass(frozen=True, slots=True)
class ContributionLine:
    """One contribution in business words. `direction` is its sign and claims nothing more."""

    model: str
    feature: str
    margin: float
    direction: Direction
    sentence: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision in one language: what, why, why not the others, what moved the models; at most four words for the store."""

    lang: Lang
    headline: str
    sentences: tuple[str, ...]
    store_summary: str
    why_not: tuple[WhyNot, ...]
    contributions: tuple[ContributionLine, ...]
