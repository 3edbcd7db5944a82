"""How a ledger is opened: durable, private, with limits to waiting, and with errors in our own words."""

from __future__ import annotations

import sqlite3
import stat
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from arbitration.errors import InputError, LedgerError
from serving.ledger import engine
from serving.ledger.place import Place
from serving.ledger.schema import shop_customers
from serving.ledger.store import Ledger
from tests.contracts.conftest import KEYRING, decision, holding, send


@pytest.fixture
def file(tmp_path):
    found = Ledger(tmp_path / "ledger.db", KEYRING)
    yield found
    found.close()


def setting(ledger, asked: str) -> object:
    with engine.connection_of(ledger.engine, ledger.place) as connection:
        return connection.exec_driver_sql(asked).scalar()


def test_what_was_answered_outlives_a_power_cut(ledger):
    if ledger.place.is_sqlite:
        assert setting(ledger, "PRAGMA journal_mode") == "wal"
        assert setting(ledger, "PRAGMA synchronous") == 2, "a power cut could lose an answer"
        assert setting(ledger, "PRAGMA secure_delete") == 1
    else:
        for name in ("synchronous_commit", "fsync", "full_page_writes"):
            assert setting(ledger, f"SHOW {name}") == "on", name


def test_nobody_waits_longer_than_is_promised(ledger):
    if ledger.place.is_sqlite:
        assert setting(ledger, "PRAGMA busy_timeout") == 3500
        return
    for name, limit in {"statement_timeout": "3500ms", "lock_timeout": "2s"}.items():
        assert setting(ledger, f"SHOW {name}") == limit, name
    assert setting(ledger, "SHOW idle_in_transaction_session_timeout") == "15s"
    with engine.connection_of(ledger.engine, ledger.place) as connection:
        driver = connection.connection.dbapi_connection
        assert driver.limit == 4.0, "the client gives up, where the server is gone"
        assert driver.info.get_parameters()["tcp_user_timeout"] == "4000"


def test_a_server_that_does_not_wait_for_its_disk_does_so_for_the_ledger(postgres):
    url = postgres.new_database()
    name = url.rpartition("/")[2]
    plain = engine.open_engine(Place.of(postgres.url))
    with engine.connection_of(plain, Place.of(postgres.url)) as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    plain.dispose()
    ledger = Ledger(url, KEYRING)
    assert setting(ledger, "SHOW synchronous_commit") == "on"
    ledger.close()


def test_what_a_constraint_refuses_is_told_without_the_row(ledger):
    named = {"customer_id": "anna@example.org", "time_zone": "UTC", "locale": "en"}
    with pytest.raises(IntegrityError) as caught, ledger.writing() as tx:
        tx.connection.execute(insert(shop_customers).values([named, named]))
    told = "".join(traceback.format_exception(caught.value))
    assert "anna" not in told
    assert "shop_customers" in str(caught.value), "which constraint it was"
    with pytest.raises(LedgerError) as caught, ledger.writing() as tx:
        tx.connection.exec_driver_sql("SELECT nothing FROM shop_customers WHERE customer_id = 'anna@example.org'")
    assert "anna" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(IntegrityError, match="customer_id"), ledger.writing() as tx:
        tx.connection.execute(insert(shop_customers).values(customer_id=None))


def test_no_statement_lasts_for_ever(postgres):
    ledger = Ledger(postgres.new_database(), KEYRING)
    began = time.monotonic()
    with pytest.raises(LedgerError, match="took longer than"), ledger.writing("c1") as tx:
        tx.connection.exec_driver_sql("SELECT pg_sleep(30)")
    assert time.monotonic() - began < 15
    with ledger.writing("c1") as tx:
        tx.add_decision(decision())
    ledger.close()


def test_the_file_is_private(file):
    assert stat.S_IMODE(file.place.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["what?.db", "100%.db", "a b#c.db"])
def test_a_file_may_have_any_name(tmp_path, name):
    ledger = Ledger(tmp_path / name, KEYRING)
    with engine.connection_of(engine.open_read_only(ledger.place), ledger.place) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM decisions").scalar() == 0
    ledger.close()
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("named", ["mysql://a@b/c", "postgresql://", "postgresql://host", "http://x/y", "://"])
def test_what_is_neither_a_file_nor_postgresql_is_said_so(named):
    with pytest.raises(InputError, match="DIRIGENT_LEDGER"):
        Place.of(named)


def test_writers_of_one_process_take_turns_and_none_is_told_that_the_ledger_is_locked(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "FILE_SECONDS", 0.01)  # SQLite waits a moment only: turns are taken before it is asked
    ledger, together = Ledger(tmp_path / "ledger.db", KEYRING), threading.Barrier(8)

    def add(number: int) -> None:
        together.wait(10)
        with ledger.writing("c1") as tx:
            time.sleep(0.05)
            send(tx, f"d-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    with ledger.reading() as reading:
        since = reading.now().replace(year=2000)
    assert len(holding(ledger, since=since)) == 8
    ledger.close()


def test_who_gets_no_turn_is_told_so_and_the_next_one_writes(file, monkeypatch):
    monkeypatch.setattr("serving.ledger.store.QUEUE_SECONDS", 0.05)
    with file.writing("c1"), ThreadPoolExecutor(1) as pool, pytest.raises(LedgerError, match="no turn"):
        pool.submit(lambda: file.writing("c1").__enter__()).result()
    with file.writing("c1") as tx:
        tx.add_decision(decision())


def test_a_locked_file_is_one_clear_error(file):
    other = sqlite3.connect(file.place.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LedgerError, match="locked by another program") as caught, file.writing("c1"):
        raise AssertionError("the lock was not respected")
    assert caught.value.mend
    other.execute("ROLLBACK")
    other.close()
    with file.writing("c1") as tx:
        tx.add_decision(decision())


def test_a_file_that_somebody_else_is_making_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "FILE_SECONDS", 0.05)
    other = sqlite3.connect(tmp_path / "new.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.5, other.execute, ["ROLLBACK"])
    release.start()
    Ledger(tmp_path / "new.db", KEYRING).close()
    release.join()
    other.close()


def test_a_damaged_file_and_a_folder_in_its_place_are_said_so(tmp_path):
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"not a database" * 100)
    with pytest.raises(LedgerError, match="damaged"):
        Ledger(damaged, KEYRING)
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(tmp_path, KEYRING)
