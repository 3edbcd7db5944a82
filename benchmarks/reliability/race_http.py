"""Do caps, winners and idempotency hold over HTTP, with many clients and two workers? Needs what `make demo` prepared.

    DIRIGENT_HOME=.dirigent python -m benchmarks.reliability.race_http [--decisions N] [--clients N] [--store sqlite|postgresql]

Clients ask for the same few customers, repeat request ids, confirm, give back, withdraw and report outcomes; all of it is judged by
the history checker. The shop's clock runs at its normal speed, so that caps fill and stay full; many customers have their turn.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reliability.http_callers import calling, together
from benchmarks.reliability.real_service import Service
from benchmarks.reliability.stores import add_options, empty_store
from benchmarks.reliability.verdicts import Verdict
from features.home import Home

AT_A_TIME = 12
"""So many customers are hot at once; the others follow."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was asked, how long it took, what was found."""

    counts: Counter[str]
    slowest: dict[int, float]
    seconds: float
    different: int
    verdict: Verdict


class Hot(list[str]):
    """The customers that are hot now: a few of all, changed as the race goes on."""

    def __init__(self, everybody: list[str]) -> None:
        super().__init__(everybody[:AT_A_TIME])
        self._rest = everybody[AT_A_TIME:]

    def turn(self) -> None:
        """Others become hot."""
        if self._rest:
            self[:] = self._rest[:AT_A_TIME]
            del self._rest[:AT_A_TIME]


def race(
    shop: Home,
    folder: Path,
    *,
    decisions: int,
    clients: int,
    seconds: float,
    ledger: str | None = None,
    workers: int = 2,
) -> Result:
    """Ask so often, at most for so long."""
    service = Service(shop, folder, workers, ledger)
    service.start()
    try:
        hot = Hot(service.customers(2400))
        callers, recorders = service.callers(clients, hot, take_back=0.05)
        began, each = time.monotonic(), max(1, decisions // 200)
        turned = 0
        with calling(callers):
            while (done := sum(caller.counts["decide"] for caller in callers)) < decisions:
                if time.monotonic() - began > seconds or service.pid is None:
                    break
                if done // each > turned:
                    turned = done // each
                    hot.turn()
                time.sleep(0.05)
        took = time.monotonic() - began
        for recorder in recorders:
            recorder.close()
    finally:
        service.stop()
    counts, slowest = together(callers)
    return Result(counts, slowest, took, sum(caller.different for caller in callers), service.verdict())


def main() -> None:
    """Print what happened; exit code 1 when a bound does not hold."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(options)
    options.add_argument("--decisions", type=int, default=50_000)
    options.add_argument("--clients", type=int, default=64)
    options.add_argument("--minutes", type=float, default=45, help="give up after so long")
    given = options.parse_args()
    with empty_store(given.store, given.url) as (named, folder):
        found = race(
            Home.from_environment(), folder, decisions=given.decisions, clients=given.clients, seconds=given.minutes * 60,
            ledger=None if given.store == "sqlite" else named,
        )  # fmt: skip
    counts = found.counts
    print(f"{given.store}, {given.clients} clients, 2 workers: {counts['decide']:,} decisions, {counts['confirm']:,} confirmations, "
          f"{counts['release']:,} releases, {counts['withdraw']:,} withdrawals, {counts['outcome']:,} outcomes in {found.seconds:.0f} s")  # fmt: skip
    print(
        "answers: "
        + ", ".join(
            f"{counts[str(status)]:,} x {status} (slowest {took:.2f} s)"
            for status, took in sorted(found.slowest.items())
        )
    )
    print(f"cut connections: {counts['cut']}; repetitions with other bytes: {found.different}")
    print(*found.verdict.lines(), sep="\n")
    held = (
        counts["decide"] >= given.decisions
        and not found.different
        and not found.verdict.findings
        and found.verdict.audit_holds
    )
    print("\nall bounds hold (0 findings)" if held else "\nA BOUND DOES NOT HOLD")
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
