"""Postponed journeys: one that had a trigger and was kept back by a cap, a cool-down or quiet hours is told again when it is free.

waiting -> due (told through the outbox, once) -> done (a decision acted for it, or it may not come back). Nothing is reserved for a
postponed journey: when it is due the caller asks again, and every gate judges anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arbitration.domain import Context, Decision, Rejection
from arbitration.reasons import furthest
from serving.ledger.bookkeeping import postponed
from serving.ledger.schema import to_micros
from serving.ledger.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Postponed:
    """A journey that may speak at `free_at`, and the gate that said not now."""

    journey: str
    reason: str
    free_at: datetime


def postponed_in(decision: Decision, context: Context, mode: str) -> tuple[Postponed, ...]:
    """The journeys that a live decision postpones: each had a trigger in the request, none of its treatments competed, and of the
    one that came through most gates the contact policy said no until a moment that is told. Pure, so that a replay says the same.
    """
    if mode != "live":
        return ()
    competing = {item.candidate.treatment.journey for item in decision.ranked}
    asked = {trigger.journey for trigger in context.triggers} - competing
    if not asked:
        return ()
    nos = furthest(no for no in decision.rejections if no.candidate.treatment.journey in asked)
    found = (_best([no for no in nos if no.candidate.treatment.journey == journey]) for journey in sorted(asked))
    return tuple(
        Postponed(no.candidate.treatment.journey, no.code, no.free_at)
        for no in found
        if no is not None and no.free_at is not None and no.free_at > decision.decided_at
    )


def _best(nos: list[Rejection]) -> Rejection | None:
    """Among a journey's treatments the no of the contact policy that ends first."""
    held = [no for no in nos if no.stage == "contact_policy" and no.free_at is not None]
    return min(held, key=_free_at, default=None)


def _free_at(no: Rejection) -> float:
    return no.free_at.timestamp() if no.free_at else float("inf")


def follow(tx: Transaction, decision: Decision, context: Context, mode: str, *, waits: bool) -> None:
    """What a decision does to what waits: the journey that it acts for waits no longer, those that it keeps back wait anew. `waits` is
    False where it is known that nothing of the customer does.
    """
    if mode == "live" and decision.winner is not None and waits:
        finish(tx, decision.winner.candidate.treatment.journey)
    postpone(tx, decision.decision_id, postponed_in(decision, context, mode))


def postpone(tx: Transaction, decision_id: str, journeys: Iterable[Postponed]) -> None:
    """Keep what a decision postpones; an earlier wait of the same journey is over with it."""
    for one in journeys:
        finish(tx, one.journey)
        tx.put(postponed, {
            "decision_id": decision_id, "journey": one.journey, "subject": tx.owner, "reason": one.reason,
            "free_at": to_micros(one.free_at), "state": "waiting",
        })  # fmt: skip
        tx.emit("dirigent.decision.postponed.v1", {
            "decision_id": decision_id, "journey": one.journey, "reason": one.reason,
            "free_at": one.free_at.isoformat().replace("+00:00", "Z"),
        })  # fmt: skip


def finish(tx: Transaction, journey: str) -> int:
    """A decision acts for the journey, or postpones it anew: an earlier wait is over. Returns how many were."""
    return _done(tx, postponed.c.journey == journey)


def finish_all(tx: Transaction) -> int:
    """The customer wants nothing more of it (withdrawal, objection, erasure): no wait goes on. Returns how many ended."""
    return _done(tx, postponed.c.subject == tx.owner)


def make_due(tx: Transaction) -> int:
    """Tell every postponed journey of the locked customer whose time has come, once. Returns how many."""
    table = postponed.c
    now = (table.subject == tx.owner) & (table.state == "waiting") & (table.free_at <= tx.at)
    rows = tx.change(postponed, now, {"state": "due"})
    for row in rows:
        tx.emit("dirigent.decision.due.v1", {name: row[name] for name in ("decision_id", "journey", "reason")})
    return len(rows)


def _done(tx: Transaction, which: Any) -> int:
    table = postponed.c
    return len(tx.change(postponed, (table.subject == tx.owner) & (table.state != "done") & which, {"state": "done"}))
