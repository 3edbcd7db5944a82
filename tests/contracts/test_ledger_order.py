"""Who waits for whom, which moment is written, and what goes along with every write: audit entry, events, the customer's version."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from arbitration.domain import Consent
from arbitration.errors import LedgerError
from serving.clock import Clock
from serving.ledger import auditing, bookkeeping, schema
from serving.ledger.consents import add_consent
from serving.ledger.engine import Again
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger
from tests.contracts.conftest import HOUR, KEYRING, NOW, decision, hold, outcome, rows_of, send


def is_sqlite(ledger) -> bool:
    return ledger.place.is_sqlite


def test_writers_of_two_customers_do_not_wait_for_each_other_and_those_of_one_do(ledger):
    if is_sqlite(ledger):
        pytest.skip("a file has one writer at a time")
    wrote = []

    def write(customer: str) -> None:
        with ledger.writing(customer) as tx:
            send(tx, f"d-{customer}")
        wrote.append(customer)

    with ThreadPoolExecutor(2) as pool:
        with ledger.writing("c1") as tx:
            send(tx)
            pool.submit(write, "c2").result(timeout=1.5)
            same = pool.submit(write, "c1")
            time.sleep(0.3)
            assert wrote == ["c2"], "a second writer of the same customer did not wait"
        same.result(timeout=5)
    assert wrote == ["c2", "c1"]


def test_a_customer_who_is_new_to_two_writers_becomes_one_subject(ledger):
    together = threading.Barrier(6)

    def write(number: int) -> str:
        together.wait(10)
        with ledger.writing("new") as tx:
            send(tx, f"d-{number}")
            return tx.owner

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(write, range(6)))) == 1
    assert [(row.customer_id, row.epoch, row.version) for row in rows_of(ledger, schema.subjects)] == [("new", 6, 6)]


def test_what_the_database_undid_is_tried_again(ledger):
    tried = []

    def work(tx):
        hold(tx)
        tried.append(len(tried))
        if len(tried) < 3:
            raise Again("undone")
        return "done"

    assert ledger.write("c1", work) == "done"
    assert (len(tried), len(rows_of(ledger))) == (3, 1)
    with pytest.raises(Again):
        ledger.write("c1", lambda tx: (_ for _ in ()).throw(Again("undone for ever")))


def test_a_deadlock_is_untangled_and_both_write(ledger):
    if is_sqlite(ledger):
        pytest.skip("a file has one writer at a time")
    for customer in ("c1", "c2"):
        with ledger.writing(customer) as tx:
            send(tx, f"d-{customer}-first")
    together, tried = threading.Barrier(2), []

    def crossed(mine: str, other: str) -> None:
        def work(tx):
            tried.append(mine)
            if len(tried) <= 2:
                together.wait(10)
            locked = select(schema.subjects).where(schema.subjects.c.customer_id == other).with_for_update()
            tx.connection.execute(locked).all()
            send(tx, f"d-{mine}")

        ledger.write(mine, work)

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(crossed, "c1", "c2"), pool.submit(crossed, "c2", "c1")]
        assert [one.result(timeout=20) for one in both] == [None, None]
    assert len(tried) >= 3, "there was no deadlock, so this test could not fail"
    assert len(rows_of(ledger)) == 4


def set_clock(ledger, seconds: float) -> None:
    """Make the ledger's clock, as far as it believes one of its own, show so many seconds from now."""
    shift = ledger.clock.shift + timedelta(seconds=seconds)
    ledger.clock = Clock()
    ledger.clock.shift = shift


def test_time_never_runs_backwards_for_a_customer(ledger):
    with ledger.writing("c1") as tx:
        send(tx, "d-1")
        first = tx.at
    set_clock(ledger, -30)
    with ledger.writing("c1") as tx:
        assert tx.at == first, "half a minute behind: the last moment stands"
        send(tx, "d-2")
    with ledger.writing("c2") as tx:
        assert tx.at < first
    set_clock(ledger, -60)
    with pytest.raises(LedgerError, match="s behind what the ledger has already seen"), ledger.writing("c1"):
        raise AssertionError("a clock that is a minute behind was believed")
    assert len(rows_of(ledger)) == 2


def test_where_the_database_has_a_clock_that_of_a_worker_does_not_matter(ledger, named):
    if is_sqlite(ledger):
        pytest.skip("a file has no clock")
    liar = Ledger(named, KEYRING, Clock(wall=lambda: time.time() + 3600))
    liar.clock.shift = ledger.clock.shift
    with liar.writing("c1") as tx:
        assert abs(tx.now() - ledger.clock.now()) < timedelta(seconds=30)
        send(tx)
    with ledger.writing("c1") as tx, ledger.reading() as reading:
        assert abs(tx.now() - NOW) < timedelta(minutes=2)
        assert abs(reading.now() - tx.now()) < timedelta(seconds=30)
    liar.close()


def written(ledger) -> None:
    """One transaction that writes rows of many kinds, and one that changes and removes some."""
    with ledger.writing("c1") as tx:
        tx.add_decision(decision())
        tx.add_policy("v1", b"policy")
        tx.add_outcome(outcome())
        hold(tx, offer="coupon")
        add_consent(tx, Consent("sms", "marketing", "denied", "none", None, NOW, NOW + HOUR), "brand")
        tx.put(schema.suppressions, {"hash": "h", "reason": "r", "recorded_at": tx.at})
        tx.put(bookkeeping.stops, {
            "stop_id": "stop", "journey": "welcome", "began_at": tx.at, "began_by": "p", "reason": "größer", "automatic": True,
        })  # fmt: skip
        tx.set_subject(objected_at=tx.at)
    with ledger.writing("c1") as tx:
        tx.change(schema.contacts, schema.contacts.c.step == 0, {"engaged": True})
        tx.remove(schema.suppressions, schema.suppressions.c.hash == "h")


def test_each_transaction_has_one_audit_entry_that_names_every_row_as_it_was_written(ledger):
    written(ledger)
    first, second = (json.loads(row.entries) for row in rows_of(ledger, bookkeeping.audit))
    names = ["consents", "contacts", "decisions", "outcomes", "policies", "stops", "subjects", "suppressions"]
    assert sorted(name for name, *_ in first) == names
    assert sorted((name, kept is None) for name, _, kept in second) == [("contacts", False), ("suppressions", True)]
    latest = {(name, key): kept for name, key, kept in (*first, *second)}
    for table in schema.METADATA.sorted_tables:
        for row in rows_of(ledger, table) if table.name in names else ():
            plain = row._asdict()
            assert latest[table.name, auditing.key_of(table, plain)] == auditing.digest_of(table, plain), table.name


def test_the_digest_of_a_row_is_the_same_in_every_database(ledger):
    contact = {
        "reservation_id": "r-1", "subject": "s-1", "decision_id": "d-1", "step": 0, "journey": "welcome", "channel": "push",
        "purpose": "marketing", "timing": "scheduled", "sent_at": 2**62, "closes_at": 9, "state": "confirmed", "epoch": 1,
        "lease_until": 9, "reserved_at": 1, "settled_at": 2, "settled_by": "ä\u2028", "engaged": False,
    }  # fmt: skip
    policy = {"version": "v", "body": b"\x00\xff"}
    with ledger.writing() as tx:
        tx.put(schema.contacts, contact)
        tx.put(schema.policies, policy)
        ((_, _, of_contact), (_, _, of_policy)) = tx._entries.values()
    assert of_contact == "d5644b8f77377a4d0bce5467907aedb3a8f30a408a19ae93016f72457b93ae2c"
    assert of_policy == "c01b9ff2c81c13e6f28f8f0602a1bf0cc5ff35076739d3d7abb624706be57abf"
    for table, kept in ((schema.contacts, of_contact), (schema.policies, of_policy)):
        assert [auditing.digest_of(table, row._asdict()) for row in rows_of(ledger, table)] == [kept]


def test_entries_of_a_lane_are_numbered_without_a_gap_and_each_seals_the_one_before(ledger):
    together = threading.Barrier(6)

    def write(number: int) -> None:
        together.wait(10)
        for at in range(4):
            with ledger.writing(f"c{number}") as tx:
                send(tx, f"d-{number}-{at}")
            with ledger.writing() as tx:
                tx.add_policy(f"v-{number}-{at}", b"")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    lanes: dict[int, list] = {}
    for row in rows_of(ledger, bookkeeping.audit):
        lanes.setdefault(row.lane, []).append(row)
    assert len(lanes[auditing.SHOP_LANE]) == 24
    assert sum(map(len, lanes.values())) == 48
    for lane, rows in lanes.items():
        before = auditing.NOTHING_BEFORE
        for number, row in enumerate(rows, 1):
            told = {"lane": lane, "number": number, "at": row.at, "entries": row.entries}
            assert row.seal == auditing.seal_of(KEYRING.audit, before, **told)
            before = row.seal


def test_the_events_of_a_customer_are_in_the_order_of_their_transactions(ledger):
    def write(number: int) -> None:
        for at in range(5):
            with ledger.writing(f"c{number % 2}") as tx:
                tx.emit("dirigent.first.v1", {"at": at})
                tx.emit("dirigent.second.v1", {"at": at})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    events = rows_of(ledger, bookkeeping.outbox)
    assert len({row.event_id for row in events}) == 40
    for subject in {row.subject for row in events}:
        mine = [(row.version, row.place, row.type) for row in events if row.subject == subject]
        versions = range(1, 11)
        kinds = ("dirigent.first.v1", "dirigent.second.v1")
        assert mine == [(version, place, kind) for version in versions for place, kind in enumerate(kinds)]
        assert not subject.startswith("c"), "an event names a customer by a pseudonym"
    assert all(to_micros(NOW) <= row.at < to_micros(NOW + HOUR) for row in events)


def test_a_policy_that_is_new_to_many_writers_at_once_is_kept_once_and_named_by_one_entry(ledger):
    together = threading.Barrier(8)

    def write(number: int) -> None:
        together.wait(10)
        with ledger.writing(f"c{number}") as tx:
            tx.add_policy("v-new", b"policy")
            send(tx, f"d-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert [(row.version, row.body) for row in rows_of(ledger, schema.policies)] == [("v-new", b"policy")]
    named = [name for row in rows_of(ledger, bookkeeping.audit) for name, *_ in json.loads(row.entries)]
    assert named.count("policies") == 1
