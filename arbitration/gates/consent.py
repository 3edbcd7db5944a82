"""Law and the customer's own word: what may be said at all, and where. Unknown is no."""

from __future__ import annotations

from arbitration.domain import Candidate
from arbitration.gates.case import NO, Case, Verdict

_BASES = {"marketing": ("consent", "existing_customer_7_3"), "service": ("consent", "contract")}


def objection(_: Candidate, case: Case) -> Verdict | None:
    """The customer objected to direct marketing (GDPR Art. 21(2)-(3)): nothing is sent and nothing is evaluated."""
    return NO if case.context.objected else None


def suppression(_: Candidate, case: Case) -> Verdict | None:
    """The customer is on the suppression list, which outlives erasure."""
    return NO if case.context.suppressed else None


def pause(candidate: Candidate, case: Case) -> Verdict | None:
    """A pause (bereavement, complaint, dispute) covers the time at which the window opens."""
    until = case.context.paused_until
    return Verdict(free_at=until) if until is not None and candidate.window.opens_at < until else None


def consent_missing(candidate: Candidate, case: Case) -> Verdict | None:
    """The channel needs consent and there is no record for channel and purpose; consent for one channel opens no other."""
    if not case.channel(candidate).needs_consent or case.consent(candidate) is not None:
        return None
    return Verdict(missing="consent")


def consent_denied(candidate: Candidate, case: Case) -> Verdict | None:
    """The customer said no; that holds on channels that need no consent, too."""
    record = case.consent(candidate)
    return Verdict(by=record.evidence_id) if record is not None and record.state == "denied" else None


def consent_withdrawn(candidate: Candidate, case: Case) -> Verdict | None:
    """The customer took consent back; that holds on channels that need no consent, too."""
    record = case.consent(candidate)
    return Verdict(by=record.evidence_id) if record is not None and record.state == "withdrawn" else None


def consent_expired(candidate: Candidate, case: Case) -> Verdict | None:
    """Consent was granted but ends before the window opens."""
    record = case.consent(candidate)
    if record is None or record.valid_to is None or not case.channel(candidate).needs_consent:
        return None
    return Verdict(by=record.evidence_id) if record.valid_to <= candidate.window.opens_at else None


def consent_evidence_incomplete(candidate: Candidate, case: Case) -> Verdict | None:
    """Consent without evidence is no consent; nor is a legal basis that does not carry the purpose or the channel.

    The existing-customer exception (UWG section 7(3)) is for e-mail alone.
    """
    record = case.consent(candidate)
    if record is None or not case.channel(candidate).needs_consent:
        return None
    if not record.evidence_id:
        return Verdict(missing="consent_evidence")
    basis = record.legal_basis
    fits = basis in _BASES[record.purpose] and (basis != "existing_customer_7_3" or record.channel == "email")
    return None if fits else Verdict(missing="legal_basis", by=record.evidence_id)
