"""The decisions of an audience as columns, and one row of them in plain words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.clock import NEVER, hours, micros, moment_of
from arbitration.batch.drawing import NOBODY
from arbitration.batch.layout import PASSED, Layout
from arbitration.batch.plans import STEPS
from arbitration.batch.round import UNREAL, Round
from arbitration.domain import PARTS, Candidate, Decision, SendWindow, Treatment
from arbitration.gates import GATES
from arbitration.propose import ANY
from arbitration.selection import ONE

Array = npt.NDArray[Any]
ARMS = ("exploit", "explore", "holdout", "silence_floor")
_EXPLOIT, _EXPLORE, _HOLDOUT, _FLOOR = range(4)


@dataclass(frozen=True, slots=True)
class Judged:
    """One candidate: its id, the code of the gate that refused it, else what it was decided on, and its units out of 2**20."""

    id: str
    code: str | None
    decided_on: float | None
    units: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What one chunk keeps of its candidates; see `arbitration.batch.round.Grid`. `decided_on` is NaN, `units` 0 where refused."""

    rows: Array
    treatment: Array
    window: Array
    opens: Array
    code: Array
    decided_on: Array
    units: Array


@dataclass
class Decisions:
    """One line per row of the audience; the winner's columns hold -1, NaN or NaT where silence won.

    arm               position in `ARMS`
    winner            treatment (position in `treatments(policy)`); `opens`, `closes`, `slot` are its window
    favorite          treatment that would win without exploration, -1 for silence; `favorite_opens` its window
    units             chance of what was drawn, `silence_units` of silence, both out of 2**20
    parts             the winner's value: rows x `PARTS`, and its sums and bounds; `propensity` is P(engage)
    step_*            the plan: rows x 3 steps of treatment, moment and net; `expires_at`, `plan_value` are the plan's
    unknown           row -> journeys that triggers name and the catalog does not know
    one_by_one        the rows that were decided by `arbitration.decide.decide`
    kept              per chunk the candidates, if they were asked for
    """

    layout: Layout
    now: Array
    arm: Array
    winner: Array
    opens: Array
    closes: Array
    slot: Array
    favorite: Array
    favorite_opens: Array
    units: Array
    silence_units: Array
    parts: Array
    net: Array
    low: Array
    high: Array
    decided_on: Array
    propensity: Array
    valid_until: Array
    step_treatment: Array
    step_opens: Array
    step_net: Array
    expires_at: Array
    plan_value: Array
    candidates: bool
    unknown: dict[int, frozenset[str]] = field(default_factory=dict)
    one_by_one: dict[int, Decision] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)

    @classmethod
    def empty(cls, rows: int, layout: Layout, now: Array, *, candidates: bool) -> Decisions:
        """Silence for everyone, as for customers who objected: certain, asked again after a day."""
        nobody, never, nan = np.full(rows, NOBODY), np.full(rows, NEVER), np.full(rows, np.nan)
        return cls(
            layout, now, np.full(rows, _EXPLOIT, dtype=np.int8), nobody.copy(), never.copy(), never.copy(), nobody.copy(),
            nobody.copy(), never.copy(), np.full(rows, ONE), np.full(rows, ONE), np.full((rows, len(PARTS)), np.nan),
            nan.copy(), nan.copy(), nan.copy(), nan.copy(), nan.copy(), now + hours(24), np.full((rows, STEPS), NOBODY),
            np.full((rows, STEPS), NEVER), np.full((rows, STEPS), np.nan), never.copy(), np.zeros(rows), candidates,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.now)

    @property
    def acts(self) -> Array:
        """Whether a contact won."""
        found: Array = self.winner != NOBODY
        return found

    @property
    def probability(self) -> Array:
        """The chance with which the policy chose what won."""
        return self.units / ONE

    @property
    def silence_probability(self) -> Array:
        """The chance with which the policy chose silence."""
        return self.silence_units / ONE

    def candidate_id(self, treatment: int, opens: int) -> str | None:
        """The id as in `arbitration.domain.Candidate`, None for silence."""
        if treatment == NOBODY:
            return None
        opens_at = moment_of(opens)
        return Candidate(self.layout.treatments[treatment], SendWindow(opens_at, opens_at, 0)).id

    def plain(self, row: int) -> dict[str, Any]:
        """One row in plain words."""
        steps = [at for at in range(STEPS) if self.step_treatment[row, at] != NOBODY]
        return {
            "outcome": "act" if self.acts[row] else "silence",
            "arm": ARMS[self.arm[row]],
            "winner": self.candidate_id(self.winner[row], self.opens[row]),
            "favorite": self.candidate_id(self.favorite[row], self.favorite_opens[row]),
            "probability": float(self.probability[row]),
            "silence_probability": float(self.silence_probability[row]),
            "value": {
                **dict(zip(PARTS, self.parts[row].tolist(), strict=True)),
                **{
                    name: float(getattr(self, name)[row]) for name in ("net", "low", "high", "decided_on", "propensity")
                },
            }
            if self.acts[row]
            else None,
            "valid_until": moment_of(self.valid_until[row]),
            "plan": [
                {
                    "candidate": self.candidate_id(self.step_treatment[row, at], self.step_opens[row, at]),
                    "send_at": moment_of(self.step_opens[row, at]),
                    "expires_at": moment_of(self.expires_at[row]),
                    "expected_value": float(self.step_net[row, at]),
                }
                for at in steps
            ],
            "plan_value": float(self.plan_value[row]),
        }

    def judged(self, row: int) -> list[Judged]:
        """Every candidate of a row, as proposed; empty if candidates were not kept, or nothing was proposed."""
        if row in self.one_by_one:
            return _judged_alone(self.one_by_one[row])
        for kept in self.kept:
            line = int(np.searchsorted(kept.rows, row))
            if line < len(kept.rows) and kept.rows[line] == row:
                known = [self._judged(kept, line, at) for at in np.flatnonzero(kept.code[line] != UNREAL).tolist()]
                return known + self._unknown(row)
        return []

    def _judged(self, kept: Kept, line: int, at: int) -> Judged:
        passed = kept.code[line, at] == PASSED
        return Judged(
            str(self.candidate_id(kept.treatment[at], kept.opens[line, kept.window[at]])),
            None if passed else GATES[kept.code[line, at]].code,
            float(kept.decided_on[line, at]) if passed else None,
            int(kept.units[line, at]),
        )

    def _unknown(self, row: int) -> list[Judged]:
        opens_at = moment_of(self.now[row])
        window = SendWindow(opens_at, opens_at, 0)
        names = sorted(self.unknown.get(row, ()))
        return [Judged(Candidate(Treatment(it, ANY, ANY), window).id, "unknown_journey", None, 0) for it in names]

    def put(self, row: int, decision: Decision) -> None:
        """A row that was decided alone."""
        self.one_by_one[row] = decision
        places = {treatment: at for at, treatment in reversed(list(enumerate(self.layout.treatments)))}
        winner, plan = decision.winner, decision.plan
        self.arm[row] = ARMS.index(decision.arm)
        self.units[row], self.silence_units[row] = decision.probability * ONE, decision.silence_probability * ONE
        self.valid_until[row], self.plan_value[row] = micros(decision.valid_until), plan.expected_value
        best = decision.ranked[0] if decision.ranked and decision.ranked[0].value.decided_on > 0 else None
        if best is None or decision.arm == "holdout":
            self.favorite[row], self.favorite_opens[row] = NOBODY, NEVER
        else:
            self.favorite[row] = places[best.candidate.treatment]
            self.favorite_opens[row] = micros(best.candidate.window.opens_at)
        self.winner[row], self.step_treatment[row] = NOBODY, NOBODY
        if winner is None:
            return
        window, value = winner.candidate.window, winner.value
        self.winner[row], self.slot[row] = places[winner.candidate.treatment], window.slot
        self.opens[row], self.closes[row] = micros(window.opens_at), micros(window.closes_at)
        self.parts[row] = [getattr(value, name) for name in PARTS]
        self.net[row], self.low[row], self.high[row] = value.net, value.low, value.high
        self.decided_on[row], self.propensity[row] = value.decided_on, winner.propensity.mean
        self.expires_at[row] = micros(plan.steps[0].expires_at)
        for at, step in enumerate(plan.steps):
            self.step_treatment[row, at] = places[step.candidate.treatment]
            self.step_opens[row, at], self.step_net[row, at] = micros(step.send_at), step.expected_value


def _judged_alone(decision: Decision) -> list[Judged]:
    ranked = [Judged(it.candidate.id, None, it.value.decided_on, int(it.probability * ONE)) for it in decision.ranked]
    return ranked + [Judged(it.candidate.id, it.code, None, 0) for it in decision.rejections]


def collected(found: Decisions, rows: Array, result: Round) -> None:
    """Write a chunk's decisions into the columns."""
    grid, drawn, worth = result.grid, result.drawn, result.worth
    window = grid.window[result.place]
    found.units[rows], found.silence_units[rows] = drawn.units, drawn.silence
    found.valid_until[rows] = result.valid_until
    liked = np.flatnonzero(drawn.favorite != NOBODY)
    at = drawn.favorite[liked]
    found.favorite[rows[liked]] = grid.treatment[result.place[at]]
    found.favorite_opens[rows[liked]] = grid.opens[result.row[at], window[at]]
    silent = np.where(drawn.favorite == NOBODY, _EXPLOIT, _FLOOR)
    found.arm[rows] = np.where(
        drawn.winner == NOBODY, silent, np.where(drawn.winner == drawn.favorite, _EXPLOIT, _EXPLORE)
    )
    found.arm[rows[drawn.held_out]] = _HOLDOUT
    winning = result.winning
    at, own = drawn.winner[winning], rows[winning]
    found.winner[own] = grid.treatment[result.place[at]]
    for name in ("opens", "closes", "slot"):
        getattr(found, name)[own] = getattr(grid, name)[result.row[at], window[at]]
    for name in ("net", "low", "high", "decided_on", "propensity"):
        getattr(found, name)[own] = getattr(worth, name)[at]
    found.parts[own] = result.parts
    if result.plans is not None:
        made = result.plans
        found.step_treatment[own], found.step_opens[own], found.step_net[own] = made.treatment, made.opens, made.net
        found.expires_at[own], found.plan_value[own] = made.expires_at, made.worth
    if found.candidates:
        found.kept.append(_kept(rows, result))


def _kept(rows: Array, result: Round) -> Kept:
    grid, drawn = result.grid, result.drawn
    decided_on = np.full(grid.code.shape, np.nan)
    decided_on[result.row, result.place] = result.worth.decided_on
    units = np.zeros(grid.code.shape, dtype=np.int32)
    units[result.row[drawn.tried], result.place[drawn.tried]] = drawn.tried_units
    liked = drawn.favorite != NOBODY
    at = drawn.favorite[liked]
    units[result.row[at], result.place[at]] = drawn.favorite_units[liked]
    return Kept(rows, grid.treatment, grid.window, grid.opens, grid.code, decided_on, units)
