"""All candidates through all gates: the same answers as `rejection` for each, but no question is asked twice.

A gate that looks at the channel alone has one answer for all journeys on that channel, one that does not look at the window
has one for all windows. So per scope and window only the first no is worked out, once; the earliest over the scopes counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from arbitration.domain import Candidate, Rejection, Treatment
from arbitration.gates import GATES, Scope
from arbitration.gates.case import Case, Verdict
from arbitration.gates.eligibility import unknown_journey
from arbitration.gates.steady import STEADY, Steady, always

Check = Callable[[Candidate, Case], Verdict | None]
No = tuple[int, Verdict]
"""The position of a gate in `GATES`, and what it said."""
Asked = tuple[int, Check]
"""A gate's position and its function."""
PASSES = len(GATES)
PASSED: No = (PASSES, Verdict())
NAMES = [(gate.stage, gate.code) for gate in GATES]


SCOPES: tuple[Scope, ...] = ("customer", "channel", "journey", "treatment")
ASKED: dict[Scope, list[tuple[int, Check, Steady | None]]] = {
    scope: [
        (at, gate.check, STEADY.get(gate.code) if gate.timed else always)
        for at, gate in enumerate(GATES)
        if gate.scope == scope and gate.check is not unknown_journey
    ]
    for scope in SCOPES
}
"""Per scope the gates in order, and when they say the same in every window."""


def admit(candidates: Iterable[Candidate], case: Case) -> tuple[tuple[Candidate, ...], tuple[Rejection, ...]]:
    """Candidates that passed, and rejections. Candidates of a treatment share its object, those of a window the window's."""
    asked = list(candidates)  # the list keeps treatments and windows, whose identity counts, alive
    desk = Desk(case, max((it.window.opens_at for it in asked), default=case.now))
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
    """What the gates said so far in one case. Treatments and windows are told apart by identity and must outlive the desk; no
    window opens after `until`.
    """

    def __init__(self, case: Case, until: datetime) -> None:
        self._case, self._until = case, until
        self._sheets: dict[object, Sheet] = {}
        self._treatment: Treatment | None = None
        self._first, self._timed = PASSED, list[Sheet]()

    def answer(self, candidate: Candidate) -> No:
        """The first gate that says no, or `PASSED`. Candidates of a treatment had better come together."""
        if candidate.treatment is not self._treatment:
            self._treatment = candidate.treatment
            self._first, self._timed = self._prepared(candidate)
        first = self._first
        for sheet in self._timed:
            if sheet.begins < first[0]:
                window = id(candidate.window)
                no = sheet.said.get(window)
                if no is None:
                    no = sheet.said[window] = _first(sheet.gates, candidate, self._case)
                if no[0] < first[0]:
                    first = no
        return first

    def passes(self, candidate: Candidate) -> bool:
        """Whether no gate says no."""
        return self.answer(candidate)[0] == PASSES

    def _prepared(self, candidate: Candidate) -> tuple[No, list[Sheet]]:
        """The first no of a treatment that holds in every window, and the sheets with gates to ask for each."""
        if unknown_journey(candidate, self._case) is not None:
            return _first(UNTIL_KNOWN, candidate, self._case), []
        first, timed = PASSED, []
        for scope, key in _keys(candidate.treatment, self._case.purpose(candidate)):
            sheet = self._sheets.get(key)
            if sheet is None:
                sheet = self._sheets[key] = Sheet(scope, candidate, self._case, self._until)
            if sheet.fixed[0] < first[0]:
                first = sheet.fixed
            if sheet.gates:
                timed.append(sheet)
        return first, timed


class Sheet:
    """One scope of one case: the first no that holds in every window, the gates to ask for each, and what they said so far."""

    def __init__(self, scope: Scope, candidate: Candidate, case: Case, until: datetime) -> None:
        self.fixed = PASSED
        self.gates: list[Asked] = []
        for at, check, steady in ASKED[scope]:
            if steady is None or not (steady is always or steady(candidate, case, until)):
                self.gates.append((at, check))
                continue
            verdict = check(candidate, case)
            if verdict is not None:  # what stands behind it cannot be the first
                self.fixed = (at, verdict)
                break
        self.begins = self.gates[0][0] if self.gates else PASSES
        self.said: dict[int, No] = {}


UNTIL_KNOWN: list[Asked] = [
    (at, gate.check) for at, gate in enumerate(GATES) if at <= [one.check for one in GATES].index(unknown_journey)
]
"""The gates up to the one for unknown journeys; the rest could not ask their question."""


def _keys(treatment: Treatment, purpose: str) -> tuple[tuple[Scope, object], ...]:
    return (
        ("customer", "customer"),
        ("channel", ("channel", treatment.channel, purpose)),
        ("journey", ("journey", treatment.journey)),
        ("treatment", ("treatment", id(treatment))),
    )


def _first(gates: Iterable[Asked], candidate: Candidate, case: Case) -> No:
    for at, check in gates:
        verdict = check(candidate, case)
        if verdict is not None:
            return at, verdict
    return PASSED
