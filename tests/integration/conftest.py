"""A PostgreSQL of their own for the tests of faults, and a ledger in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from serving.ledger.store import Ledger
from tests.contracts.conftest import KEYRING
from tests.own_postgres import OwnPostgres, programs


@pytest.fixture(scope="session")
def server() -> Iterator[OwnPostgres]:
    """A PostgreSQL that tests may stop, with few connections."""
    if programs() is None:
        pytest.skip("PostgreSQL is missing (initdb and postgres); on Debian: apt-get install postgresql")
    cluster = OwnPostgres(max_connections=12, settings=["superuser_reserved_connections = 0"])
    yield cluster
    cluster.remove()


@pytest.fixture
def ledger(server: OwnPostgres) -> Iterator[Ledger]:
    """A ledger in a database of its own; the PostgreSQL that a test ended runs again afterwards."""
    found = Ledger(server.new_database(), KEYRING)
    yield found
    if server.pid is None:
        server.start()
    found.close()
