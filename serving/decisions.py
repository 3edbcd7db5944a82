"""Deciding for one request: read, value without a lock, then one short transaction that writes decision and contact."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import IntegrityError

from arbitration.codec import canonical_json
from arbitration.decide import decide
from arbitration.domain import Context, CustomerId, Decision, Estimates
from arbitration.errors import LedgerError
from arbitration.gates.case import Case
from arbitration.policy import Policy
from arbitration.selection import draw_of
from serving.answers import answer_of
from serving.auth import Client
from serving.context import barred, build_context, check, customer_of, standing_of
from serving.estimates import estimates, moved
from serving.ledger.contacts import Place, expire_due, place_for, take
from serving.ledger.postponed import follow
from serving.ledger.reading import Reading
from serving.ledger.rows import Answer, DecisionRow, Standing
from serving.ledger.stock import claim
from serving.ledger.store import TRIES
from serving.ledger.transaction import Transaction
from serving.ledger.volume import Overrun, Stop, count, halt
from serving.logs import log, pseudonym
from serving.problems import FieldError, Problem
from serving.records import Record
from serving.schemas import DecisionRequest, parse

if TYPE_CHECKING:
    from serving.bootstrap import Runtime

Reply = tuple[int, bytes]
T = TypeVar("T")
LATE = timedelta(seconds=1)
"""A decision that waited longer than this for its customer's lock is decided again for the moment at which it got it."""


class Afresh(LedgerError):
    """What was not looked at, for a bar or under another name, may be looked at now: the request must be considered once more."""


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


@dataclass(frozen=True, slots=True)
class Written:
    """A decision as it will be written: everything that can be made before the lock is taken."""

    record: Record
    place: Place | None
    row: DecisionRow


def digest_of(plain: Any) -> str:
    """Digest of a JSON value, whatever its spaces and the order of its names."""
    return hashlib.sha256(canonical_json(plain)).hexdigest()


def decide_for(runtime: Runtime, client: Client, body: bytes) -> Reply:
    """Answer a decision request; the same client, request_id and body get the same bytes again.

    Raises `Problem` (400, 422) and writes nothing when the request is wrong, `LedgerError` when the ledger is locked.
    A dry run writes nothing and is therefore not remembered; a shadow decision is kept but reserves no contact.
    """
    question = question_of(runtime, client, body)
    with runtime.in_flight.only((client.name, question.request.request_id)):
        return afresh(lambda: _decided(runtime, question))


def _decided(runtime: Runtime, question: Question) -> Reply:
    with runtime.ledger.reading() as reading:
        earlier = reading.answer_to(question.client, question.request.request_id)
        if earlier is not None:
            return _again(runtime, earlier, question)
        question = replace(question, now=reading.now())
        record, standing = consider(runtime, reading, question)
        if question.request.mode == "dry_run":
            return 200, answer_of(record, runtime.policy).body()
        return _commit(runtime, reading, question, record, standing)


def afresh(work: Callable[[], T]) -> T:
    """What `work` returns, once more from the beginning where it says so. Raises `Afresh` when it does so again and again."""
    for _ in range(TRIES - 1):
        try:
            return work()
        except Afresh:
            continue
    return work()


def unbarred(before: Context, now: Context) -> None:
    """Whoever was barred before, and is not any more, was not evaluated: neither features nor the holdout were asked. Raises `Afresh`."""
    if barred(before) and not barred(now):
        raise Afresh("the customer took an objection back at this moment", mend="ask again")


def question_of(runtime: Runtime, client: Client, body: bytes) -> Question:
    """The checked request with a fresh id and dice. Raises `Problem`."""
    request, plain = parse(DecisionRequest, body)
    check(request, runtime.policy)
    decision_id = f"d-{uuid.UUID(bytes=runtime.ledger.keyring.dice(16), version=4)}"
    draw = draw_of(runtime.salt, decision_id)
    return Question(client.name, request, plain, digest_of(plain), runtime.clock.now(), decision_id, draw)


def consider(runtime: Runtime, reading: Reading, question: Question) -> tuple[Record, Standing]:
    """Gather what is known, ask the models, decide; nothing is written and no lock is held. Returns the record and what it rests on."""
    context, standing = build_context(runtime, reading, question.request, question.now)
    models = None if barred(context) else runtime.bundle
    believed = estimates(models, runtime.policy, context, question.now)
    return _judge(runtime, question, context, believed), standing


def _judge(runtime: Runtime, question: Question, context: Context, believed: Estimates) -> Record:
    """The decision with everything that is recorded of it. Pure apart from what `runtime` holds."""
    decision = decide(
        context, believed, runtime.policy, decision_id=question.decision_id, now=question.now, draw=question.draw
    )
    return Record(
        client=question.client, request=question.plain, mode=question.request.mode, now=question.now,
        draw=question.draw, context=context, estimates=believed,
        attributions=() if barred(context) else moved(runtime.bundle, context, decision, believed),
        bundle=runtime.bundle.digest, models=dict(runtime.bundle.versions), features=runtime.features_version,
        simulated=runtime.simulated, decision=decision,
    )  # fmt: skip


def _commit(runtime: Runtime, reading: Reading, question: Question, record: Record, standing: Standing) -> Reply:
    """Claim the request id, look again at what caps, consents and stocks rest on, decide anew if that changed, write, commit."""
    ready = _written(runtime, question, record, standing.epoch + 1)

    def work(tx: Transaction) -> tuple[Written, Stop | None]:
        if not (_unmoved(tx, standing) and (standing.next_lease is None or standing.next_lease > tx.now())):
            expire_due(tx)
        found, waits = ready, standing.waits
        if not _still_holds(runtime, tx, question, ready, standing):
            found = _written(runtime, question, _decided_anew(runtime, tx, question, record), tx.epoch + 1)
            waits = True  # perhaps: nobody looked again
        return found, _keep(runtime, tx, found, waits=waits)

    try:
        found, stopped = write(runtime, record.context.customer_id, work, reading)
    except (
        IntegrityError
    ):  # another one claimed the request id, or the customer's place, while this one was being written
        return _after_all(runtime, question)
    runtime.metrics.count(found.record.decision, found.record.mode)
    _note(runtime, found.record.decision, found.record.context.customer_id)
    note_stop(runtime, stopped)
    return 200, found.row.answer.body


def _keep(runtime: Runtime, tx: Transaction, found: Written, *, waits: bool) -> Stop | None:
    """Write the decision, take its place, and all that goes along. Returns the stop of a journey whose volume is used up by it."""
    decision, stopped = found.record.decision, None
    tx.add_decision(found.row)
    if found.place is not None:
        treatment = decision.plan.steps[0].candidate.treatment
        stopped = count(tx, treatment.journey, runtime.policy)
        claim(tx.connection, (it for it in runtime.policy.resources.values() if it.used_by(treatment)), tx.now())
        take(tx, found.place)
    follow(tx, decision, found.record.context, found.record.mode, waits=waits)
    tx.add_policy(runtime.policy.version, runtime.policy_bytes)
    tx.emit("dirigent.decision.made.v1", _told(found.record))
    return stopped


def write(runtime: Runtime, customer_id: str, work: Callable[[Transaction], T], after: Reading | None = None) -> T:
    """`Ledger.write`; a journey that `work` finds beyond its volume is stopped, and `work` chooses without it."""
    for _ in runtime.policy.journeys:
        try:
            return runtime.ledger.write(customer_id, work, after)
        except Overrun as found:
            halted = partial(halt, journey=found.journey, policy=runtime.policy)
            note_stop(runtime, runtime.ledger.write(None, halted, after))
    return runtime.ledger.write(customer_id, work, after)


def note_stop(runtime: Runtime, stopped: Stop | None) -> None:
    """Tell operators, after the commit, that a journey stopped by itself."""
    if stopped is not None:
        log.warning("a journey is stopped", journey=stopped.journey, by=stopped.by, automatic=stopped.automatic)
        runtime.metrics.stops.labels(stopped.journey).inc()


def _after_all(runtime: Runtime, question: Question) -> Reply:
    """The answer that was given to the same request first. Raises `LedgerError` when there is none."""
    with runtime.ledger.reading() as reading:
        earlier = reading.answer_to(question.client, question.request.request_id)
    if earlier is None:
        raise LedgerError("another decision for the customer came first", mend="ask again")
    return _again(runtime, earlier, question)


def _written(runtime: Runtime, question: Question, record: Record, epoch: int) -> Written:
    """The decision as it is answered and kept, with the place of its first step where it is a live one."""
    place = _place(runtime.policy, record, epoch)
    record = replace(record, reservation=place.reservation if place else None)
    answer = Answer(question.digest, 200, answer_of(record, runtime.policy).body())
    return Written(record, place, record.to_row(question.request.request_id, answer))


def _still_holds(runtime: Runtime, tx: Transaction, question: Question, ready: Written, standing: Standing) -> bool:
    """Whether nothing has changed that the decision rests on: the customer's rows, what concerns all customers, the suppression list
    (an erased customer asked for again is a new one, without a version), the time, and the stock that its winner would use. What other customers used up of another stock meanwhile changes no promise made here.
    """
    if not _unmoved(tx, standing) or tx.wrote:
        return False
    late = not timedelta(0) <= tx.now() - question.now <= LATE
    if late or tx.marks(ready.record.context.customer_id) != standing.marks:
        return False
    winner = ready.record.decision.winner
    used = [it for it in runtime.policy.resources.values() if winner and it.used_by(winner.candidate.treatment)]
    return all(left > 0 for left in tx.stock(used, tx.now()).values())


def _unmoved(tx: Transaction, standing: Standing) -> bool:
    """Whether nothing was written about the customer, by any of their names, since their standing was read."""
    return tx.is_at(standing.version, standing.others)


def _decided_anew(runtime: Runtime, tx: Transaction, question: Question, record: Record) -> Record:
    """The decision on what the ledger holds under the lock, for this moment. Raises `Afresh` where the shop said meanwhile whose the
    alias is that was asked for.
    """
    now = tx.now()
    if customer_of(tx, question.request.customer, now) != record.context.customer_id:
        raise Afresh("the customer got another name at this moment", mend="ask again")
    context = standing_of(tx, runtime, record.context.customer_id, now).put_into(record.context)
    unbarred(record.context, context)
    if barred(context):
        context = replace(context, features={}, degraded=(), holdout=False)
    return _judge(runtime, replace(question, now=now), context, record.estimates)


def _place(policy: Policy, record: Record, epoch: int) -> Place | None:
    """The place of the first step of a live decision."""
    steps = record.decision.plan.steps
    if record.mode != "live" or not steps:
        return None
    case, candidate = Case(record.context, policy, record.now), steps[0].candidate
    consent = case.consent(candidate) if case.channel(candidate).needs_consent else None
    return place_for(
        candidate, policy, decision_id=record.decision.decision_id, step=0, send_at=steps[0].send_at, now=record.now,
        epoch=epoch, purpose=case.purpose(candidate), evidence_id=consent.evidence_id if consent else None,
    )  # fmt: skip


def _told(record: Record) -> dict[str, Any]:
    """What the event says of a decision."""
    decision, held = record.decision, record.reservation
    told: dict[str, Any] = {"decision_id": decision.decision_id, "outcome": decision.outcome, "mode": record.mode}
    if decision.winner:
        treatment = decision.winner.candidate.treatment
        told |= {"journey": treatment.journey, "channel": treatment.channel, "treatment": treatment.id}
    return told | ({"reservation_id": held.id, "epoch": held.epoch} if held else {})


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
