"""I8: an older epoch cannot confirm over a newer one, and what ended cannot be confirmed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.history.latest import GreatestBefore
from tests.history.ledger import Ledger
from tests.history.rows import Contact, Finding, Handed, Settling
from tests.history.seen import Seen


def judge(ledger: Ledger, seen: Seen) -> Iterator[Finding]:
    """Confirmations that the fence had to stop, by the ledger's order and as clients saw them."""
    for contacts in ledger.contacts.values():
        made = [contact for contact in contacts if not contact.imported]
        for before, after in pairwise(made):
            if after.epoch <= before.epoch:
                what = f"epoch {after.epoch} was handed out after {before.epoch}"
                yield Finding("I8", after.named, what, (before.place, after.place))
        yield from _in_the_ledger(made)
    yield from _as_seen(ledger, seen)


def _in_the_ledger(contacts: list[Contact]) -> Iterator[Finding]:
    """Contacts confirmed behind their lease, or behind a newer epoch of their scope."""
    scopes: dict[str, list[Contact]] = defaultdict(list)
    for contact in contacts:
        if contact.purpose == "marketing":
            scopes[contact.timing].append(contact)
        if contact.state == "confirmed" and contact.settled_at is not None and contact.settled_at > contact.lease_until:
            what = f"{contact.reservation_id} was confirmed after its lease"
            yield Finding("I8", contact.named, what, (contact.place,))
    for scope in scopes.values():
        newest = GreatestBefore((each.reserved_order, each.epoch, each) for each in scope)
        for contact in scope:
            found = newest.at(contact.ends_order) if contact.state == "confirmed" else None
            if found is not None and found[0] > contact.epoch:
                what = f"{contact.reservation_id} of epoch {contact.epoch} was confirmed after epoch {found[0]} began"
                yield Finding("I8", contact.named, what, (found[1].place, contact.place))


def _as_seen(ledger: Ledger, seen: Seen) -> Iterator[Finding]:
    scopes: dict[tuple[str, object], list[Handed]] = defaultdict(list)
    for each in (each for handed in seen.handed.values() for each in handed):
        if _told(each, ledger, "purpose") == "marketing":
            scopes[each.customer, _told(each, ledger, "timing")].append(each)
    newest = {
        scope: GreatestBefore((each.answered_at, int(str(_told(each, ledger, "epoch"))), each) for each in handed)
        for scope, handed in scopes.items()
    }
    for reservation_id, settlings in seen.settlings.items():
        contact, done = ledger.reservations.get(reservation_id), [each for each in settlings if each.done]
        confirmed = [each for each in done if each.kind == "confirm"]
        if not confirmed:
            continue
        yield from _confirmation(settlings, confirmed, contact)
        for handed in seen.handed.get(reservation_id, ())[:1]:
            fence = newest.get((handed.customer, _told(handed, ledger, "timing")))
            found = fence.at(_first_ask(settlings)) if fence else None
            fenced = _told(handed, ledger, "purpose") == "marketing"
            if fenced and found is not None and found[0] > int(str(_told(handed, ledger, "epoch"))):
                what = f"{reservation_id} was confirmed although epoch {found[0]} had been handed out"
                yield Finding("I8", handed.customer, what, (found[1].place, confirmed[0].place))


def _told(handed: Handed, ledger: Ledger, name: str) -> object:
    """What the client was told of a reservation, or else what the ledger knows."""
    contact = ledger.reservations.get(handed.reservation_id)
    return handed.told.get(name, getattr(contact, name, 0))


def _first_ask(settlings: list[Settling]) -> int:
    """The first ask of a confirmation that may have had the effect; a repeated one is answered again."""
    tries = (
        each for each in settlings if each.kind == "confirm" and (each.done or each.status == 0 or each.status >= 500)
    )
    return min(each.asked_at for each in tries)


def _confirmation(settlings: list[Settling], confirmed: list[Settling], contact: Contact | None) -> Iterator[Finding]:
    """A confirmation with a wrong epoch, or of a reservation whose release had been answered."""
    named = contact.named if contact else ""
    for each in confirmed:
        if contact is not None and each.epoch is not None and each.epoch != contact.epoch:
            what = f"{each.reservation_id} of epoch {contact.epoch} was confirmed with epoch {each.epoch}"
            yield Finding("I8", named, what, (contact.place, each.place))
    released = [each for each in settlings if each.kind == "release" and each.done]
    for release in released:
        if release.answered_at < _first_ask(settlings):
            what = f"{release.reservation_id} was confirmed after its release"
            yield Finding("I8", named, what, (release.place, confirmed[0].place))
