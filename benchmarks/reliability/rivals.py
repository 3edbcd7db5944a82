"""A client that races others for a customer's places, on the ledger's own interface: look, ask the gates, lock, ask again, take.

Everything that reaches the lock is written into a history, as HTTP would have said it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy.exc import IntegrityError

from arbitration.domain import Candidate, Consent, Context, CustomerId, Rejection
from arbitration.errors import LedgerError
from arbitration.gates import rejection
from arbitration.gates.case import Case
from arbitration.policy import Policy
from benchmarks.reliability.hot_shop import FastClock, Pace, hot_policy
from serving.auth import Client
from serving.context import standing_of
from serving.ledger.consents import Evidence, add_consent, add_evidence
from serving.ledger.contacts import expire_due, place_for, take
from serving.ledger.keyring import Keyring
from serving.ledger.reading import Reading
from serving.ledger.rows import Answer, DecisionRow, Reservation, Summary
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from serving.problems import Problem
from serving.reservations import confirm, release
from tests.history.recorder import Recorder

SILENT = Summary(None, None, 0.0, 0.0, {})


@dataclass(frozen=True, slots=True)
class Table:
    """What all rivals share: where the ledger lies and what opens it, its customers' time zones, the pace, where histories go.

    `broken` leaves out the second look, the one under the lock.
    """

    named: str
    secrets: tuple[bytes, bytes, bytes]
    zones: dict[str, str]
    pace: Pace
    folder: Path
    broken: bool = False

    def keyring(self) -> Keyring:
        """What opens the ledger."""
        return Keyring(*self.secrets)


@dataclass(frozen=True, slots=True)
class Held:
    """A place that was won, and whose it is."""

    customer: str
    channel: str
    place: Reservation


class Rival:
    """One process. `counts` says how often each thing happened."""

    def __init__(self, table: Table, name: str) -> None:
        self.table, self.name, self.policy = table, name, hot_policy()
        self.ledger = Ledger(table.named, table.keyring(), FastClock(table.pace))
        self.recorder = Recorder(table.folder / f"{name}.jsonl", name)
        settings = SimpleNamespace(brand="shop")
        self.runtime: Any = SimpleNamespace(ledger=self.ledger, policy=self.policy, settings=settings)
        self.counts = dict.fromkeys(
            ("attempts", "reached", "taken", "second_look", "second_line", "away", "settled"), 0
        )
        self._client, self._number = Client(name, "orchestrator"), 0

    def close(self) -> None:
        """Give everything back."""
        self.recorder.close()
        self.ledger.close()

    def look(self, customer: str, wanted: Candidate) -> Rejection | None:
        """What the gates say without a lock."""
        self.counts["attempts"] += 1
        with self.ledger.reading() as reading:
            return self._asked(reading, customer, wanted, reading.now())

    def now(self) -> datetime:
        """The shop's moment."""
        with self.ledger.reading() as reading:
            return reading.now()

    def reserve(self, customer: str, wanted: Candidate) -> Held | None:
        """Take a place under the customer's lock; None where the second look, the table or the ledger says no."""
        self._number += 1
        self.counts["reached"] += 1
        request_id = f"{self.name}-{self._number}"
        call = self.recorder.ask("decide", customer=customer, request_id=request_id, body=f"body of {request_id}")
        try:
            row = self.ledger.write(customer, lambda tx: self._work(tx, customer, wanted, request_id))
        except IntegrityError:
            self.counts["second_line"] += 1
            self.recorder.answer(call, status=503)
            return None
        except LedgerError:
            self.counts["away"] += 1
            self.recorder.answer(call, status=503)
            return None
        if row is None:
            self.counts["second_look"] += 1
            self.recorder.answer(call, status=409)
            return None
        self.counts["taken"] += 1
        told, place, body = row
        self.recorder.answer(call, status=200, sha=hashlib.sha256(body).hexdigest(), **told)
        return Held(customer, wanted.treatment.channel, place)

    def confirm(self, held: Held) -> bool:
        """The holder says that it sends; whether it may."""
        return self._settle("confirm", held, {"epoch": held.place.epoch})

    def release(self, held: Held) -> bool:
        """The holder gives its place back."""
        return self._settle("release", held, {"epoch": held.place.epoch, "reason": "given_back"})

    def withdraw(self, customer: str, channel: str) -> bool:
        """The customer takes the channel back."""
        return self._say("withdraw", customer, channel, lambda tx: Consent(
            channel, "marketing", "withdrawn", "none", "said", tx.now()))  # fmt: skip

    def grant(self, customer: str, channel: str) -> bool:
        """The customer gives the channel again, with proof."""

        def consent(tx: Transaction) -> Consent:
            given = Evidence("text", "0" * 64, "app", tx.now(), tx.now())
            proof = add_evidence(tx, given, channel, "consent")
            return Consent(channel, "marketing", "granted", "consent", proof, tx.now())

        return self._say("grant", customer, channel, consent)

    def _asked(self, reading: Reading, customer: str, wanted: Candidate, now: datetime) -> Rejection | None:
        return rejection(wanted, self._case(reading, customer, now))

    def _case(self, reading: Reading, customer: str, now: datetime) -> Case:
        context = Context(CustomerId(customer), True, self.table.zones[customer], "en", {})
        return Case(standing_of(reading, self.runtime, customer, now).put_into(context), self.policy, now)

    def _work(
        self, tx: Transaction, customer: str, wanted: Candidate, request_id: str
    ) -> tuple[dict[str, Any], Reservation, bytes] | None:
        """One transaction: what is due expires, the gates are asked again, decision and place are written."""
        expire_due(tx)
        now = tx.now()
        wanted = replace(wanted, window=replace(wanted.window, opens_at=max(wanted.window.opens_at, now)))
        if wanted.window.opens_at >= wanted.window.closes_at:
            return None
        if not self.table.broken and self._asked(tx, customer, wanted, now) is not None:
            return None
        decision_id, send_at = f"d-{request_id}", wanted.window.opens_at
        case = self._case(tx, customer, now)
        purpose = case.purpose(wanted)
        proof = case.consent(wanted) if case.channel(wanted).needs_consent else None
        place = place_for(
            wanted, self.policy, decision_id=decision_id, step=0, send_at=send_at, now=now, epoch=tx.epoch + 1,
            purpose=purpose, evidence_id=proof.evidence_id if proof else None,
        )  # fmt: skip
        held, treatment = place.reservation, wanted.treatment
        told = {
            "decision_id": decision_id, "reservation_id": held.id, "epoch": held.epoch, "step": 0, "journey": treatment.journey,
            "channel": treatment.channel, "purpose": purpose, "timing": self.policy.channels[treatment.channel].timing,
            "send_at": to_micros(send_at), "lease_until": to_micros(held.lease_until),
        }  # fmt: skip
        body = json.dumps(
            {"decision_id": decision_id, "reservation": {"id": held.id}, "send_at": send_at.isoformat()}
        ).encode()
        tx.add_decision(DecisionRow(
            decision_id, self.name, request_id, customer, now, "live", Answer(f"body of {request_id}", 200, body),
            self.policy.version, SILENT, b"{}", b"{}",
        ))  # fmt: skip
        take(tx, place)
        return told, held, body

    def _settle(self, kind: str, held: Held, body: dict[str, Any]) -> bool:
        self.counts["settled"] += 1
        handler, name = {"confirm": confirm, "release": release}[kind], held.place.id
        call = self.recorder.ask(kind, reservation_id=name, epoch=held.place.epoch, customer=held.customer)
        try:
            status, _ = handler(self.runtime, self._client, name, json.dumps(body).encode())
        except Problem as problem:
            status = problem.status
        except LedgerError:
            self.counts["away"] += 1
            status = 503
        self.recorder.answer(call, status=status)
        return status == 200

    def _say(self, kind: str, customer: str, channel: str, consent: Any) -> bool:
        def work(tx: Transaction) -> None:
            expire_due(tx)
            add_consent(tx, consent(tx), "shop")

        call = self.recorder.ask(kind, customer=customer, channel=channel, purpose="marketing")
        try:
            self.ledger.write(customer, work)
        except LedgerError:
            self.counts["away"] += 1
            self.recorder.answer(call, status=503)
            return False
        self.recorder.answer(call, status=200)
        return True


def rules(policy: Policy) -> str:
    """The caps in words."""
    return ", ".join(
        f"{cap.id} ({cap.limit} per {cap.calendar or f'{cap.window_hours} h'})" for cap in policy.contact_policy.caps
    )
