"""The outbox on both stores: every committed event arrives, in order for each customer, whoever is killed; none that was undone."""

from __future__ import annotations

import random
import threading
import time
from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import select, update

from arbitration.errors import InputError, StateError
from serving.ledger.bookkeeping import deliveries, outbox
from serving.ledger.retention import retain
from serving.outbox import lease, relay
from serving.outbox.forgetting import forget
from serving.outbox.lease import Lease, LostLeaseError
from serving.outbox.queue import Queue
from serving.outbox.sinks import Failure
from serving.outbox.status import standings
from tests.contracts.conftest import rows_of
from tests.contracts.relaying import Taker, committed, first_told, lines_in, receiver, start

DAY = timedelta(days=1)


def tell(ledger, customer: str | None = "c1", *kinds: str) -> None:
    with ledger.writing(customer) as tx:
        for kind in kinds or ("made",):
            tx.emit(kind, {"n": 1})


def drained(ledger, sink, **more):
    return relay.drain(ledger, [sink], threading.Event(), **more)[sink.name]


def kinds_of(sink: Taker) -> list[str]:
    return [event.type for event in sink.taken]


def status_of(ledger, sink: str = "test"):
    with ledger.reading() as reading:
        return next(one for one in standings(reading) if one.sink == sink)


class Undone(Exception):
    pass


def write(ledger, seed: int, names: count, until: float) -> int:
    """Write for a while, undoing one transaction in five. Returns how many were committed."""
    dice, done = random.Random(seed), 0  # noqa: S311
    while time.monotonic() < until:
        customer = dice.choice([*(f"c{number}" for number in range(8)), None])
        try:
            with ledger.writing(customer) as tx:
                undone = dice.random() < 0.2
                for _ in range(dice.randint(1, 3)):
                    tx.emit("undone" if undone else "kept", {"n": next(names)})
                time.sleep(dice.random() * 0.01)
                if undone:
                    raise Undone
            done += 1
        except Undone:
            pass
        time.sleep(dice.random() * 0.03)
    return done


def complete(ledger, *told) -> bool:
    wanted = {name for names in committed(ledger).values() for name in names}
    return all({event["id"] for event in events()} >= wanted for events in told)


def test_every_committed_event_arrives_in_order_though_relays_are_killed_and_sinks_fail(ledger, tmp_path):
    folder, dice, names = tmp_path / "events", random.Random(1), count()  # noqa: S311
    with receiver() as (url, got):
        until = time.monotonic() + 5
        writers = [threading.Thread(target=write, args=(ledger, seed, names, until)) for seed in range(4)]
        for writer in writers:
            writer.start()
        relays = kills = 0
        while time.monotonic() < until or kills < 4:
            running = [start(ledger, folder, url, relays), start(ledger, folder, url, relays + 1)]
            relays += 2
            time.sleep(1.5 + dice.random() * 1.5)
            for process in running:
                process.kill()
                process.join(10)
                kills += 1
        for writer in writers:
            writer.join()
        last = start(ledger, folder, url, relays)
        ends = time.monotonic() + 40
        while not complete(ledger, lambda: lines_in(folder), lambda: list(got)) and time.monotonic() < ends:
            time.sleep(0.2)
        last.terminate()
        last.join(10)
    events = lines_in(folder)
    assert kills >= 4
    assert sum(map(len, committed(ledger).values())) > 100
    for told in (events, got):
        assert {event["type"] for event in told} == {"kept"}, "what was undone was told"
        told_first, wanted = first_told(told), committed(ledger)
        assert {name: set(ids) for name, ids in told_first.items()} == {name: set(it) for name, it in wanted.items()}
        told_first.pop("shop"), wanted.pop("shop")  # nobody's lock orders what concerns no customer
        assert told_first == wanted
    assert len(events) > len({event["id"] for event in events}), "nothing was told twice: the faults did not bite"


def test_a_failing_customer_holds_up_nobody_else_and_is_tried_on(ledger):
    sink = Taker(bad=Failure("HTTP 400"))
    for customer in ("c1", "c2"):
        tell(ledger, customer, "first", "bad" if customer == "c1" else "good", "last")
    assert drained(ledger, sink, from_start=True) == relay.Told(delivered=4, failed=1)
    assert kinds_of(sink) == ["first", "first", "good", "last"]
    for attempt in range(2, 12):
        ledger.clock.shift += timedelta(hours=1)
        tell(ledger, "c2", "more")
        assert drained(ledger, sink) == relay.Told(delivered=1, failed=1)
        assert status_of(ledger).stuck == (attempt >= 10)
    found = status_of(ledger)
    assert (found.pending, found.failing, found.error) == (2, 1, "HTTP 400")
    assert found.oldest >= timedelta(hours=10)
    assert drained(ledger, sink) == relay.Told(), "its turn has not come"
    sink.refuses.clear()
    ledger.clock.shift += timedelta(hours=1)
    assert drained(ledger, sink) == relay.Told(delivered=2)
    assert kinds_of(sink)[-2:] == ["bad", "last"]
    assert (status_of(ledger).pending, status_of(ledger).oldest, status_of(ledger).error) == (0, None, None)


def test_a_sink_that_is_away_is_not_asked_for_every_event(ledger):
    sink = Taker(made=Failure("no connection", everyone=True))
    for number in range(20):
        tell(ledger, f"c{number}")
    carrier = relay.Carrier(ledger, sink, Lease(ledger), from_start=True)
    assert carrier._lease.held()
    carrier.round()
    assert carrier.round() == relay.Told()
    assert carrier._rests_until > time.monotonic()


def test_a_new_sink_starts_from_now_or_from_the_start(ledger):
    tell(ledger, "c1", "before")
    now, start_ = Taker("now"), Taker("start")
    assert drained(ledger, now) == relay.Told()
    tell(ledger, "c1", "after")
    assert drained(ledger, now) == relay.Told(delivered=1)
    assert drained(ledger, start_, from_start=True) == relay.Told(delivered=2)
    tell(ledger, "c1", "later")
    assert drained(ledger, now, from_start=True) == relay.Told(delivered=1), "it is known: nothing from before comes"
    assert kinds_of(now) == ["after", "later"]
    assert status_of(ledger, "start").pending == 1


def test_an_event_that_is_committed_late_is_not_passed_over(ledger):
    """In PostgreSQL a lower number may be committed after a higher one was delivered."""
    if ledger.place.is_sqlite:
        pytest.skip("SQLite commits in the order of numbers")
    sink, held = Taker(), Lease(ledger)
    assert held.held()
    carrier = relay.Carrier(ledger, sink, held, from_start=True)
    late = {"subject": "s-late", "version": 1, "place": 0, "type": "late", "at": 1, "data": "{}", "event_id": "e-late"}
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.execute(outbox.insert().values(late))
        for _ in range(5):
            tell(ledger, "c1", "early")
            assert carrier.round() == relay.Told(delivered=1)
        connection.exec_driver_sql("COMMIT")
    assert carrier.round() == relay.Told(delivered=1)
    assert kinds_of(sink) == ["early"] * 5 + ["late"]
    assert [carrier.round(), carrier.round()] == [relay.Told()] * 2
    assert carrier._queue._mark == rows_of(ledger, outbox)[-1].number, "the mark follows once nothing older runs"


def test_who_lost_the_lease_can_note_nothing(ledger):
    tell(ledger, "c1")
    slow, quick, sink = Lease(ledger), Lease(ledger), Taker()
    assert slow.held()
    assert not quick.held()
    paused = Queue(ledger, "test", slow)
    paused.note(from_start=True)
    events, _ = paused.due()
    ledger.clock.shift += lease.LENGTH + timedelta(seconds=1)
    assert quick.held()
    carrier = relay.Carrier(ledger, sink, quick)
    assert carrier.round() == relay.Told(delivered=1)
    before = rows_of(ledger, deliveries)
    with pytest.raises(LostLeaseError):
        paused.settle({events[0].number: Failure("late")})
    tell(ledger, "c1")
    with pytest.raises(LostLeaseError):
        paused.note()
    assert rows_of(ledger, deliveries) == before
    assert not slow.held()
    assert slow.until < time.monotonic(), "it begins nothing new"


def test_an_event_of_damaged_data_holds_up_its_customer_alone(ledger):
    tell(ledger, "c1", "torn", "next")
    with ledger.engine.connect() as connection:
        connection.execute(update(outbox).where(outbox.c.type == "torn").values(data="{"))
    tell(ledger, "c2", "good")
    sink = Taker()
    assert drained(ledger, sink, from_start=True) == relay.Told(delivered=1, failed=1)
    assert kinds_of(sink) == ["good"]
    assert status_of(ledger).error == "its data is damaged"


def test_retention_takes_what_every_sink_got_and_leaves_what_one_waits_for(ledger):
    tell(ledger, "c1", "good", "bad")
    assert drained(ledger, Taker(), from_start=True) == relay.Told(delivered=2)
    assert drained(ledger, Taker("other", bad=Failure("no")), from_start=True) == relay.Told(delivered=1, failed=1)
    ledger.clock.shift += 31 * DAY
    assert retain(ledger)["delivered events"] == 1
    assert [row.type for row in rows_of(ledger, outbox)] == ["bad"]
    assert drained(ledger, Taker("other")) == relay.Told(delivered=1)
    assert retain(ledger)["delivered events"] == 1
    with ledger.reading() as reading:
        left = reading.connection.execute(select(deliveries.c.number)).scalars().all()
    assert set(left) == {0}
    tell(ledger, "c1", "again")
    assert drained(ledger, Taker()) == relay.Told(delivered=1)


def test_a_sink_that_is_forgotten_keeps_no_event_and_is_new_when_it_comes_back(ledger):
    tell(ledger, "c1", "first", "second")
    gone = Taker("gone", first=Failure("no"))
    assert drained(ledger, gone, from_start=True) == relay.Told(failed=1)
    assert drained(ledger, Taker(), from_start=True) == relay.Told(delivered=2)
    assert forget(ledger, "gone") == 2
    with ledger.reading() as reading:
        assert [one.sink for one in standings(reading)] == ["test"]
    ledger.clock.shift += 31 * DAY
    assert retain(ledger)["delivered events"] == 2
    tell(ledger, "c1", "third")
    back = Taker("gone")
    assert drained(ledger, back) == relay.Told(), "it starts from now"
    tell(ledger, "c1", "fourth")
    assert drained(ledger, back) == relay.Told(delivered=1)


def test_a_sink_is_not_forgotten_by_a_wrong_name_or_while_a_relay_works(ledger):
    tell(ledger)
    assert drained(ledger, Taker(), from_start=True) == relay.Told(delivered=1)
    with pytest.raises(InputError, match="no sink is called 'tset'") as caught:
        forget(ledger, "tset")
    assert "Known are: test." in caught.value.mend
    works = Lease(ledger)
    assert works.held()
    with pytest.raises(StateError, match="a relay is at work"):
        forget(ledger, "test")
    assert status_of(ledger).pending == 0
    works.give_up()
    assert forget(ledger, "test") == 0


def test_many_events_of_one_customer_come_in_batches_and_in_order(ledger):
    for _ in range(3):
        tell(ledger, "c1", *["many"] * 400)
    sink = Taker()
    assert drained(ledger, sink, from_start=True) == relay.Told(delivered=1200)
    orders = [(event.version, event.place) for event in sink.taken]
    assert orders == sorted(orders)
