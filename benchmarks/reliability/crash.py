"""Is everything that a client was answered in the ledger when workers, the service and PostgreSQL are killed under load?

    DIRIGENT_HOME=.dirigent python -m benchmarks.reliability.crash [--minutes M] [--store sqlite|postgresql]

kill -9 of a worker (one that answers, or one that is still loading) 0.5 to 3 s after the service was ready, of PostgreSQL every 10 to
20 s (it is started again after up to a second), of the whole service every 25 to 35 s: more often nothing would be up in between. Clients repeat what got no answer, with the same body, until it has one;
every answer they saw must be in the ledger, a repetition must get the same bytes, the audit must verify. Needs what `make demo` prepared.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.reliability.http_callers import Caller, calling, together
from benchmarks.reliability.real_service import Service
from benchmarks.reliability.stores import STORES
from benchmarks.reliability.verdicts import Verdict
from features.home import Home
from tests.own_postgres import OwnPostgres

READY_SECONDS = 20.0
WORKER, DATABASE, SERVICE = (0.5, 3.0), (10.0, 20.0), (25.0, 35.0)
CLIENTS = 8


@dataclass
class Result:
    """What was killed how often, how long it took to be ready again (seconds, per kind), what was seen and found."""

    kills: Counter[str] = field(default_factory=Counter)
    back: dict[str, list[float]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    slowest: dict[int, float] = field(default_factory=dict)
    different: int = 0
    repeated: int = 0
    lost: list[str] = field(default_factory=list)
    verdict: Verdict | None = None

    @property
    def held(self) -> bool:
        """Whether everything is as promised."""
        slow = [took for all_of in self.back.values() for took in all_of if took >= READY_SECONDS]
        verdict = self.verdict
        right = verdict is not None and not verdict.findings and verdict.audit_holds
        return right and not slow and not self.different and not self.lost


class Killer:
    """Kills one thing or another when its time has come."""

    def __init__(self, service: Service, database: OwnPostgres | None, result: Result, seed: int) -> None:
        self._service, self._result = service, result
        self._dice = random.Random(seed)  # noqa: S311 - a seed reproduces the order
        kinds: dict[str, tuple[tuple[float, float], Callable[[], None]]] = {
            "worker": (WORKER, self._worker), "service": (SERVICE, self._whole),
        }  # fmt: skip
        if database is not None:
            kinds["PostgreSQL"] = (DATABASE, lambda: self._server(database))
        self._kinds = kinds

    def run(self, seconds: float, scale: float = 1.0) -> None:
        """Kill for so long, and each kind once at least; with a smaller `scale` the rarer kills come sooner."""
        began = time.monotonic()
        due = {kind: began + self._wait(kind, scale) for kind in self._kinds}
        while due:
            kind = min(due, key=lambda name: due[name])
            if (now := time.monotonic()) < due[kind]:
                time.sleep(min(due[kind] - now, 0.05))
                continue
            self._kinds[kind][1]()
            due[kind] = time.monotonic() + self._wait(kind, scale)
            if due[kind] > began + seconds:
                del due[kind]

    def _wait(self, kind: str, scale: float) -> float:
        low, high = self._kinds[kind][0]
        return self._dice.uniform(low, high) * (1.0 if kind == "worker" else scale)

    def _note(self, kind: str, began: float) -> None:
        self._result.kills[kind] += 1
        self._result.back.setdefault(kind, []).append(time.monotonic() - began)

    def _worker(self) -> None:
        """One worker; the service must go on, or be back, without anybody's hand."""
        if pids := self._service.worker_pids():
            with suppress(ProcessLookupError):
                os.kill(self._dice.choice(pids), signal.SIGKILL)
            began = time.monotonic()
            self._service.wait_ready(120)
            self._note("worker", began)

    def _whole(self) -> None:
        self._service.kill()
        began = time.monotonic()
        self._service.start()
        self._note("service", began)

    def _server(self, database: OwnPostgres) -> None:
        database.kill()
        time.sleep(self._dice.uniform(0, 1))
        database.start()
        began = time.monotonic()
        self._service.wait_ready(120)
        self._note("PostgreSQL", began)


def crash(
    shop: Home,
    folder: Path,
    *,
    seconds: float,
    store: str = "postgresql",
    workers: int = 2,
    scale: float = 1.0,
    seed: int = 1,
) -> Result:
    """Load and kill for so long, then judge."""
    result = Result()
    with ExitStack() as stack:
        database = OwnPostgres(max_connections=100) if store == "postgresql" else None
        if database is not None:
            stack.callback(database.remove)
        service = Service(shop, folder, workers, database.url if database else None)
        stack.callback(service.kill)
        service.start()
        callers, recorders = service.callers(CLIENTS, service.customers(600), repeats=0.1, take_back=0.03)
        with calling(callers):
            Killer(service, database, result, seed).run(seconds, scale)
            began = time.monotonic()
            service.wait_ready(120)
            result.back.setdefault("in the end", []).append(time.monotonic() - began)
        _ask_again(callers, result)
        for recorder in recorders:
            recorder.close()
        service.stop()
        result.counts, result.slowest = together(callers)
        result.different = sum(caller.different for caller in callers)
        result.verdict = service.verdict()
    return result


def _ask_again(callers: list[Caller], result: Result) -> None:
    """Every answer that was seen, once more: the same bytes."""
    for caller in callers:
        for request_id, (body, before) in caller.answered.items():
            after = caller.again(body)
            result.repeated += 1
            if after != before:
                result.lost.append(request_id)
        caller.close()


def _tell(result: Result) -> None:
    counts = result.counts
    print("killed: " + ", ".join(f"{kind} {times} times" for kind, times in result.kills.items()))
    print(
        f"{counts['decide']:,} decisions, {counts['confirm']:,} confirmations, {counts['outcome']:,} outcomes asked; {counts['cut']:,} cut connections"
    )
    print(
        "answers: "
        + ", ".join(
            f"{counts[str(status)]:,} x {status} (slowest {took:.2f} s)"
            for status, took in sorted(result.slowest.items())
        )
    )
    for kind, back in result.back.items():
        order = sorted(back)
        print(
            f"ready again after {kind}: median {statistics.median(order):.2f} s, slowest {order[-1]:.2f} s, all {[round(it, 2) for it in order]}"
        )
    print(f"{result.repeated:,} answers asked for again: {len(result.lost) + result.different} with other bytes")
    print(*(result.verdict.lines() if result.verdict else ()), sep="\n")


def main() -> None:
    """Print what happened; exit code 1 when a bound does not hold."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--store", choices=STORES, default="postgresql")
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        result = crash(
            Home.from_environment(), Path(folder), seconds=given.minutes * 60, store=given.store, seed=given.seed
        )
    _tell(result)
    print("\nall bounds hold (nothing lost, ready again in < 20 s)" if result.held else "\nA BOUND DOES NOT HOLD")
    sys.exit(0 if result.held else 1)


if __name__ == "__main__":
    main()
