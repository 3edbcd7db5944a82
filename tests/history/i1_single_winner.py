"""I1: at no instant two live marketing reservations of one customer and timing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.history.ledger import Ledger
from tests.history.rows import Contact, Finding
from tests.history.seen import Seen


def judge(ledger: Ledger, _: Seen) -> Iterator[Finding]:
    """Every reservation that came while another of its scope was live, by the ledger's clock or by the order of its commits."""
    for contacts in ledger.contacts.values():
        scopes: dict[str, list[Contact]] = defaultdict(list)
        for contact in contacts:
            if contact.purpose == "marketing" and not contact.imported:
                scopes[contact.timing].append(contact)
        for timing, scope in scopes.items():
            for first, second in {*_by_moment(scope), *_by_order(scope)}:
                one, two = scope[first], scope[second]
                what = f"{two.reservation_id} was reserved while {one.reservation_id} was the live winner ({timing})"
                yield Finding("I1", two.named, what, (one.place, two.place))


def _by_moment(scope: list[Contact]) -> Iterator[tuple[int, int]]:
    """Pairs (their positions) whose live times overlap; a reservation that ended when it began was never live."""
    longest: int | None = None
    live = [number for number, contact in enumerate(scope) if contact.reserved_at < contact.ends_at]
    for number in sorted(live, key=lambda each: scope[each].reserved_at):
        if longest is not None and scope[number].reserved_at < scope[longest].ends_at:
            yield longest, number
        if longest is None or scope[number].ends_at > scope[longest].ends_at:
            longest = number


def _by_order(scope: Iterable[Contact]) -> Iterator[tuple[int, int]]:
    """Pairs of which the second was committed between the first's reservation and its end, its lease still running.

    A clock that was set back or stands still hides such a pair from `_by_moment`.
    """
    still: list[tuple[int, Contact]] = []
    for number, contact in enumerate(scope):
        still = [
            (other, each)
            for other, each in still
            if each.ends_order > contact.reserved_order and each.lease_until > contact.reserved_at
        ]
        yield from ((other, number) for other, _ in still)
        still.append((number, contact))
