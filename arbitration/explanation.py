"""The nouns of an explanation; `explain.py` fills them. Where `sentence` is empty, nobody has said it in a language yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from arbitration.situation import FeatureValue

Lang = Literal["de", "en"]
Direction = Literal["raises", "lowers", "none"]
ChangeKind = Literal["consent", "feature", "cap", "contact", "time", "lever"]


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why one treatment, or silence, did not win: the gate's code, or `lost_by` money against the winner; `sentence` says it.

    `title` is how people call what did not win; the sentence begins with it.
    """

    treatment: str
    code: str
    lost_by: float | None
    title: str
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
class Drop:
    """A part of the value that decides: taken as 0, `favorite` would come first, `by` money ahead of the present favorite."""

    part: str
    favorite: str
    by: float
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How sure the choice is. `favorite` and `rival` are treatment ids or silence.

    `margin` is the break-even: cautious money between the two; who loses more than that no longer comes first. `spread` is one
    standard deviation of the effect, in money: of the favorite, or of the best treatment where silence is the favorite.
    """

    favorite: str
    rival: str
    margin: float
    spread: float
    drops: tuple[Drop, ...]
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One single change of what a decision starts from. Moments are ISO text in UTC.

    kind      what                     before -> after
    consent   channel/purpose          state, or None -> granted, as of the moment of the decision
    feature   name of the feature      its value, None for unknown -> another value
    cap       id of the cap            its limit -> one more
    contact   journey/channel          when it was made -> None: it was not made
    time      now                      moment of the decision -> a later one; ages and time left move along
    lever     id of the journey        money -> money
    """

    kind: ChangeKind
    what: str
    before: FeatureValue
    after: FeatureValue


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """A change after which another treatment, or silence, is the favorite, worth `worth` on the cautious side.

    `held`: the change touches what models read, but their estimates were kept as they were.
    """

    change: Change
    favorite: str
    worth: float
    held: bool = False
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision in one language: what, why, why not the others, what moved the models; at most four words for the store.

    `sensitivity` is None and `counterfactuals` is empty where nothing was weighed, as for customers who objected.
    """

    lang: Lang
    headline: str
    sentences: tuple[str, ...]
    store_summary: str
    why_not: tuple[WhyNot, ...]
    contributions: tuple[ContributionLine, ...]
    sensitivity: Sensitivity | None = None
    counterfactuals: tuple[Counterfactual, ...] = ()
