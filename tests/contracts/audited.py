"""A ledger with rows of every audited table."""

from __future__ import annotations

from arbitration.domain import Consent
from serving.ledger import bookkeeping, contacts, postponed, requests, rights, volume
from serving.ledger.consents import Evidence, add_consent, add_evidence
from serving.ledger.postponed import Postponed
from serving.ledger.rows import Answer
from serving.ledger.store import Ledger
from tests.contracts.conftest import HOUR, NOW, decision, hold, outcome


def filled(ledger: Ledger) -> None:
    """Rows of every audited table, of several customers, one of them erased; some changed and some removed again."""
    for number, customer in enumerate(("c1", "c2", "c3"), 1):
        with ledger.writing(customer) as tx:
            tx.add_decision(decision(number, customer=customer))
            tx.add_outcome(outcome(f"o-{number}"))
            proof = Evidence("t-1", "0" * 64, "checkout", NOW - HOUR, NOW)
            name = add_evidence(tx, proof, "email", "consent")
            add_consent(tx, Consent("email", "marketing", "granted", "consent", name, NOW), "shop")
            hold(tx, f"d-{number}")
            postponed.postpone(tx, f"d-{number}", [Postponed("win_back", "cool_down", tx.now() + HOUR)])
            requests.remember(tx, "engine", "/v1/reservations", f"s-{number}", Answer("digest", 201, b"{}"))
    with ledger.writing("c1") as tx:
        contacts.sent(tx, "d-1", 0, "test")
        contacts.note_reaction(tx, "d-1", 0, engaged=True)
        rights.objection_lifted(tx)
    with ledger.writing("c2") as tx:
        rights.objected(tx)
        rights.paused(tx, tx.now() + HOUR)
    with ledger.writing("c3") as tx:
        rights.erase(tx, "x-1", "c3", "consent_withdrawn")
    with ledger.writing() as tx:
        tx.add_policy("v1", b"policy")
        rights.suppress(tx, ["c9"], "by_hand")
        volume.stop(tx, "welcome", by="maria", reason="too many")
        change = {
            "change_id": "g-1",
            "kind": "catalog",
            "to_version": "v1",
            "summary": "[]",
            "effect": "{}",
            "widens": False,
        }
        tx.put(bookkeeping.changes, change | {"proposed_by": "maria", "proposed_at": tx.at, "state": "applied"})
    with ledger.writing() as tx:
        name = requests.hidden(tx.keyring, "engine", "/v1/reservations", "s-1")
        tx.remove(bookkeeping.requests, bookkeeping.requests.c.request_id == name)
