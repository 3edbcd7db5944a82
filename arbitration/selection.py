"""Who wins, and with which probability: exact, bounded exploration, replayable.

Probabilities are integers out of 2**20, so that they sum to exactly 1 and a logged vector means what it says.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from arbitration.domain import Arm, Candidate, CustomerId, Value
from arbitration.policy import Selection

ONE = 1 << 20
_DRAW_BITS = 53


def draw_of(salt: bytes, decision_id: str) -> float:
    """The decision's dice in [0, 1): the first 53 bits of HMAC-SHA256(salt, decision id)."""
    return _uniform(salt, decision_id)


def in_holdout(salt: bytes, customer_id: CustomerId, share: float) -> bool:
    """Whether the customer belongs to the permanent control group; fixed for one salt, independent of every draw."""
    return _uniform(salt, f"holdout:{customer_id}") < share


def _uniform(salt: bytes, text: str) -> float:
    digest = hmac.new(salt, text.encode(), hashlib.sha256).digest()
    return float(int.from_bytes(digest[:8], "big") >> (64 - _DRAW_BITS)) / float(1 << _DRAW_BITS)


@dataclass(frozen=True, slots=True)
class Chances:
    """Units out of 2**20: one per candidate in the given order, and silence. `exploit` is the favorite's index, None silence."""

    units: tuple[int, ...]
    silence: int
    exploit: int | None
    holdout: bool = False


def chances(ranked: Sequence[tuple[Candidate, Value]], selection: Selection, *, holdout: bool = False) -> Chances:
    """The probability of every candidate and of silence; `ranked` is ordered by `decided_on`, best first.

    The favorite is the best candidate, or silence when none is worth more than 0. Near-best candidates, one window per
    treatment, are explored by inverse-gap weighting, p = 1 / (K + greed * gap) (Foster & Rakhlin 2020, "Beyond UCB",
    SquareCB); then scaled down so that all that is not the favorite stays within `exploration`, and its expected loss
    within `exploration_budget`. Silence keeps its floor, whatever that costs.
    """
    nothing = (0,) * len(ranked)
    if holdout or not ranked:
        return Chances(nothing, ONE, None, holdout)
    best = ranked[0][1].decided_on
    exploit = 0 if best > 0 else None
    best = max(best, 0.0)
    floor = 0 if exploit is None else _ceil(selection.silence_floor * ONE)
    gaps = {at: best - ranked[at][1].decided_on for at in _near_best(ranked, best, exploit)}
    shares = _scaled(_inverse_gap(gaps, selection.greed), gaps, selection, floor / ONE, best)
    units = [int(shares.get(at, 0.0) * ONE) for at in range(len(ranked))]
    if exploit is None:
        return Chances(tuple(units), ONE - sum(units), None)
    units[exploit] = ONE - floor - sum(units)
    return Chances(tuple(units), floor, exploit)


def pick(chosen: Chances, draw: float) -> tuple[int | None, Arm]:
    """The index that the draw in [0, 1) falls on, None for silence, and the arm it belongs to."""
    position, upto = int(draw * ONE), 0
    for at, units in enumerate(chosen.units):
        upto += units
        if position < upto:
            return at, "exploit" if at == chosen.exploit else "explore"
    if chosen.holdout:
        return None, "holdout"
    return None, "exploit" if chosen.exploit is None else "silence_floor"


def _near_best(ranked: Sequence[tuple[Candidate, Value]], best: float, exploit: int | None) -> list[int]:
    """The best window of each other treatment whose optimistic value reaches the favorite: it could be better."""
    seen = set() if exploit is None else {ranked[exploit][0].treatment}
    found = []
    for at, (candidate, value) in enumerate(ranked):
        if candidate.treatment not in seen:
            seen.add(candidate.treatment)
            if value.high > best:
                found.append(at)
    return found


def _inverse_gap(gaps: dict[int, float], greed: float) -> dict[int, float]:
    arms = len(gaps) + 1
    return {at: 1.0 / (arms + greed * gap) for at, gap in gaps.items()}


def _scaled(
    weights: dict[int, float], gaps: dict[int, float], selection: Selection, floor: float, best: float
) -> dict[int, float]:
    """Weights times the largest factor up to 1 that keeps exploration and its expected loss within bounds."""
    total = sum(weights.values())
    loss = sum(weight * gaps[at] for at, weight in weights.items())
    room = max(0.0, selection.exploration - floor)
    money = max(0.0, selection.exploration_budget - floor * best)
    factor = min(1.0, room / total if total > 0 else 0.0, money / loss if loss > 0 else 1.0)
    return {at: weight * factor for at, weight in weights.items()}


def _ceil(units: float) -> int:
    return int(units) + (units > int(units))
