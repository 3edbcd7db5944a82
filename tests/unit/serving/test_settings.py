"""Settings from the environment, and the clock they set."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from arbitration.errors import InputError
from features.home import Home
from serving.clock import Clock
from serving.settings import Settings


def test_defaults_are_safe():
    settings = Settings.from_environment({"PATH": "/bin"})
    assert (settings.host, settings.port, settings.as_of) == ("127.0.0.1", 8090, None)
    assert (settings.catalog / "journeys.yaml").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DIRIGENT_PORT", "http"),
        ("DIRIGENT_PORT", "0"),
        ("DIRIGENT_HOST", "localhost:80"),
        ("DIRIGENT_AS_OF", "2018-01-02T15:00:00"),
        ("DIRIGENT_LOG_LEVEL", "loud"),
        ("DIRIGENT_PROT", "8090"),
        ("DIRIGENT_REDIS", "redis"),
        ("DIRIGENT_REDIS", "redis://redis:6379"),
        ("DIRIGENT_REDIS", "redis:port"),
        ("DIRIGENT_REDIS", "redis:65536"),
        ("DIRIGENT_REDIS", ""),
        ("DIRIGENT_HOME", ""),
    ],
)
def test_a_wrong_or_unknown_setting_is_named(name, text):
    with pytest.raises(InputError, match=name):
        Settings.from_environment({name: text})


@pytest.mark.parametrize("redis", ["127.0.0.1:6379", "redis.shop-1.internal:1", "[::1]:6379"])
def test_an_online_store_is_a_host_and_a_port(redis):
    assert Settings.from_environment({"DIRIGENT_REDIS": redis}).redis == redis


@pytest.mark.parametrize(("field", "wrong"), [("port", 99999), ("host", "nonsense")])
def test_a_wrong_option_is_named_and_a_right_one_wins(field, wrong):
    with pytest.raises(InputError, match=f"--{field}"):
        Settings.from_environment({}, {field: wrong})
    assert Settings.from_environment({"DIRIGENT_PORT": "1"}, {"port": 2}).port == 2


def test_what_is_wrong_is_said_in_plain_words():
    with pytest.raises(InputError, match="--host: is wrong: must be an IP address") as caught:
        Settings.from_environment({}, {"host": "localhost"})
    assert "Value error" not in str(caught.value)


def test_a_home_without_a_name_is_refused_and_not_the_folder_at_hand(monkeypatch):
    monkeypatch.setenv("DIRIGENT_HOME", "")
    with pytest.raises(InputError, match="DIRIGENT_HOME: is empty"):
        Home.from_environment()


def test_settings_survive_the_environment(tmp_path):
    settings = Settings(home=tmp_path, port=9000, as_of=datetime(2018, 1, 2, 15, tzinfo=UTC))
    assert Settings.from_environment(settings.to_environment()) == settings


def test_a_clock_with_a_start_runs_on_from_there():
    start = datetime(2018, 1, 2, 15, tzinfo=UTC)
    clock = Clock(start)
    first = clock.now()
    time.sleep(0.01)
    assert start <= first < clock.now() < start + timedelta(minutes=1)


def test_a_clock_without_a_start_is_the_real_one():
    assert abs(Clock().now() - datetime.now(UTC)) < timedelta(seconds=5)
