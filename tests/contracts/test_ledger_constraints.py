"""The second line of defense: what the database itself refuses, should a gate ever let it through."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from serving.ledger import contacts
from serving.ledger.bookkeeping import changes, outbox, postponed, stops
from serving.ledger.schema import consents, subjects
from tests.contracts.conftest import hold, rows_of, send


def refused(ledger, work) -> None:
    """The database refuses it, and nothing of that transaction stays."""

    def both(tx) -> None:
        tx.emit("dirigent.test.v1", {})
        work(tx)

    before = rows_of(ledger, outbox)
    with pytest.raises(IntegrityError):
        ledger.write("c1", both)
    assert rows_of(ledger, outbox) == before


def test_a_customer_has_one_live_winner_for_each_timing(ledger):
    with ledger.writing("c1") as tx:
        hold(tx, "d-1", channel="push")
    refused(ledger, lambda tx: hold(tx, "d-2", channel="email"))
    with ledger.writing("c1") as tx:
        hold(tx, "d-3", channel="in_app")  # immediate
        hold(tx, "d-4", channel="email", purpose="service")
    with ledger.writing("c2") as tx:
        hold(tx, "d-5")
    with ledger.writing("c1") as tx:
        contacts.not_sent(tx, "d-1", 0, "not_sent")
        hold(tx, "d-6", channel="email")
    assert [row.decision_id for row in rows_of(ledger) if row.state == "reserved"] == ["d-3", "d-4", "d-5", "d-6"]


def test_a_step_of_a_decision_has_one_contact_that_holds(ledger):
    with ledger.writing("c1") as tx:
        send(tx, "d-1")
    refused(ledger, lambda tx: hold(tx, "d-1"))
    with ledger.writing("c1") as tx:
        contacts.not_sent(tx, "d-1", 0, "not_sent")
        hold(tx, "d-1")
        contacts.sent(tx, "d-1", 0, "test")
        hold(tx, "d-1", step=1)
    refused(ledger, lambda tx: tx.change(contacts.contacts, contacts.contacts.c.step == 1, {"step": 0}))


def test_the_number_of_a_reservation_is_never_used_again(ledger):
    with ledger.writing("c1") as tx:
        send(tx, "d-1")
        send(tx, "d-2")

    def reuse(tx):
        tx.epoch = 0
        hold(tx, "d-3")

    refused(ledger, reuse)
    with ledger.writing("c1") as tx:
        assert tx.next_epoch() == 3
    with ledger.writing("c2") as tx:
        assert tx.next_epoch() == 1, "each customer has numbers of their own"


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "forgotten"}, {"state": "confirmed"}, {"settled_at": 5}, {"lease_until": 0}, {"closes_at": 0},
        {"state": None}, {"subject": None}, {"timing": None}, {"epoch": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_contact_that_says_nothing_or_contradicts_itself_is_refused(ledger, changed):
    with ledger.writing("c1") as tx:
        hold(tx)
    before = rows_of(ledger)
    refused(ledger, lambda tx: tx.change(contacts.contacts, contacts.contacts.c.step == 0, changed))
    assert rows_of(ledger) == before


def test_a_consent_a_change_and_a_postponed_journey_have_states_that_are_known(ledger):
    consent = {
        "consent_id": "x", "subject": "s", "channel": "push", "purpose": "marketing", "brand": "b", "state": "maybe",
        "legal_basis": "none", "valid_from": 1, "recorded_at": 1,
    }  # fmt: skip
    later = {"decision_id": "d", "journey": "j", "subject": "s", "reason": "x", "free_at": 1, "state": "maybe"}
    change = {
        "change_id": "x", "kind": "catalog", "to_version": "v", "summary": "{}", "effect": "{}", "widens": False,
        "proposed_by": "p", "proposed_at": 1, "state": "maybe",
    }  # fmt: skip
    for table, row in ((consents, consent), (postponed, later), (changes, change)):
        refused(ledger, lambda tx, table=table, row=row: tx.put(table, row))


def test_a_journey_is_stopped_once_until_it_goes_on(ledger):
    def stop(tx, name, ended_at=None):
        tx.put(stops, {
            "stop_id": name, "journey": "welcome", "began_at": 1, "began_by": "p", "reason": "r", "automatic": False,
            "ended_at": ended_at,
        })  # fmt: skip

    with ledger.writing() as tx:
        stop(tx, "a", ended_at=2)
        stop(tx, "b", ended_at=3)
        stop(tx, "c")
        assert tx.stopped() == ("welcome",)
    refused(ledger, lambda tx: stop(tx, "d"))


def test_two_subjects_are_never_the_same_customer(ledger):
    with ledger.writing("c1") as tx:
        hold(tx)
    row = {"subject": "s-other", "customer_id": "c1", "version": 0, "epoch": 0, "last_at": 0}
    with pytest.raises(IntegrityError), ledger.writing() as tx:
        tx.put(subjects, row)
