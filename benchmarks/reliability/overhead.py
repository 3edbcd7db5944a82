"""What does the ledger cost a decision? The same decision live and in `dry_run`, in one process. Needs what `make demo` prepared.

    DIRIGENT_HOME=.dirigent python -m benchmarks.reliability.overhead [--store sqlite|postgresql] [--customers N]

Each customer is asked about three times: twice in `dry_run`, of which the second counts, then live, which finds the same and writes
it down. A pair's difference is what writing costs: the lock, decision, reservation, audit and event, and the commit on the disk. Beside
it stands what the disk alone takes: a row of as many bytes, inserted and committed through the bare driver with the same settings.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from benchmarks.reliability.stores import add_options, empty_store
from features.home import Home
from features.tables.example import AS_OF
from serving.auth import Client
from serving.bootstrap import Runtime
from serving.decisions import decide_for
from serving.settings import Settings
from serving.warmup import ready

BOUND_MS = {"sqlite": 1.5, "postgresql": 3.0}
WARM = 30
ROW_BYTES, BARE = 18_000, 300


@dataclass(frozen=True, slots=True)
class Result:
    """Milliseconds, medians: of `dry_run`, of live, and of the pairs' differences, by the wall's clock and by this process's CPU; and
    of a bare commit.
    """

    pairs: int
    acted: int
    dry: float
    live: float
    wall: float
    cpu: float
    bare: float
    differences: tuple[float, ...]


def own_home(shop: Home, folder: Path) -> Home:
    """The shop's files by reference, keys of its own."""
    for name in ("tables", "features", "feast", "bundles"):
        (folder / name).symlink_to(getattr(shop, name).resolve())
    if shop.keys.exists():
        shutil.copytree(shop.keys, folder / "keys")
    return Home(folder)


def measure(shop: Home, named: str | None, folder: Path, *, customers: int) -> Result:
    """Ask about so many customers, each once live."""
    folder.mkdir()
    home = own_home(shop, folder)
    with ExitStack() as stack:
        runtime = ready(Settings(home=home.root, as_of=AS_OF, log_level="error", ledger=named))
        stack.callback(runtime.close)
        with runtime.ledger.reading() as reading:
            names = reading.customers(customers + WARM)
        for number, name in enumerate(names[:WARM]):
            for mode in ("dry_run", "live"):
                _ask(runtime, f"warm-{number}", name, mode)()
        rows = [_pair(runtime, number, name) for number, name in enumerate(names[WARM:])]
        bare = bare_commits(home, named)
    wall, cpu = ([live[kind] - dry[kind] for dry, live, _ in rows] for kind in (0, 1))
    return Result(
        len(rows), sum(acted for _, _, acted in rows), _median(dry[0] for dry, _, _ in rows), _median(live[0] for _, live, _ in rows),
        _median(wall), _median(cpu), bare, tuple(sorted(wall)),
    )  # fmt: skip


def bare_commits(home: Home, named: str | None) -> float:
    """Milliseconds, median, for one row and its commit without anything of ours around it."""
    row, times = os.urandom(ROW_BYTES), []
    with ExitStack() as stack:
        execute: Callable[..., Any]
        if named is None:
            file = stack.enter_context(closing(sqlite3.connect(home.root / "bare.db", isolation_level=None)))
            file.execute("PRAGMA journal_mode=WAL")
            file.execute("PRAGMA synchronous=FULL")
            execute, begin, mark = file.execute, "BEGIN IMMEDIATE", "?"
        else:
            address = make_url(named).set(drivername="postgresql").render_as_string(hide_password=False)
            execute = stack.enter_context(psycopg.connect(address, autocommit=True)).execute
            begin, mark = "BEGIN", "%s"
        execute(f"CREATE TABLE bare (row {'BLOB' if named is None else 'BYTEA'})")
        for _ in range(BARE):
            began = time.perf_counter()
            execute(begin)
            execute(f"INSERT INTO bare VALUES ({mark})", (row,))
            execute("COMMIT")
            times.append((time.perf_counter() - began) * 1e3)
    return _median(times)


def _pair(runtime: Runtime, number: int, name: str) -> tuple[tuple[float, float], tuple[float, float], bool]:
    _ask(runtime, f"first-{number}", name, "dry_run")()
    dry, _ = _timed(_ask(runtime, f"second-{number}", name, "dry_run"))
    live, answer = _timed(_ask(runtime, f"third-{number}", name, "live"))
    return dry, live, json.loads(answer)["outcome"] == "act"


def _ask(runtime: Runtime, request_id: str, name: str, mode: str) -> Callable[[], bytes]:
    client, body = Client("bench", "orchestrator"), {"request_id": request_id, "customer": {"id": name}, "mode": mode}
    sent = json.dumps(body).encode()
    return lambda: decide_for(runtime, client, sent)[1]


def _timed(work: Callable[[], bytes]) -> tuple[tuple[float, float], bytes]:
    """Milliseconds by the wall's clock and of this thread's CPU, and the answer."""
    wall, cpu = time.perf_counter(), time.thread_time()
    answer = work()
    return ((time.perf_counter() - wall) * 1e3, (time.thread_time() - cpu) * 1e3), answer


def _median(numbers: Any) -> float:
    return float(statistics.median(numbers))


def main() -> None:
    """Print a table; exit code 1 when the bound does not hold."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(options)
    options.add_argument("--customers", type=int, default=1500)
    given = options.parse_args()
    with empty_store(given.store, given.url) as (named, folder):
        ledger = None if given.store == "sqlite" else named
        found = measure(Home.from_environment(), ledger, folder / "home", customers=given.customers)
    bound, order = BOUND_MS[given.store], found.differences
    print(f"{given.store}, {found.pairs:,} pairs, {found.acted:,} of them with a contact; ms, medians")
    print(f"{'dry_run':>10}{'live':>10}{'difference':>12}{'of CPU':>10}{'p25':>8}{'p75':>8}{'p95':>8}   bound")
    spread = "".join(f"{order[int(len(order) * part)]:>8.2f}" for part in (0.25, 0.75, 0.95))
    print(f"{found.dry:>10.2f}{found.live:>10.2f}{found.wall:>12.2f}{found.cpu:>10.2f}{spread}   <= {bound:g} ms p50")
    print(f"a bare commit of {ROW_BYTES:,} bytes on the same disk in the same run: {found.bare:.2f} ms")
    held = found.wall <= bound
    print("\nthe bound holds" if held else "\nTHE BOUND DOES NOT HOLD")
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
