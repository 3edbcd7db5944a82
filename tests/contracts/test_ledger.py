"""What every ledger must keep, checked on a real SQLite file, with threads and with a second process."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from arbitration.domain import Consent, Contact
from arbitration.errors import LedgerError
from serving.ledger import engine
from serving.ledger.rows import Answer, DecisionRow, OutcomeRow, Summary
from serving.ledger.schema import from_micros, to_micros
from serving.ledger.store import Ledger

NOW = datetime(2018, 1, 2, 15, 0, 0, 123456, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ledger(tmp_path):
    found = Ledger(tmp_path / "ledger.db")
    yield found
    found.close()


def decision(number: int = 1, client: str = "shop", customer: str = "c1") -> DecisionRow:
    answer = Answer("digest", 200, b'{"decision_id":"d"}')
    best = Summary("welcome/push/hello", NOW, 1.25, 1.0, {"cool_down": 2, "not_eligible": 1})
    parts = (b'{"inputs":1}', b"\x00decision")
    return DecisionRow(f"d-{number}", client, f"r-{number}", customer, NOW, "live", answer, "v1", best, *parts)


def outcome(outcome_id: str = "o-1") -> OutcomeRow:
    return OutcomeRow("shop", outcome_id, "d-1", 0, "opened", NOW, NOW, 1.5, True, Answer("digest", 200, b"{}"))


def test_what_is_written_is_read_to_the_microsecond(ledger):
    contact = Contact("welcome", "push", NOW, "service", engaged=True)
    consent = Consent("push", "marketing", "granted", "consent", "e1", NOW, NOW + timedelta(days=1))
    with ledger.writing() as writing:
        writing.add_decision(decision())
        writing.add_policy("v1", b"policy")
        writing.add_policy("v1", b"policy")
        writing.add_contact("c1", contact, "d-1", 0)
        writing.note_reaction("d-1", 0, engaged=True)
        writing.add_consent("c1", consent)
        writing.add_outcome(outcome())
    with ledger.reading() as reading:
        assert reading.decision("d-1") == decision()
        assert reading.policy("v1") == b"policy"
        assert reading.answer_to("shop", "r-1") == decision().answer
        assert reading.answer_to_outcome("shop", "o-1") == outcome().answer
        assert reading.outcomes_of("d-1") == (outcome(),)
        standing = reading.standing("c1", NOW - timedelta(days=1), NOW)
        assert (standing.consents, standing.contacts) == ((consent,), (contact,))


def test_a_decision_for_silence_is_read_as_it_was_written(ledger):
    silent = replace(decision(), summary=Summary(None, None, 0.0, 0.0, {}))
    with ledger.writing() as writing:
        writing.add_decision(silent)
        assert writing.decision("d-1") == silent


def test_what_is_not_there_is_none(ledger):
    with ledger.reading() as reading:
        assert reading.decision("x") is reading.answer_to("x", "y") is reading.answer_to_outcome("x", "y") is None
        assert reading.profile("x") is reading.policy("x") is reading.customer_of("device", "x", NOW) is None
        assert reading.standing("x", NOW, NOW).contacts == reading.standing("x", NOW, NOW).consents == ()


def write_and_fail(ledger: Ledger) -> None:
    with ledger.writing() as writing:
        writing.add_decision(decision())
        writing.add_contact("c1", Contact("welcome", "push", NOW), "d-1", 0)
        raise ZeroDivisionError


def test_a_transaction_that_fails_leaves_no_trace(ledger):
    with pytest.raises(ZeroDivisionError):
        write_and_fail(ledger)
    with ledger.reading() as reading:
        assert reading.decision("d-1") is None
        assert reading.standing("c1", NOW, NOW).contacts == ()


def test_a_request_id_and_an_outcome_id_are_taken_once(ledger):
    with ledger.writing() as writing:
        writing.add_decision(decision())
        writing.add_outcome(outcome())
    again = replace(decision(), decision_id="d-other", customer_id="c2", answer=Answer("other", 200, b""))
    with pytest.raises(IntegrityError), ledger.writing() as writing:
        writing.add_decision(again)
    with pytest.raises(IntegrityError), ledger.writing() as writing:
        writing.add_outcome(outcome())
    with ledger.writing() as writing:
        writing.add_decision(decision(2, client="other"))


def test_a_released_contact_no_longer_counts_and_others_do(ledger):
    with ledger.writing() as writing:
        writing.add_contact("c1", Contact("welcome", "push", NOW), "d-1", 0)
        writing.add_contact("c1", Contact("welcome", "email", NOW), "d-2", 0)
        writing.release_contact("d-1", 0)
    with ledger.reading() as reading:
        assert [contact.channel for contact in reading.standing("c1", NOW, NOW).contacts] == ["email"]
        assert reading.standing("c1", NOW + timedelta(seconds=1), NOW).contacts == ()


def test_a_contact_can_be_held_again_and_decisions_are_noticed(ledger):
    with ledger.writing() as writing:
        assert not writing.holds_decisions()
        writing.add_decision(decision())
        writing.add_contact("c1", Contact("welcome", "push", NOW), "d-1", 0)
        writing.release_contact("d-1", 0)
        writing.release_contact("d-1", 0, released=False)
        assert writing.holds_decisions()
        assert len(writing.standing("c1", NOW, NOW).contacts) == 1


def test_an_engagement_is_not_taken_back_by_a_later_delivery_report(ledger):
    with ledger.writing() as writing:
        writing.add_contact("c1", Contact("welcome", "push", NOW), "d-1", 0)
        for engaged in (False, True, False):
            writing.note_reaction("d-1", 0, engaged=engaged)
    with ledger.reading() as reading:
        assert reading.standing("c1", NOW, NOW).contacts[0].engaged is True


def test_writers_wait_for_each_other_and_none_is_lost(ledger):
    def add(number: int) -> None:
        with ledger.writing() as writing:
            seen = len(writing.standing("c1", NOW, NOW).contacts)
            writing.add_contact("c1", Contact(f"journey{seen}", "push", NOW), f"d-{number}", 0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    with ledger.reading() as reading:
        journeys = {contact.journey for contact in reading.standing("c1", NOW, NOW).contacts}
    assert journeys == {f"journey{number}" for number in range(40)}, "a writer did not see what was committed before it"


def test_writers_of_one_process_take_turns_and_none_is_told_that_the_ledger_is_locked(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.01)  # SQLite waits a moment only: turns are taken before it is asked
    ledger, together = Ledger(tmp_path / "ledger.db"), threading.Barrier(8)

    def add(number: int) -> None:
        together.wait(10)
        with ledger.writing() as writing:
            time.sleep(0.05)
            writing.add_contact("c1", Contact("welcome", "push", NOW), f"d-{number}", 0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    with ledger.reading() as reading:
        assert len(reading.standing("c1", NOW, NOW).contacts) == 8
    ledger.close()


def test_who_gets_no_turn_is_told_so_and_the_next_one_writes(ledger, monkeypatch):
    monkeypatch.setattr("serving.ledger.store.QUEUE_SECONDS", 0.05)
    with ledger.writing(), ThreadPoolExecutor(1) as pool, pytest.raises(LedgerError, match="no turn"):
        pool.submit(lambda: ledger.writing().__enter__()).result()
    with ledger.writing() as writing:
        writing.add_decision(decision())


def test_two_processes_share_one_cap(ledger, tmp_path):
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from datetime import datetime
        from arbitration.domain import Contact
        from serving.ledger.store import Ledger
        path, name, moment = sys.argv[1:]
        now, ledger = datetime.fromisoformat(moment), Ledger(Path(path))
        for number in range(30):
            with ledger.writing() as writing:
                if len(writing.standing("c1", now, now).contacts) < 25:
                    writing.add_contact("c1", Contact("welcome", "push", now), f"{name}-{number}", 0)
    """)
    args = [sys.executable, "-c", program, str(ledger.path)]
    running = [subprocess.Popen([*args, name, NOW.isoformat()], cwd=ROOT) for name in ("a", "b")]
    assert [process.wait(60) for process in running] == [0, 0]
    with ledger.reading() as reading:
        assert len(reading.standing("c1", NOW, NOW).contacts) == 25


def test_a_process_that_dies_inside_a_transaction_leaves_no_trace_and_no_lock(ledger):
    program = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from datetime import datetime
        from arbitration.domain import Contact
        from serving.ledger.store import Ledger
        path, moment = sys.argv[1:]
        with Ledger(Path(path)).writing() as writing:
            writing.add_contact("c1", Contact("welcome", "push", datetime.fromisoformat(moment)), "d-1", 0)
            os.kill(os.getpid(), 9)
    """)
    done = subprocess.run([sys.executable, "-c", program, str(ledger.path), NOW.isoformat()], cwd=ROOT, check=False)
    assert done.returncode == -9
    with ledger.writing() as writing:
        assert writing.standing("c1", NOW, NOW).contacts == ()


def test_reading_goes_on_while_somebody_writes(ledger):
    began, done = threading.Event(), threading.Event()

    def write() -> None:
        with ledger.writing() as writing:
            writing.add_decision(decision())
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


def test_a_locked_ledger_is_one_clear_error(ledger, monkeypatch):
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LedgerError, match="locked by another process") as caught, ledger.writing():
        raise AssertionError("the lock was not respected")
    assert caught.value.mend
    other.execute("ROLLBACK")
    other.close()
    with ledger.writing() as writing:
        writing.add_decision(decision())


def test_a_damaged_file_another_version_and_a_missing_folder_are_said_so(tmp_path):
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"not a database" * 100)
    with pytest.raises(LedgerError, match="damaged"):
        Ledger(damaged)
    other = tmp_path / "other.db"
    Ledger(other).close()
    with sqlite3.connect(other) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    connection.close()
    with pytest.raises(LedgerError, match="version 99"):
        Ledger(other)


def test_the_file_is_private_and_durable(ledger):
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600
    with engine.connection_of(ledger.engine, ledger.path) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "a power cut could lose an answer"


@pytest.mark.parametrize(
    "moment", [NOW, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2100, 12, 31, tzinfo=UTC)]
)
def test_moments_survive(moment):
    assert from_micros(to_micros(moment)) == moment
