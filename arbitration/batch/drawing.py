"""Selection for many rows: the shares of `arbitration.selection`, computed in the order of the ranking, and the draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.tables import begins
from arbitration.policy import Selection
from arbitration.selection import ONE, bounded

Array = npt.NDArray[Any]
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Best:
    """The best window of each treatment of each row, in the order of rows and treatments: `at` is the candidate's position."""

    row: Array
    treatment: Array
    at: Array
    opens: Array
    decided_on: Array
    high: Array
    net: Array

    def only(self, keep: Array) -> Best:
        """Some of them."""
        return Best(*(getattr(self, name)[keep] for name in Best.__slots__))


@dataclass(frozen=True, slots=True)
class Drawn:
    """Per row the candidate positions of winner and favorite (`NOBODY`: silence); units out of 2**20 of what was drawn, and of silence.

    `tried` and `tried_units` list every other candidate that may be drawn, `held_out` the rows of the control group.
    """

    winner: Array
    favorite: Array
    favorite_units: Array
    units: Array
    silence: Array
    held_out: Array
    tried: Array
    tried_units: Array


def drawn(best: Best, rows: int, holdout: Array, draw: Array, selection: Selection) -> Drawn:
    """Who wins in each row, and with which probability."""
    selection = bounded(selection)
    best = best.only(~holdout[best.row])
    order = np.lexsort((best.treatment, best.opens, -best.decided_on, best.row))
    first = order[begins(best.row[order])]
    top = np.zeros(rows)
    top[best.row[first]] = best.decided_on[first]
    acts = np.zeros(rows, dtype=bool)
    acts[best.row[first]] = best.decided_on[first] > 0
    favorite = np.full(rows, NOBODY)
    favorite[best.row[first]] = np.where(best.decided_on[first] > 0, best.at[first], NOBODY)
    others = order[best.at[order] != favorite[best.row[order]]]
    net = np.zeros(rows)
    net[best.row[first]] = np.where(best.decided_on[first] > 0, best.net[first], 0.0)
    units, silence, listed = _shares(best.only(others), top, acts, net, selection)
    row = best.row[others[listed]]
    given = np.zeros(rows, dtype=np.int64)
    np.add.at(given, row, units)
    silence = np.where(acts, silence, ONE - given)
    own = np.where(acts, ONE - silence - given, 0)
    tried = best.at[others[listed]]
    winner, chance = _picked(draw=draw, row=row, tried=tried, units=units, favorite=favorite, own=own, silence=silence)
    return Drawn(winner, favorite, own, chance, silence, np.flatnonzero(holdout), tried, units)


def _shares(others: Best, top: Array, acts: Array, net: Array, selection: Selection) -> tuple[Array, Array, Array]:
    """`net` is the favorite's. Units of the candidates that are tried, units of silence where it is not the favorite, positions of those tried."""
    rows = len(top)
    room = {
        act: max(0.0, selection.exploration - (_ceil(selection.silence_floor * ONE) / ONE if act else 0.0))
        for act in (True, False)
    }
    rooms = np.where(acts, room[True], room[False])
    silence = np.full(rows, _ceil(selection.silence_floor * ONE), dtype=np.int64)
    size = np.bincount(others.row, minlength=rows)
    if selection.strategy == "greedy":
        return np.zeros(0, np.int64), silence, np.zeros(0, np.int64)
    if selection.strategy == "inverse_gap":
        listed = np.flatnonzero(others.high > np.maximum(top, 0.0)[others.row])
        return _inverse_gap(others.only(listed), np.maximum(top, 0.0), rooms, net, selection), silence, listed
    if selection.strategy == "epsilon":
        share = rooms / np.maximum(1, size)
    else:
        contacts = size + np.where(acts, 1, 0)
        left = np.maximum(1.0 / (contacts + 1), selection.silence_floor)
        share = (1.0 - left) / np.maximum(1, contacts)
        silence = (left * ONE).astype(np.int64)
        silence += left * ONE > silence
    return (share[others.row] * ONE).astype(np.int64), silence, np.arange(len(others.row))


def _inverse_gap(near: Best, top: Array, room: Array, net: Array, selection: Selection) -> Array:
    """Weights 1 / (K + greed * gap), scaled down to the room and the money there is."""
    rows = len(top)
    size = np.bincount(near.row, minlength=rows)
    gap = top[near.row] - near.decided_on
    weight = 1.0 / ((size[near.row] + 1) + selection.greed * gap)
    total, loss = (
        _sums(near.row, size, weight),
        _sums(near.row, size, weight * np.maximum(gap, net[near.row] - near.net)),
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        by_room = np.where(total > 0, room / total, 0.0)
        by_money = np.where(loss > 0, selection.exploration_budget / loss, 1.0)
    factor = np.minimum(np.minimum(1.0, by_room), by_money)
    return ((weight * factor[near.row]) * ONE).astype(np.int64)


def _sums(row: Array, size: Array, values: Array) -> Array:
    """Per row the sum in the given order, one addition after the other, as Python adds."""
    place = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
    table = np.zeros((len(size), max(1, int(size.max(initial=0)))))
    table[row, place] = values
    summed: Array = np.cumsum(table, axis=1)[:, -1]
    return summed


def _picked(
    *, draw: Array, row: Array, tried: Array, units: Array, favorite: Array, own: Array, silence: Array
) -> tuple[Array, Array]:
    """The draw falls on the favorite's units first, then on the others in order, then on silence."""
    position = (draw * ONE).astype(np.int64)
    upto = np.cumsum(units)
    before = np.append(0, upto)[np.searchsorted(row, row)] if len(row) else upto
    hit = (position[row] >= own[row] + upto - units - before) & (position[row] < own[row] + upto - before)
    winner = np.where((position < own) & (favorite >= 0), favorite, NOBODY)
    chance = np.where(winner >= 0, own, silence)
    winner[row[hit]] = tried[hit]
    chance[row[hit]] = units[hit]
    return winner, chance


def _ceil(units: float) -> int:
    return int(units) + (units > int(units))
