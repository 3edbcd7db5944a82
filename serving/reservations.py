"""A reserved contact is confirmed before it is sent, given back when it will not be, and reviewed where a person must agree first.

Every call takes the customer's lock, gives back first what is due, and is idempotent. A refusal is a problem (409) that says why.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from starlette.responses import Response

from arbitration.domain import Candidate, Consent, Contact, Context, CustomerId, Rejection, SendWindow, Treatment
from arbitration.gates import GATES, rejection
from arbitration.gates.case import Case
from arbitration.gates.eligibility import unknown_journey
from arbitration.plan import STOP_IF
from arbitration.policy import Policy
from serving.answer_shapes import utc
from serving.auth import Client
from serving.decisions import Reply
from serving.ledger.contacts import BY_CLIENT, customer_with, expire_due, held_by, settle, told
from serving.ledger.history import reach_of
from serving.ledger.keyring import Erased
from serving.ledger.schema import contacts, decisions, from_micros
from serving.ledger.transaction import Transaction
from serving.problems import MEDIA_TYPE, Problem, not_found
from serving.reserved import answer_of_place
from serving.schemas import parse
from serving.schemas_reservations import ConfirmRequest, ReleaseRequest, ReviewRequest

if TYPE_CHECKING:
    from serving.bootstrap import Runtime

Row = dict[str, Any]
INSTANT = timedelta(microseconds=1)
ASKED_AGAIN = tuple(
    gate
    for gate in GATES
    if (gate.stage in ("consent", "contact_policy") and gate.code not in ("live_winner", "channel_held"))
    or gate.check is unknown_journey
)
"""The gates that a contact passes once more when it is confirmed: law, consent and contact policy. It is the live winner itself, and
whether its channel is held was a question of the moment at which it was chosen."""


class Refused(Problem):
    """409: the reservation, or the step, does not allow it. `reason` is a code; `free_at` is when it would pass."""

    def __init__(
        self, code: str, detail: str, *, reason: str | None = None, stage: str | None = None, free_at: datetime | None = None
    ) -> None:  # fmt: skip
        super().__init__(409, code, "Not possible with this reservation", detail)
        told = {"stage": stage, "reason": reason, "free_at": utc(free_at) if free_at else None}
        self.more = {name: text for name, text in told.items() if text is not None}

    def response(self, instance: str) -> Response:
        """The HTTP answer, with the reason as members of their own (RFC 9457, extension members)."""
        body = json.loads(bytes(super().response(instance).body)) | self.more
        return Response(json.dumps(body), self.status, headers=self.headers, media_type=MEDIA_TYPE)


def gone() -> Problem:
    """410: whose it was has been erased."""
    return Problem(410, "erased", "Erased", "The customer has been erased.")


def confirm(runtime: Runtime, _: Client, reservation_id: str, body: bytes) -> Reply:
    """The contact is handed over for sending now: from here on it counts for good. The same call again gets the same answer.

    Raises `Problem`: 404, 410, 409 (`older-epoch`, `review-required`, `reservation-…` with the reason why it is no longer reserved).
    """
    request, _plain = parse(ConfirmRequest, body)
    return _moved(runtime, reservation_id, lambda tx, row, who: _confirmed(runtime, tx, row, who, request.epoch))


def release(runtime: Runtime, _: Client, reservation_id: str, body: bytes) -> Reply:
    """The contact will not be sent: its place is free. What was given back or has expired stays as it is. Raises `Problem` (404,
    410, 409 when it was confirmed: then an outcome `not_sent` gives its place back).
    """
    request, _plain = parse(ReleaseRequest, body)
    return _moved(runtime, reservation_id, lambda tx, row, _who: _released(tx, row, request))


def review(runtime: Runtime, client: Client, reservation_id: str, body: bytes) -> Reply:
    """A person's verdict: approved, it may be confirmed; rejected, its place is free. Raises `Problem` (403 for the client that asked
    for the decision, 404, 410, 409).
    """
    request, _plain = parse(ReviewRequest, body)
    return _moved(runtime, reservation_id, lambda tx, row, _who: _reviewed(tx, row, client.name, request))


def _moved(runtime: Runtime, reservation_id: str, judge: Callable[[Transaction, Row, str], Row | Problem]) -> Reply:
    """What `judge` makes of a contact, under its customer's lock. A problem that it returns is raised after the commit, so that what
    was written with it stays; one that it raises undoes everything.
    """
    try:
        with runtime.ledger.reading() as reading:
            customer = customer_with(reading, reservation_id)
    except Erased:
        raise gone() from None
    if customer is None:
        raise not_found("reservation")

    def work(tx: Transaction) -> Row | Problem:
        expire_due(tx)
        row = held_by(tx, reservation_id)
        if row is None:  # erased between the look-up and the lock
            raise gone()
        return judge(tx, row, customer)

    found = runtime.ledger.write(customer, work)
    if isinstance(found, Problem):
        raise found
    return 200, answer_of_place(found).body()


def _confirmed(runtime: Runtime, tx: Transaction, row: Row, customer: str, epoch: int) -> Row | Problem:
    wrong = _other_epoch(row, epoch)
    if wrong is None and row["state"] == "confirmed" and row["settled_by"] == BY_CLIENT:
        return row
    wrong = wrong or _unready(row)
    if wrong is not None:
        return wrong
    this = contacts.c.reservation_id == row["reservation_id"]
    if tx.at >= row["closes_at"]:
        return _over(settle(tx, this, "expired", "window_over")[0])
    send_at = max(tx.now(), from_micros(row["sent_at"]))
    case, candidate = _case(runtime, tx, row, customer, send_at)
    no = _stopped(tx, row, candidate) or rejection(candidate, case, ASKED_AGAIN)
    if no is not None:
        return _over(settle(tx, this, "released", no.code)[0], no.free_at)
    proof = _proof(case, candidate)
    moved = {"sent_at": max(tx.at, row["sent_at"]), "evidence_id": proof.evidence_id if proof else None}
    return settle(tx, this, "confirmed", BY_CLIENT, **moved)[0]


def _unready(row: Row) -> Refused | None:
    """Why a contact cannot be confirmed as it stands."""
    if row["state"] != "reserved":
        return _over(row)
    if row["review"] == "required":
        return Refused("review-required", "A person must approve it first: POST …/review.")
    return None


def _released(tx: Transaction, row: Row, request: ReleaseRequest) -> Row | Problem:
    if wrong := _other_epoch(row, request.epoch):
        return wrong
    if row["state"] == "confirmed":
        return Refused(
            "reservation-confirmed", "It was confirmed: report the outcome not_sent instead.", reason=row["settled_by"]
        )
    if row["state"] != "reserved":
        return row
    return settle(tx, contacts.c.reservation_id == row["reservation_id"], "released", request.reason)[0]


def _reviewed(tx: Transaction, row: Row, reviewer: str, request: ReviewRequest) -> Row | Problem:
    asked = tx.first(select(decisions.c.client).where(decisions.c.decision_id == row["decision_id"]))
    if asked is not None and asked.client == reviewer:
        return Problem(403, "own-decision", "Not allowed", "Who asked for the decision may not review it.")
    if row["review"] is None:
        return Refused("no-review", "This contact needs no review.")
    if row["review"] == request.verdict:
        return row
    if row["state"] != "reserved":
        return _over(row)
    this = contacts.c.reservation_id == row["reservation_id"]
    verdict = {"review": request.verdict, "reviewer": reviewer, "review_reason": request.reason}
    reviewed = tx.change(contacts, this, verdict)[0]
    tx.emit("dirigent.reservation.reviewed.v1", told(reviewed) | {"review": request.verdict, "reviewer": reviewer})
    return settle(tx, this, "released", "review_rejected")[0] if request.verdict == "rejected" else reviewed


def _other_epoch(row: Row, epoch: int) -> Refused | None:
    """The fence: a reservation is moved only by who holds its own epoch."""
    if epoch == row["epoch"]:
        return None
    code = "older-epoch" if epoch < row["epoch"] else "unknown-epoch"
    return Refused(code, "It was reserved under another epoch.", reason=row["settled_by"])


def _over(row: Row, free_at: datetime | None = None) -> Refused:
    """The problem for a contact that is no longer reserved."""
    state, by = row["state"], row["settled_by"]
    return Refused(f"reservation-{state}", f"It is {state} ({by}): do not send it.", reason=by, free_at=free_at)


def _case(runtime: Runtime, tx: Transaction, row: Row, customer: str, send_at: datetime) -> tuple[Case, Candidate]:
    """The customer as they are now without this contact, and the contact as if it were chosen for `send_at`."""
    profile, policy = tx.profile(customer), runtime.policy
    context = Context(
        CustomerId(customer), profile is not None, profile.time_zone if profile else None,
        profile.locale if profile else "en", features={},
    )  # fmt: skip
    since = tx.now() - reach_of(policy)  # stocks were asked when the place was taken, which holds its unit
    context = tx.standing(customer, since, tx.now(), runtime.settings.brand).put_into(context)
    context = replace(context, contacts=_without(context.contacts, row))
    window = SendWindow(send_at, send_at + INSTANT, 0)  # no gate looks at the slot
    return Case(context, policy, tx.now()), Candidate(_treatment(row, policy), window)


def _treatment(row: Row, policy: Policy) -> Treatment:
    """What the gates need of the contact's treatment; a service contact of a marketing journey keeps an advertisement away."""
    journey = policy.journeys.get(row["journey"])
    kept_away = row["purpose"] == "service" and journey is not None and journey.purpose == "marketing"
    return Treatment(row["journey"], row["channel"], "", kind="suppress" if kept_away else "message")


def _without(made: tuple[Contact, ...], row: Row) -> tuple[Contact, ...]:
    """The contacts without one that equals this reservation."""
    engaged = None if row["engaged"] is None else bool(row["engaged"])
    own = Contact(
        row["journey"], row["channel"], from_micros(row["sent_at"]), row["purpose"], engaged,
        live_until=from_micros(row["lease_until"]),
    )  # fmt: skip
    found = list(made)
    if own in found:
        found.remove(own)
    return tuple(found)


def _stopped(tx: Transaction, row: Row, candidate: Candidate) -> Rejection | None:
    """What the plan's stop condition says of a later step: something happened since that ends the plan."""
    if row["step"] == 0:
        return None
    happened = sorted({one.type for one in tx.outcomes_of(row["decision_id"])} & set(STOP_IF))
    return Rejection(candidate, "selection", happened[0]) if happened else None


def _proof(case: Case, candidate: Candidate) -> Consent | None:
    """The consent that the contact rests on, None where none is needed."""
    return case.consent(candidate) if case.channel(candidate).needs_consent else None
