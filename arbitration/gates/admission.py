"""All candidates through all gates: the same answers as `rejection` for each, but no question is asked twice.

A gate that looks at the channel alone has one answer for all journeys on that channel, one that does not look at the window
has one for all windows. So per scope and window only the first no is worked out, once; the earliest over the scopes counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from arbitration.domain import Candidate, Rejection, Treatment
from arbitration.gates import GATES, Gate, Scope, rejection
from arbitration.gates.case import Case, Verdict

No = tuple[int, Verdict]
"""The position of a gate in `GATES`, and what it said."""
Asked = tuple[tuple[int, Gate], ...]
PASSED: No = (len(GATES), Verdict())


def _asked(scope: Scope, *, timed: bool) -> Asked:
    return tuple((at, gate) for at, gate in enumerate(GATES) if gate.scope == scope and gate.timed is timed)


SCOPES: tuple[Scope, ...] = ("customer", "channel", "journey", "treatment")
FIXED = {scope: _asked(scope, timed=False) for scope in SCOPES}
TIMED = {scope: _asked(scope, timed=True) for scope in SCOPES}


def admit(candidates: Iterable[Candidate], case: Case) -> tuple[tuple[Candidate, ...], tuple[Rejection, ...]]:
    """Candidates that passed, and rejections. Candidates of a treatment share its object, those of a window the window's."""
    desk = Desk(case)
    asked = list(candidates)
    passed: list[Candidate] = []
    rejected: list[Rejection] = []
    for candidate in asked:
        at, verdict = desk.answer(candidate)
        if at < len(GATES):
            gate = GATES[at]
            rejected.append(Rejection(candidate, gate.stage, gate.code, verdict.free_at, verdict.missing, verdict.by))
        else:
            passed.append(candidate)
    return tuple(passed), tuple(rejected)


class Desk:
    """What the gates said so far in one case. Treatments and windows are told apart by identity and must outlive the desk."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._fixed: dict[object, No] = {}
        self._timed: dict[object, dict[int, No]] = {}
        self._plans: dict[int, tuple[No, list[tuple[Asked, dict[int, No]]]]] = {}

    def answer(self, candidate: Candidate) -> No:
        """The first gate that says no, or `PASSED`."""
        treatment, window = candidate.treatment, candidate.window
        known = self._plans.get(id(treatment))
        if known is None:
            known = self._plans[id(treatment)] = self._prepared(candidate)
        first, tables = known
        for gates, table in tables:
            no = table.get(id(window))
            if no is None:
                no = table[id(window)] = _first(gates, candidate, self._case)
            if no[0] < first[0]:
                first = no
        return first

    def _prepared(self, candidate: Candidate) -> tuple[No, list[tuple[Asked, dict[int, No]]]]:
        """The first fixed no of a treatment, and per scope the gates to ask for each of its windows."""
        if rejection(candidate, self._case, [GATES[UNKNOWN_JOURNEY]]):
            return _first(tuple(enumerate(GATES[: UNKNOWN_JOURNEY + 1])), candidate, self._case), []
        first, tables = PASSED, []
        for scope, key in _keys(candidate.treatment, self._case.purpose(candidate)):
            if key not in self._fixed:
                self._fixed[key] = _first(FIXED[scope], candidate, self._case)
            first = min(first, self._fixed[key], key=_position)
            if TIMED[scope]:
                tables.append((TIMED[scope], self._timed.setdefault(key, {})))
        return first, tables


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


def _position(no: No) -> int:
    return no[0]
