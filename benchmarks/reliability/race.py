"""Do caps and the single winner hold while several processes race for the same customers? On the ledger's own interface.

    python -m benchmarks.reliability.race [--store sqlite|postgresql] [--url URL] [--attempts N] [--broken]

An attempt reads the customer's standing, asks the gates, and where they say yes takes the customer's lock, asks again and takes the
place. Time runs so fast that caps open again and again: four hours of the shop pass in one second. All processes turn to the same
customer for some milliseconds at a time. Winners confirm; some give back, some are withdrawn from, one in a hundred crashes and never
settles. With `--broken` nobody asks again under the lock: then over-contacts must be found, or the race is none.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

from benchmarks.reliability.hot_shop import CHANNELS, FastClock, Pace, candidate, customers, fill, hot_policy
from benchmarks.reliability.rivals import Held, Rival, Table, rules
from benchmarks.reliability.stores import add_options, empty_store
from benchmarks.reliability.verdicts import Verdict, judge
from serving.ledger.keyring import Keyring
from serving.ledger.store import Ledger
from tests.forkserver import forks

SPEED = 4 * 3600.0
SLOT_SECONDS = 0.02
WINDOW = timedelta(hours=2)
CRASHES, RELEASES, WITHDRAWALS = 0.01, 0.04, 0.02
LOST_AT_MOST = 0.001


@dataclass(frozen=True, slots=True)
class Result:
    """What a race did and what was found."""

    counts: Counter[str]
    seconds: float
    hours: float
    verdict: Verdict
    lost: float


@dataclass(order=True, slots=True)
class _Later:
    """Something a rival does when its time has come (monotonic seconds)."""

    at: float
    number: int
    what: str = field(compare=False)
    held: Held = field(compare=False)


class Racer:
    """One process of the race."""

    def __init__(self, table: Table, number: int) -> None:
        self.rival = Rival(table, f"racer-{number}")
        self.dice = random.Random(number)  # noqa: S311 - a race needs no secrets
        self.names = list(table.zones)
        self._later: list[_Later] = []
        self._numbers = count()

    def run(self, attempts: int, seconds: float) -> Counter[str]:
        """Attempt so often, at most for so long; then settle what is held."""
        until = time.monotonic() + seconds
        while self.rival.counts["attempts"] < attempts and time.monotonic() < until:
            self._settle_due(time.monotonic())
            self._attempt()
        self._settle_due(float("inf"))
        self.rival.close()
        return Counter(self.rival.counts)

    def _attempt(self) -> None:
        dice, now = self.dice, self.rival.ledger.clock.now()
        slot = int(time.monotonic() / SLOT_SECONDS)
        name = (
            self.names[(slot * 2654435761 >> 7) % len(self.names)] if dice.random() < 0.7 else dice.choice(self.names)
        )
        journey = "open_case" if dice.random() < 0.002 else dice.choice(("welcome", "churn_recovery"))
        channel = "in_app" if journey == "open_case" else dice.choice(CHANNELS)
        ahead = (
            timedelta(hours=dice.uniform(0, 4))
            if channel != "in_app" and dice.random() < 0.2
            else timedelta(seconds=30)
        )
        wanted = candidate(journey, channel, now + ahead, WINDOW)
        if self.rival.look(name, wanted) is not None:
            return
        if dice.random() < 0.3:  # some think longer than others
            time.sleep(dice.uniform(0, 0.02))
        held = self.rival.reserve(name, wanted)
        if held is not None:
            self._plan(held)

    def _plan(self, held: Held) -> None:
        drawn = self.dice.random()
        if drawn < CRASHES:
            return
        wait = self.dice.choice((0.0, 0.0, 0.005, 0.05))
        if drawn < CRASHES + RELEASES:
            self._add("release", wait, held)
            return
        self._add("confirm", wait, held)
        if drawn < CRASHES + RELEASES + WITHDRAWALS and held.channel != "in_app":
            self._add("withdraw", self.dice.uniform(0, 2 * wait), held)

    def _add(self, what: str, wait: float, held: Held) -> None:
        heapq.heappush(self._later, _Later(time.monotonic() + wait, next(self._numbers), what, held))

    def _settle_due(self, now: float) -> None:
        while self._later and self._later[0].at <= now:
            one = heapq.heappop(self._later)
            if one.what == "withdraw":
                self.rival.withdraw(one.held.customer, one.held.channel)
                self._add("grant", self.dice.uniform(0.2, 2.0), one.held)
            elif one.what == "grant":
                self.rival.grant(one.held.customer, one.held.channel)
            else:
                getattr(self.rival, one.what)(one.held)


def _run(table: Table, number: int, attempts: int, seconds: float) -> Counter[str]:
    return Racer(table, number).run(attempts, seconds)


def race(
    named: str, folder: object, *, attempts: int, processes: int, people: int, seconds: float, broken: bool = False
) -> Result:
    """Race on an empty ledger until all attempts are made or time is over."""
    keyring, zones = Keyring.fresh(), customers(people)
    fill(named, keyring, zones)
    secrets = (keyring.master, keyring.audit, keyring.suppression)
    table = Table(named, secrets, zones, Pace.from_now(SPEED), folder, broken)  # type: ignore[arg-type]
    began, total = time.monotonic(), Counter[str]()
    with ProcessPoolExecutor(processes, forks()) as pool:
        share = -(-attempts // processes)
        for found in pool.map(_run, *zip(*((table, it, share, seconds) for it in range(processes)), strict=True)):
            total.update(found)
    took, hours = time.monotonic() - began, table.pace.hours()
    ledger = Ledger(named, keyring, FastClock(table.pace))
    try:
        verdict = judge(ledger, hot_policy(), table.folder)
    finally:
        ledger.close()
    return Result(total, took, hours, verdict, verdict.lost / (people * hours * 3.6e9))


def _tell(result: Result) -> None:
    counts = result.counts
    print(
        f"{counts['attempts']:,} attempts in {result.seconds:.0f} s ({counts['attempts'] / result.seconds:,.0f} a second), {result.hours / 24:.1f} days of the shop"
    )
    print(f"{counts['attempts'] - counts['reached']:,} refused at the first look, {counts['reached']:,} reached the lock: {counts['taken']:,} took a place, "
          f"{counts['second_look']:,} refused at the second look, {counts['second_line']:,} caught by the table's own index alone, {counts['away']:,} found the ledger busy")  # fmt: skip
    print(*result.verdict.lines(), sep="\n")
    print(f"capacity lost to unused leases: {result.lost:.4%}")


def main() -> None:
    """Print what happened; exit code 1 when a bound does not hold."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(options)
    options.add_argument("--attempts", type=int, default=1_000_000)
    options.add_argument("--processes", type=int, default=4)
    options.add_argument("--customers", type=int, default=400)
    options.add_argument("--minutes", type=float, default=60, help="give up after so long")
    options.add_argument("--broken", action="store_true", help="leave out the second look: over-contacts must be found")
    given = options.parse_args()
    print(f"{given.store}: {given.processes} processes, {given.customers} customers, caps {rules(hot_policy())}")
    with empty_store(given.store, given.url) as (named, folder):
        result = race(
            named, folder, attempts=given.attempts, processes=given.processes, people=given.customers,
            seconds=given.minutes * 60, broken=given.broken,
        )  # fmt: skip
    _tell(result)
    verdict = result.verdict
    if given.broken:
        held = verdict.over_contacts > 0
        print("\nthe race is real: without the second look caps break" if held else "\nNOTHING BROKE: THIS IS NO RACE")
    else:
        full = result.counts["attempts"] >= given.attempts
        held = full and verdict.findings == 0 and verdict.audit_holds and result.lost < LOST_AT_MOST
        print("\nall bounds hold (0 findings, < 0.1 % lost)" if held else "\nA BOUND DOES NOT HOLD")
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
