"""A tiny ledger that keeps every rule, and clients who call it at once: random legal histories for the checker's own tests.

Written apart from the checker and as plainly as possible: caps are counted by trying every window.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
HOUR = 3_600_000_000
BEGIN = 1_774_400_000_000_000
"""A few days before clocks change in Europe, in the spring of 2026."""
LEASE = HOUR // 2
ZONES = ("Europe/Berlin", "America/New_York", "Pacific/Auckland", "Asia/Kolkata")
CHANNELS = {"push": "scheduled", "email": "scheduled", "in_app": "immediate"}
JOURNEYS = ("welcome", "win_back", "order_status")
CAPS: list[Row] = [
    {"table": "caps", "id": "day", "limit": 1, "window_hours": 24, "channels": ["push", "email"]},
    {"table": "caps", "id": "week", "limit": 4, "reserve": 1, "calendar": "week"},
    {"table": "caps", "id": "push", "limit": 1, "window_hours": 4, "channels": ["push"]},
    {"table": "caps", "id": "two_days", "limit": 4, "reserve": 2, "window_hours": 48},
    {"table": "caps", "id": "app", "limit": 2, "calendar": "day", "channels": ["in_app"]},
    {"table": "caps", "id": "win_back", "limit": 3, "calendar": "month", "journeys": ["win_back"]},
]
REFUSED, GONE, REUSED = 409, 404, 422


@dataclass
class Customer:
    """What the ledger holds of one customer."""

    name: str
    subject: str
    zone: str
    epoch: int = 0
    contacts: list[Row] = field(default_factory=list)
    consents: list[Row] = field(default_factory=list)
    rights: list[Row] = field(default_factory=list)

    @property
    def erased(self) -> bool:
        """Whether nobody knows any more who it was."""
        return self.has("erasure")

    def has(self, kind: str) -> bool:
        """Whether such a right was used."""
        return any(right["kind"] == kind for right in self.rights)


class ReferenceLedger:
    """Answers one call at a time; every method is one transaction and gives (status, answer)."""

    def __init__(self, dice: random.Random, customers: int) -> None:
        self.dice, self.now, self.order = dice, BEGIN, 0
        self.customers = {
            f"c{number}": Customer(f"c{number}", f"s{number}", ZONES[number % len(ZONES)])
            for number in range(customers)
        }
        self.decisions: dict[str, Row] = {}
        self.kept: dict[tuple[str, str], tuple[str, int, Row]] = {}
        self.outcomes: dict[tuple[str, str], tuple[str, Row, Row]] = {}
        for customer in self.customers.values():
            for channel in CHANNELS:
                self._consent(customer, channel, "granted", 0)

    def decide(self, caller: str, ask: Row) -> tuple[int, Row]:
        """A decision, and a reservation where one is allowed."""
        customer, key = self.customers[ask["customer"]], (caller, ask["request_id"])
        if key in self.kept and not customer.erased:
            body, status, answer = self.kept[key]
            return (status, answer) if body == ask["body"] else (REUSED, {})
        if customer.erased:
            return GONE, {}
        number, decision_id = self.next(), f"d{self.order}"
        answer = {"decision_id": decision_id, "sha": f"sha-{decision_id}"}
        self.decisions[decision_id] = {
            "table": "decisions", "decision_id": decision_id, "client": caller, "request_id": ask["request_id"],
            "body_digest": ask["body"], "status": 200, "answer_sha256": answer["sha"], "subject": customer.subject,
            "decided_at": self.now, "order": number,
        }  # fmt: skip
        answer |= self._reserve(customer, decision_id, number)
        self.kept[key] = (ask["body"], 200, answer)
        return 200, answer

    def settle(self, ask: Row) -> tuple[int, Row]:
        """Confirm or release a reservation."""
        found = [
            (who, it)
            for who in self.customers.values()
            for it in who.contacts
            if it["reservation_id"] == ask["reservation_id"]
        ]
        customer, contact = found[0]
        self._expire(customer)
        wanted = "confirmed" if ask["kind"] == "confirm" else "released"
        if contact["epoch"] != ask["epoch"] or contact["state"] not in {"reserved", wanted}:
            return REFUSED, {}
        if contact["state"] == wanted:
            return 200, {}
        if wanted == "confirmed" and self._forbidden(customer, contact):
            return REFUSED, {}
        self._end(contact, wanted, self.now)
        return 200, {}

    def wish(self, ask: Row) -> tuple[int, Row]:
        """Grant, withdraw, object, pause or erase."""
        customer, kind = self.customers[ask["customer"]], ask["kind"]
        if customer.erased:
            return GONE, {}
        if kind in {"grant", "withdraw"}:
            self._consent(customer, ask["channel"], "granted" if kind == "grant" else "withdrawn", self.next())
            return 200, {}
        number = self.next()
        named = {"object": "objection", "pause": "pause", "erase": "erasure"}[kind]
        right = {"table": "rights", "kind": named, "subject": customer.subject, "order": number, "at": self.now}
        right |= {"until": ask.get("until"), "id": f"e{number}"}
        for contact in customer.contacts if kind == "erase" else ():
            if contact["state"] == "reserved":
                self._end(contact, "released", self.now)
        customer.rights.append(right)
        return 200, {"erasure_id": right["id"]} if kind == "erase" else {}

    def outcome(self, ask: Row) -> tuple[int, Row]:
        """An observation: new, or known by its source and id."""
        key = (ask["source"], ask["id"])
        if key in self.outcomes:
            body, answer, _ = self.outcomes[key]
            return (200, answer) if body == ask["body"] else (REUSED, {})
        row = {"table": "outcomes", "matched": ask["decision_id"] in self.decisions, "order": self.next()}
        row |= {name: ask[name] for name in ("source", "id", "decision_id", "step", "type")}
        answer = {"sha": f"sha-{key}"}
        self.outcomes[key] = (ask["body"], answer, row)
        return 200, answer

    def dump(self) -> list[Row]:
        """The rows of FORMAT.md."""
        rows: list[Row] = [{"table": "verify", "exit": 0}, *CAPS]
        counted = [(row["decision_id"], row["step"]) for _, _, row in self.outcomes.values() if row["matched"]]
        for customer in self.customers.values():
            known = {} if customer.erased else {"customer": customer.name}
            rows.append({"table": "subjects", "subject": customer.subject, "time_zone": customer.zone} | known)
            rows += [row | known for row in (*customer.consents, *customer.rights)]
            rows += [
                row | known | {"outcomes": counted.count((row["decision_id"], row["step"]))}
                for row in customer.contacts
            ]
            rows += [row | known for row in self.decisions.values() if row["subject"] == customer.subject]
        return rows + [row for _, _, row in self.outcomes.values()]

    def next(self) -> int:
        """The next order number."""
        self.order += 1
        return self.order

    def _consent(self, customer: Customer, channel: str, state: str, order: int) -> None:
        row = {"table": "consents", "subject": customer.subject, "channel": channel, "purpose": "marketing"}
        customer.consents.append(
            row | {"state": state, "valid_from": self.now, "recorded_at": self.now, "order": order}
        )

    def _end(self, contact: Row, state: str, at: int) -> None:
        contact |= {"state": state, "settled_at": at, "settled_order": self.next()}

    def _expire(self, customer: Customer) -> None:
        for contact in customer.contacts:
            if contact["state"] == "reserved" and contact["lease_until"] <= self.now:
                self._end(contact, "expired", self.now)

    def _forbidden(self, customer: Customer, contact: Row) -> bool:
        """Whether consent or rights stand against a contact."""
        if contact["purpose"] == "service":
            return False
        last = [row for row in customer.consents if row["channel"] == contact["channel"]][-1]
        pauses = [right for right in customer.rights if right["kind"] == "pause"]
        paused = bool(pauses) and contact["send_at"] < pauses[-1]["until"]
        return last["state"] != "granted" or customer.has("objection") or paused

    def _reserve(self, customer: Customer, decision_id: str, number: int) -> Row:
        """The reservation's fields of an answer; nothing when the customer may not be spoken to."""
        self._expire(customer)
        channel, journey = self.dice.choice(list(CHANNELS)), self.dice.choice(JOURNEYS)
        timing, ahead = CHANNELS[channel], self.dice.randrange(6 * HOUR)
        contact: Row = {
            "decision_id": decision_id, "step": 1, "journey": journey, "channel": channel, "timing": timing,
            "purpose": "service" if journey == "order_status" else "marketing",
            "send_at": self.now + (ahead if timing == "scheduled" else 0), "lease_until": self.now + LEASE,
        }  # fmt: skip
        rivals = [it for it in customer.contacts if it["state"] == "reserved" and it["timing"] == timing]
        marketing = contact["purpose"] == "marketing"
        if marketing and any(it["purpose"] == "marketing" for it in rivals):
            return {}
        if self._forbidden(customer, contact) or (marketing and overflows(customer, contact)):
            return {}
        customer.epoch += 1
        contact |= {"epoch": customer.epoch, "reservation_id": f"r{decision_id}"}
        row = {"table": "contacts", "subject": customer.subject, "state": "reserved", "reserved_at": self.now}
        customer.contacts.append(contact | row | {"reserved_order": number})
        return contact


def overflows(customer: Customer, contact: Row) -> bool:
    """Whether one more marketing contact would exceed some cap, tried at every window that could be full."""
    held = [it for it in customer.contacts if it["state"] in {"reserved", "confirmed"}] + [contact]
    marketing = [it for it in held if it["purpose"] == "marketing"]
    return any(
        fullest(cap, counted(cap, marketing), customer.zone, contact["send_at"]) > cap["limit"] - cap.get("reserve", 0)
        or ("reserve" in cap and fullest(cap, counted(cap, held), customer.zone, contact["send_at"]) > cap["limit"])
        for cap in CAPS
        if counted(cap, [contact])
    )


def counted(cap: Row, contacts: list[Row]) -> list[int]:
    """The moments of the contacts that a cap counts."""
    channels, journeys = cap.get("channels"), cap.get("journeys")
    return [
        int(it["sent_at"] if "sent_at" in it else it["send_at"])
        for it in contacts
        if (not channels or it["channel"] in channels) and (not journeys or it["journey"] in journeys)
    ]


def fullest(cap: Row, times: list[int], zone: str, around: int | None = None) -> int:
    """How many contacts the fullest window or period of a cap holds, of those that hold the moment `around` where it is given."""
    if "window_hours" in cap:
        width = cap["window_hours"] * HOUR
        begins = [begin for begin in times if around is None or begin <= around < begin + width]
        return max((sum(begin <= it < begin + width for it in times) for begin in begins), default=0)
    names = {"day": "%Y-%m-%d", "week": "%G-%V", "month": "%Y-%m"}
    moments = times if around is None else [*times, around]
    local = [datetime.fromtimestamp(it / 1_000_000, UTC).astimezone(ZoneInfo(zone)) for it in moments]
    periods = [it.strftime(names[cap["calendar"]]) for it in local]
    own = set(periods) if around is None else {periods.pop()}
    return max((periods.count(it) for it in own), default=0)
