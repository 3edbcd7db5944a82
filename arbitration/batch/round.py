"""One chunk of people decided: windows, gates, values, draw, plans, in this order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.clock import INSTANT, NEVER, Windows
from arbitration.batch.consents import Permission
from arbitration.batch.desk import SAYS_WHEN, Desk
from arbitration.batch.drawing import NOBODY, Best, Drawn, drawn
from arbitration.batch.fitness import fixed_codes
from arbitration.batch.layout import CODES, PASSED, PRESENT, Layout
from arbitration.batch.people import People
from arbitration.batch.plans import First, Plans, plans
from arbitration.batch.tables import Believed
from arbitration.batch.worth import Worth, parts_of, worth_of
from arbitration.decide import SILENCE_HOLDS
from arbitration.domain import PARTS
from arbitration.windows import PRESENCE

Array = npt.NDArray[Any]
_NONE = np.zeros(0, dtype=np.int64)
UNREAL = np.int8(-1)
"""Stands where a treatment has no such window."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Every candidate of a chunk as rows x places: a place is one treatment in one window. `code` is the first gate that refuses,
    `PASSED` where none does, `UNREAL` where there is no such candidate; `opens`, `closes` and `slot` have one column per `window`.
    """

    treatment: Array
    window: Array
    opens: Array
    closes: Array
    slot: Array
    code: Array


@dataclass(frozen=True, slots=True)
class Round:
    """A chunk decided. `row` and `place` are the candidates that passed, with their `worth`; the winners, with the parts of
    their value, stand in `winning`.
    """

    grid: Grid
    row: Array
    place: Array
    worth: Worth
    parts: Array
    drawn: Drawn
    valid_until: Array
    winning: Array
    plans: Plans | None
    odd: Array


class Decider:
    """Decides one chunk."""

    def __init__(self, people: People, believed: Believed) -> None:
        self._people, self._believed, self._layout = people, believed, people.layout
        permission = Permission(people)
        self._sets = _window_sets(people)
        self._desks = [Desk(people, windows, permission) for windows in self._sets]
        self._fixed = fixed_codes(people)

    def decided(self, draw: Array, holdout: Array) -> Round:
        """The decisions of all people of the chunk."""
        people, layout = self._people, self._layout
        grid = self._grid()
        row, place = np.nonzero(grid.code == PASSED)
        treatment, window = grid.treatment[place], grid.window[place]
        worth = worth_of(self._believed, layout, row, treatment, grid.slot[row, window])
        odd = np.zeros(people.size, dtype=bool)
        odd[row[~worth.sound]] = True
        best = _best(row, treatment, grid.opens[row, window], worth)
        result = drawn(best, people.size, holdout, draw, layout.policy.selection)
        winning = np.flatnonzero(result.winner != NOBODY)
        planned = self._planned(winning, result.winner[winning], treatment, grid.opens[row, window], worth)
        if planned is not None:
            odd[winning[planned.odd]] = True
        valid_until = self._ask_again(np.flatnonzero(result.winner == NOBODY), grid)
        won = result.winner[winning]
        valid_until[winning] = grid.closes[row[won], window[won]]
        terms = parts_of(self._believed, layout, row[won], treatment[won], grid.slot[row[won], window[won]])
        parts = np.stack(np.broadcast_arrays(*terms), axis=1) if len(won) else np.zeros((0, len(PARTS)))
        return Round(grid, row, place, worth, parts, result, valid_until, winning, planned, odd)

    def _grid(self) -> Grid:
        layout, people = self._layout, self._people
        widths = [windows.opens.shape[1] for windows in self._sets]
        begins = np.cumsum([0, *widths])
        treatment = np.concatenate([np.full(widths[it], at) for at, it in enumerate(layout.treatment_set)] or [_NONE])
        window = np.concatenate([begins[it] + np.arange(widths[it]) for it in layout.treatment_set] or [_NONE])
        code = np.empty((people.size, len(treatment)), dtype=np.int8)
        place = 0
        for at, it in enumerate(layout.treatment_set):
            found = code[:, place : place + widths[it]]
            np.minimum(self._desks[it].codes(at), self._fixed[:, at, None], out=found)
            found[~self._sets[it].real] = UNREAL
            place += widths[it]
        opens, closes, slot = (
            np.concatenate([getattr(windows, name) for windows in self._sets], axis=1)
            for name in ("opens", "closes", "slot")
        )
        return Grid(treatment.astype(np.int64), window.astype(np.int64), opens, closes, slot, code)

    def _planned(self, winning: Array, won: Array, treatment: Array, opens: Array, worth: Worth) -> Plans | None:
        if not len(winning):
            return None
        first = First(treatment[won], opens[won], worth.net[won], worth.propensity[won])
        return plans(self._people.some(winning), first, self._fixed[winning], self._believed.only(winning))

    def _ask_again(self, silent: Array, grid: Grid) -> Array:
        """When silence is asked again: when the first gate opens, of each treatment's window that came through most gates."""
        people, layout = self._people, self._layout
        found = people.now + SILENCE_HOLDS // INSTANT
        place = 0
        for at, it in enumerate(layout.treatment_set):
            desk, width = self._desks[it], self._sets[it].opens.shape[1]
            codes = grid.code[silent, place : place + width]
            place += width
            codes = np.where(codes == PASSED, UNREAL, codes)
            window = codes.argmax(axis=1)
            furthest = codes[np.arange(len(silent)), window]
            for code in SAYS_WHEN:
                some = furthest == CODES[code]
                if not some.any():
                    continue
                rows = silent[some]
                free = desk.free_at(code, at, rows, window[some])
                free = np.where((free != NEVER) & (free > people.now[rows]), free, found[rows])
                found[rows] = np.minimum(found[rows], free)
        return found


def _window_sets(people: People) -> list[Windows]:
    """The window of presence, and per horizon the windows ahead; who has no known time zone has one that opens now."""
    layout: Layout = people.layout
    sets = [people.clock.presence(people.zone, people.now)]
    lost = np.flatnonzero(~people.zoned)
    for horizon in layout.sets:
        found = people.clock.windows(people.zone, people.now, people.now + horizon)
        found.opens[lost, 0] = people.now[lost]
        found.closes[lost, 0] = people.now[lost] + PRESENCE // INSTANT
        found.real[lost] = False
        found.real[lost, 0] = True
        sets.append(found)
    assert len(sets) > PRESENT  # noqa: S101 - the window of presence is always the first
    return sets


def _best(row: Array, treatment: Array, opens: Array, worth: Worth) -> Best:
    """The best window of each treatment, the earlier among equals; candidates stand in the order of rows, treatments and windows."""
    decided_on = np.where(worth.sound, worth.decided_on, -np.inf)
    starts = np.flatnonzero((np.diff(row, prepend=-1) != 0) | (np.diff(treatment, prepend=-1) != 0))
    if not len(starts):
        none = np.zeros(0, dtype=np.int64)
        return Best(none, none, none, none, np.zeros(0), np.zeros(0), np.zeros(0))
    top = np.maximum.reduceat(decided_on, starts)
    length = np.diff(np.append(starts, len(row)))
    place = np.where(decided_on == np.repeat(top, length), np.arange(len(row)), len(row))
    at = np.minimum.reduceat(place, starts)
    at = at[top > -np.inf]
    return Best(row[at], treatment[at], at, opens[at], decided_on[at], worth.high[at], worth.net[at])
