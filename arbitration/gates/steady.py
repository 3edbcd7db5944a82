"""When a gate that looks at the window says the same in every window, so that it need be asked only once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from arbitration.domain import Candidate
from arbitration.gates.case import Case

Steady = Callable[[Candidate, Case, datetime], bool]
"""Asked with a candidate of the scope, the case, and the opening of the last window."""


def always(_: Candidate, __: Case, ___: datetime) -> bool:
    """A gate that does not look at the window."""
    return True


def _not_paused(_: Candidate, case: Case, __: datetime) -> bool:
    return case.context.paused_until is None


def _one_consent(candidate: Candidate, case: Case, __: datetime) -> bool:
    """One record without end that holds already: it holds in every window."""
    records = case.consents(candidate)
    return not records or (len(records) == 1 and records[0].valid_to is None and records[0].valid_from <= case.now)


def _no_full_cap(_: Candidate, case: Case, __: datetime) -> bool:
    return not case.filled


def _never_spoke(candidate: Candidate, case: Case, __: datetime) -> bool:
    return candidate.treatment.journey not in case.spoken


def _no_rival(candidate: Candidate, case: Case, __: datetime) -> bool:
    return case.journey(candidate).exclusive_group is None or not case.contacts


def _not_held(candidate: Candidate, case: Case, __: datetime) -> bool:
    return case.holds(case.channel(candidate).held) is False


def _no_trigger(candidate: Candidate, case: Case, __: datetime) -> bool:
    return not case.triggers(candidate)


def _eligible_stays(candidate: Candidate, case: Case, until: datetime) -> bool:
    return case.stays(case.journey(candidate).eligible, until)


def _applicable_stays(candidate: Candidate, case: Case, until: datetime) -> bool:
    return case.stays(case.journey(candidate).applicable, until)


def _suitable_stays(candidate: Candidate, case: Case, until: datetime) -> bool:
    return case.stays(case.journey(candidate).suitable, until)


def _rules_stay(candidate: Candidate, case: Case, until: datetime) -> bool:
    return all(stays(candidate, case, until) for stays in (_eligible_stays, _applicable_stays, _suitable_stays))


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
    "not_eligible": _eligible_stays,
    "not_applicable": _applicable_stays,
    "not_suitable": _suitable_stays,
    "missing_feature": _rules_stay,
}
"""By reason code; a gate that is not named is asked for every window."""
