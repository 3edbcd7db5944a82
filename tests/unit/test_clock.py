"""The shop's clock: it follows the machine's while that runs evenly, believes no jump, and never goes back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.clock import Clock

START = datetime(2018, 1, 2, 15, tzinfo=UTC)
BOOTED = 1_700_000_000.0


@dataclass
class Machine:
    """A machine whose clock a test sets: `wall` may jump, `elapsed` cannot."""

    wall: float = BOOTED
    elapsed: float = 100.0

    def run(self, seconds: float, jump: float = 0.0) -> None:
        self.elapsed += seconds
        self.wall += seconds + jump

    def clock(self, **more) -> Clock:
        return Clock(wall=lambda: self.wall, elapsed=lambda: self.elapsed, **more)


def seconds(clock: Clock) -> float:
    return clock.now().timestamp()


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 2.1, -2.1, 1e9, -1e9])
def test_a_jump_is_not_believed_and_is_told(jump):
    machine = Machine()
    clock = machine.clock()
    machine.run(10)
    assert seconds(clock) == pytest.approx(BOOTED + 10, abs=1e-3)
    machine.run(10, jump)
    assert seconds(clock) == pytest.approx(BOOTED + 20, abs=1e-3)
    assert clock.jumped == pytest.approx(jump, abs=1e-3)
    machine.run(3600)
    assert seconds(clock) == pytest.approx(BOOTED + 3620, abs=1e-3), "time runs on at its own speed"
    machine.run(10, -jump)
    assert seconds(clock) == pytest.approx(BOOTED + 3630, abs=1e-3)
    assert clock.jumped == 0, "the machine's clock was set right again"


def test_a_clock_that_is_set_right_little_by_little_is_followed():
    machine = Machine()
    clock = machine.clock()
    for _ in range(100):
        machine.run(60, 0.5)  # half a second each minute
        seconds(clock)
    assert seconds(clock) == pytest.approx(BOOTED + 100 * 60.5, abs=1e-3)
    assert clock.jumped == 0


def test_a_small_setback_is_waited_for():
    machine = Machine()
    clock = machine.clock()
    machine.run(10)
    before = clock.now()
    machine.run(0.5, -1.5)
    assert clock.now() == before
    machine.run(2)
    assert clock.now() > before


def test_sleep_of_the_machine_is_time_that_passed():
    machine = Machine()
    clock = machine.clock()
    machine.run(8 * 3600)
    assert seconds(clock) == pytest.approx(BOOTED + 8 * 3600, abs=1e-3)


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(-1e6, 1e6)), max_size=30))
def test_it_never_goes_back_whatever_the_machine_does(steps):
    machine = Machine()
    clock = machine.clock()
    seen = [clock.now()]
    for passed, jump in steps:
        machine.run(passed, jump)
        seen.append(clock.now())
    assert seen == sorted(seen)


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(2.5, 1e6)), max_size=10))
def test_whatever_the_jumps_it_shows_the_time_that_passed(steps):
    machine = Machine()
    clock = machine.clock()
    for passed, jump in steps:
        machine.run(passed, jump)
        assert seconds(clock) == pytest.approx(BOOTED + machine.elapsed - 100, abs=1e-2)


def test_a_declared_moment_runs_on_and_keeps_its_distance():
    machine = Machine()
    clock = machine.clock(start=START)
    assert clock.now() == START
    machine.run(90)
    assert clock.now() == START + timedelta(seconds=90)
    assert clock.shift == START - datetime.fromtimestamp(BOOTED, UTC)


def test_two_clocks_that_are_told_when_it_began_agree():
    machine = Machine()
    first = machine.clock(start=START, began=BOOTED)
    machine.run(7)
    second = machine.clock(start=START, began=BOOTED)  # a worker that started later
    assert first.now() == second.now() == START + timedelta(seconds=7)
    assert first.shift == second.shift
    assert machine.clock(start=START).now() == START, "without it, each begins when it is made"


def test_without_a_declared_moment_it_is_real_time():
    assert abs(Clock().now() - datetime.now(UTC)) < timedelta(seconds=2)
    assert Clock().shift == timedelta(0)
