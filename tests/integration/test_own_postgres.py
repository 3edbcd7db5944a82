"""The tests' own PostgreSQL keeps its promises: private, durable over a kill, and deaf while paused."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.own_postgres import OwnPostgres

pytestmark = pytest.mark.postgres


@pytest.fixture
def engine(postgres: OwnPostgres) -> Iterator[Engine]:
    engine = create_engine(postgres.new_database(), connect_args={"connect_timeout": 2})
    yield engine
    engine.dispose()


def setting(engine: Engine, name: str) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text(f"SHOW {name}")).scalar_one())


def count_rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM kept")).scalar_one())


def test_it_listens_on_loopback_alone_and_waits_for_the_disk(engine):
    assert setting(engine, "listen_addresses") == "127.0.0.1"
    assert setting(engine, "fsync") == setting(engine, "synchronous_commit") == "on"
    assert setting(engine, "server_version").split(".")[0].isdigit()


def test_every_database_is_new_and_a_template_is_copied(postgres, engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT 1 AS number"))
    empty = create_engine(postgres.new_database())
    with pytest.raises(Exception, match="does not exist"):
        count_rows(empty)
    empty.dispose()
    engine.dispose()  # a template has no other connection
    copy = create_engine(postgres.new_database(template=str(engine.url.database)))
    assert count_rows(copy) == 1
    copy.dispose()


@pytest.mark.parametrize("end", ["kill", "immediate", "fast"])
def test_what_was_committed_outlives_every_end(postgres, engine, end):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT generate_series(1, 100) AS number"))
    postgres.kill() if end == "kill" else postgres.stop(end)
    assert postgres.pid is None
    with pytest.raises(OperationalError), engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    postgres.start()
    assert postgres.pid is not None
    assert count_rows(engine) == 100


def test_while_paused_it_takes_the_connection_and_says_nothing(postgres, engine):
    assert setting(engine, "port") == str(postgres.port)
    postgres.pause()
    try:
        with socket.create_connection(("127.0.0.1", postgres.port), timeout=1) as silent:
            silent.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")  # may we speak TLS?
            with pytest.raises(TimeoutError):
                silent.recv(1)
    finally:
        postgres.resume()
    assert setting(engine, "port") == str(postgres.port)
