"""What is reserved, as people and programs look at it: one reservation, all that a decision set going, and what waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from serving.ledger import looking
from serving.ledger.reading import Reading
from serving.ledger.schema import from_micros
from serving.problems import not_found
from serving.schemas_reading import WaitingJourney
from serving.schemas_reservations import HeldStep, ReservationAnswer, ReviewsAnswer

if TYPE_CHECKING:
    from serving.bootstrap import Runtime

Reply = tuple[int, bytes]
MOST = 100
"""How many reservations that wait for a person are listed at once."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What a decision set going, as it stands at `now`: every place taken for one of its steps, and the journeys it postponed."""

    reservations: tuple[HeldStep, ...] = ()
    postponed: tuple[WaitingJourney, ...] = ()
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A reservation that waits for a person. `asked_by` is the client that asked for the decision, who may not review it."""

    reservation: ReservationAnswer
    customer_id: str
    asked_by: str


def show(runtime: Runtime, reservation_id: str) -> Reply:
    """GET /v1/reservations/{reservation_id}. Raises `Problem` (404), `Erased`."""
    with runtime.ledger.reading() as reading:
        row = looking.contact(reading, reservation_id)
    if row is None:
        raise not_found("reservation")
    return 200, answer_of_place(row).body()


def reviews(runtime: Runtime) -> Reply:
    """GET /v1/reviews: what waits for a person, the most urgent first."""
    return 200, ReviewsAnswer(reservations=[one.reservation for one in waiting(runtime)]).body()


def waiting(runtime: Runtime) -> list[Waiting]:
    """Every live reservation that a person must approve, the one whose lease ends first at the top; at most `MOST`."""
    with runtime.ledger.reading() as reading:
        rows = looking.waiting_for_review(reading, MOST)
    return [Waiting(answer_of_place(row), str(row["customer_id"]), row["client"]) for row in rows]


def aftermath(reading: Reading, decision_id: str, treatments: Sequence[str]) -> Aftermath:
    """What a decision set going; `treatments` are those of its plan, by step."""
    places = looking.contacts_of_decision(reading, decision_id)
    waits = looking.postponed_by(reading, decision_id)
    return Aftermath(
        tuple(HeldStep(**_plain(row), treatment=treatments[row["step"]]) for row in places),
        tuple(
            WaitingJourney(
                journey=row["journey"], reason=row["reason"], free_at=from_micros(row["free_at"]), state=row["state"]
            )
            for row in waits
        ),
        reading.now(),
    )


def answer_of_place(row: dict[str, Any]) -> ReservationAnswer:
    """A row of `contacts` as it is answered."""
    return ReservationAnswer(**_plain(row))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    same = (
        "reservation_id", "decision_id", "step", "epoch", "state", "journey", "channel", "settled_by", "review", "reviewer",
        "review_reason",
    )  # fmt: skip
    moments = {"send_at": "sent_at", "closes_at": "closes_at", "lease_until": "lease_until", "settled_at": "settled_at"}
    return {name: row[name] for name in same} | {
        name: None if row[column] is None else from_micros(row[column]) for name, column in moments.items()
    }
