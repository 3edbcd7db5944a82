"""The sweeper on both stores: what is due is told once, one process sweeps, nobody is harmed when it dies."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from structlog.testing import CapturingLogger

from arbitration.decide import decide
from arbitration.domain import Consent, Contact, Context, CustomerId, Trigger
from arbitration.errors import LedgerError, StateError
from dirigent.sweep import sweep_ledger
from features.home import Home
from serving import sweeper
from serving.estimates import estimates
from serving.ledger import bookkeeping, postponed, requests, schema
from serving.ledger.anchors import path_of
from serving.ledger.postponed import Postponed
from serving.ledger.rows import Answer
from serving.opening import open_ledger
from serving.settings import Settings
from serving.sweeper import Swept, sweep
from tests.contracts.conftest import HOUR, NOW, hold, rows_of
from tests.contracts.reserving import DAY, open_policy


def due_events(ledger) -> list[dict]:
    return [
        json.loads(row.data) for row in rows_of(ledger, bookkeeping.outbox) if row.type == "dirigent.decision.due.v1"
    ]


def test_what_is_due_is_expired_told_and_forgotten_and_only_once(ledger):
    for name in ("c1", "c2", "c3"):
        with ledger.writing(name) as tx:
            hold(tx, f"d-{name}")
            postponed.postpone(tx, f"d-{name}", [Postponed("welcome", "channel_cap", tx.now() + 2 * HOUR)])
            requests.remember(tx, "engine", "/v1/reservations", name, Answer("digest", 201, b"{}"))
    with ledger.writing() as tx:
        requests.remember(tx, "engine", "/v1/journeys", "x", Answer("digest", 200, b"{}"))
    assert sweep(ledger, "a") == Swept()
    ledger.clock.shift += HOUR + timedelta(seconds=1)
    assert sweep(ledger, "a") == Swept(expired=3)
    assert {(row.state, row.settled_by) for row in rows_of(ledger)} == {("expired", "lease_over")}
    ledger.clock.shift += HOUR
    assert sweep(ledger, "a") == Swept(due=3)
    assert sweep(ledger, "a") == Swept()
    told = [{"decision_id": f"d-{name}", "journey": "welcome", "reason": "channel_cap"} for name in ("c1", "c2", "c3")]
    assert sorted(due_events(ledger), key=str) == told
    ledger.clock.shift += 7 * DAY
    assert sweep(ledger, "a") == Swept(forgotten=4)
    assert rows_of(ledger, bookkeeping.requests) == []


def test_one_sweeps_at_a_time_and_the_next_takes_over_when_it_is_gone(ledger):
    assert sweep(ledger, "a") is not None
    assert sweep(ledger, "b") is None
    ledger.clock.shift += timedelta(seconds=20)
    assert sweep(ledger, "a") is not None, "it renews its lease in the second half"
    ledger.clock.shift += timedelta(seconds=20)
    assert sweep(ledger, "b") is None
    ledger.clock.shift += timedelta(seconds=15)
    assert sweep(ledger, "b") is not None
    assert sweep(ledger, "a") is None
    assert rows_of(ledger, bookkeeping.audit) == [], "who sweeps fills no audit"


def test_a_wait_ends_with_a_decision_with_a_newer_wait_and_with_a_no(ledger):
    later = [Postponed("welcome", "channel_cap", NOW + 3 * DAY), Postponed("win_back", "cool_down", NOW + 3 * DAY)]
    with ledger.writing("c1") as tx:
        postponed.postpone(tx, "d-1", later)
        assert postponed.finish(tx, "welcome") == 1
        postponed.postpone(tx, "d-2", [Postponed("win_back", "channel_cap", NOW + 4 * DAY)])
    found = {(row.decision_id, row.journey): row.state for row in rows_of(ledger, bookkeeping.postponed)}
    assert found == {("d-1", "welcome"): "done", ("d-1", "win_back"): "done", ("d-2", "win_back"): "waiting"}
    with ledger.writing("c1") as tx:
        assert postponed.finish_all(tx) == 1
        assert postponed.make_due(tx) == 0


def test_an_erased_customer_is_not_swept_and_not_made_anew(ledger):
    with ledger.writing("c1") as tx:
        hold(tx)
    with ledger.engine.begin() as connection:
        connection.execute(update(schema.subjects).values(customer_id=None, sealing_key=None))
        connection.commit()
    ledger.clock.shift += DAY
    assert sweep(ledger, "a") == Swept()
    assert sweeper._sweep_one(ledger, "c1") == Swept(left=1)
    assert len(rows_of(ledger, schema.subjects)) == 1


def test_the_thread_sweeps_and_anchors_until_it_is_stopped(ledger, monkeypatch, tmp_path):
    monkeypatch.setattr(sweeper, "EVERY_SECONDS", 0.02)
    with ledger.writing("c1") as tx:
        hold(tx)
    ledger.clock.shift += DAY
    home = Home(tmp_path / "home")
    stop = sweeper.start(SimpleNamespace(ledger=ledger, settings=SimpleNamespace(paths=home)))
    until = time.monotonic() + 10
    while not path_of(home).exists() and time.monotonic() < until:
        time.sleep(0.02)
    stop()
    assert rows_of(ledger)[0].state == "expired"
    assert len(path_of(home).read_text().splitlines()) == 1, "the next anchor is due in an hour"


def swept_in_thread(ledger, home, until_true) -> None:
    """Run the sweeper's thread until something holds, ten seconds at most; it must live until it is stopped."""
    stop = sweeper.start(SimpleNamespace(ledger=ledger, settings=SimpleNamespace(paths=home)))
    until = time.monotonic() + 10
    while not until_true() and time.monotonic() < until:
        time.sleep(0.02)
    assert any(thread.name == "sweeper" for thread in threading.enumerate())
    stop()
    assert until_true()


WRONG = [
    OSError("disk full"), LedgerError("the ledger is locked"), StateError("gone"), ValueError("c1 is wrong"),
    SQLAlchemyError("c1 is wrong"),
]  # fmt: skip


@pytest.mark.parametrize("error", WRONG, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", ["sweep", "anchor_when_due"])
def test_the_thread_outlives_whatever_goes_wrong_and_tells_no_row(ledger, monkeypatch, tmp_path, place, error):
    log = CapturingLogger()
    monkeypatch.setattr(sweeper, "log", log)
    monkeypatch.setattr(sweeper, "EVERY_SECONDS", 0.02)
    real, calls = getattr(sweeper, place), list[int]()

    def fails_twice(*given):
        calls.append(1)
        if len(calls) < 3:
            raise error
        return real(*given)

    monkeypatch.setattr(sweeper, place, fails_twice)
    with ledger.writing("c1") as tx:
        hold(tx)
    ledger.clock.shift += DAY
    home = Home(tmp_path / "home")
    swept_in_thread(ledger, home, lambda: rows_of(ledger)[0].state == "expired" and path_of(home).exists())
    told = str(log.calls)
    assert told.count("not swept" if place == "sweep" else "not anchored") == 2
    assert "c1" not in told
    assert ("fails_twice" in told) == isinstance(error, ValueError), "where it happened is told of what nobody expected"


def test_full_rounds_follow_each_other_at_once(ledger, monkeypatch, tmp_path):
    monkeypatch.setattr(sweeper, "AT_ONCE", 1)
    monkeypatch.setattr(sweeper, "EVERY_SECONDS", 3600)
    for name in ("c1", "c2", "c3"):
        with ledger.writing(name) as tx:
            hold(tx, f"d-{name}")
    ledger.clock.shift += DAY
    home = Home(tmp_path / "home")
    swept_in_thread(ledger, home, lambda: {row.state for row in rows_of(ledger)} == {"expired"})


def test_who_cannot_be_swept_keeps_nobody_waiting_and_is_tried_again_later(ledger, monkeypatch):
    monkeypatch.setattr(sweeper, "AT_ONCE", 1)
    for name in ("c1", "c2"):
        with ledger.writing(name) as tx:
            hold(tx, f"d-{name}")
    ledger.clock.shift += DAY
    real, resting = sweeper._due, dict[str, float]()

    def not_c1(tx):
        if tx.subject.customer_id == "c1":
            raise IntegrityError(None, None, Exception("refused"))
        return real(tx)

    monkeypatch.setattr(sweeper, "_due", not_c1)
    assert sweep(ledger, "a", resting) == Swept(left=1, full=1)
    assert not Swept(left=1, full=1).more, "what only fails is not tried again at once"
    assert sweep(ledger, "a", resting) == Swept(expired=1, full=1)
    assert sweep(ledger, "a", resting) == Swept()
    monkeypatch.setattr(sweeper, "_due", real)
    resting["c1"] = time.monotonic()
    assert sweep(ledger, "a", resting) == Swept(expired=1, full=1)
    assert resting == {}


POLICY = open_policy()


def decided(*contacts: Contact, triggers=("churn_recovery",)):
    granted = [Consent(name, "marketing", "granted", "consent", "v", NOW - DAY) for name in ("push", "email", "sms")]
    context = Context(
        CustomerId("c1"), known=True, time_zone="America/New_York", locale="en", features={}, consents=tuple(granted),
        contacts=contacts, triggers=tuple(map(Trigger, triggers)), channels=("push", "email", "sms"),
    )  # fmt: skip
    decision = decide(context, estimates(None, POLICY, context, NOW), POLICY, decision_id="d-1", now=NOW, draw=0.5)
    return decision, context


def test_a_triggered_journey_that_a_cap_keeps_back_is_postponed_until_the_cap_is_free():
    week = [
        Contact("post_purchase", name, NOW - (day * DAY + HOUR))
        for name, day in (("push", 1), ("email", 3), ("push", 5))
    ]
    found = postponed.postponed_in(*decided(*week), "live")
    assert [(one.journey, one.reason) for one in found] == [("churn_recovery", "channel_cap")]
    assert found[0].free_at == NOW - (5 * DAY + HOUR) + 7 * DAY
    assert postponed.postponed_in(*decided(*week), "shadow") == ()
    assert postponed.postponed_in(*decided(*week, triggers=()), "live") == (), "nobody asked for it"


@pytest.mark.parametrize("contacts", [(), (Contact("win_back", "letter_of_old", NOW - 400 * DAY),)])
def test_a_journey_that_competed_is_not_postponed(contacts):
    assert postponed.postponed_in(*decided(*contacts), "live") == ()


def test_the_command_sweeps_one_round_and_says_what_it_did(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DIRIGENT_HOME", str(tmp_path))
    monkeypatch.setenv("DIRIGENT_AS_OF", NOW.isoformat())
    sweep_ledger(once=True)
    assert "expired 0 reservations, 0 postponed journeys are due, forgot 0 answers" in " ".join(
        capsys.readouterr().out.split()
    )
    sweep_ledger(once=True)
    assert "expired 0" in capsys.readouterr().out, "the first one left no lease behind"
    settings = Settings.from_environment()
    ledger = open_ledger(settings)
    assert sweeper.is_its_turn(ledger, "another")
    ledger.close()
    sweep_ledger(once=True)
    assert "another process sweeps" in capsys.readouterr().out
