"""What random requests find: schemathesis over the published OpenAPI of a real service, at least 20,000 cases, 0 findings.

Run after `make demo`: `python benchmarks/reliability/schema.py`. It starts a service of its own on loopback over a copy of the
home's files (erasures are among the requests, and rewrite them) and ends it. Examples, coverage of every boundary of every field,
random requests (half of them wrong on purpose) and sequences of calls, each with all checks: no fault, only published statuses,
media types, headers and shapes, wrong requests refused, right ones accepted, no call without a key, no unpublished method.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the service and the callers are those of the tests

from catalog.loading import EXAMPLE, load_catalog
from features.home import Home
from serving.auth import create_key
from tests.e2e.fuzzing import fuzz
from tests.e2e.service_process import running

CASES, ROUNDS = 20_000, 20
LIMITS_OFF = {"DIRIGENT_RATE_PER_KEY": "100000", "DIRIGENT_RATE_PER_PEER": "100000", "DIRIGENT_LOG_LEVEL": "warning"}


def main() -> None:
    """Print the cases of every call and every finding; exit code 1 when there is one, or fewer cases than asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cases", type=int, default=CASES, help="at least so many cases in all")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = _copy(Home.from_environment(), Path(folder) / "home")
        with running(home, create_key(home, "fuzzer", "admin"), **LIMITS_OFF) as server:
            total, findings = 0, 0
            for turn in range(ROUNDS):
                began = time.monotonic()
                # Coverage is the same whatever the seed: it is sent once.
                phases = ("examples", "coverage", "fuzzing", "stateful") if turn == 0 else ("fuzzing", "stateful")
                found = fuzz(server, load_catalog(EXAMPLE), examples=200, seed=given.seed + turn, phases=phases)
                print(f"\nround {turn + 1}, seed {given.seed + turn}, {time.monotonic() - began:.0f} s", flush=True)
                print("\n".join(found.lines()), flush=True)
                total, findings = total + found.total, findings + len(found.findings)
                if total >= given.cases or server.process.poll() is not None:
                    break
            alive = server.http.get("/readyz").status_code == 200
    print(f"\n{total:,} cases, {findings} findings, the service is {'ready' if alive else 'NOT READY'} after them")
    sys.exit(0 if alive and not findings and total >= given.cases else 1)


def _copy(shop: Home, root: Path) -> Home:
    """The shop's files to write to; a ledger of its own."""
    for name in ("tables", "features", "feast", "bundles", "keys"):
        shutil.copytree(shop.root / name, root / name)
    return Home(root)


if __name__ == "__main__":
    main()
