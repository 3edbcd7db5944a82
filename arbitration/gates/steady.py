"""When a gate that looks at the window says the same in every window, so that it need be asked only once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from arbitration.domain import Candidate
from arbitration.gates.case import Case

Steady = Callable[[Candidate, Case], bool]


def _not_paused(_: Candidate, case: Case) -> bool:
    return case.context.paused_until is None


def _one_consent(candidate: Candidate, case: Case) -> bool:
    """One record without end that holds already: it holds in every window."""
    records = case.consents(candidate)
    return not records or (len(records) == 1 and records[0].valid_to is None and records[0].valid_from <= case.now)


def _no_full_cap(_: Candidate, case: Case) -> bool:
    return not case.filled


def _never_spoke(candidate: Candidate, case: Case) -> bool:
    return candidate.treatment.journey not in case.spoken


def _no_rival(candidate: Candidate, case: Case) -> bool:
    return case.journey(candidate).exclusive_group is None or not case.contacts


def _not_held(candidate: Candidate, case: Case) -> bool:
    return case.holds(case.channel(candidate).held) is False


def _no_trigger(candidate: Candidate, case: Case) -> bool:
    return not case.triggers(candidate)


STEADY: Mapping[str, Steady] = {
    "pause": _not_paused,
    "consent_missing": _one_consent,
    "consent_denied": _one_consent,
    "consent_withdrawn": _one_consent,
    "consent_expired": _one_consent,
    "consent_evidence_incomplete": _one_consent,
    "channel_cap": _no_full_cap,
    "group_cap": _no_full_cap,
    "overall_cap": _no_full_cap,
    "cool_down": _never_spoke,
    "exclusive_group": _no_rival,
    "channel_held": _not_held,
    "trigger_expired": _no_trigger,
}
"""By reason code; a gate that is not named is asked for every window."""
