"""The dump of a ledger, read into indexes: what the system says that it holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from tests.history.lines import Placed, Row, Unreadable, take
from tests.history.rows import FOREVER, STATES, Cap, Consent, Contact, Decision, Outcome, Place, Right

HOUR = 3_600_000_000
CALENDARS = ("day", "week", "month")


@dataclass(slots=True)
class Ledger:
    """Everything in a dump. Contacts lie by subject, in the order in which they were reserved."""

    caps: list[Cap] = field(default_factory=list)
    zones: dict[str, ZoneInfo] = field(default_factory=dict)
    customers: dict[str, str] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)
    asked: dict[tuple[str, str], Decision] = field(default_factory=dict)
    twice: list[Decision] = field(default_factory=list)
    contacts: dict[str, list[Contact]] = field(default_factory=lambda: defaultdict(list))
    reservations: dict[str, Contact] = field(default_factory=dict)
    doubled: list[Contact] = field(default_factory=list)
    consents: dict[str, list[Consent]] = field(default_factory=lambda: defaultdict(list))
    rights: dict[str, list[Right]] = field(default_factory=lambda: defaultdict(list))
    outcomes: dict[tuple[str, str], list[Outcome]] = field(default_factory=lambda: defaultdict(list))
    verified: tuple[Place, int] | None = None

    @classmethod
    def of(cls, rows: Iterable[Placed]) -> Ledger:
        """The ledger of these rows. Raises `Unreadable` for a row that is not as FORMAT.md has it."""
        ledger = cls()
        for place, row in rows:
            table = row.get("table")
            if table not in _TABLES:
                raise Unreadable(f"file {place.file}, line {place.line}: unknown table {table!r}")
            take(place, row, _TABLES[table](ledger))
        for contacts in ledger.contacts.values():
            contacts.sort(key=lambda contact: (contact.reserved_order, contact.reserved_at))
        for consents in ledger.consents.values():
            consents.sort(key=lambda consent: consent.order)
        return ledger

    def add_cap(self, _: Place, row: Row) -> None:
        """A row of `caps`."""
        hours, calendar = row.get("window_hours"), row.get("calendar")
        if (hours is None) is (calendar not in CALENDARS):
            raise ValueError("one of window_hours and calendar is given")
        window = None if hours is None else int(hours * HOUR)
        counted = (frozenset(row.get("channels") or ()), frozenset(row.get("journeys") or ()))
        self.caps.append(Cap(row["id"], int(row["limit"]), int(row.get("reserve") or 0), window, calendar, *counted))

    def add_subject(self, _: Place, row: Row) -> None:
        """A row of `subjects`."""
        if row.get("time_zone"):
            self.zones[row["subject"]] = ZoneInfo(row["time_zone"])
        if row.get("customer"):
            self.customers[row["subject"]] = row["customer"]

    def add_decision(self, place: Place, row: Row) -> None:
        """A row of `decisions`."""
        decision = Decision(
            place, row["decision_id"], row["client"], row["request_id"], row["body_digest"], int(row["status"]),
            row["answer_sha256"], row["subject"], row.get("customer"), int(row["order"]),
        )  # fmt: skip
        key = (decision.client, decision.request_id)
        if decision.decision_id in self.decisions or key in self.asked:
            self.twice.append(decision)
        self.decisions[decision.decision_id] = decision
        self.asked[key] = decision

    def add_contact(self, place: Place, row: Row) -> None:
        """A row of `contacts`; one of the shop's own counts as confirmed when it was sent."""
        imported = row.get("origin") == "history"
        send_at = int(row["send_at"])
        contact = Contact(
            place=place, subject=row["subject"], customer=row.get("customer"), journey=row["journey"],
            channel=row["channel"], purpose=row["purpose"], timing=row["timing"], send_at=send_at,
            sent_at=_whole(row.get("sent_at"), send_at), state=row["state"], imported=imported,
            reservation_id=row.get("reservation_id"), decision_id=row.get("decision_id"), step=row.get("step"),
            epoch=int(row.get("epoch") or 0),
            lease_until=FOREVER if imported else int(row["lease_until"]),
            reserved_at=-FOREVER if imported else int(row["reserved_at"]),
            reserved_order=0 if imported else int(row["reserved_order"]),
            settled_at=-FOREVER if imported else row.get("settled_at"),
            settled_order=0 if imported else row.get("settled_order"),
            outcomes=row.get("outcomes"),
        )  # fmt: skip
        if contact.state not in STATES:
            raise ValueError(f"unknown state {contact.state!r}")
        self.contacts[contact.subject].append(contact)
        if contact.reservation_id is not None:
            if contact.reservation_id in self.reservations:
                self.doubled.append(contact)
            self.reservations[contact.reservation_id] = contact

    def add_consent(self, place: Place, row: Row) -> None:
        """A row of `consents`."""
        subject, order, valid_from = row["subject"], int(row["order"]), _whole(row.get("valid_from"), -FOREVER)
        named = (subject, row.get("customer"), row["channel"], row["purpose"], row["state"])
        self.consents[subject].append(Consent(place, *named, valid_from, order, row.get("evidence")))

    def add_right(self, place: Place, row: Row) -> None:
        """A row of `rights`."""
        kind, subject = row["kind"], row["subject"]
        until = int(row["until"]) if kind == "pause" else FOREVER
        right = Right(place, kind, subject, row.get("customer"), int(row["order"]), until, row.get("id"))
        self.rights[subject].append(right)

    def add_outcome(self, place: Place, row: Row) -> None:
        """A row of `outcomes`."""
        source, name, matched = row["source"], row["id"], bool(row.get("matched", True))
        outcome = Outcome(place, source, name, row["decision_id"], int(row["step"]), row["type"], matched)
        self.outcomes[source, name].append(outcome)

    def add_verdict(self, place: Place, row: Row) -> None:
        """The row of `verify`."""
        self.verified = (place, int(row["exit"]))


def _whole(stored: int | None, otherwise: int) -> int:
    return otherwise if stored is None else int(stored)


_TABLES: dict[object, Callable[[Ledger], Callable[[Place, Row], None]]] = {
    "caps": lambda ledger: ledger.add_cap,
    "subjects": lambda ledger: ledger.add_subject,
    "decisions": lambda ledger: ledger.add_decision,
    "contacts": lambda ledger: ledger.add_contact,
    "consents": lambda ledger: ledger.add_consent,
    "rights": lambda ledger: ledger.add_right,
    "outcomes": lambda ledger: ledger.add_outcome,
    "verify": lambda ledger: ledger.add_verdict,
}
