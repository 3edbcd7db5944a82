"""Where the time of one decision goes: features, estimates, arbitration, and all of it with the ledger. One core, one process.

Run after `make demo`: `make bench`, or `python benchmarks/decision_speed.py`. Decisions go to a
ledger of their own that is deleted at the end.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from arbitration.errors import DirigentError
from features.home import Home
from features.tables.example import AS_OF
from serving.auth import Client
from serving.bootstrap import Runtime
from serving.decisions import consider, decide_for, question_of
from serving.estimates import estimates
from serving.settings import Settings
from serving.warmup import ready

ROUNDS = 300
CLIENT = Client("bench", "admin")


def main() -> None:
    """Print the median and 95th percentile of each part in ms, and its share of the whole."""
    home = Home.from_environment()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("tables", "features", "feast", "bundles", "keys"):
            (Path(folder) / name).symlink_to(getattr(home, name))
        runtime = ready(Settings(home=Path(folder), as_of=AS_OF, log_level="error"))
        with runtime.ledger.reading() as reading:
            customers = reading.customers(ROUNDS)
        _print(_measure(runtime, customers))
        runtime.close()


def _measure(runtime: Runtime, customers: list[str]) -> dict[str, list[float]]:
    """Seconds of each part, once per customer."""
    times: dict[str, list[float]] = {"features": [], "estimates": [], "context to decision": [], "all, written": []}
    for number, customer in enumerate(customers):
        body = json.dumps({"request_id": f"bench-{number}", "customer": {"id": customer}}).encode()
        question = question_of(runtime, CLIENT, body)
        times["features"].append(_timed(lambda who=customer: runtime.features.online(who, runtime.policy.channels)))
        with runtime.ledger.reading() as reading:
            record, _ = consider(runtime, reading, question)
            times["context to decision"].append(_timed(lambda r=reading, q=question: consider(runtime, r, q)))
        context = record.context
        times["estimates"].append(
            _timed(lambda c=context, q=question: estimates(runtime.bundle, runtime.policy, c, q.now))
        )
        times["all, written"].append(_timed(lambda b=body: decide_for(runtime, CLIENT, b)))
    return times


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _print(times: dict[str, list[float]]) -> None:
    whole = statistics.median(times["all, written"])
    print(f"{'part':<22}{'p50 ms':>9}{'p95 ms':>9}{'share of all':>14}")
    for name, seconds in times.items():
        middle, high = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
        print(f"{name:<22}{middle * 1e3:>9.2f}{high * 1e3:>9.2f}{middle / whole:>13.0%}")


if __name__ == "__main__":
    try:
        main()
    except DirigentError as fault:
        sys.exit(str(fault))
