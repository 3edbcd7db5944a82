"""Redis killed, deaf or behind a line that resets: every decision is answered at once with less, and the loss passes by itself."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from itertools import count

import pytest

from features.home import Home
from features.store import FeatureStore
from features.tables.example import AS_OF
from serving.auth import create_key
from tests.e2e.service_process import Server, private_home, running
from tests.own_redis import Line, OwnRedis
from tests.part_of_shop import copy_snapshots

pytestmark = pytest.mark.redis
MISSING = {"missing_customer", "missing_channel", "missing_timing", "missing_context", "missing_category"}
NUMBERS = count(1)


@pytest.fixture
def home(shop_home: Home, tmp_path, redis: OwnRedis, monkeypatch) -> Home:
    """A home whose online values are in Redis."""
    found = private_home(shop_home, tmp_path / "home")
    for name in ("features", "feast"):
        (found.root / name).unlink()
    copy_snapshots(shop_home, found, ["1"])
    shutil.copytree(shop_home.feast, found.feast, ignore=shutil.ignore_patterns("online.db*"))
    monkeypatch.setenv("DIRIGENT_REDIS", redis.address)
    FeatureStore(found).materialize(AS_OF)
    monkeypatch.delenv("DIRIGENT_REDIS")
    return found


@pytest.fixture
def line(redis: OwnRedis) -> Iterator[Line]:
    line = Line(redis.port)
    yield line
    line.close()


@pytest.fixture
def server(home: Home, line: Line) -> Iterator[Server]:
    key = create_key(home, "orchestrator", "orchestrator")
    with running(home, key, forked=True, DIRIGENT_REDIS=line.address) as found:
        yield found


def degraded(server: Server) -> set[str]:
    """What a decision had to do without; it came with 200 and soon."""
    began = time.monotonic()
    answer = server.decide(f"redis-{next(NUMBERS)}")
    assert time.monotonic() - began < 6
    assert answer.status_code == 200, answer.text
    return set(answer.json()["degraded"])


def back_to_normal(server: Server) -> None:
    until = time.monotonic() + 10
    while degraded(server) & MISSING:
        assert time.monotonic() < until, "it does not recover by itself"
        time.sleep(0.1)


def test_decisions_go_on_without_redis_and_use_it_again_when_it_is_back(server, redis, line):
    back_to_normal(server)  # on a busy machine the first answer may miss the store's short deadline
    for begin, end in (
        (redis.kill, redis.start),
        (redis.pause, redis.resume),
        (lambda: setattr(line, "state", "resetting"), lambda: setattr(line, "state", "open")),
    ):
        begin()
        for _ in range(30):
            assert degraded(server) >= MISSING
            time.sleep(0.1)
        assert server.http.get("/readyz").status_code == 200
        end()
        back_to_normal(server)
    log = server.log.read_text()
    assert "features away" in log
    assert log.count("features away") < 20, "one line for each attempt, not for each decision"
    assert "Traceback" not in log
