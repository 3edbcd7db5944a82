"""Redis in place of SQLite: the same values come back, and a Redis that is gone is an error that says how to mend it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from arbitration.errors import FeatureStoreError
from features.home import Home
from features.store import FeatureStore
from features.tables.example import AS_OF
from features.tables.store import open_tables

CHANNELS = ("email", "push")
pytestmark = pytest.mark.redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """A Redis of our own on a free loopback port; yields `host:port`."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not on PATH")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    process = subprocess.Popen([program, *settings], stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def test_redis_serves_what_sqlite_serves_until_it_is_gone(
    shop_home: Home, tmp_path: Path, redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Home(tmp_path / "home")
    shutil.copytree(shop_home.features, own.features)
    rows = open_tables(shop_home).execute("SELECT customer_id FROM customers ORDER BY hash(customer_id) LIMIT 20")
    customers = [row[0] for row in rows.fetchall()]
    expected = {name: FeatureStore(shop_home).online(name, CHANNELS) for name in customers}
    monkeypatch.setenv("DIRIGENT_REDIS", redis)
    store = FeatureStore(own)
    store.apply()
    store.materialize(AS_OF)
    assert {name: store.online(name, CHANNELS) for name in customers} == expected
    assert not store.online("nobody", CHANNELS).known
    monkeypatch.setenv("DIRIGENT_REDIS", "127.0.0.1:1")
    with pytest.raises(FeatureStoreError, match="DIRIGENT_REDIS: Redis cannot be read"):
        FeatureStore(own).online(customers[0], CHANNELS)
