"""I5: duplicate, late, disordered and unknown outcomes never count twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.history.i4_idempotency import contradictions
from tests.history.ledger import Ledger
from tests.history.rows import FOREVER, Finding
from tests.history.seen import Seen


def judge(ledger: Ledger, seen: Seen) -> Iterator[Finding]:
    """Outcomes that are kept twice, answered in two ways, tied to nothing, or counted otherwise than they came."""
    for (source, name), rows in ledger.outcomes.items():
        places = tuple(row.place for row in rows)
        if len(rows) > 1:
            yield Finding("I5", "", f"outcome {source}/{name} is {len(rows)} times in the ledger", places)
        for row in rows:
            if row.matched is not (row.decision_id in ledger.decisions):
                told = "counts for an unknown decision" if row.matched else "does not count, its decision is known"
                yield Finding("I5", "", f"outcome {source}/{name} {told}: {row.decision_id}", (row.place,))
    for key, attempts in seen.attempts.items():
        if key[0] == "outcome":
            for what, lines in contradictions(attempts, FOREVER):
                yield Finding("I5", "", f"outcome {key[1]}/{key[2]}: {what}", lines)
    yield from _counts(ledger)


def _counts(ledger: Ledger) -> Iterator[Finding]:
    """Contacts for which the ledger counts another number of outcomes than it holds."""
    held = Counter((rows[0].decision_id, rows[0].step) for rows in ledger.outcomes.values() if rows[0].matched)
    for contacts in ledger.contacts.values():
        for contact in contacts:
            if contact.outcomes is None or contact.decision_id is None or contact.step is None:
                continue
            found = held[contact.decision_id, contact.step]
            if contact.outcomes != found:
                what = f"{contact.reservation_id} counts {contact.outcomes} outcomes, the ledger holds {found}"
                yield Finding("I5", contact.named, what, (contact.place,))
