"""I4: one key has one answer. The same body gets it again, another body gets 422, and while the first is under way 409."""

from __future__ import annotations

from collections.abc import Iterator

from tests.history.ledger import Ledger
from tests.history.rows import FOREVER, Attempt, Finding, Place
from tests.history.seen import Seen

DAY = 24 * 3600 * 1_000_000_000
PASSING = frozenset({401, 403, 408, 413, 415, 429})
"""Said about the moment or the connection, not about the request; every 5xx is, too."""
MALFORMED = frozenset({400, 422})
"""What another body may get: it is refused, for the key that was used or for what is wrong with itself."""


def judge(_: Ledger, seen: Seen) -> Iterator[Finding]:
    """Every key of decisions and reservations whose answers contradict each other."""
    erased = erasures(seen)
    for key, attempts in seen.attempts.items():
        if key[0] != "outcome":
            customer = attempts[0].customer
            for what, places in contradictions(attempts, erased.get(customer, FOREVER)):
                yield Finding("I4", customer, f"{key[0]} {key[2]} of {key[1]}: {what}", places)


def erasures(seen: Seen) -> dict[str, int]:
    """When the first erasure of a customer was asked for: from then on the old bytes may be gone."""
    return {
        customer: min(wish.asked_at for wish in wishes if wish.kind == "erase")
        for customer, wishes in seen.wishes.items()
        if any(wish.kind == "erase" for wish in wishes)
    }


def contradictions(attempts: list[Attempt], until: int) -> Iterator[tuple[str, tuple[Place, ...]]]:
    """What is wrong among the attempts of one key, as far as they were answered before `until`."""
    if len(attempts) == 1 and not attempts[0].retry:
        return
    judged = [attempt for attempt in attempts if attempt.answered_at <= until and attempt.status]
    first = min((each for each in judged if each.done), key=lambda each: each.answered_at, default=None)
    for attempt in judged:
        if attempt.status == 409 and attempt.retry:
            if not any(_under_way(other, attempt) for other in attempts if other is not attempt):
                yield "409 in flight, but nothing was", (attempt.place,)
        elif first is not None and attempt is not first and attempt.asked_at <= first.answered_at + DAY:
            wrong = _after(first, attempt)
            if wrong:
                yield wrong, (first.place, attempt.place)


def _under_way(other: Attempt, refused: Attempt) -> bool:
    """Whether another attempt may have been at work during the refused one; what got no answer or a 5xx may go on unseen."""
    ends = FOREVER if other.status in {0, 408} or other.status >= 500 else other.answered_at
    return other.asked_at < refused.answered_at and ends > refused.asked_at


def _after(first: Attempt, attempt: Attempt) -> str | None:
    """What is wrong with an answer next to the first 2xx of its key."""
    same = attempt.body == first.body
    if attempt.done:
        if not same:
            return "two bodies were accepted"
        return None if (attempt.status, attempt.sha) == (first.status, first.sha) else "two answers to one body"
    if attempt.asked_at <= first.answered_at or attempt.status in PASSING or attempt.status >= 500:
        return None
    if same:
        return f"{attempt.status} after it had been answered {first.status}"
    return None if attempt.status in MALFORMED else f"another body got {attempt.status} instead of 422"
