"""All candidates through all gates: the same answers as `rejection` for each, but no question is asked twice.

A gate that looks at the channel alone has one answer for all journeys on that channel, one that does not look at the window
has one for all windows. So per scope and window only the first no is worked out, once; the earliest over the scopes counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from arbitration.domain import Candidate, Rejection, Treatment
from arbitration.gates import GATES, Gate, Scope, rejection
from arbitration.gates.case import Case, Verdict
from arbitration.gates.steady import STEADY

No = tuple[int, Verdict]
"""The position of a gate in `GATES`, and what it said."""
Asked = tuple[tuple[int, Gate], ...]
PASSES = len(GATES)
PASSED: No = (PASSES, Verdict())
NAMES = [(gate.stage, gate.code) for gate in GATES]


def _asked(scope: Scope, *, timed: bool) -> Asked:
    return tuple((at, gate) for at, gate in enumerate(GATES) if gate.scope == scope and gate.timed is timed)


SCOPES: tuple[Scope, ...] = ("customer", "channel", "journey", "treatment")
FIXED = {scope: _asked(scope, timed=False) for scope in SCOPES}
TIMED = {scope: _asked(scope, timed=True) for scope in SCOPES}


def admit(candidates: Iterable[Candidate], case: Case) -> tuple[tuple[Candidate, ...], tuple[Rejection, ...]]:
    """Candidates that passed, and rejections. Candidates of a treatment share its object, those of a window the window's."""
    desk, asked = Desk(case), list(candidates)  # the list keeps treatments and windows, whose identity counts, alive
    passed: list[Candidate] = []
    rejected: list[Rejection] = []
    for candidate in asked:
        at, verdict = desk.answer(candidate)
        if at == PASSES:
            passed.append(candidate)
        else:
            stage, code = NAMES[at]
            rejected.append(Rejection(candidate, stage, code, verdict.free_at, verdict.missing, verdict.by))
    return tuple(passed), tuple(rejected)


class Desk:
    """What the gates said so far in one case. Treatments and windows are told apart by identity and must outlive the desk."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._fixed: dict[object, No] = {}
        self._timed: dict[object, Table] = {}
        self._treatment: Treatment | None = None
        self._first, self._tables = PASSED, list[Table]()

    def answer(self, candidate: Candidate) -> No:
        """The first gate that says no, or `PASSED`. Candidates of a treatment had better come together."""
        if candidate.treatment is not self._treatment:
            self._treatment = candidate.treatment
            self._first, self._tables = self._prepared(candidate)
        first = self._first
        for table in self._tables:
            if table.begins < first[0]:
                window = id(candidate.window)
                no = table.said.get(window)
                if no is None:
                    no = table.said[window] = _first(table.gates, candidate, self._case)
                if no[0] < first[0]:
                    first = no
        return first

    def passes(self, candidate: Candidate) -> bool:
        """Whether no gate says no."""
        return self.answer(candidate)[0] == PASSES

    def _prepared(self, candidate: Candidate) -> tuple[No, list[Table]]:
        """The first fixed no of a treatment, and per scope the gates to ask for each of its windows."""
        if rejection(candidate, self._case, [GATES[UNKNOWN_JOURNEY]]):
            return _first(tuple(enumerate(GATES[: UNKNOWN_JOURNEY + 1])), candidate, self._case), []
        first, tables = PASSED, []
        for scope, key in _keys(candidate.treatment, self._case.purpose(candidate)):
            if key not in self._fixed:
                once, each = _split(scope, candidate, self._case)
                self._fixed[key] = _first(once, candidate, self._case)
                self._timed[key] = Table(each)
            if self._fixed[key][0] < first[0]:
                first = self._fixed[key]
            if self._timed[key].gates:
                tables.append(self._timed[key])
        return first, tables


class Table:
    """Gates that look at the window, and what they said of each so far, by the window's identity."""

    def __init__(self, gates: Asked) -> None:
        self.gates = gates
        self.begins = gates[0][0] if gates else PASSES
        self.said: dict[int, No] = {}


def _split(scope: Scope, candidate: Candidate, case: Case) -> tuple[Asked, Asked]:
    """The gates of a scope to ask once, and those to ask for each window."""
    once, each = list(FIXED[scope]), list[tuple[int, Gate]]()
    for at, gate in TIMED[scope]:
        steady = STEADY.get(gate.code)
        (once if steady is not None and steady(candidate, case) else each).append((at, gate))
    return tuple(sorted(once, key=_position)), tuple(each)


UNKNOWN_JOURNEY = next(at for at, gate in enumerate(GATES) if gate.code == "unknown_journey")


def _keys(treatment: Treatment, purpose: str) -> tuple[tuple[Scope, object], ...]:
    return (
        ("customer", "customer"),
        ("channel", ("channel", treatment.channel, purpose)),
        ("journey", ("journey", treatment.journey)),
        ("treatment", ("treatment", id(treatment))),
    )


def _first(gates: Asked, candidate: Candidate, case: Case) -> No:
    for at, gate in gates:
        verdict = gate.check(candidate, case)
        if verdict is not None:
            return at, verdict
    return PASSED


def _position(asked: tuple[int, Gate]) -> int:
    return asked[0]
