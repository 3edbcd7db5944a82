"""Stops and the volume of a journey, on both stores: not one contact beyond the limit, whoever asks at the same time."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from arbitration.errors import LedgerError
from serving import journeys
from serving.auth import Client
from serving.clock import Clock
from serving.ledger import bookkeeping, volume
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from serving.ledger.verify import verify
from serving.ledger.volume import Overrun, Stopped
from serving.problems import Problem
from tests.contracts.conftest import KEYRING, NOW, POLICY, hold, rows_of

MARIA = Client("maria", "admin")
HOUR = timedelta(hours=1)


def planned(plan: int | None, factor: float = 10.0, purpose: str = "marketing"):
    """The example catalog with this plan for the journey `welcome` and for `win_back`."""
    changed = {
        name: replace(POLICY.journeys[name], hourly_plan=plan, purpose=purpose) for name in ("welcome", "win_back")
    }
    policy = replace(POLICY.contact_policy, stop_factor=factor)
    return replace(POLICY, journeys={**POLICY.journeys, **changed}, contact_policy=policy)


def take(ledger, customer: str, policy, journey: str = "welcome"):
    """One contact, as a decision takes it: a stop is seen under the lock, or by the count."""

    def work(tx: Transaction) -> str:
        if journey in tx.stopped():
            return "stopped"
        hold(tx, f"d-{customer}", journey)
        return "stops" if volume.count(tx, journey, policy) else "taken"

    return ledger.write(customer, work)


def stop_events(ledger) -> list[dict]:
    found = rows_of(ledger, bookkeeping.outbox)
    return [json.loads(row.data) for row in found if row.type == "dirigent.journey.stopped.v1"]


@pytest.mark.parametrize(("plan", "factor", "limit"), [(1, 10.0, 10), (3, 7.0, 21), (4, 1.0, 4), (1, 2.5, 2)])
def test_many_writers_at_once_take_the_last_place_and_not_one_more(ledger, plan, factor, limit):
    policy, together = planned(plan, factor), threading.Barrier(8)

    def write(number: int) -> list[str]:
        together.wait(10)
        return [take(ledger, f"c{number}-{at}", policy) for at in range(6)]

    with ThreadPoolExecutor(8) as pool:
        said = [one for many in pool.map(write, range(8)) for one in many]
    assert {word: said.count(word) for word in set(said)} == {"taken": limit - 1, "stops": 1, "stopped": 48 - limit}
    assert len(rows_of(ledger)) == limit
    (stop,) = rows_of(ledger, bookkeeping.stops)
    said_of_it = (stop.journey, stop.began_by, stop.reason, stop.automatic, stop.ended_at)
    assert said_of_it == ("welcome", "dirigent", "volume", True, None)
    told = {"journey": "welcome", "by": "dirigent", "automatic": True}
    assert stop_events(ledger) == [told]
    assert verify(ledger.address).holds


def test_two_journeys_and_a_person_who_stops_and_resumes_meanwhile_never_block_each_other(ledger):
    policy, together = planned(2, 5.0), threading.Barrier(6)

    def write(number: int) -> None:
        together.wait(10)
        for at in range(8):
            if number == 0:
                ledger.write(None, lambda tx: volume.stop(tx, "win_back", by="maria", reason="looks wrong"))
                ledger.write(None, lambda tx: volume.resume(tx, "win_back", by="maria", reason="is right"))
            else:
                take(ledger, f"c{number}-{at}", policy, ("welcome", "win_back")[(number + at) % 2])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert sum(row.journey == "welcome" for row in rows_of(ledger)) == 10
    assert verify(ledger.address).holds


def test_a_writer_that_read_before_the_stop_is_told_to_decide_anew_and_leaves_nothing(ledger):
    policy, tries = planned(1, 1.0), []
    assert take(ledger, "c1", policy) == "stops"

    def work(tx: Transaction) -> None:
        tries.append(tx.stopped())
        hold(tx, "d-c2", "welcome")
        volume.count(tx, "welcome", policy)

    with pytest.raises(Stopped, match="ask again"):
        ledger.write("c2", work)
    assert tries == [("welcome",)] * 3, "each try may see that it is stopped"
    assert len(rows_of(ledger)) == 1
    with ledger.reading() as reading:
        assert volume.this_hour(reading, reading.now()) == {"welcome": 1}
    assert issubclass(Stopped, LedgerError)


def lowered(ledger):
    """A policy whose plan is below what was counted already; nobody stopped anything."""
    for number in range(3):
        take(ledger, f"c{number}", planned(5, 1.0))
    return planned(2, 1.0)


def test_what_is_beyond_a_plan_that_was_lowered_is_not_taken_and_stops_the_journey_once(ledger):
    policy = lowered(ledger)
    with pytest.raises(Overrun) as caught:
        take(ledger, "c9", policy)
    halts = [
        ledger.write(None, lambda tx: volume.halt(tx, caught.value.journey, policy)),
        ledger.write(None, lambda tx: volume.halt(tx, "welcome", policy)),
        ledger.write(None, lambda tx: volume.halt(tx, "win_back", policy)),
    ]
    assert [(one.journey, one.automatic) if one else None for one in halts] == [("welcome", True), None, None]
    assert take(ledger, "c9", policy) == "stopped"
    assert len(stop_events(ledger)) == 1
    assert len(rows_of(ledger)) == 3


def test_a_writer_that_looked_before_a_person_stopped_the_journey_takes_nothing_after_it(ledger):
    if ledger.place.is_sqlite:
        pytest.skip("a file has one writer at a time")
    for policy in (planned(None), planned(5), planned(5, 1.0, "service")):
        looked, stopping = threading.Event(), threading.Event()

        def work(tx: Transaction, policy=policy, looked=looked, stopping=stopping) -> str:
            if "welcome" in tx.stopped():
                return "stopped"
            looked.set()
            assert stopping.wait(10)
            volume.count(tx, "welcome", policy)
            hold(tx, "d-late", "welcome")
            return "taken"

        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(ledger.write, "late", work)
            assert looked.wait(10)
            ledger.write(None, lambda tx: volume.stop(tx, "welcome", by="maria", reason="wrong text"))
            stopping.set()
            assert late.result(timeout=20) == "stopped"
        assert rows_of(ledger) == []
        ledger.write(None, lambda tx: volume.resume(tx, "welcome", by="maria", reason="right text"))


def test_a_stop_waits_for_who_reserves_and_comes_after_them_and_those_without_a_plan_do_not_wait_for_each_other(ledger):
    if ledger.place.is_sqlite:
        pytest.skip("a file has one writer at a time")
    with ThreadPoolExecutor(2) as pool:
        with ledger.writing("c1") as tx:
            volume.count(tx, "welcome", planned(None))
            hold(tx, "d-c1", "welcome")
            assert pool.submit(take, ledger, "c2", planned(None)).result(timeout=1.5) == "taken"
            stop = pool.submit(
                ledger.write, None, lambda tx: volume.stop(tx, "welcome", by="maria", reason="wrong text")
            )
            with pytest.raises(TimeoutError):
                stop.result(timeout=0.3)
        assert not stop.result(timeout=10).automatic
    assert len(rows_of(ledger)) == 2


def test_persons_and_volume_that_stop_a_journey_at_the_turn_of_an_hour_make_one_stop(ledger):
    """Some writers believe that the next hour has begun, as those do whose transaction began a moment later."""
    together, policy = threading.Barrier(6), planned(1, 1.0)
    later = Ledger(ledger.place.path or ledger.place.url, KEYRING)
    later.clock = Clock(NOW + HOUR)

    def write(number: int) -> str:
        together.wait(10)
        its = (ledger, later)[number % 2]
        if number < 2:
            found = its.write(None, lambda tx: volume.stop(tx, "welcome", by="maria", reason="wrong text"))
            return f"stopped at {found.since}"
        return take(its, f"c{number}", policy)

    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(write, range(6)))
    later.close()
    assert len(rows_of(ledger, bookkeeping.stops)) == 1
    assert len({one for one in said if one.startswith("stopped at")}) == 1


def test_the_marks_that_a_decision_rests_on_change_with_every_stop_and_every_resume(ledger):
    marks = []
    for work in (
        lambda tx: None,
        lambda tx: volume.stop(tx, "welcome", by="maria", reason="wrong text"),
        lambda tx: volume.resume(tx, "welcome", by="maria", reason="right text"),
        lambda tx: volume.stop(tx, "welcome", by="maria", reason="wrong again"),
    ):
        ledger.write(None, work)
        with ledger.reading() as reading:
            marks.append(reading.marks("c1"))
            names = reading.stopped()
    assert len(set(marks)) == 4
    assert names == ("welcome",)


def test_a_new_hour_has_a_new_volume_and_a_stop_outlasts_the_hour(ledger):
    policy = planned(1, 2.0)
    assert take(ledger, "c1", policy) == "taken"
    ledger.clock.shift += HOUR
    assert [take(ledger, f"c{number}", policy) for number in (2, 3)] == ["taken", "stops"]
    ledger.clock.shift += HOUR
    assert take(ledger, "c4", policy) == "stopped"


def test_after_a_person_resumed_it_a_journey_has_its_volume_anew(ledger):
    policy = planned(1, 2.0)
    assert [take(ledger, f"c{number}", policy) for number in (1, 2)] == ["taken", "stops"]
    assert ledger.write(None, lambda tx: volume.resume(tx, "welcome", by="maria", reason="is meant"))
    assert not ledger.write(None, lambda tx: volume.resume(tx, "welcome", by="maria", reason="twice"))
    assert take(ledger, "c3", policy) == "taken"
    ledger.write(None, lambda tx: volume.stop(tx, "welcome", by="maria", reason="look"))
    ledger.write(None, lambda tx: volume.resume(tx, "welcome", by="maria", reason="fine"))
    assert [take(ledger, f"c{number}", policy) for number in (4, 5)] == ["taken", "stops"]
    ended = [(row.ended_by, row.end_reason) for row in rows_of(ledger, bookkeeping.stops) if row.ended_at]
    assert sorted(ended) == [("maria", "fine"), ("maria", "is meant")]


@pytest.mark.parametrize("policy", [planned(None), planned(1, 1.0, "service")])
def test_a_journey_without_a_plan_and_a_service_message_are_never_stopped_by_volume(ledger, policy):
    assert {take(ledger, f"c{number}", policy) for number in range(5)} == {"taken"}
    assert rows_of(ledger, bookkeeping.volumes) == []
    assert ledger.write("c9", lambda tx: volume.count(tx, "left_the_catalog", policy)) is None


def test_counts_of_long_ago_are_forgotten(ledger):
    policy = planned(5)
    take(ledger, "c1", policy)
    ledger.clock.shift += 3 * 24 * HOUR
    take(ledger, "c2", policy)
    assert len(rows_of(ledger, bookkeeping.volumes)) == 2
    assert ledger.write(None, volume.purge) == 1
    assert len(rows_of(ledger, bookkeeping.volumes)) == 1


@pytest.fixture
def runtime(ledger):
    return SimpleNamespace(ledger=ledger, policy=planned(1, 3.0))


def shown(runtime, journey: str = "welcome") -> dict:
    status, body = journeys.show(runtime)
    assert status == 200
    return {one["id"]: one for one in json.loads(body)["journeys"]}[journey]


def call(handler, runtime, journey: str = "welcome", **body: object) -> dict:
    status, answer = handler(runtime, MARIA, journey, json.dumps(body).encode())
    assert status == 200
    return json.loads(answer)


def test_journeys_are_shown_with_their_volume_stopped_by_whom_and_why_and_resumed(runtime):
    assert len(json.loads(journeys.show(runtime)[1])["journeys"]) == len(POLICY.journeys)
    take(runtime.ledger, "c1", runtime.policy)
    one = shown(runtime)
    assert (one["contacts_this_hour"], one["hourly_plan"], one["hourly_limit"]) == (1, 1, 3)
    assert "stopped" not in one
    answer = call(journeys.stop, runtime, reason="the text names last year")
    assert answer == shown(runtime)
    assert (answer["stopped"]["by"], answer["stopped"]["automatic"]) == ("maria", False)
    again = call(journeys.stop, runtime, reason="somebody else says so, too")
    assert again["stopped"]["reason"] == "the text names last year"
    assert "stopped" not in call(journeys.resume, runtime, reason="the text is right")
    assert take(runtime.ledger, "c2", runtime.policy) == "taken"


def test_a_journey_that_left_the_catalog_while_it_was_stopped_is_shown_and_can_be_resumed(runtime):
    runtime.ledger.write(None, lambda tx: volume.stop(tx, "of_old", by="maria", reason="wrong"))
    assert shown(runtime, "of_old")["stopped"]["by"] == "maria"
    assert "stopped" not in call(journeys.resume, runtime, "of_old", reason="it is gone")
    for handler in (journeys.stop, journeys.resume):
        with pytest.raises(Problem) as caught:
            call(handler, runtime, "of_old", reason="it is gone")
        assert caught.value.status == 404


@pytest.mark.parametrize("reason", ["", "ab", "ask anna@example.com", "call +49 170", "x" * 301])
def test_a_reason_is_a_sentence_without_an_address_or_a_number(runtime, reason):
    with pytest.raises(Problem) as caught:
        call(journeys.stop, runtime, reason=reason)
    assert caught.value.status == 422
    assert runtime.ledger.write(None, lambda tx: tx.stopped()) == ()
