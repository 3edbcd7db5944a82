"""How long it takes to see what another policy would change, over 100,000 recorded decisions on two processes.

Run after `make demo`: `make bench`, or `python benchmarks/replay.py`. Some hundreds of real decisions of the example shop are made
in a temporary ledger and recorded again for other customers at other moments until there are 100,000: synthetic, and said so.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from arbitration.codec import canonical_text, encode
from arbitration.errors import DirigentError
from arbitration.policy import Policy
from features.home import Home
from features.tables.example import AS_OF
from serving.auth import Client
from serving.bootstrap import build
from serving.decisions import decide_for
from serving.replay_many import PROCESSES, check_many, compare_many
from serving.settings import Settings

RECORDS = 100_000
REAL = 400
CHECKED = 1_000
CLIENT = Client("bench", "admin")


def main() -> None:
    """Print seconds, records a second, bytes a record, and the ratio to deciding each record anew."""
    home = Home.from_environment()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("tables", "features", "feast", "bundles", "keys"):
            (Path(folder) / name).symlink_to(getattr(home, name))
        policy = _decided(Path(folder))
        ledger = Home(Path(folder)).ledger
        _multiply(ledger)
        _print(ledger, policy)


def _decided(root: Path) -> Policy:
    """Decide for some hundreds of households, each in its own moment of the day that the example ends with."""
    runtime = build(Settings(home=root, as_of=AS_OF, log_level="error"))
    with runtime.ledger.reading() as reading:
        customers = reading.customers(REAL)
    for number, customer in enumerate(customers):
        decide_for(runtime, CLIENT, json.dumps({"request_id": f"r-{number}", "customer": {"id": customer}}).encode())
    runtime.close()
    return runtime.policy


def _multiply(ledger: Path) -> None:
    """Every record again under other customers, ids, dice and moments (up to six days later, so that contacts age)."""
    dice = random.Random(1)  # noqa: S311 - a benchmark repeats itself
    with sqlite3.connect(ledger) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.row_factory = sqlite3.Row
        real = [dict(row) for row in connection.execute("SELECT * FROM decisions")]
        inputs = [zlib.decompress(row["inputs"]) for row in real]
        names = ", ".join(real[0])
        marks = ", ".join("?" * len(real[0]))
        for number in range(len(real), RECORDS):
            at = number % len(real)
            row = _again(real[at], inputs[at], number, dice)
            connection.execute(f"INSERT INTO decisions ({names}) VALUES ({marks})", tuple(row.values()))
    connection.close()


def _again(row: dict[str, Any], inputs: bytes, number: int, dice: random.Random) -> dict[str, Any]:
    told = json.loads(inputs)
    moment = datetime.fromisoformat(told["now"]) + timedelta(minutes=dice.randrange(6 * 24 * 60))
    for name, was, is_now in (
        ("now", told["now"], encode(moment)),
        ("draw", told["draw"], dice.random()),
        ("customer_id", row["customer_id"], f"synthetic-{number}"),
    ):
        inputs = inputs.replace(canonical_text({name: was})[1:-1], canonical_text({name: is_now})[1:-1], 1)
    return row | {
        "decision_id": f"d-synthetic-{number}",
        "request_id": f"synthetic-{number}",
        "customer_id": f"synthetic-{number}",
        "inputs": zlib.compress(inputs, 1),
    }


def _print(ledger: Path, policy: Policy) -> None:
    with sqlite3.connect(ledger) as connection:
        sizes = "SELECT avg(length(inputs)), avg(length(decision)) FROM decisions"
        inputs, decision = connection.execute(sizes).fetchone()
    connection.close()
    rested = {name: replace(it, cooldown_hours=2 * it.cooldown_hours) for name, it in policy.journeys.items()}
    candidate = replace(policy, version="candidate", journeys=rested)
    (seconds, work), radius = _timed(lambda: compare_many(ledger, range(1, RECORDS + 1), candidate, _ignore).radius)
    (alone, work_alone), _ = _timed(lambda: check_many(ledger, range(1, CHECKED + 1), _ignore))
    print(f"{'':<36}{'records':>9}{'seconds':>9}{'a second':>10}{'ms of CPU each':>16}")
    for title, records, taken, used in (
        ("blast radius, columns", RECORDS, seconds, work),
        ("byte for byte, each decided anew", CHECKED, alone, work_alone),
    ):
        print(f"{title:<36}{records:>9,}{taken:>9.1f}{records / taken:>10,.0f}{used / records * 1e3:>16.2f}")
    ratio = (work_alone / CHECKED) / (work / RECORDS)
    print(f"ratio of CPU {ratio:.1f}, on {PROCESSES} processes; {radius.changed:,} of the favorites differ")
    print(f"{inputs:,.0f} bytes of inputs and {decision:,.0f} bytes of decision a record")


def _timed(work: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
    """Seconds by the clock and of CPU, in all processes, and what came out: other programs slow down the first alone."""
    started, before = time.perf_counter(), _cpu()
    found = work()
    return (time.perf_counter() - started, _cpu() - before), found


def _cpu() -> float:
    return sum(os.times()[:4])


def _ignore(_: int) -> None:
    """Nobody watches the progress."""


if __name__ == "__main__":
    try:
        main()
    except DirigentError as fault:
        sys.exit(str(fault))
