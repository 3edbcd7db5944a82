"""I3: nothing is reserved or confirmed for a channel and purpose after its withdrawal, nor after an objection, a pause or an erasure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.history.latest import GreatestBefore
from tests.history.ledger import Ledger
from tests.history.rows import Consent, Contact, Finding, Place, Wish
from tests.history.seen import Seen

GIVEN, TAKEN = "granted", ("withdrawn", "denied")
EVERY_CHANNEL = "*"
"""Stands for all channels in a withdrawal: those of that time and those that come later."""
EVERY_CHANNEL = "*"


class Deed(NamedTuple):
    """A reservation or confirmation that a client was answered, asked for first at `asked_at`."""

    what: str
    customer: str
    channel: str
    purpose: str
    send_at: int
    asked_at: int
    answered_at: int
    place: Place


def judge(ledger: Ledger, seen: Seen) -> Iterator[Finding]:
    """Both ways to see it: the clients' real time and the ledger's own order."""
    deeds: dict[str, list[Deed]] = defaultdict(list)
    for deed in _deeds(ledger, seen):
        if deed.customer in seen.wishes:
            deeds[deed.customer].append(deed)
    for customer, done in deeds.items():
        yield from _in_real_time(done, seen.wishes[customer])
    for subject in ledger.consents.keys() | ledger.rights.keys():
        contacts = [contact for contact in ledger.contacts.get(subject, ()) if not contact.imported]
        yield from _behind_consents(contacts, ledger.consents.get(subject, []))
        yield from _behind_rights(contacts, ledger, subject)


def _deeds(ledger: Ledger, seen: Seen) -> Iterator[Deed]:
    """What clients were told, each once: with its first ask and its first answer."""
    for reservation_id, handed in seen.handed.items():
        told, first = ledger.reservations.get(reservation_id), min(handed, key=lambda each: each.answered_at)
        channel, purpose = (first.told.get(name) or getattr(told, name, "") for name in ("channel", "purpose"))
        send_at = first.told.get("send_at") or getattr(told, "send_at", 0)
        asked_at = min(each.asked_at for each in handed)
        named = (first.customer, str(channel), str(purpose), int(str(send_at)))
        yield Deed(f"{reservation_id} was reserved", *named, asked_at, first.answered_at, first.place)
        tries = [each for each in seen.settlings.get(reservation_id, ()) if each.kind == "confirm"]
        done = [each for each in tries if each.done]
        if done:
            asked_at = min(each.asked_at for each in tries if each.done or _open(each.status))
            place, answered_at = done[0].place, min(each.answered_at for each in done)
            yield Deed(f"{reservation_id} was confirmed", *named, asked_at, answered_at, place)


def _open(status: int) -> bool:
    """Whether a call may have had its effect although it was not answered 2xx."""
    return status == 0 or status >= 500


def _in_real_time(deeds: list[Deed], wishes: list[Wish]) -> Iterator[Finding]:
    by_kind: dict[tuple[str, str, str], list[Wish]] = defaultdict(list)
    for wish in wishes:
        if wish.done or (wish.kind in {"grant", "pause"} and _open(wish.status)):
            for channel in {deed.channel for deed in deeds} if _is_for_all(wish) else (wish.channel,):
                by_kind[wish.kind, channel, wish.purpose].append(wish)
    # Of the withdrawals before a deed the one that was asked last is the hardest to lift by a grant.
    taken = {key: GreatestBefore((it.answered_at, it.asked_at, it) for it in them) for key, them in by_kind.items()}
    given = {key: GreatestBefore((it.asked_at, it.answered_at, it) for it in them) for key, them in by_kind.items()}
    for deed in deeds:
        scope = (deed.channel, deed.purpose)
        withdrawal = taken["withdraw", *scope].at(deed.asked_at) if ("withdraw", *scope) in taken else None
        grant = given["grant", *scope].at(deed.answered_at) if ("grant", *scope) in given else None
        if withdrawal and not (grant and grant[0] > withdrawal[1].asked_at):
            yield _finding(deed, withdrawal[1])
        for kind in ("object", "erase"):
            right = taken[kind, "", ""].at(deed.asked_at) if (kind, "", "") in taken else None
            if right and (kind == "erase" or deed.purpose == "marketing"):
                yield _finding(deed, right[1])
        pause = _pause_over(deed, by_kind.get(("pause", "", ""), []))
        if pause:
            yield _finding(deed, pause)


def _is_for_all(wish: Wish) -> bool:
    """Whether every channel was taken back. A grant is for one, whatever it says."""
    return wish.kind == "withdraw" and wish.channel == EVERY_CHANNEL


def _pause_over(deed: Deed, pauses: list[Wish]) -> Wish | None:
    """A pause that was answered before the deed and that no other pause may have shortened."""
    if deed.purpose != "marketing" or not deed.what.endswith("reserved"):
        return None
    for pause in pauses:
        if pause.done and pause.answered_at < deed.asked_at and deed.send_at < pause.until:
            others = (it for it in pauses if it.answered_at > pause.asked_at and it.asked_at < deed.answered_at)
            if not any(it.until <= deed.send_at for it in others):
                return pause
    return None


def _finding(deed: Deed, wish: Wish) -> Finding:
    scope = f" {wish.channel} {wish.purpose}" if wish.channel else ""
    what = f"{deed.what} ({deed.channel}) although {wish.kind}{scope} had been answered"
    return Finding("I3", deed.customer, what, (wish.place, deed.place))


def _commits(contact: Contact) -> Iterator[tuple[str, int]]:
    """The order numbers under which a contact was promised."""
    yield "reserved", contact.reserved_order
    if contact.state == "confirmed" and contact.settled_order is not None:
        yield "confirmed", contact.settled_order


def _behind_consents(contacts: list[Contact], consents: list[Consent]) -> Iterator[Finding]:
    """Contacts committed behind a withdrawal that stands; a shop's own withdrawal holds from its beginning on."""
    standing: dict[tuple[str, str], list[tuple[int, Consent | None]]] = defaultdict(list)
    for row in sorted(consents, key=lambda it: (it.order, it.valid_from)):
        for_all = row.channel == EVERY_CHANNEL and row.state in TAKEN
        for channel in {contact.channel for contact in contacts} if for_all else (row.channel,):
            rows = standing[channel, row.purpose]
            before = rows[-1][1] if rows else None
            if row.state in TAKEN:
                rows.append((row.order, row))
            elif row.state == GIVEN:
                rows.append((row.order, before if before is not None and row.valid_from < before.valid_from else None))
    for contact in contacts:
        rows = standing.get((contact.channel, contact.purpose), [])
        for deed, order in _commits(contact):
            found = bisect_left(rows, order, key=lambda it: it[0])
            block = rows[found - 1][1] if found else None
            if block is not None and (block.order > 0 or block.valid_from <= contact.reserved_at):
                what = f"{contact.reservation_id} ({contact.channel}) was {deed} behind the withdrawal number {block.order}"
                yield Finding("I3", contact.named, what, (block.place, contact.place))


def _behind_rights(contacts: Iterable[Contact], ledger: Ledger, subject: str) -> Iterator[Finding]:
    """Contacts committed behind an objection, an erasure, or the last pause before them."""
    rights = sorted(ledger.rights.get(subject, ()), key=lambda it: it.order)
    for contact in contacts:
        for deed, order in _commits(contact):
            before = [it for it in rights if it.order < order]
            pause = [it for it in before if it.kind == "pause"][-1:] if deed == "reserved" else []
            held = [it for it in before if it.kind == "objection"] + [it for it in pause if contact.send_at < it.until]
            broken = [it for it in before if it.kind == "erasure"] + (held if contact.purpose == "marketing" else [])
            for right in broken[:1]:
                what = f"{contact.reservation_id} was {deed} behind the {right.kind} number {right.order}"
                yield Finding("I3", contact.named, what, (right.place, contact.place))
