"""The gates in order: law and consent, contact policy, eligibility. A gate is one function; its name is the reason code.

A gate takes a candidate and the `Case`, and answers None (pass) or a `Verdict` (no). The first no counts. Two gates stand
earlier than their stage, because later ones could not ask their question: an unknown journey has no purpose, so no consent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

from arbitration.domain import Candidate, Rejection, Stage
from arbitration.gates import consent, contact_policy, eligibility
from arbitration.gates.case import Case, Verdict


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate and its stage; `timed` says that the verdict depends on the send window and not on the treatment alone."""

    stage: Stage
    check: Callable[[Candidate, Case], Verdict | None]
    timed: bool = False

    @property
    def code(self) -> str:
        """The reason code: the function's name."""
        return self.check.__name__


GATES: tuple[Gate, ...] = (
    Gate("consent", consent.objection),
    Gate("consent", consent.suppression),
    Gate("eligibility", eligibility.unknown_journey),
    Gate("consent", consent.pause, timed=True),
    Gate("consent", consent.consent_missing, timed=True),
    Gate("consent", consent.consent_denied, timed=True),
    Gate("consent", consent.consent_withdrawn, timed=True),
    Gate("consent", consent.consent_expired, timed=True),
    Gate("consent", consent.consent_evidence_incomplete, timed=True),
    Gate("contact_policy", contact_policy.unknown_time_zone),
    Gate("contact_policy", contact_policy.quiet_hours, timed=True),
    Gate("contact_policy", contact_policy.channel_cap, timed=True),
    Gate("contact_policy", contact_policy.overall_cap, timed=True),
    Gate("contact_policy", contact_policy.cool_down, timed=True),
    Gate("contact_policy", contact_policy.exclusive_group, timed=True),
    Gate("eligibility", eligibility.channel_not_servable),
    Gate("eligibility", eligibility.channel_unavailable),
    Gate("eligibility", eligibility.trigger_missing),
    Gate("eligibility", eligibility.trigger_expired, timed=True),
    Gate("eligibility", eligibility.not_eligible),
    Gate("eligibility", eligibility.not_applicable),
    Gate("eligibility", eligibility.not_suitable),
    Gate("eligibility", eligibility.missing_feature),
)


def rejection(candidate: Candidate, case: Case, gates: Iterable[Gate] = GATES) -> Rejection | None:
    """The first gate that says no, or None: the candidate may speak."""
    for gate in gates:
        verdict = gate.check(candidate, case)
        if verdict is not None:
            return Rejection(candidate, gate.stage, gate.code, verdict.free_at, verdict.missing, verdict.by)
    return None


def admit(candidates: Iterable[Candidate], case: Case) -> tuple[tuple[Candidate, ...], tuple[Rejection, ...]]:
    """Candidates that passed, and rejections; the same answer as `rejection` for each, but gates that do not depend on
    the window are asked once per treatment. Candidates of a treatment must stand together.
    """
    passed: list[Candidate] = []
    rejected: list[Rejection] = []
    for _, group in groupby(candidates, key=lambda candidate: id(candidate.treatment)):
        windows = list(group)
        gates = _remaining(windows[0], case)
        for candidate in windows:
            no = rejection(candidate, case, gates)
            if no is None:
                passed.append(candidate)
            else:
                rejected.append(no)
    return tuple(passed), tuple(rejected)


def _remaining(candidate: Candidate, case: Case) -> tuple[Gate, ...]:
    """The gates still to ask for each window: the timed ones, up to and including the first fixed one that says no."""
    remaining: list[Gate] = []
    for gate in GATES:
        if gate.timed:
            remaining.append(gate)
        elif gate.check(candidate, case) is not None:
            return (*remaining, gate)
    return tuple(remaining)
