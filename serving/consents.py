"""Receiving consents, refusals and withdrawals: a no holds for the very next decision, a yes only with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arbitration.domain import EVERY_CHANNEL, Consent
from serving.decisions import Reply
from serving.ledger.consents import CONFIRMED_OPT_IN, Evidence, add_consent, add_evidence, channels_known, confirm
from serving.ledger.requests import hidden
from serving.ledger.schema import consents, evidence, from_micros
from serving.ledger.transaction import Transaction
from serving.once import once, report_of
from serving.problems import FieldError, Problem, invalid
from serving.schemas import parse
from serving.schemas_rights import ConsentAnswer, ConsentReport, KeptConsent

if TYPE_CHECKING:
    from serving.bootstrap import Runtime


def receive_consent(runtime: Runtime, body: bytes) -> Reply:
    """Keep a consent, a confirmation, a refusal or a withdrawal. Raises `Problem` (400, 409, 422)."""
    said, plain = parse(ConsentReport, body)
    known = {*runtime.policy.channels, *CONFIRMED_OPT_IN}
    if said.channel is not None and said.channel not in known:
        raise invalid([FieldError("channel", f"one of {', '.join(sorted(known))}")])
    report = report_of(runtime, "consents", said, plain)

    def work(tx: Transaction) -> ConsentAnswer:
        names = _write(tx, said, report.customer_id, known, said.brand or runtime.settings.brand)
        return ConsentAnswer(id=said.id, source=said.source, kept=True, consents=[_told(tx, name) for name in names])

    return once(runtime, report, work, lambda: _of_erased(said))


def _write(tx: Transaction, said: ConsentReport, customer_id: str, known: set[str], brand: str) -> list[str]:
    """The ids of the consents that the report makes."""
    if said.confirms is not None and said.confirmed_at is not None:
        name = confirm(tx, said.confirms, said.confirmed_at)
        if name is None:
            raise invalid([FieldError("confirms", "a consent of this customer that waits for its confirmation")])
        return [name]
    if said.state == "granted":
        return [_grant(tx, said, brand)]
    everywhere = {EVERY_CHANNEL} | known | channels_known(tx, customer_id, said.purpose)
    channels = [said.channel] if said.channel else sorted(everywhere)
    given, proof = _evidence(said), f"consent:{said.source}:{hidden(tx.keyring, said.source, 'consents', said.id)}"
    if given is not None:
        proof = add_evidence(tx, given, channels[0], "none")
    return [
        add_consent(tx, Consent(channel, said.purpose, said.state, "none", proof, tx.now()), brand)
        for channel in channels
    ]


def _grant(tx: Transaction, said: ConsentReport, brand: str) -> str:
    given = _evidence(said)
    if given is None or said.channel is None or said.legal_basis is None:
        raise ValueError("the schema let a grant through that proves nothing")
    proof = add_evidence(tx, given, said.channel, said.legal_basis)
    since = given.since(tx.now())
    consent = Consent(said.channel, said.purpose, "granted", said.legal_basis, proof, since, said.valid_to)
    return add_consent(tx, consent, brand)


def _evidence(said: ConsentReport) -> Evidence | None:
    told = said.evidence
    if told is None:
        return None
    conditions = told.conditions.model_dump() if told.conditions else None
    return Evidence(
        told.text_id, told.text_sha256, told.source, told.requested_at, told.confirmed_at, told.reference, conditions
    )


def _told(tx: Transaction, consent_id: str) -> KeptConsent:
    proof = consents.c.evidence_id == evidence.c.evidence_id
    asked = consents.outerjoin(evidence, proof).select().where(consents.c.consent_id == consent_id)
    row = tx.first(asked.with_only_columns(*consents.columns, evidence.c.missing))
    if row is None:
        raise LookupError("a consent that was just written is not there")
    return KeptConsent(
        consent_id=row.consent_id, channel=row.channel, purpose=row.purpose, state=row.state,
        valid_from=from_micros(row.valid_from), missing=row.missing if row.state == "granted" else None,
    )  # fmt: skip


def _of_erased(said: ConsentReport) -> ConsentAnswer:
    """A no needs nothing kept where everything is closed; a yes cannot be kept without naming who was promised to be forgotten."""
    if said.state == "granted":
        raise Problem(
            409, "suppressed", "The customer was erased",
            "Nothing is kept of an erased customer. Whoever comes back is a new customer, with a new id.",
        )  # fmt: skip
    return ConsentAnswer(id=said.id, source=said.source, kept=False, consents=[])
