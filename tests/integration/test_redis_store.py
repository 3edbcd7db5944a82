"""Redis in place of SQLite: the same values come back, and a Redis that is gone is an error that says how to mend it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

import pytest

from features.home import Home
from features.online import REST_SECONDS, Breaker, OnlineStoreAway
from features.store import FeatureStore
from features.tables.example import AS_OF
from features.tables.store import open_tables
from tests.own_redis import Line, OwnRedis
from tests.part_of_shop import copy_snapshots

CHANNELS = ("email", "push")
pytestmark = pytest.mark.redis


@pytest.fixture
def filled(shop_home: Home, tmp_path: Path, redis: OwnRedis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home whose online values are in Redis."""
    own = Home(tmp_path / "home")
    copy_snapshots(shop_home, own, {"1", *customers_of(shop_home)})
    monkeypatch.setenv("DIRIGENT_REDIS", redis.address)
    store = FeatureStore(own)
    store.apply()
    store.materialize(AS_OF)
    return own


def customers_of(home: Home) -> list[str]:
    rows = open_tables(home).execute("SELECT customer_id FROM customers ORDER BY hash(customer_id) LIMIT 20")
    return [row[0] for row in rows.fetchall()]


def seconds_until_away(store: FeatureStore) -> tuple[float, OnlineStoreAway]:
    began = time.monotonic()
    with pytest.raises(OnlineStoreAway, match="DIRIGENT_REDIS: Redis cannot be read") as raised:
        store.online("1", CHANNELS)
    return time.monotonic() - began, raised.value


def assert_back(store: FeatureStore) -> None:
    """It reads again after a rest, at the latest after five: on a busy machine an answer may miss the store's short deadline."""
    for _ in range(5):
        time.sleep(REST_SECONDS)
        with suppress(OnlineStoreAway):
            assert store.online("1", CHANNELS).known
            return
    raise AssertionError("Redis is there and is not read")


def test_redis_serves_what_sqlite_serves(shop_home, redis, monkeypatch, filled):
    monkeypatch.delenv("DIRIGENT_REDIS")
    customers = customers_of(shop_home)
    expected = {name: FeatureStore(shop_home).online(name, CHANNELS) for name in customers}
    monkeypatch.setenv("DIRIGENT_REDIS", redis.address)
    store = FeatureStore(filled)
    assert {name: store.online(name, CHANNELS) for name in customers} == expected
    assert not store.online("nobody", CHANNELS).known


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_a_redis_that_is_away_costs_one_caller_a_moment_and_the_others_nothing(redis, filled, fault):
    store = FeatureStore(filled)
    assert store.online("1", CHANNELS).known
    getattr(redis, fault)()
    first, away = seconds_until_away(store)
    assert first < 2
    assert away.asked
    began = time.monotonic()
    others = [seconds_until_away(store) for _ in range(20)]
    rests = (time.monotonic() - began) / REST_SECONDS  # a machine that stands still meanwhile may see more than one
    assert median(took for took, _ in others) < 0.1
    assert sum(away.asked for _, away in others) <= rests
    assert store.ready(), "decisions go on without it"
    redis.start() if fault == "kill" else redis.resume()
    assert_back(store)


def test_a_line_that_resets_is_a_redis_that_is_away(redis, filled, monkeypatch):
    line = Line(redis.port)
    monkeypatch.setenv("DIRIGENT_REDIS", line.address)
    store = FeatureStore(filled)
    assert store.online("1", CHANNELS).known
    line.state = "resetting"
    assert seconds_until_away(store)[0] < 2
    line.state = "open"
    assert_back(store)
    line.close()


def test_after_the_rest_one_caller_tries_and_the_others_wait_for_how_it_fares():
    now = [0.0]
    breaker = Breaker(2.0, lambda: now[0])
    assert breaker.allows()
    breaker.failed()
    now[0] = 1.9
    assert not breaker.allows()
    now[0] = 2.0
    asked: list[bool] = []
    callers = [threading.Thread(target=lambda: asked.append(breaker.allows())) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(asked) == [False] * 7 + [True]
    breaker.answered()
    assert breaker.allows()
