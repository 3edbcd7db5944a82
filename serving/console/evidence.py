"""What a decision rests on: the permission of each step, and the versions of all that decided."""

from __future__ import annotations

from dataclasses import dataclass

from arbitration.domain import Candidate, Consent
from arbitration.gates.case import Case
from arbitration.naming import UNSHOWN
from serving.console.voice import Voice
from serving.records import Record


@dataclass(frozen=True, slots=True)
class Permission:
    """Why one channel of the plan may be used."""

    channel: str
    purpose: str
    basis: str
    evidence: str
    valid: str


@dataclass(frozen=True, slots=True)
class Version:
    """Name and digest of one thing that took part."""

    name: str
    version: str


def permissions(record: Record, voice: Voice) -> tuple[Permission, ...]:
    """One line per step of the plan, with the consent that holds at that step's own time."""
    case = Case(record.context, voice.policy, record.now)
    return tuple(
        _permission(step.candidate, case.consent(step.candidate), voice) for step in record.decision.plan.steps
    )


def _permission(candidate: Candidate, consent: Consent | None, voice: Voice) -> Permission:
    treatment = candidate.treatment
    channel = voice.channel(treatment.channel)
    purpose = voice.words(f"purpose_{voice.policy.journeys[treatment.journey].purpose}")
    if treatment.kind in UNSHOWN:
        return Permission(channel, purpose, voice.words("not_shown"), "", "")
    if consent is None or not voice.policy.channels[treatment.channel].needs_consent:
        return Permission(channel, purpose, voice.words("no_opt_in"), "", "")
    since = voice.formats.date(consent.valid_from)
    valid = (
        voice.words("valid_between", since=since, until=voice.formats.date(consent.valid_to))
        if consent.valid_to
        else voice.words("valid_from", since=since)
    )
    return Permission(channel, purpose, voice.words(f"basis_{consent.legal_basis}"), consent.evidence_id or "", valid)


def versions(record: Record, voice: Voice) -> tuple[Version, ...]:
    """Everything needed to decide again."""
    decision = record.decision
    return (
        Version(voice.words("version_decision"), decision.decision_id),
        Version(voice.words("version_policy"), decision.policy_version),
        Version(voice.words("version_bundle"), record.bundle),
        *(Version(voice.words("version_model", name=name), version) for name, version in sorted(record.models.items())),
        Version(voice.words("version_features"), record.features),
    )
