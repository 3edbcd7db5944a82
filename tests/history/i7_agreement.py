"""I7: answers and ledger agree, nothing in the ledger was never asked for, and the audit verifies."""

from __future__ import annotations

from collections.abc import Iterator

from tests.history.ledger import Ledger
from tests.history.rows import Attempt, Contact, Decision, Finding, Place
from tests.history.seen import Seen

DUMP = Place(0, 0)


def judge(ledger: Ledger, seen: Seen) -> Iterator[Finding]:
    """Every difference between what was answered and what is kept, and what contradicts itself in the ledger."""
    if ledger.verified is None:
        yield Finding("I7", "", "the audit was not verified", (DUMP,))
    elif ledger.verified[1] != 0:
        yield Finding("I7", "", f"the audit does not verify: exit {ledger.verified[1]}", (ledger.verified[0],))
    for decision in ledger.twice:
        yield Finding("I7", decision.subject, f"{decision.decision_id} or its key stands twice", (decision.place,))
    for contact in ledger.doubled:
        yield Finding("I7", contact.named, f"reservation {contact.reservation_id} stands twice", (contact.place,))
    orders: dict[tuple[str, int], Decision] = {}
    for decision in ledger.decisions.values():
        other = orders.setdefault((decision.subject, decision.order), decision)
        if other is not decision:
            what = f"two decisions have the number {decision.order}"
            yield Finding("I7", decision.subject, what, (other.place, decision.place))
        yield from _decision(decision, seen, ledger)
    for contacts in ledger.contacts.values():
        for contact in contacts:
            yield from _contact(contact, ledger, seen)
    yield from _outcomes(ledger, seen)


def _decision(decision: Decision, seen: Seen, ledger: Ledger) -> Iterator[Finding]:
    """A decision that nobody asked for, or of which a client was told something else.

    An erasure forgets the keys of idempotency, too: what was answered before it belongs to a decision that is nobody's now.
    """
    attempts = seen.attempts.get(("decide", decision.client, decision.request_id))
    if attempts is None:
        if decision.client in seen.callers:
            what = f"{decision.decision_id} ({decision.request_id} of {decision.client}) was never asked for"
            yield Finding("I7", decision.customer or decision.subject, what, (decision.place,))
        return
    if all(attempt.body != decision.body for attempt in attempts):
        what = f"{decision.decision_id} answers a body that was never sent"
        yield Finding("I7", decision.customer or decision.subject, what, (decision.place, attempts[0].place))
    for attempt in attempts:
        answered = ledger.decisions.get(attempt.decision_id or "")
        if answered is not None and answered is not decision and not answered.client:
            continue
        different = _differences(decision, attempt) if attempt.done else ""
        if different:
            what = f"{decision.decision_id} was answered with another {different}"
            yield Finding("I7", attempt.customer, what, (decision.place, attempt.place))


def _differences(decision: Decision, attempt: Attempt) -> str:
    told = (attempt.status, attempt.sha, attempt.body, attempt.decision_id or decision.decision_id)
    kept = (decision.status, decision.sha, decision.body, decision.decision_id)
    names = [
        name for name, one, two in zip(("status", "sha", "body", "decision_id"), told, kept, strict=True) if one != two
    ]
    if decision.customer not in (None, attempt.customer):
        names.append("customer")
    return ", ".join(names)


def _contact(contact: Contact, ledger: Ledger, seen: Seen) -> Iterator[Finding]:
    """A contact that hangs on nothing, or of which a client was told something else."""
    if contact.imported:
        return
    decision = ledger.decisions.get(contact.decision_id or "")
    if decision is None or decision.subject != contact.subject:
        what = f"reservation {contact.reservation_id} has no decision of its customer"
        yield Finding("I7", contact.named, what, (contact.place,))
    if (contact.state == "reserved") is not (contact.settled_at is None) or (contact.settled_at is None) is not (
        contact.settled_order is None
    ):
        what = f"reservation {contact.reservation_id} is {contact.state}, settled at {contact.settled_at}"
        yield Finding("I7", contact.named, what, (contact.place,))
    for handed in seen.handed.get(contact.reservation_id or "", ()):
        wrong = [name for name, told in handed.told.items() if getattr(contact, name) != told]
        if contact.customer not in (None, handed.customer):
            wrong.append("customer")
        if wrong:
            what = f"reservation {contact.reservation_id} was answered with another {', '.join(wrong)}"
            yield Finding("I7", handed.customer, what, (contact.place, handed.place))


def _outcomes(ledger: Ledger, seen: Seen) -> Iterator[Finding]:
    """Outcomes that are kept otherwise than they were reported, or were never reported."""
    reporting = {key[1] for key in seen.attempts if key[0] == "outcome"}
    for (source, name), rows in ledger.outcomes.items():
        attempts = seen.attempts.get(("outcome", source, name))
        if attempts is None:
            if source in reporting:
                yield Finding("I7", "", f"outcome {source}/{name} was never reported", (rows[0].place,))
            continue
        taken = [attempt for attempt in attempts if attempt.done] or attempts
        kept = {(row.decision_id, row.step, row.type) for row in rows}
        if all(tuple(seen.reports[attempt.place]) not in kept for attempt in taken):
            places = (rows[0].place, taken[0].place)
            yield Finding("I7", "", f"outcome {source}/{name} was reported otherwise", places)
