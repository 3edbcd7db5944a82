"""Deciding for one request: read, value without a lock, then one short transaction that writes decision and contact."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from arbitration.codec import canonical_json
from arbitration.decide import decide
from arbitration.domain import Contact, Context, CustomerId, Decision, Estimates
from arbitration.gates.case import Case
from arbitration.selection import draw_of
from serving.answers import answer_of
from serving.auth import Client
from serving.context import barred, build_context, check, standing_of
from serving.estimates import attributions, estimates
from serving.ledger.rows import Answer
from serving.ledger.store import Reading, Writing
from serving.logs import log, pseudonym
from serving.problems import FieldError, Problem
from serving.records import Record
from serving.schemas import DecisionRequest, parse

if TYPE_CHECKING:
    from serving.bootstrap import Runtime

Reply = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Question:
    """One admitted request, with the moment, the id and the dice of its decision."""

    client: str
    request: DecisionRequest
    plain: Any
    digest: str
    now: datetime
    decision_id: str
    draw: float


def digest_of(plain: Any) -> str:
    """Digest of a JSON value, whatever its spaces and the order of its names."""
    return hashlib.sha256(canonical_json(plain)).hexdigest()


def decide_for(runtime: Runtime, client: Client, body: bytes) -> Reply:
    """Answer a decision request; the same client, request_id and body get the same bytes again.

    Raises `Problem` (400, 422) and writes nothing when the request is wrong, `LedgerError` when the ledger is locked.
    A dry run writes nothing and is therefore not remembered; a shadow decision is kept but reserves no contact.
    """
    question = question_of(runtime, client, body)
    with runtime.ledger.reading() as reading:
        earlier = reading.answer_to(client.name, question.request.request_id)
        if earlier is not None:
            return _again(runtime, earlier, question)
        record = consider(runtime, reading, question)
    if question.request.mode == "dry_run":
        return 200, answer_of(record, runtime.policy).body()
    return _commit(runtime, question, record)


def question_of(runtime: Runtime, client: Client, body: bytes) -> Question:
    """The checked request with a fresh id and dice. Raises `Problem`."""
    request, plain = parse(DecisionRequest, body)
    check(request, runtime.policy)
    decision_id = f"d-{uuid.uuid4()}"
    draw = draw_of(runtime.salt, decision_id)
    return Question(client.name, request, plain, digest_of(plain), runtime.clock.now(), decision_id, draw)


def consider(runtime: Runtime, reading: Reading, question: Question) -> Record:
    """Gather what is known, ask the models, decide; nothing is written and no lock is held."""
    context = build_context(runtime, reading, question.request, question.now)
    models = None if barred(context) else runtime.bundle
    believed = estimates(models, runtime.policy, context, question.now)
    return _judge(runtime, question, context, believed)


def _judge(runtime: Runtime, question: Question, context: Context, believed: Estimates) -> Record:
    """The decision with everything that is recorded of it. Pure apart from what `runtime` holds."""
    decision = decide(
        context, believed, runtime.policy, decision_id=question.decision_id, now=question.now, draw=question.draw
    )
    treatment = decision.winner.candidate.treatment.id if decision.winner else None
    return Record(
        client=question.client, request=question.plain, mode=question.request.mode, now=question.now,
        draw=question.draw, context=context, estimates=believed,
        attributions=() if barred(context) else attributions(runtime.bundle, context, treatment),
        bundle=runtime.bundle.digest, models=dict(runtime.bundle.versions), features=runtime.features_version,
        simulated=runtime.simulated, decision=decision,
    )  # fmt: skip


def _commit(runtime: Runtime, question: Question, record: Record) -> Reply:
    """Claim the request id, read again what caps, consents and stocks rest on, decide anew if that changed, write, commit."""
    context = record.context
    with runtime.ledger.writing() as ledger:
        earlier = ledger.answer_to(question.client, question.request.request_id)
        if earlier is not None:
            return _again(runtime, earlier, question)
        standing = standing_of(ledger, runtime.policy, context.customer_id, question.now)
        if not standing.holds_in(context):
            context = replace(context, consents=standing.consents, contacts=standing.contacts, stock=standing.stock)
            record = _judge(runtime, question, context, record.estimates)
        body = answer_of(record, runtime.policy).body()
        _write(ledger, runtime, question, record, body)
    runtime.metrics.count(record.decision, record.mode)
    _note(runtime, record.decision, context.customer_id)
    return 200, body


def _write(ledger: Writing, runtime: Runtime, question: Question, record: Record, body: bytes) -> None:
    decision = record.decision
    ledger.add_policy(runtime.policy.version, runtime.policy_bytes)
    ledger.add_decision(record.to_row(question.request.request_id, Answer(question.digest, 200, body)))
    if record.mode == "live" and decision.plan.steps:
        step = decision.plan.steps[0]
        treatment = step.candidate.treatment
        purpose = Case(record.context, runtime.policy, record.now).purpose(step.candidate)
        contact = Contact(treatment.journey, treatment.channel, step.send_at, purpose)
        offer = treatment.offer.id if treatment.offer else None
        ledger.add_contact(decision.customer_id, contact, decision.decision_id, 0, offer)


def _again(runtime: Runtime, earlier: Answer, question: Question) -> Reply:
    if earlier.body_digest != question.digest:
        raise used_before("request_id")
    runtime.metrics.replays.inc()
    return earlier.status, earlier.body


def used_before(field: str) -> Problem:
    """422: an id that was used for another body."""
    errors = [FieldError(field, "a new one for every new question; it was used with another body")]
    return Problem(422, "id-reused", "The id was used before", "Repeat the first body or use a new id.", errors=errors)


def _note(runtime: Runtime, decision: Decision, customer_id: CustomerId) -> None:
    log.info(
        "decided", decision=decision.decision_id, customer=pseudonym(runtime.salt, customer_id),
        outcome=decision.outcome, arm=decision.arm, degraded=list(decision.degraded),
    )  # fmt: skip
