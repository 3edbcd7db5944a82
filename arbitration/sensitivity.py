"""How sure a choice is: the money between the favorite and what comes next, and the parts of the value that decide.

One part at a time is taken as 0 and the candidates are ranked anew: a local sensitivity analysis (Saltelli et al. 2004,
"Sensitivity Analysis in Practice", section 2: one factor at a time).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from arbitration.domain import PARTS, SILENCE, Candidate, Decision, Estimates, Ranked
from arbitration.explanation import Drop, Sensitivity
from arbitration.policy import Policy
from arbitration.value import Valued, ranking


class Choice(NamedTuple):
    """A treatment id, or silence, and its cautious money."""

    treatment: str
    worth: float


NOTHING = Choice(SILENCE, 0.0)


def favorite_of(ranked: Iterable[Ranked | Valued]) -> Choice:
    """The best ranked treatment if it is worth more than 0, else silence; `ranked` is ordered, best first.

    Not the drawn winner: exploration, the silence floor and the holdout are dice.
    """
    return next((choice for choice in _choices(ranked) if choice.worth > 0), NOTHING)


def sensitivity(decision: Decision, estimates: Estimates, policy: Policy) -> Sensitivity | None:
    """What the choice hangs on. None where value did not choose: nothing passed the gates, or the holdout was silent."""
    if not decision.ranked or decision.arm == "holdout":
        return None
    choices = _choices(decision.ranked)
    favorite, best = favorite_of(decision.ranked), decision.ranked[0].value
    rival = max((one for one in (*choices, NOTHING) if one.treatment != favorite.treatment), key=lambda one: one.worth)
    candidates = [item.candidate for item in decision.ranked]
    drops = (_drop(part, favorite, candidates, estimates, policy) for part in PARTS)
    return Sensitivity(
        favorite=favorite.treatment,
        rival=rival.treatment,
        margin=favorite.worth - rival.worth,
        spread=best.high - best.net,
        drops=tuple(drop for drop in drops if drop is not None),
    )


def _drop(
    part: str, favorite: Choice, candidates: Iterable[Candidate], estimates: Estimates, policy: Policy
) -> Drop | None:
    """The part, if another treatment or silence comes first without it."""
    ranked = ranking(candidates, estimates, policy, without=part)
    after = favorite_of(ranked)
    if after.treatment == favorite.treatment:
        return None
    before = next((one for one in _choices(ranked) if one.treatment == favorite.treatment), NOTHING)
    return Drop(part, after.treatment, after.worth - before.worth)


def _choices(ranked: Iterable[Ranked | Valued]) -> list[Choice]:
    """The best window of each treatment, best first."""
    best: dict[str, float] = {}
    for item in ranked:
        best.setdefault(item.candidate.treatment.id, item.value.decided_on)
    return [Choice(*pair) for pair in best.items()]
