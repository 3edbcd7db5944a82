"""What every ledger must keep, whatever holds it: checked on a SQLite file and on PostgreSQL, with threads and with processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from arbitration.domain import Consent, Contact
from serving.ledger import bookkeeping, contacts, schema
from serving.ledger.consents import add_consent
from serving.ledger.schema import from_micros, to_micros
from tests.contracts.conftest import HOUR, KEYRING, NOW, decision, hold, holding, outcome, rows_of, send

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_written_is_read_to_the_microsecond(ledger):
    consent = Consent("push", "marketing", "denied", "consent", "e1", NOW, NOW + timedelta(days=1))
    with ledger.writing("c1") as tx:
        tx.add_decision(decision())
        tx.add_policy("v1", b"policy")
        tx.add_policy("v1", b"policy")
        hold(tx, purpose="service", at=NOW)
        contacts.sent(tx, "d-1", 0, "test")
        contacts.note_reaction(tx, "d-1", 0, engaged=True)
        add_consent(tx, consent, "brand")
        tx.add_outcome(outcome())
    with ledger.reading() as reading:
        assert reading.decision("d-1") == decision()
        assert reading.policy("v1") == b"policy"
        assert reading.answer_to("shop", "r-1") == decision().answer
        assert reading.answer_to_outcome("shop", "o-1") == outcome().answer
        assert reading.outcomes_of("d-1") == (outcome(),)
        standing = reading.standing("c1", NOW - HOUR, NOW + HOUR, "brand")
    assert standing.consents == (consent,)
    assert standing.contacts == (Contact("welcome", "push", NOW, "service", engaged=True),)


def test_a_decision_for_silence_is_read_as_it_was_written(ledger):
    silent = replace(decision(), summary=replace(decision().summary, favorite=None, opens_at=None, stopped={}))
    with ledger.writing("c1") as tx:
        tx.add_decision(silent)
        assert tx.decision("d-1") == silent


def test_what_is_not_there_is_none(ledger):
    with ledger.reading() as reading:
        assert reading.decision("x") is reading.answer_to("x", "y") is reading.answer_to_outcome("x", "y") is None
        assert reading.profile("x") is reading.policy("x") is reading.customer_of("device", "x", NOW) is None
        assert reading.subject_of("x") is reading.subject_of_decision("x") is None
        standing = reading.standing("x", NOW, NOW, "brand")
    assert (standing.contacts, standing.consents, standing.version, standing.objected) == ((), (), 0, False)


def write_and_fail(ledger) -> None:
    with ledger.writing("c1") as tx:
        tx.add_decision(decision())
        hold(tx)
        tx.emit("dirigent.test.v1", {})
        raise ZeroDivisionError


def test_a_transaction_that_fails_leaves_no_trace(ledger):
    with pytest.raises(ZeroDivisionError):
        write_and_fail(ledger)
    for table in schema.METADATA.sorted_tables:
        left = [
            row for row in rows_of(ledger, table) if not str(row[0]).startswith("key:")
        ]  # written when it was opened
        assert left == [], table.name
    with ledger.writing("c1") as tx:
        assert (tx.epoch, tx.subject.version) == (0, 0)


def test_a_transaction_that_wrote_nothing_leaves_neither_an_audit_entry_nor_a_version(ledger):
    with ledger.writing("c1") as tx:
        assert tx.decision("d-1") is None
    assert rows_of(ledger, bookkeeping.audit) == []
    assert [row.version for row in rows_of(ledger, schema.subjects)] == [0]


def test_a_request_id_and_an_outcome_id_are_taken_once(ledger):
    with ledger.writing("c1") as tx:
        tx.add_decision(decision())
        tx.add_outcome(outcome())
    again = replace(decision(), decision_id="d-other")
    with pytest.raises(IntegrityError), ledger.writing("c2") as tx:
        tx.add_decision(again)
    with pytest.raises(IntegrityError), ledger.writing("c1") as tx:
        tx.add_outcome(outcome())
    with ledger.writing("c1") as tx:
        tx.add_decision(decision(2, client="other"))


def test_a_released_contact_no_longer_counts_and_others_do(ledger):
    with ledger.writing("c1") as tx:
        hold(tx, "d-1", purpose="service")
        hold(tx, "d-2", channel="email", purpose="service")
        contacts.not_sent(tx, "d-1", 0, "not_sent")
        now = tx.now()
    assert [contact.channel for contact in holding(ledger)] == ["email"]
    assert holding(ledger, since=now + timedelta(seconds=1)) == ()


def test_a_contact_counts_again_when_it_was_sent_after_all_and_decisions_are_noticed(ledger):
    with ledger.writing("c1") as tx:
        assert not tx.holds_decisions()
        tx.add_decision(decision())
        hold(tx)
        contacts.not_sent(tx, "d-1", 0, "not_sent")
        contacts.sent(tx, "d-1", 0, "outcome")
        assert tx.holds_decisions()
    assert len(holding(ledger)) == 1


def test_a_reservation_counts_while_its_lease_runs_and_gives_its_place_back_after_it(ledger):
    with ledger.writing("c1") as tx:
        ends = hold(tx)
    assert [contact.live_until for contact in holding(ledger)] == [ends]
    with ledger.reading() as reading:
        assert reading.standing("c1", NOW - HOUR, ends, "brand").contacts == ()
    with ledger.writing("c1") as tx:
        tx.at = to_micros(ends) - 1
        assert contacts.expire_due(tx) == 0
        tx.at += 1
        assert contacts.expire_due(tx) == 1
    assert [(row.state, row.settled_by) for row in rows_of(ledger)] == [("expired", "lease_over")]


def test_an_engagement_is_not_taken_back_by_a_later_delivery_report(ledger):
    with ledger.writing("c1") as tx:
        hold(tx)
        for engaged in (False, True, False):
            contacts.note_reaction(tx, "d-1", 0, engaged=engaged)
    assert holding(ledger)[0].engaged is True


def test_writers_wait_for_each_other_and_none_is_lost(ledger):
    def add(number: int) -> None:
        with ledger.writing("c1") as tx:
            seen = len(tx.standing("c1", NOW - HOUR, tx.now(), "brand").contacts)
            send(tx, f"d-{number}", journey=f"journey{seen}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    journeys = {contact.journey for contact in holding(ledger)}
    assert journeys == {f"journey{number}" for number in range(40)}, "a writer did not see what was committed before it"


def program(text: str) -> str:
    """A program that opens the ledger which this test uses and writes about c1."""
    return textwrap.dedent("""
        import os, sys
        from datetime import datetime, timedelta
        from pathlib import Path
        from serving.clock import Clock
        from serving.ledger.keyring import Keyring
        from serving.ledger.store import Ledger
        from tests.contracts.conftest import send
        named, name, moment, *secrets = sys.argv[1:]
        start = datetime.fromisoformat(moment)
        keyring = Keyring(*map(bytes.fromhex, secrets))
        ledger = Ledger(named if "://" in named else Path(named), keyring, Clock(start))
    """) + textwrap.dedent(text)


def started(text: str, named, name: str) -> subprocess.Popen[bytes]:
    secrets = [part.hex() for part in (KEYRING.master, KEYRING.audit, KEYRING.suppression)]
    given = [sys.executable, "-c", program(text), str(named), name, NOW.isoformat(), *secrets]
    return subprocess.Popen(given, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})


def test_two_processes_share_one_cap(ledger, named):
    text = """
        for number in range(30):
            with ledger.writing("c1") as tx:
                if len(tx.standing("c1", start - timedelta(hours=1), tx.now(), "brand").contacts) < 25:
                    send(tx, f"{name}-{number}")
    """
    running = [started(text, named, name) for name in ("d-a", "d-b")]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(holding(ledger)) == 25


def test_a_process_that_dies_inside_a_transaction_leaves_no_trace_and_no_lock(ledger, named):
    text = """
        with ledger.writing("c1") as tx:
            send(tx)
            os.kill(os.getpid(), 9)
    """
    assert started(text, named, "d").wait(60) == -9
    with ledger.writing("c1") as tx:
        assert tx.standing("c1", NOW - HOUR, tx.now(), "brand").contacts == ()


def test_reading_goes_on_while_somebody_writes(ledger):
    began, done = threading.Event(), threading.Event()

    def write() -> None:
        with ledger.writing("c1") as tx:
            tx.add_decision(decision())
            began.set()
            done.wait(10)

    thread = threading.Thread(target=write)
    thread.start()
    began.wait(10)
    with ledger.reading() as reading:
        assert reading.decision("d-1") is None, "an uncommitted decision was seen"
    done.set()
    thread.join()
    with ledger.reading() as reading:
        assert reading.decision("d-1") is not None


@pytest.mark.parametrize(
    "moment", [NOW, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2100, 12, 31, tzinfo=UTC)]
)
def test_moments_survive(moment):
    assert from_micros(to_micros(moment)) == moment
