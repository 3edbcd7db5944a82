"""A database that hangs, dies, is cut off, is full or cannot write: an error in our words in time, nothing half-written, nothing that
was acknowledged lost, and work goes on by itself once the database is back.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from serving.ledger.schema import policies
from serving.ledger.store import Ledger
from tests.contracts.conftest import KEYRING, decision, rows_of
from tests.integration.faulty import IN_TIME, fails_in_time, numbers_in, through, works_again, write
from tests.wire import Wire

pytestmark = pytest.mark.postgres


def test_a_database_that_hangs_is_an_error_in_time_and_works_again_by_itself(server, ledger):
    write(ledger, 1)
    began = ledger.writing("c2")
    tx = began.__enter__()
    tx.add_decision(decision(2, customer="c2"))
    tx.add_policy("v2", b"policy")
    server.pause()
    try:
        with ThreadPoolExecutor(3) as pool:
            waiting = [
                pool.submit(fails_in_time, lambda: write(ledger, 3)),
                pool.submit(fails_in_time, lambda: rows_of(ledger)),
                pool.submit(fails_in_time, lambda: began.__exit__(None, None, None)),  # hangs in its last statements
            ]
            for one in waiting:
                one.result(timeout=20)
        fails_in_time(lambda: write(ledger, 4))
    finally:
        server.resume()
    works_again(lambda: write(ledger, 5))
    assert {1, 5} <= numbers_in(ledger) <= {1, 2, 3, 4, 5}


def test_a_commit_that_hangs_is_given_up_in_time_and_is_there_wholly_or_not_at_all(server, ledger):
    with ledger.engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("INSERT INTO policies VALUES ('v', 'body')")
        server.pause()
        began = time.monotonic()
        try:
            with pytest.raises(Exception, match="no answer within"):
                connection.exec_driver_sql("COMMIT")
        finally:
            server.resume()
        assert time.monotonic() - began < IN_TIME
        assert driver.closed
        connection.invalidate()
    write(ledger, 1)
    assert len(rows_of(ledger, policies)) in (1, 2)


@pytest.mark.parametrize("how", ["kill", "fast", "immediate"])
def test_a_database_that_ended_and_starts_again_is_used_again_at_once(server, ledger, how):
    write(ledger, 1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: write(ledger, number), range(2, 6)))  # several connections lie in the pool
    if how == "kill":
        server.kill()
    else:
        server.stop(how)
    fails_in_time(lambda: write(ledger, 6))
    fails_in_time(lambda: rows_of(ledger))
    server.start()
    for number in range(7, 12):
        write(ledger, number)  # no connection that died in the pool is handed out
    assert numbers_in(ledger) == {1, 2, 3, 4, 5, *range(7, 12)}


def test_connections_that_died_in_the_pool_are_never_noticed_by_a_caller(server, ledger):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: write(ledger, number), range(4)))
    server.kill()
    server.start()
    write(ledger, 4)
    assert numbers_in(ledger) == set(range(5))


def test_a_transaction_that_the_end_of_the_database_interrupts_leaves_nothing(server, ledger):
    def interrupted() -> None:
        with ledger.writing("c1") as tx:
            tx.add_decision(decision(1))
            server.kill()
            tx.add_policy("v1", b"policy")

    fails_in_time(interrupted)
    server.start()
    write(ledger, 2)
    assert numbers_in(ledger) == {2}


@pytest.mark.parametrize("how", ["silence", "cut"])
def test_a_line_that_was_cut_is_an_error_in_time_and_the_next_one_is_used(server, how):
    with Wire(server.port) as wire:
        ledger = Ledger(through(wire, server.new_database()), KEYRING)
        write(ledger, 1)
        getattr(wire, how)()
        if how == "silence":
            fails_in_time(lambda: write(ledger, 2))
            fails_in_time(lambda: rows_of(ledger))
        else:
            fails_in_time(lambda: write(ledger, 2))
        wire.mend()
        works_again(lambda: write(ledger, 3))
        assert {1, 3} <= numbers_in(ledger) <= {1, 2, 3}
        ledger.close()


def test_a_server_without_a_free_connection_is_said_so_and_nothing_is_lost(server, ledger):
    write(ledger, 1)
    ledger.engine.dispose()
    others = []
    try:
        for _ in range(12):
            other = psycopg.connect(ledger.place.url.replace("+psycopg", ""))
            others.append(other)
        assert "no connection left" in str(fails_in_time(lambda: write(ledger, 2)))
    finally:
        for other in others:
            other.close()
    works_again(lambda: write(ledger, 3))
    assert numbers_in(ledger) == {1, 3}
