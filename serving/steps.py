"""Taking the place of a later step of a plan: at its time it passes every gate again, for this moment, or it is not sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from arbitration.codec import canonical_json
from arbitration.domain import Candidate, Context, PlanStep, Rejection, SendWindow, Treatment
from arbitration.gates import GATES, rejection
from arbitration.gates.case import Case
from arbitration.gates.eligibility import unknown_journey
from arbitration.policy import Policy
from arbitration.propose import FIRST_WITHIN, send_windows, treatments_of
from arbitration.windows import SHORTEST, slot_of
from serving.answer_shapes import ConsentEvidence, Held, Window
from serving.answers import local
from serving.auth import Client
from serving.context import barred, build_context, check, standing_of
from serving.decisions import Reply, afresh, digest_of, note_stop, unbarred, used_before, write
from serving.ledger import postponed, requests, volume
from serving.ledger.contacts import expire_due, place_for, steps_of, take
from serving.ledger.history import ENGAGED
from serving.ledger.keyring import Erased
from serving.ledger.reading import Reading
from serving.ledger.rows import Answer, Reservation
from serving.ledger.stock import claim
from serving.ledger.transaction import Transaction
from serving.problems import FieldError, Problem, invalid, not_found
from serving.records import Record
from serving.reservations import Refused, gone
from serving.schemas import CustomerRef, DecisionRequest, parse
from serving.schemas_reservations import StepAnswer, StepRequest

if TYPE_CHECKING:
    from datetime import datetime

    from serving.bootstrap import Runtime

ENDPOINT = "/v1/reservations"
ORDER = {gate.code: at for at, gate in enumerate(GATES)}


@dataclass(frozen=True, slots=True)
class Asked:
    """One admitted request for a step: who asks, with which bytes, about what, and all that is known of the customer."""

    client: str
    digest: str
    request: StepRequest
    step: PlanStep
    context: Context


def reserve_step(runtime: Runtime, client: Client, body: bytes) -> Reply:
    """Take the place of a later step: 201 with what to send and when; the same client, request_id and body get the same bytes again.

    Raises `Problem`: 404, 410, 422, 403 (a step that a person must review belongs to the client that asked for the decision), 409
    (`not-live`, `earlier-step-open`, `step-taken`, `not-admitted` with stage, reason and free_at). A refusal takes nothing and is not
    remembered: the same request may be asked again later.
    """
    request, plain = parse(StepRequest, body)
    digest, policy = digest_of(plain), runtime.policy
    check(DecisionRequest(request_id=request.request_id, customer=CustomerRef(id="c"), context=request.context), policy)
    with runtime.in_flight.only((client.name, ENDPOINT, request.request_id)):
        try:
            return afresh(lambda: _taken(runtime, client, request, digest))
        except Erased:
            raise gone() from None
        except IntegrityError:  # another request took the id or the customer's place while this one was being judged
            return _after_all(runtime, client.name, request, digest)


def _taken(runtime: Runtime, client: Client, request: StepRequest, digest: str) -> Reply:
    with runtime.ledger.reading() as reading:
        again = _earlier(reading, client.name, request, digest)
        if again is not None:
            return again
        asked = _asked(runtime, reading, client, request, digest)
    reply, stopped = write(runtime, asked.context.customer_id, lambda tx: _reserved(runtime, tx, asked))
    note_stop(runtime, stopped)
    return reply


def _earlier(reading: Reading, client: str, request: StepRequest, digest: str) -> Reply | None:
    found = requests.earlier(reading, client, ENDPOINT, request.request_id)
    if found is None:
        return None
    if found.body_digest != digest:
        raise used_before("request_id")
    return found.status, found.body


def _after_all(runtime: Runtime, client: str, request: StepRequest, digest: str) -> Reply:
    with runtime.ledger.reading() as reading:
        again = _earlier(reading, client, request, digest)
    if again is None:
        raise _not_admitted("contact_policy", "live_winner")
    return again


def _asked(runtime: Runtime, reading: Reading, client: Client, request: StepRequest, digest: str) -> Asked:
    """The step of the recorded plan, and the customer as known now. Features are read here, before anybody waits for a lock."""
    row = reading.decision(request.decision_id)
    if row is None:
        raise not_found("decision")
    record = Record.from_row(row)
    steps = record.decision.plan.steps
    if record.mode != "live":
        raise Refused("not-live", "Only a live decision holds places.")
    if request.step >= len(steps):
        most = f"1 to {len(steps) - 1}" if len(steps) > 1 else "no later step: the plan has one at most"
        raise invalid([FieldError("step", most)])
    step = steps[request.step]
    if step.candidate.treatment.consequence != "none" and client.name != record.client:
        raise Problem(
            403, "other-client", "Not allowed", "A person must review it: reserve it as who asked for the decision."
        )
    context, _ = build_context(runtime, reading, _now_of(record, request), reading.now())
    return Asked(client.name, digest, request, step, context)


def _now_of(record: Record, request: StepRequest) -> DecisionRequest:
    """The question of the decision, asked once more: the same customer, triggers and channels, and what the caller knows now."""
    told = {"request_id": request.request_id, "customer": {"id": "c"}, "context": dict(request.context)}
    question = DecisionRequest.model_validate(told)
    first = DecisionRequest.model_validate_json(canonical_json(record.request))
    whose = CustomerRef.model_construct(id=str(record.context.customer_id), alias=None)
    return question.model_copy(update={"customer": whose, "triggers": first.triggers, "channels": first.channels})


def _reserved(runtime: Runtime, tx: Transaction, asked: Asked) -> tuple[Reply, volume.Stop | None]:
    """Judge the step on what holds under the lock, and take its place."""
    request, policy = asked.request, runtime.policy
    again = _earlier(tx, asked.client, request, asked.digest)
    if again is not None:
        return again, None
    owner = tx.subject_of_decision(request.decision_id)
    if owner is None or owner[0] != tx.owner:  # erased between the look-up and the lock
        raise gone()
    expire_due(tx)
    _check_turn(tx, request)
    context = standing_of(tx, runtime, asked.context.customer_id, tx.now()).put_into(asked.context)
    unbarred(asked.context, context)
    if barred(context):
        context = replace(context, features={}, degraded=())
    case = Case(context, policy, tx.now())
    found = _stopped(tx, asked) or admissible(asked.step, case)
    if isinstance(found, Rejection):
        raise _not_admitted(found.stage, found.code, found.free_at)
    consent = case.consent(found) if case.channel(found).needs_consent else None
    place = place_for(
        found, policy, decision_id=request.decision_id, step=request.step, send_at=found.window.opens_at, now=tx.now(),
        epoch=tx.epoch + 1, purpose=case.purpose(found), evidence_id=consent.evidence_id if consent else None,
    )  # fmt: skip
    stopped = volume.count(tx, found.treatment.journey, policy)
    claim(tx.connection, (it for it in policy.resources.values() if it.used_by(found.treatment)), tx.now())
    take(tx, place)
    postponed.finish(tx, found.treatment.journey)
    body = _answer(asked, found, case, place.reservation).body()
    requests.remember(tx, asked.client, ENDPOINT, request.request_id, Answer(asked.digest, 201, body))
    tx.emit("dirigent.step.reserved.v1", {
        "decision_id": request.decision_id, "step": request.step, "journey": found.treatment.journey,
        "channel": found.treatment.channel, "reservation_id": place.reservation.id, "epoch": place.reservation.epoch,
    })  # fmt: skip
    return (201, body), stopped


def _check_turn(tx: Transaction, request: StepRequest) -> None:
    """A step is taken once, and after those before it are settled. Raises `Refused`."""
    states = steps_of(tx, request.decision_id)
    if states.get(request.step) in ("reserved", "confirmed"):
        raise Refused("step-taken", f"It is {states[request.step]} already.", reason=states[request.step])
    waiting = [step for step, state in sorted(states.items()) if step != request.step and state == "reserved"]
    if waiting:
        raise Refused("earlier-step-open", f"Step {waiting[0]} is reserved: confirm it or give it back first.")


def _stopped(tx: Transaction, asked: Asked) -> Rejection | None:
    """What the plan's own conditions say: something of `stop_if` happened, or the customer engaged with a step before."""
    ends = {*asked.step.stop_if, *ENGAGED}
    happened = sorted({one.type for one in tx.outcomes_of(asked.request.decision_id)} & ends)
    return Rejection(asked.step.candidate, "selection", happened[0]) if happened else None


def admissible(step: PlanStep, case: Case) -> Candidate | Rejection:
    """The step in the first window from now on that passes all gates: the plan's own while it is open, then the ones after it, a day
    on at most and never behind the step's expiry. Else the no of the window that came through most gates.
    """
    treatment = _current(step.candidate.treatment, case.policy)
    if treatment is None:
        return Rejection(step.candidate, "eligibility", unknown_journey.__name__, missing=step.candidate.treatment.id)
    if case.context.holdout:
        return Rejection(step.candidate, "selection", "holdout")
    nos = list[Rejection]()
    for window in _windows(step, case):
        candidate = Candidate(treatment, window)
        no = rejection(candidate, case)
        if no is None:
            return candidate
        nos.append(no)
    return max(nos, key=_reach) if nos else Rejection(step.candidate, "selection", "plan_expired")


def _reach(no: Rejection) -> tuple[int, float]:
    """How many gates a window came through; of equal ones the earliest that would be free."""
    return ORDER[no.code], -no.free_at.timestamp() if no.free_at else 0.0


def _current(treatment: Treatment, policy: Policy) -> Treatment | None:
    """The same treatment as the catalog has it now; None when it is there no more."""
    journey = policy.journeys.get(treatment.journey)
    return next((one for one in treatments_of(journey) if one.id == treatment.id), None) if journey else None


def _windows(step: PlanStep, case: Case) -> Iterator[SendWindow]:
    """Windows in time order: what is left of the plan's own, then the customer's local blocks after it."""
    planned, now = step.candidate.window, case.now
    begin, time_zone = max(now, planned.opens_at), case.context.time_zone
    ends_at = min(planned.closes_at, step.expires_at)
    if case.zone is None or time_zone is None:  # the gate for unknown time zones says so
        yield SendWindow(begin, begin + SHORTEST, planned.slot)
        return
    if ends_at - begin >= SHORTEST:
        yield SendWindow(begin, ends_at, slot_of(begin, time_zone))
    after = max(begin, ends_at)
    yield from send_windows(case.policy, case.zone, after, min(step.expires_at, begin + FIRST_WITHIN))


def _not_admitted(stage: str, reason: str, free_at: datetime | None = None) -> Refused:
    return Refused(
        "not-admitted", f"The step may not be sent now ({reason}).", stage=stage, reason=reason, free_at=free_at
    )


def _answer(asked: Asked, found: Candidate, case: Case, held: Reservation) -> StepAnswer:
    treatment, send_at, consent = found.treatment, found.window.opens_at, case.consent(found)
    proof = [
        ConsentEvidence(
            channel=consent.channel, purpose=consent.purpose, basis=consent.legal_basis, evidence=consent.evidence_id
        )
    ] if consent is not None and case.channel(found).needs_consent else []  # fmt: skip
    return StepAnswer(
        request_id=asked.request.request_id, decision_id=asked.request.decision_id, step=asked.request.step,
        reservation=Held(id=held.id, epoch=held.epoch, lease_until=held.lease_until, review=held.review),  # type: ignore[arg-type]
        journey=treatment.journey, treatment=treatment.id, channel=treatment.channel, template=treatment.template,
        kind=treatment.kind, offer=treatment.offer.id if treatment.offer else None, send_at=send_at,
        send_at_local=local(send_at, case.context.time_zone),
        window=Window(opens_at=found.window.opens_at, closes_at=found.window.closes_at), consent=proof,
    )  # fmt: skip
