"""Reservations: a contact takes its place when it is decided, keeps it while its lease runs, and is confirmed or given back.

reserved -> confirmed (it is being sent: counts from now on for good), released (it will not be sent: its place is free),
expired (nobody confirmed it in time: its place is free). An outcome that says it was sent confirms it, however late.

Of one step only the newest contact can be reserved or confirmed: another is reserved only after the one before was given back, and
an outcome, which names the step, moves the newest alone. So no outcome ever meets the unique indexes of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from arbitration.domain import Candidate, Purpose
from arbitration.policy import Policy
from serving.ledger.keyring import erased
from serving.ledger.reading import Reading
from serving.ledger.rows import Reservation
from serving.ledger.schema import contacts, from_micros, subjects, to_micros
from serving.ledger.transaction import Transaction

GRACE = timedelta(minutes=5)
"""How long a place is kept after its send window: the word that a message left within the window may come a little later."""
BY_CLIENT = "confirm"
"""Why a contact is confirmed when its holder said so before it was sent; "outcome": an outcome said it was sent, unasked."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place for one contact before it is taken: what the answer says of it, and its row."""

    reservation: Reservation
    row: Mapping[str, Any]


def place_for(
    candidate: Candidate, policy: Policy, *, decision_id: str, step: int, send_at: datetime, now: datetime, epoch: int,
    purpose: Purpose, evidence_id: str | None,
) -> Place:  # fmt: skip
    """The place that one step of a decision takes, under the epoch that the customer's next reservation gets."""
    treatment = candidate.treatment
    until = max(candidate.window.closes_at, now) + GRACE
    review = None if treatment.consequence == "none" else "required"
    name = f"r-{decision_id.removeprefix('d-')}-{step}-{epoch}"
    row = {
        "reservation_id": name, "decision_id": decision_id, "step": step, "state": "reserved",
        "journey": treatment.journey, "channel": treatment.channel, "purpose": purpose,
        "timing": policy.channels[treatment.channel].timing, "offer": treatment.offer.id if treatment.offer else None,
        "sent_at": to_micros(send_at), "closes_at": to_micros(candidate.window.closes_at), "epoch": epoch,
        "lease_until": to_micros(until), "evidence_id": evidence_id, "review": review,
    }  # fmt: skip
    return Place(Reservation(name, epoch, from_micros(to_micros(until)), review), row)


def take(tx: Transaction, place: Place) -> None:
    """Take a place: from now on caps, cool-downs and stocks count it. Raises `IntegrityError` when the customer already has a live
    winner, which the gates see first, and `RuntimeError` when its epoch is not the customer's next one.
    """
    if tx.next_epoch() != place.reservation.epoch:
        raise RuntimeError("a place was planned under an epoch that is gone")
    tx.put(contacts, {**place.row, "subject": tx.owner, "reserved_at": tx.at})


def customer_with(reading: Reading, reservation_id: str) -> str | None:
    """The customer whose place this is, None when there is no such reservation. Raises `Erased`."""
    asked = select(subjects.c.customer_id).join_from(contacts, subjects, contacts.c.subject == subjects.c.subject)
    row = reading.first(asked.where(contacts.c.reservation_id == reservation_id))
    if row is not None and row.customer_id is None:
        raise erased()
    return str(row.customer_id) if row else None


def held_by(tx: Transaction, reservation_id: str) -> dict[str, Any] | None:
    """A contact of the locked customer, None when it is not theirs."""
    row = tx.first(select(contacts).where(contacts.c.reservation_id == reservation_id, contacts.c.subject == tx.owner))
    return row._asdict() if row else None


def steps_of(tx: Transaction, decision_id: str) -> dict[int, str]:
    """The steps of a decision for which a place was ever taken, with the state of the newest."""
    table = contacts.c
    asked = select(table.step, table.state).where(table.decision_id == decision_id, table.subject == tx.owner)
    return {row.step: row.state for row in tx.connection.execute(asked.order_by(table.epoch))}


def expire_due(tx: Transaction) -> int:
    """Give back the customer's reservations whose lease is over. Every write about a customer does this first, so that none of them
    can be confirmed once its place was given away. Returns how many.
    """
    table = contacts.c
    due = (table.subject == tx.owner) & (table.state == "reserved") & (table.lease_until <= tx.at)
    return len(settle(tx, due, "expired", "lease_over"))


def settle(tx: Transaction, which: Any, state: str, by: str, **more: Any) -> list[dict[str, Any]]:
    """Move contacts to a state for a reason, and tell so. Returns their rows as they are now."""
    rows = tx.change(contacts, which, {"state": state, "settled_at": tx.at, "settled_by": by, **more})
    for row in rows:
        tx.emit(f"dirigent.reservation.{state}.v1", told(row))
    return rows


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What an event says of a contact."""
    names = ("reservation_id", "decision_id", "step", "journey", "channel", "epoch", "state", "settled_by")
    return {name: row[name] for name in names if row[name] is not None}


def sent(tx: Transaction, decision_id: str, step: int, by: str, at: datetime | None = None) -> None:
    """It was sent, whatever was said before, and `at` the latest, as far as that is known: a contact that nobody confirmed counts from
    that moment, but not from one before it was planned or after now. So no cap opens before its time.
    """
    row = _newest(tx, decision_id, step)
    if row is not None and row.state != "confirmed":
        latest = row.sent_at if at is None else max(row.sent_at, min(to_micros(at), tx.at))
        settle(tx, contacts.c.reservation_id == row.reservation_id, "confirmed", by, sent_at=latest)


def not_sent(tx: Transaction, decision_id: str, step: int, by: str) -> None:
    """It was not sent after all: its place is free."""
    row = _newest(tx, decision_id, step)
    if row is not None and row.state != "released":
        settle(tx, contacts.c.reservation_id == row.reservation_id, "released", by)


def note_reaction(tx: Transaction, decision_id: str, step: int, *, engaged: bool) -> None:
    """What is known of the customer's reaction; an engagement is never taken back by a later report."""
    row = _newest(tx, decision_id, step)
    if row is not None and (engaged or row.engaged is None):
        tx.change(contacts, contacts.c.reservation_id == row.reservation_id, {"engaged": engaged})


def _newest(tx: Transaction, decision_id: str, step: int) -> Any:
    """The contact of a step: the last one that was reserved for it."""
    table = contacts.c
    asked = select(contacts).where(table.decision_id == decision_id, table.step == step).order_by(table.epoch.desc())
    return tx.first(asked)
