"""What the limits promise, for any pattern of requests."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.auth import Client
from serving.limits import Buckets, Lanes, Limits, Places
from serving.problems import Problem
from serving.settings import Settings


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    rate=st.integers(1, 50),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=200),
)
def test_no_window_of_time_ever_admits_more_than_the_rate_and_one_burst(rate, burst, pauses):
    clock = Clock()
    buckets, admitted = Buckets(rate, burst, clock), []
    for pause in pauses:
        clock.now += pause
        if buckets.take("a") == 0:
            admitted.append(clock.now)
    for first, began in enumerate(admitted):
        for last in range(first, len(admitted)):
            assert last - first + 1 <= burst + rate * (admitted[last] - began) + 1e-6


@given(rate=st.integers(1, 50), burst=st.integers(1, 20), asked=st.integers(1, 60))
def test_who_waits_as_long_as_told_is_admitted(rate, burst, asked):
    clock = Clock()
    buckets = Buckets(rate, burst, clock)
    for _ in range(asked):
        wait = buckets.take("a")
        if wait:
            clock.now += wait + 1e-9
            assert buckets.take("a") == 0


def test_one_caller_takes_nothing_from_another():
    buckets = Buckets(1, 1, Clock())
    assert buckets.take("a") == 0
    assert buckets.take("a") > 0
    assert buckets.take("b") == 0


def test_a_flood_of_addresses_is_forgotten_and_takes_no_more_memory():
    buckets = Buckets(1, 1, Clock())
    for number in range(30_000):
        buckets.take(number)
    assert len(buckets._levels) <= 10_000


def test_decisions_cannot_take_the_places_kept_for_outcomes_and_withdrawals():
    places = Places(total=8, per_key=8)
    with ExitStack() as held:
        for _ in range(6):
            held.enter_context(places.held("shop", urgent=False))
        with pytest.raises(Problem) as refused, places.held("shop", urgent=False):
            pass
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
        for _ in range(2):
            held.enter_context(places.held("shop", urgent=True))
        with pytest.raises(Problem), places.held("shop", urgent=True):
            pass
    with places.held("shop", urgent=False):
        assert places._held.total() == 1
    assert not places._held


def test_one_key_cannot_take_all_places():
    places = Places(total=16, per_key=4)
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(places.held("greedy", urgent=False))
        with pytest.raises(Problem), places.held("greedy", urgent=False):
            pass
        held.enter_context(places.held("modest", urgent=False))


def test_a_place_is_given_back_when_the_request_fails():
    places = Places(total=4, per_key=1)
    for _ in range(3):
        with pytest.raises(ValueError, match="x"), places.held("shop", urgent=False):
            raise ValueError("x")


def test_withdrawals_have_a_rate_of_their_own():
    limits, client = Limits(Settings(rate_per_key=1)), Client("shop", "orchestrator")
    for _ in range(2):
        limits.caller(client, "decide")
    with pytest.raises(Problem):
        limits.caller(client, "decide")
    limits.caller(client, "consent")


def test_urgent_acts_have_threads_that_decisions_never_hold():
    lanes = Lanes()
    assert lanes.of("consent") is lanes.of("report") is not lanes.of("decide")
    assert lanes.of("decide") is lanes.of("read") is lanes.of(None)
