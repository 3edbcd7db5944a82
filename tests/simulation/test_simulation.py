"""Simulated worlds break no promise, live again from their seed, and notice when the service breaks a rule."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.forkserver import forks
from tests.lengths import short_first
from tests.simulation.breaks import BREAKS
from tests.simulation.world import Lived, Size, lived

ROOT = Path(__file__).resolve().parents[2]
CROWDED = Size(customers=20, days=8, visits=1.0, hot=0.2)
QUIET = Size(customers=500, days=20, visits=0.015, hot=0.05)
PACE = 100_000
"""Customer-days a minute, on two processors."""
SEEDS = 8
"""A broken rule is noticed by one of so many worlds."""


def holds(one: Lived) -> None:
    """The world broke no promise; a failure names its seed and the command that repeats it."""
    assert not one.found, "\n".join([f"seed {one.seed}", one.again, *one.found[:20]])


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3, 4))])
def test_a_crowded_world_breaks_no_promise(seed):
    one = lived(seed, CROWDED)
    holds(one)
    assert one.counted["crashed"] or one.counted["decide lost"]
    assert one.counted["confirm 200"] > 20


@pytest.mark.parametrize("name", short_first(BREAKS, 1))
def test_a_broken_rule_is_noticed(name):
    invariant, broken = BREAKS[name]
    for seed in range(SEEDS):
        with broken():
            found = lived(seed, CROWDED).found
        if any(one.startswith(invariant) for one in found):
            return
    pytest.fail(f"no finding of {invariant} in {SEEDS} worlds")


def test_the_seed_alone_decides_what_happens():
    told = []
    for hashes in ("1", "2"):
        command = [sys.executable, "-m", "tests.simulation", "7", "--customers", "5", "--days", "3", "--visits", "1"]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": hashes}, capture_output=True, text=True, check=True
        )
        told.append([line for line in done.stdout.splitlines() if line.startswith("digest")])
    assert told[0] == told[1]
    assert len(told[0]) == 1


def pace_of(size: Size, seeds: tuple[int, int]) -> float:
    """Two worlds at once, each in a process of its own; customer-days a minute by the processors' time."""
    with ProcessPoolExecutor(2, forks()) as pool:
        worlds = list(pool.map(lived, seeds, [size, size]))
    for one in worlds:
        print(one)
        holds(one)
    return sum(one.size.customer_days for one in worlds) / max(one.cpu_seconds for one in worlds) * 60


def test_a_hundred_thousand_customer_days_a_minute():
    pace = pace_of(QUIET, (11, 12))
    print(f"{pace:,.0f} customer-days a minute")
    assert pace >= PACE


@pytest.mark.long
def test_a_million_customer_days():
    for seed in range(100, 110, 2):
        assert pace_of(Size(customers=2500, days=40, visits=0.015, hot=0.05), (seed, seed + 1)) >= PACE


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200, 230))
def test_many_crowded_worlds_break_no_promise(seed):
    holds(lived(seed, Size(customers=60, days=20, visits=0.5)))
