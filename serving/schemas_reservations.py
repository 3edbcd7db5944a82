"""What is asked about reservations, and what is answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arbitration.domain import Kind
from serving.answer_shapes import ConsentEvidence, Held, Moment, Shape, Window
from serving.schemas import SENTENCE, WHOLE, Identifier, Name, Situation, Strict

Epoch = Annotated[int, Field(ge=1, le=2**53), WHOLE]


class ConfirmRequest(Strict):
    """The contact is handed over for sending now. `epoch` is the one that was answered with the reservation."""

    epoch: Epoch


class ReleaseRequest(Strict):
    """The contact will not be sent; `reason` is a short code word."""

    epoch: Epoch
    reason: Name = "given_back"


class ReviewRequest(Strict):
    """A person's verdict on a contact that must not become final on a model's word alone."""

    verdict: Literal["approved", "rejected"]
    reason: Annotated[str, Field(pattern=SENTENCE)]


class StepRequest(Strict):
    """Take the place of a later step of a decision's plan; `context` holds what the caller knows now, as in a decision request."""

    request_id: Identifier
    decision_id: Identifier
    step: Annotated[int, Field(ge=1, le=9), WHOLE]
    context: Situation = {}  # noqa: RUF012  # pydantic copies it, and 2.11 takes no factory beside the type's own Field


class ReservationAnswer(Shape):
    """A reservation as it is now. `send_at` is the moment for which it counts; it is confirmed before `closes_at`, the end of its send
    window. `settled_by` is why it is no longer reserved, as a code. One that is reserved after `lease_until` counts nowhere any more.
    """

    reservation_id: str
    decision_id: str
    step: int
    epoch: int
    state: Literal["reserved", "confirmed", "released", "expired"]
    journey: str
    channel: str
    send_at: Moment
    closes_at: Moment
    lease_until: Moment
    settled_at: Moment | None = None
    settled_by: str | None = None
    review: Literal["required", "approved", "rejected"] | None = None
    reviewer: str | None = None
    review_reason: str | None = None


class HeldStep(ReservationAnswer):
    """A reservation of a decision's plan, with the treatment of its step."""

    treatment: str


class ReviewsAnswer(Shape):
    """The reservations that wait for a person, the one whose lease ends first at the top; at most a hundred."""

    reservations: list[ReservationAnswer]


class StepAnswer(Shape):
    """A later step of a plan with its place: what to send, when, and what it rests on. Confirm `reservation` before sending."""

    request_id: str
    decision_id: str
    step: int
    reservation: Held
    journey: str
    treatment: str
    channel: str
    template: str
    kind: Kind
    offer: str | None = None
    send_at: Moment
    send_at_local: str | None = None
    window: Window
    consent: list[ConsentEvidence]
