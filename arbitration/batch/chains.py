"""Plans for many winners: the exact search of `arbitration.plan`, with the most promising second step tried first.

A row's rivals are the other scheduled channels of its journey, in the order of channel ids; a step is (rival, window).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.after import After, Step
from arbitration.batch.clock import INSTANT, Windows
from arbitration.propose import FIRST_WITHIN

Array = npt.NDArray[Any]
NOTHING = -np.inf
A_DAY = FIRST_WITHIN // INSTANT
WIDEST = 16
"""Second steps that are tried at once in rows whose first ones did not settle it."""


@dataclass(frozen=True, slots=True)
class Rivals:
    """What may follow, rows x rivals x windows: net (-inf where nothing may), P(engage), and the treatment.

    `ready` is when the wait after each row's first step is over, `channel` each rival's channel, -1 where a row has no more.
    """

    windows: Windows
    ready: Array
    channel: Array
    wait: Array
    net: Array
    propensity: Array
    treatment: Array


@dataclass(slots=True)
class Chains:
    """The best chain found so far per row: the steps' rival and window, -1 where there is none."""

    worth: Array
    second: Array
    second_window: Array
    third: Array
    third_window: Array


def best_chains(first: Step, net: Array, propensity: Array, rivals: Rivals, after: After) -> Chains:
    """Per row the second and third step that together with the first are worth most, if they add anything."""
    rows = len(net)
    none = np.full(rows, -1)
    # backward induction over one step, as plan.expected_value reckons it
    best = Chains(net + (1.0 - propensity) * 0.0, none.copy(), none.copy(), none.copy(), none.copy())
    open_net = np.full(rivals.net.shape, NOTHING)
    for at in range(rivals.channel.shape[1]):
        some = np.flatnonzero((rivals.channel[:, at] >= 0) & (rivals.net[:, at] > NOTHING).any(axis=1))
        if len(some):
            passes = after.passes(some, [first.only(some)], rivals.channel[some, at], rivals.windows)
            open_net[some, at] = np.where(passes, rivals.net[some, at], NOTHING)
    ceiling = _ceilings(net, propensity, rivals, open_net)
    search = Search(first, net, propensity, rivals, open_net, after)
    active, width = np.arange(rows), 1
    while len(active):
        ceiling[active] = _pruned(ceiling[active], best, rivals, active)
        active = active[(ceiling[active] > NOTHING).any(axis=(1, 2))]
        picks = [_next(ceiling, rivals, active) for _ in range(width)]
        search.put(best, [pick for pick in picks if len(pick.row)])
        width = min(2 * width, WIDEST)
    return best


def _ceilings(net: Array, propensity: Array, rivals: Rivals, open_net: Array) -> Array:
    """No chain with this second step is worth more: as if the dearest third step after its wait could follow."""
    later = np.maximum.accumulate(open_net[:, :, ::-1], axis=2)[:, :, ::-1]
    found = np.full(open_net.shape, NOTHING)
    opens, size = rivals.windows.opens, open_net.shape[2]
    for at in range(open_net.shape[1]):
        some = np.flatnonzero((open_net[:, at] > NOTHING).any(axis=1))
        if not len(some):
            continue
        ready = opens[some] + rivals.wait[some, at, None]
        begin = (opens[some][:, None, :] < ready[:, :, None]).sum(axis=2)
        third = np.zeros((len(some), size))
        for other in range(open_net.shape[1]):
            if other != at:
                reach = np.take_along_axis(later[some, other], np.minimum(begin, size - 1), axis=1)
                third = np.maximum(third, np.where(begin < size, reach, 0.0))
        second = open_net[some, at] + (1.0 - rivals.propensity[some, at]) * third
        ceiling = net[some, None] + (1.0 - propensity[some, None]) * second
        in_turn = opens[some] < rivals.ready[some, None] + A_DAY
        found[some, at] = np.where((open_net[some, at] > NOTHING) & in_turn, ceiling, NOTHING)
    return found


def _pruned(ceiling: Array, best: Chains, rivals: Rivals, rows: Array) -> Array:
    """Ceilings of the second steps that can still win: worth more, or as much and earlier; -inf elsewhere."""
    worth = best.worth[rows, None, None]
    places, windows = np.arange(ceiling.shape[1])[None, :, None], np.arange(ceiling.shape[2])[None, None, :]
    asked = (rivals.net[rows], places, windows)
    keep = (ceiling > worth) | ((ceiling == worth) & _earlier(asked, best, rivals, rows))
    return np.where(keep, ceiling, NOTHING)


def _earlier(asked: tuple[Array, Array, Array], best: Chains, rivals: Rivals, rows: Array) -> Array:
    """Whether second steps (net, rival, window) stand before the best so far in the order of `plan.plan_of`: by
    channel, then most worth first. Nothing stands before the first step alone.
    """
    net, place, window = asked
    wide = (slice(None), *(None,) * (net.ndim - 1))
    at, when = best.second[rows], best.second_window[rows]
    own = rivals.net[rows, at, when][wide]
    at, when = at[wide], when[wide]
    dearer = (net > own) | ((net == own) & (window < when))
    before: Array = (at >= 0) & ((place < at) | ((place == at) & dearer))
    return before


@dataclass(frozen=True, slots=True)
class Pick:
    """One second step of each of some rows."""

    row: Array
    rival: Array
    window: Array


def _next(ceiling: Array, rivals: Rivals, rows: Array) -> Pick:
    """The second step with the highest ceiling, among equals the first in the order of `plan.plan_of`; it is crossed out in `ceiling`."""
    own = ceiling[rows]
    highest = own.max(axis=2)
    top = highest.max(axis=1)
    rows, own, highest, top = (it[top > NOTHING] for it in (rows, own, highest, top))
    rival = (highest == top[:, None]).argmax(axis=1)
    ties = own[np.arange(len(rows)), rival] == top[:, None]
    window = dearest(ties, rivals.net[rows, rival])
    ceiling[rows, rival, window] = NOTHING
    return Pick(rows, rival, window)


def dearest(allowed: Array, net: Array) -> Array:
    """Per row the allowed window with the highest net, the earliest among equals; 0 if none is allowed."""
    found: Array = np.where(allowed, net, NOTHING).argmax(axis=1)
    return found


@dataclass(frozen=True, slots=True)
class Search:
    """Third steps for second steps that are tried."""

    first: Step
    net: Array
    propensity: Array
    rivals: Rivals
    open_net: Array
    after: After

    def put(self, best: Chains, picks: list[Pick]) -> None:
        """Put in the best chain with each pick's second step, if it is better or as good and earlier."""
        if not picks:
            return
        every = Pick(*(np.concatenate([getattr(it, name) for it in picks]) for name in Pick.__slots__))
        worth, third, third_window = self._thirds(every)
        place = 0
        for pick in picks:
            own = slice(place, place + len(pick.row))
            place += len(pick.row)
            asked = (self.rivals.net[pick.row, pick.rival, pick.window], pick.rival, pick.window)
            so_far = best.worth[pick.row]
            wins = (worth[own] > so_far) | ((worth[own] == so_far) & _earlier(asked, best, self.rivals, pick.row))
            kept = pick.row[wins]
            best.worth[kept], best.second[kept], best.second_window[kept] = (
                worth[own][wins],
                pick.rival[wins],
                pick.window[wins],
            )
            best.third[kept], best.third_window[kept] = third[own][wins], third_window[own][wins]

    def _thirds(self, pick: Pick) -> tuple[Array, Array, Array]:
        """Worth of the best chain with each second step, and its third step (-1: none)."""
        rivals, rows = self.rivals, pick.row
        opens = rivals.windows.opens[rows, pick.window]
        second = Step(opens, rivals.channel[rows, pick.rival])
        gain, miss = (
            self.open_net[rows, pick.rival, pick.window],
            1.0 - rivals.propensity[rows, pick.rival, pick.window],
        )
        start, left = self.net[rows], 1.0 - self.propensity[rows]
        worth = start + left * (gain + miss * 0.0)
        third, window = np.full(len(rows), -1), np.full(len(rows), -1)
        ready = (opens + rivals.wait[rows, pick.rival])[:, None]
        waited = (rivals.windows.opens[rows] >= ready) & (rivals.windows.opens[rows] < ready + A_DAY)
        for at in range(rivals.channel.shape[1]):
            net = np.where(waited, self.open_net[rows, at], NOTHING)
            some = np.flatnonzero((pick.rival != at) & (start + left * (gain + miss * net.max(axis=1)) > worth))
            if not len(some):
                continue
            lines = rows[some]
            steps = [self.first.only(lines), second.only(some)]
            allowed = (net[some] > NOTHING) & self.after.passes(lines, steps, rivals.channel[lines, at], rivals.windows)
            chosen = dearest(allowed, net[some])
            money = net[some, chosen] + (1.0 - rivals.propensity[lines, at, chosen]) * 0.0
            found = start[some] + left[some] * (gain[some] + miss[some] * money)
            better = allowed.any(axis=1) & (found > worth[some])
            worth[some[better]], third[some[better]], window[some[better]] = found[better], at, chosen[better]
        return worth, third, window
