"""Who wins, and with which probability: exact, bounded exploration, replayable.

Probabilities are integers out of 2**20, so that they sum to exactly 1 and a logged vector means what it says.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from arbitration.domain import Arm, Candidate, CustomerId, Value
from arbitration.policy import Selection
from arbitration.value import total

ONE = 1 << 20
_DRAW_BITS = 53
DEAREST = 1e9


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

    The favorite is the best candidate, or silence when none is worth more than 0; it gets what the strategy leaves. Only the best
    window of each other treatment may be tried. Silence keeps its floor, whatever that costs.
    """
    selection = bounded(selection)
    nothing = (0,) * len(ranked)
    if holdout or not ranked:
        return Chances(nothing, ONE, None, holdout)
    exploit = 0 if ranked[0][1].decided_on > 0 else None
    others = _others(ranked, exploit)
    tried = STRATEGIES[selection.strategy](ranked, others, selection)
    units = [0] * len(ranked)
    for at, share in tried.shares.items():
        units[at] = int(share * ONE)
    if exploit is None:
        return Chances(tuple(units), ONE - sum(units), None)
    silence = _ceil(tried.silence * ONE)
    units[exploit] = ONE - silence - sum(units)
    return Chances(tuple(units), silence, exploit)


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


@dataclass(frozen=True, slots=True)
class Tried:
    """What a strategy gives to candidates that are not the favorite, by index, and to silence where silence is not the favorite."""

    shares: Mapping[int, float]
    silence: float


Ranking = Sequence[tuple[Candidate, Value]]
Strategy = Callable[[Ranking, list[int], Selection], Tried]


def inverse_gap(ranked: Ranking, others: list[int], selection: Selection) -> Tried:
    """Near-best candidates by inverse-gap weighting, p = 1 / (K + greed * gap) (Foster & Rakhlin 2020, "Beyond UCB", SquareCB);
    then scaled down so that all that is not the favorite stays within `exploration`, and the expected loss of trying
    within `exploration_budget`. Near-best is who could be better than the favorite within one standard deviation.
    """
    best = max(ranked[0][1].decided_on, 0.0)
    gaps = {at: best - ranked[at][1].decided_on for at in others if ranked[at][1].high > best}
    arms = len(gaps) + 1
    weights = {at: 1.0 / (arms + selection.greed * gap) for at, gap in gaps.items()}
    shares = total(weights.values())
    loss = total(weight * _loss(ranked, at, gaps[at]) for at, weight in weights.items())
    room = _room(ranked, selection)
    factor = min(1.0, room / shares if shares > 0 else 0.0, selection.exploration_budget / loss if loss > 0 else 1.0)
    return Tried({at: weight * factor for at, weight in weights.items()}, selection.silence_floor)


def epsilon(ranked: Ranking, others: list[int], selection: Selection) -> Tried:
    """All others alike, together `exploration`, whatever they may lose: for comparison."""
    return Tried(dict.fromkeys(others, _room(ranked, selection) / max(1, len(others))), selection.silence_floor)


def greedy(_: Ranking, __: list[int], selection: Selection) -> Tried:
    """Nothing but the favorite, and silence as often as its floor asks: for comparison."""
    return Tried({}, selection.silence_floor)


def uniform(ranked: Ranking, others: list[int], selection: Selection) -> Tried:
    """Every treatment and silence alike, as a randomized trial would; `exploration` does not bind it: for comparison."""
    contacts = len(others) + (1 if ranked[0][1].decided_on > 0 else 0)
    silence = max(1.0 / (contacts + 1), selection.silence_floor)
    return Tried(dict.fromkeys(others, (1.0 - silence) / contacts), silence)


STRATEGIES: Mapping[str, Strategy] = {
    "inverse_gap": inverse_gap, "epsilon": epsilon, "greedy": greedy, "uniform": uniform
}  # fmt: skip


def bounded(selection: Selection) -> Selection:
    """Shares within [0, 1] and no negative prices, whatever a policy that no catalog would allow says; no number is 0."""
    return replace(
        selection,
        exploration=_clipped(selection.exploration),
        silence_floor=_clipped(selection.silence_floor),
        greed=_clipped(selection.greed, DEAREST),
        exploration_budget=_clipped(selection.exploration_budget, DEAREST),
    )


def _clipped(number: float, most: float = 1.0) -> float:
    return min(most, max(0.0, number)) if number == number else 0.0  # noqa: PLR0124 - NaN


def _loss(ranked: Ranking, at: int, gap: float) -> float:
    """What trying the candidate is expected to lose against the favorite: net money, and no less than its cautious gap."""
    favorite = ranked[0][1].net if ranked[0][1].decided_on > 0 else 0.0
    return max(gap, favorite - ranked[at][1].net)


def _room(ranked: Ranking, selection: Selection) -> float:
    """What `exploration` leaves beside the silence floor, which counts only where silence is not the favorite."""
    floor = _ceil(selection.silence_floor * ONE) / ONE if ranked[0][1].decided_on > 0 else 0.0
    return max(0.0, selection.exploration - floor)


def _others(ranked: Ranking, exploit: int | None) -> list[int]:
    """The best window of each treatment but the favorite's."""
    seen = set() if exploit is None else {id(ranked[exploit][0].treatment)}
    found = []
    for at, (candidate, _) in enumerate(ranked):
        if id(candidate.treatment) not in seen:
            seen.add(id(candidate.treatment))
            found.append(at)
    return found


def _ceil(units: float) -> int:
    return int(units) + (units > int(units))
