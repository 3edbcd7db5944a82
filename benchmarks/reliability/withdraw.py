"""Is anything reserved or confirmed behind a withdrawal that races it? On the ledger's own interface.

    python -m benchmarks.reliability.withdraw [--store sqlite|postgresql] [--url URL] [--pairs N] [--broken]

Each pair is one customer and two processes that start together: one reserves on a channel and confirms at once, the other takes the
channel back. The one that reserves has asked the gates before; only the second look, under the lock, can see the withdrawal. Judged by
the clients' real time and by the ledger's own order. With `--broken` nobody looks again: then something must be found.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any

from benchmarks.reliability.hot_shop import FastClock, Pace, candidate, customers, fill, hot_policy
from benchmarks.reliability.rivals import Rival, Table
from benchmarks.reliability.stores import add_options, empty_store
from benchmarks.reliability.verdicts import Verdict, judge
from serving.ledger.keyring import Keyring
from serving.ledger.store import Ledger
from tests.forkserver import forks

COUPLES = 2
PATIENCE_SECONDS = 60.0
SPREAD_SECONDS = 0.004
CHANNELS = ("push", "email", "sms")


@dataclass(frozen=True, slots=True)
class Result:
    """How the pairs ended, and what was found."""

    pairs: int
    counts: Counter[str]
    seconds: float
    verdict: Verdict


def _decider(table: Table, couple: int, names: list[str], together: Any, told: Connection) -> None:
    rival, dice, ends = Rival(table, f"decider-{couple}"), random.Random(couple), Counter[str]()  # noqa: S311
    try:
        for number, name in enumerate(names):
            channel = CHANNELS[number % 3]
            wanted = candidate("welcome", channel, rival.now() + timedelta(seconds=5), timedelta(hours=2))
            rival.look(name, wanted)
            together.wait(PATIENCE_SECONDS)
            time.sleep(dice.uniform(0, SPREAD_SECONDS))
            held = rival.reserve(name, wanted)
            ends["refused" if held is None else "confirmed" if rival.confirm(held) else "taken back"] += 1
    except BrokenBarrierError:
        ends["broken"] += 1
    told.send(ends)
    rival.close()


def _withdrawer(table: Table, couple: int, names: list[str], together: Any, told: Connection) -> None:
    rival, dice, ends = Rival(table, f"withdrawer-{couple}"), random.Random(-couple), Counter[str]()  # noqa: S311
    try:
        for number, name in enumerate(names):
            together.wait(PATIENCE_SECONDS)
            time.sleep(dice.uniform(0, 3 * SPREAD_SECONDS))  # it has less to do than who decides
            ends["withdrawn" if rival.withdraw(name, CHANNELS[number % 3]) else "not withdrawn"] += 1
    except BrokenBarrierError:
        ends["broken"] += 1
    told.send(ends)
    rival.close()


def pairs(named: str, folder: Path, *, count: int, broken: bool = False) -> Result:
    """Let `count` withdrawals race as many decisions on an empty ledger."""
    keyring, zones = Keyring.fresh(), customers(count)
    fill(named, keyring, zones)
    secrets = (keyring.master, keyring.audit, keyring.suppression)
    table = Table(named, secrets, zones, Pace.from_now(1.0), folder, broken)
    began, ends = time.monotonic(), _run(table, list(zones))
    took = time.monotonic() - began
    ledger = Ledger(named, keyring, FastClock(table.pace))
    try:
        verdict = judge(ledger, hot_policy(), folder)
    finally:
        ledger.close()
    return Result(count, ends, took, verdict)


def _run(table: Table, names: list[str]) -> Counter[str]:
    context, started, ends = forks(), [], Counter[str]()
    for couple in range(COUPLES):
        together = context.Barrier(2)
        for role in (_decider, _withdrawer):
            near, far = context.Pipe(duplex=False)
            process = context.Process(target=role, args=(table, couple, names[couple::COUPLES], together, far))
            process.start()
            far.close()
            started.append(
                (process, near, together)
            )  # a barrier that nobody holds here is gone before the process has begun
    for process, near, _ in started:
        try:
            ends.update(near.recv())
        except EOFError:
            ends["broken"] += 1
        process.join()
    return ends


def main() -> None:
    """Print what happened; exit code 1 when a bound does not hold."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(options)
    options.add_argument("--pairs", type=int, default=100_000)
    options.add_argument("--broken", action="store_true", help="leave out the second look: something must be found")
    given = options.parse_args()
    with empty_store(given.store, given.url) as (named, folder):
        found = pairs(named, folder, count=given.pairs, broken=given.broken)
    ends = ", ".join(f"{count:,} {end}" for end, count in sorted(found.counts.items()))
    print(f"{given.store}: {found.pairs:,} pairs in {found.seconds:.0f} s: {ends}")
    print(*found.verdict.lines(), sep="\n")
    behind = found.verdict.counts.get("I3", 0)
    print(f"reserved or confirmed behind a withdrawal: {behind}")
    whole = found.counts["withdrawn"] == given.pairs and not found.counts["broken"]
    held = behind > 0 if given.broken else whole and found.verdict.findings == 0 and found.verdict.audit_holds
    print("\nas it must be" if held else "\nA BOUND DOES NOT HOLD")
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
