"""I2: at every instant, what is reserved and what was confirmed together keep within every cap."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from tests.history.ledger import Ledger
from tests.history.rows import Cap, Contact, Finding
from tests.history.seen import Seen

SECOND = 1_000_000


class Change(NamedTuple):
    """At `at` (in `order` among changes of that moment) a contact stops to count for `leaves` and begins to count for `enters`."""

    at: int
    order: int
    contact: Contact
    leaves: int | None
    enters: int | None

    @property
    def is_new(self) -> bool:
        """Whether it is the reservation itself."""
        return self.leaves is None and (self.at, self.order) == (self.contact.reserved_at, self.contact.reserved_order)


def judge(ledger: Ledger, _: Seen) -> Iterator[Finding]:
    """Every contact that, when it was reserved or its time was moved, made some cap overflow."""
    for subject, contacts in ledger.contacts.items():
        zone = ledger.zones.get(subject, UTC)
        limits = [limit for cap in ledger.caps for limit in _limits(cap, zone)]
        for contact in contacts:
            if contact.imported and contact.state == "confirmed":
                for limit in (limit for limit in limits if limit.counts(contact)):
                    limit.put(contact.sent_at)
        for change in sorted((change for contact in contacts for change in _changes(contact)), key=lambda it: it[:2]):
            yield from _applied(change, limits)


def _changes(contact: Contact) -> Iterator[Change]:
    """What a contact that was decided here does to the counts; between a lapsed lease and a late confirmation it does not count."""
    if contact.imported:
        return
    begin = (contact.reserved_at, contact.reserved_order)
    yield Change(*begin, contact, None, contact.send_at)
    settled = None if contact.settled_at is None else (contact.settled_at, contact.ends_order)
    late = settled is not None and settled[0] > contact.lease_until
    confirmed = settled if contact.state == "confirmed" else None
    if late or not confirmed:
        # Who comes at the very end of a lease finds the place free, in whatever order the same transaction wrote it.
        end = settled if settled is not None and settled[0] < contact.lease_until else (contact.lease_until, -1)
        yield Change(*_not_before(begin, end), contact, contact.send_at, None)
    if confirmed and (late or contact.sent_at != contact.send_at):
        yield Change(*_not_before(begin, confirmed), contact, None if late else contact.send_at, contact.sent_at)


def _not_before(begin: tuple[int, int], end: tuple[int, int]) -> tuple[int, int]:
    """The end of what cannot end before its begin, whatever the ledger's clock says."""
    return max(begin, end)


def _applied(change: Change, limits: list[Limit]) -> Iterator[Finding]:
    """The changed counts, and a finding for each cap that overflows by it. No cap stops a service message, and one that came
    meanwhile does not make a marketing contact wrong that was right when it was reserved.
    """
    contact = change.contact
    for limit in limits:
        if not limit.counts(contact):
            continue
        if change.leaves is not None:
            limit.drop(change.leaves)
        full = change.enters is not None and limit.put(change.enters)
        if (
            full
            and change.enters is not None
            and contact.purpose == "marketing"
            and (change.is_new or not limit.service)
        ):
            moment = datetime.fromtimestamp(change.enters // SECOND, UTC)
            what = f"{contact.reservation_id} at {moment:%Y-%m-%dT%H:%M:%SZ} exceeds {limit.cap.id} ({limit.most})"
            yield Finding("I2", contact.named, what, (contact.place,))


class Limit:
    """The counts of one cap for one customer: what may be counted, and how often it was."""

    def __init__(self, cap: Cap, most: int, *, service: bool) -> None:
        self.cap, self.most, self.service = cap, max(0, most), service

    def counts(self, contact: Contact) -> bool:
        """Whether the contact is counted here."""
        cap = self.cap
        named = contact.purpose == "marketing" or self.service
        fits = not cap.channels or contact.channel in cap.channels
        return named and fits and (not cap.journeys or contact.journey in cap.journeys)

    def put(self, at: int) -> bool:
        """Count a moment; whether there are too many around it."""
        raise NotImplementedError

    def drop(self, at: int) -> None:
        """Take a moment out of the count."""
        raise NotImplementedError


class Sliding(Limit):
    """At most `most` in any stretch of `width` microseconds, which holds only one of its two ends."""

    def __init__(self, cap: Cap, most: int, width: int, *, service: bool) -> None:
        super().__init__(cap, most, service=service)
        self.width = width
        self.moments: list[int] = []

    def put(self, at: int) -> bool:
        insort(self.moments, at)
        found = bisect_left(self.moments, at)
        firsts = range(max(0, found - self.most), min(found, len(self.moments) - 1 - self.most) + 1)
        return any(self.moments[first + self.most] - self.moments[first] < self.width for first in firsts)

    def drop(self, at: int) -> None:
        del self.moments[bisect_left(self.moments, at)]


class Calendar(Limit):
    """At most `most` in each day, week from Monday or month on the customer's own clock."""

    def __init__(self, cap: Cap, most: int, zone: tzinfo, *, service: bool) -> None:
        super().__init__(cap, most, service=service)
        self.zone = zone
        self.periods: Counter[int] = Counter()

    def period(self, at: int) -> int:
        """The number of the local period that holds a moment."""
        day = datetime.fromtimestamp(at // SECOND, self.zone).date()
        if self.cap.calendar == "month":
            return day.year * 12 + day.month
        return day.toordinal() if self.cap.calendar == "day" else (day.toordinal() - 1) // 7

    def put(self, at: int) -> bool:
        period = self.period(at)
        self.periods[period] += 1
        return self.periods[period] > self.most

    def drop(self, at: int) -> None:
        self.periods[self.period(at)] -= 1


def _limits(cap: Cap, zone: tzinfo) -> Iterator[Limit]:
    """What a cap leaves to marketing alone, and where it keeps a reserve to marketing and service together."""
    for most, service in ((cap.limit - cap.reserve, False), *([(cap.limit, True)] if cap.reserve > 0 else [])):
        if cap.window is not None:
            yield Sliding(cap, most, cap.window, service=service)
        else:
            yield Calendar(cap, most, zone, service=service)
