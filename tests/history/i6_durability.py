"""I6: what was answered 2xx is in the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.history.ledger import Ledger
from tests.history.rows import Consent, Contact, Finding, Right, Settling, Wish
from tests.history.seen import Seen

Scope = tuple[str, str, str]
STATE_OF = {"grant": ("granted",), "withdraw": ("withdrawn", "denied")}
RIGHT_OF = {"object": "objection", "pause": "pause", "erase": "erasure"}


def judge(ledger: Ledger, seen: Seen) -> Iterator[Finding]:
    """Every acknowledged call of which the ledger keeps nothing, or the contrary."""
    yield from _decisions(ledger, seen)
    yield from _reservations(ledger, seen)
    consents: dict[Scope, list[Consent]] = defaultdict(list)
    for row in (row for rows in ledger.consents.values() for row in rows):
        consents[row.customer or ledger.customers.get(row.subject, ""), row.channel, row.purpose].append(row)
    rights = [row for rows in ledger.rights.values() for row in rows]
    kept = {(row.kind, row.customer or ledger.customers.get(row.subject, "")): row for row in rights}
    pauses = {
        (row.customer or ledger.customers.get(row.subject, ""), row.until) for row in rights if row.kind == "pause"
    }
    erasures = {row.id for row in rights if row.kind == "erasure"}
    for customer, wishes in seen.wishes.items():
        erased = any(wish.kind == "erase" for wish in wishes)
        for wish in wishes:
            if wish.done and wish.kind in RIGHT_OF and not (erased and wish.kind != "erase"):
                yield from _right(wish, kept, pauses, erasures)
        if not erased:
            yield from _consents(customer, [wish for wish in wishes if wish.channel], consents)


def _decisions(ledger: Ledger, seen: Seen) -> Iterator[Finding]:
    for (kind, caller, request_id), attempts in seen.attempts.items():
        for attempt in attempts:
            if not attempt.done:
                continue
            if kind == "outcome" and (caller, request_id) not in ledger.outcomes:
                yield Finding("I6", "", f"outcome {caller}/{request_id} was taken and is lost", (attempt.place,))
            by_id = attempt.decision_id is not None and attempt.decision_id in ledger.decisions
            if kind == "decide" and not by_id and (attempt.decision_id or (caller, request_id) not in ledger.asked):
                what = f"decision {attempt.decision_id} ({request_id} of {caller}) was answered and is lost"
                yield Finding("I6", attempt.customer, what, (attempt.place,))


def _reservations(ledger: Ledger, seen: Seen) -> Iterator[Finding]:
    unsent = {
        (seen.reports[attempt.place].decision_id, seen.reports[attempt.place].step)
        for key, attempts in seen.attempts.items()
        if key[0] == "outcome"
        for attempt in attempts
        if seen.reports[attempt.place].type == "not_sent"
    }
    for reservation_id, handed in seen.handed.items():
        if reservation_id not in ledger.reservations:
            what = f"reservation {reservation_id} was answered and is lost"
            yield Finding("I6", handed[0].customer, what, tuple(each.place for each in handed))
    for reservation_id, settlings in seen.settlings.items():
        contact = ledger.reservations.get(reservation_id)
        for settling in settlings:
            if settling.done:
                yield from _settling(settling, contact, unsent)


def _settling(settling: Settling, contact: Contact | None, unsent: set[tuple[str, int]]) -> Iterator[Finding]:
    """A confirmation that is not kept, or a release. A message that was reported as not sent gives its place back later."""
    if contact is None:
        yield Finding(
            "I6", "", f"{settling.kind} of {settling.reservation_id} was answered and is lost", (settling.place,)
        )
        return
    states = {"confirmed"} if settling.kind == "confirm" else {"released", "expired"}
    if settling.kind == "confirm" and (contact.decision_id, contact.step) in unsent:
        states.add("released")
    if contact.state not in states:
        what = f"{settling.kind} of {settling.reservation_id} was answered, the ledger has it as {contact.state}"
        yield Finding("I6", contact.named, what, (settling.place, contact.place))


def _right(
    wish: Wish, kept: dict[tuple[str, str], Right], pauses: set[tuple[str, int]], erasures: set[str | None]
) -> Iterator[Finding]:
    """An objection, pause or erasure without its row. An erasure's row no longer names the customer, but its own id."""
    if wish.kind == "erase" and wish.erasure_id is not None:
        there = wish.erasure_id in erasures
    elif wish.kind == "pause":
        there = (wish.customer, wish.until) in pauses
    else:
        there = (RIGHT_OF[wish.kind], wish.customer) in kept
    if not there:
        yield Finding("I6", wish.customer, f"{wish.kind} was answered and is lost", (wish.place,))


def _consents(customer: str, wishes: Iterable[Wish], consents: dict[Scope, list[Consent]]) -> Iterator[Finding]:
    """Grants and withdrawals that left no row, and a last word that is not the ledger's last word."""
    scopes: dict[Scope, list[Wish]] = defaultdict(list)
    for wish in wishes:
        if wish.done or wish.status == 0 or wish.status >= 500:
            scopes[customer, wish.channel, wish.purpose].append(wish)
    for scope, asked in scopes.items():
        rows = consents.get(scope, [])
        held = {row.state for row in rows}, {row.evidence for row in rows}
        for wish in asked:
            lost = held[0].isdisjoint(STATE_OF[wish.kind])
            unproven = wish.kind == "grant" and wish.evidence is not None and wish.evidence not in held[1]
            if wish.done and (lost or unproven):
                yield Finding("I6", customer, f"{wish.kind} {scope[1:]} was answered and is lost", (wish.place,))
        yield from _last_word(customer, asked, rows)


def _last_word(customer: str, asked: list[Wish], rows: list[Consent]) -> Iterator[Finding]:
    """When one call surely came last, the ledger ends with what it said."""
    last = max((wish for wish in asked if wish.done), key=lambda wish: wish.asked_at, default=None)
    if last is None or not rows:
        return
    others = (wish for wish in asked if wish.kind != last.kind)
    end = max(rows, key=lambda row: (row.order, row.valid_from))
    if all(other.answered_at < last.asked_at for other in others) and end.state not in STATE_OF[last.kind]:
        what = f"{last.kind} {last.channel} {last.purpose} came last, the ledger ends with {end.state}"
        yield Finding("I6", customer, what, (last.place, end.place))
