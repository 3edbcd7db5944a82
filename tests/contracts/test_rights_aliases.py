"""What was said and done under an alias holds for the customer whom the shop names by it later."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert

from arbitration.domain import Candidate, Consent, Context, CustomerId, SendWindow, Treatment
from arbitration.gates import GATES, rejection
from arbitration.gates.case import Case
from serving.ledger import rights, schema
from serving.ledger.consents import add_consent
from serving.ledger.contacts import expire_due, settle
from serving.ledger.export import known_of
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from tests.contracts.conftest import HOUR, NOW, POLICY, decision, hold, send
from tests.contracts.test_rights import grant

CAPS = [gate for gate in GATES if gate.code == "channel_cap"]
DAILY = replace(
    POLICY.contact_policy.caps[0], limit=1, window_hours=24, calendar=None, channels=("push",), journeys=(), reserve=0
)
ONE_A_DAY = replace(POLICY, contact_policy=replace(POLICY.contact_policy, caps=(DAILY,)))


def mapped(ledger, customer: str = "C1", alias: str = "abc") -> None:
    """The shop says whose the cookie is."""
    row = {"alias_type": "cookie", "alias": alias, "valid_from": to_micros(NOW - HOUR), "customer_id": customer}
    with ledger.writing() as tx:
        tx.connection.execute(insert(schema.shop_aliases).values(row))


def standing(ledger, customer: str = "C1"):
    with ledger.reading() as reading:
        return reading.standing(customer, NOW - HOUR, reading.now(), "shop")


def test_an_objection_under_an_alias_holds_for_the_customer_it_turns_out_to_be(ledger):
    with ledger.writing("cookie:abc") as tx:
        rights.objected(tx)
    assert not standing(ledger).objected
    mapped(ledger)
    assert standing(ledger).objected
    with ledger.writing("C1") as tx:  # also once something was written about the customer
        tx.emit("dirigent.right.changed.v1", {"right": "pause", "state": "ended"})
    assert standing(ledger).objected


def test_a_pause_under_an_alias_holds_and_the_longer_one_counts(ledger):
    with ledger.writing("cookie:abc") as tx:
        rights.paused(tx, tx.now() + timedelta(days=3))
        longer = tx.now() + timedelta(days=3)
    with ledger.writing("C1") as tx:
        rights.paused(tx, tx.now() + timedelta(days=1))
    mapped(ledger)
    assert standing(ledger).paused_until == longer


def test_a_no_under_an_alias_holds_and_a_yes_opens_nothing(ledger):
    with ledger.writing("cookie:abc") as tx:
        add_consent(tx, Consent("push", "marketing", "withdrawn", "none", "outcome:x:1", tx.now()), "shop")
        add_consent(tx, Consent("email", "marketing", "granted", "consent", "e", tx.now()), "shop")
    mapped(ledger)
    assert [(one.channel, one.state) for one in standing(ledger).consents] == [("push", "withdrawn")]


def used(ledger, customer: str = "C1"):
    """The contacts that count for a customer now."""
    with ledger.reading() as reading:
        return reading.standing(customer, NOW - 48 * HOUR, reading.now(), "shop").contacts


def refused(tx: Transaction, customer: str = "C1") -> str | None:
    """Why no push may be sent now, by a cap of one a day."""
    now = tx.now()
    context = tx.standing(customer, now - 48 * HOUR, now, "shop").put_into(
        Context(CustomerId(customer), True, "Europe/Berlin", "de", {})
    )
    candidate = Candidate(Treatment("welcome", "push", "hello"), SendWindow(now, now + HOUR, 10))
    found = rejection(candidate, Case(context, ONE_A_DAY, now), CAPS)
    return found.code if found else None


def decided(ledger: Ledger, customer: str, name: str) -> bool:
    """What the service does under the lock: look again, and only then send."""

    def work(tx: Transaction) -> bool:
        expire_due(tx)
        if refused(tx, customer) is not None:
            return False
        send(tx, name)
        return True

    return ledger.write(customer, work)


def test_a_cap_that_was_reached_under_an_alias_holds_for_the_customer_it_turns_out_to_be(ledger):
    assert decided(ledger, "cookie:abc", "d-1")
    assert used(ledger) == ()
    mapped(ledger)
    assert [it.channel for it in used(ledger)] == ["push"]
    assert not decided(ledger, "C1", "d-2")
    ledger.clock.shift += 25 * HOUR
    assert decided(ledger, "C1", "d-3")
    assert len(used(ledger)) == 2


def test_what_was_made_for_the_customer_counts_under_the_alias_and_under_another_one(ledger):
    assert decided(ledger, "C1", "d-1")
    mapped(ledger)
    mapped(ledger, alias="xyz")
    assert not decided(ledger, "cookie:abc", "d-2")
    assert not decided(ledger, "cookie:xyz", "d-3")
    assert decided(ledger, "cookie:other", "d-4")
    assert decided(ledger, "C2", "d-5")


def test_what_one_alias_did_counts_under_another_where_nothing_was_written_about_the_customer(ledger):
    assert decided(ledger, "cookie:abc", "d-1")
    mapped(ledger)
    mapped(ledger, alias="xyz")
    assert not decided(ledger, "cookie:xyz", "d-2")


def test_the_live_winner_of_an_alias_is_the_customers(ledger):
    with ledger.writing("cookie:abc") as tx:
        hold(tx)
    mapped(ledger)
    assert [it.live_until is not None for it in used(ledger)] == [True]


def test_a_contact_of_an_alias_that_came_back_with_the_shops_tables_counts_once(ledger):
    assert decided(ledger, "cookie:abc", "d-1")
    mapped(ledger)
    row = {"customer_id": "C1", "journey": "welcome", "channel": "push", "purpose": "marketing", "decision_id": "d-1"}
    with ledger.writing() as tx:
        tx.connection.execute(insert(schema.shop_contacts).values(**row, sent_at=to_micros(NOW)))
    assert len(used(ledger)) == 1
    assert len(used(ledger, "cookie:abc")) == 1


def test_a_no_of_the_customer_holds_for_what_was_reserved_under_the_alias(ledger):
    row = {"customer_id": "C1", "channel": "email", "purpose": "marketing", "state": "denied", "legal_basis": "none"}
    with ledger.writing() as tx:
        tx.connection.execute(insert(schema.shop_consents).values(**row, valid_from=to_micros(NOW - HOUR)))
    mapped(ledger)
    assert [(one.channel, one.state) for one in standing(ledger, "cookie:abc").consents] == [("email", "denied")]
    with ledger.writing("C1") as tx:
        rights.objected(tx)
    assert standing(ledger, "cookie:abc").objected


def test_who_looked_before_another_name_spoke_sees_it_under_the_lock(ledger):
    with ledger.writing("cookie:abc") as tx:
        hold(tx)
    mapped(ledger)
    with ledger.writing("C1") as tx:
        send(tx, "d-0", purpose="service")
    seen = standing(ledger)
    with ledger.writing("C1") as tx:
        assert tx.is_at(seen.version, seen.others)
    with ledger.writing("cookie:abc") as tx:
        settle(tx, schema.contacts.c.subject == tx.owner, "released", "test")
    with ledger.writing("C1") as tx:
        assert not tx.is_at(seen.version, seen.others)


def test_who_asks_what_is_known_of_them_hears_of_their_other_names_too(ledger):
    with ledger.writing("cookie:abc") as tx:
        tx.add_decision(decision(customer="cookie:abc"))
        send(tx)
        grant(tx)
    with ledger.writing("cookie:other") as tx:
        send(tx, "d-2")
    mapped(ledger)
    with ledger.reading() as reading:
        told = known_of(reading, "C1")
        assert [it["decision_id"] for it in told["contacts"]] == ["d-1"]
        assert told["decisions"][0]["inputs"] == {"inputs": 1}
        assert told["evidence"][0]["reference"] == "form-7"
        assert [it["customer_id"] for it in told["other_names"]] == ["cookie:abc"]
        assert known_of(reading, "C2")["other_names"] == []


@pytest.mark.parametrize("names", [("C1", "cookie:abc"), ("cookie:abc", "cookie:xyz")])
def test_of_decisions_that_race_under_two_names_of_one_person_one_speaks(ledger, names):
    mapped(ledger)
    mapped(ledger, alias="xyz")
    for name in names:
        with ledger.writing(name) as tx:
            tx.emit("dirigent.right.changed.v1", {"right": "pause", "state": "ended"})
    barrier = threading.Barrier(4)

    def at_once(round_: int, number: int) -> bool:
        barrier.wait()
        return decided(ledger, names[number % 2], f"d-{round_}-{number}")

    with ThreadPoolExecutor(4) as pool:
        for round_ in range(12):
            running = [pool.submit(at_once, round_, number) for number in range(4)]
            assert sum(each.result() for each in running) == 1
            ledger.clock.shift += 25 * HOUR
