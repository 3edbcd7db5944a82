"""What hostile requests cost, and what everybody else notices of them: a real service, one well-behaved caller, several attackers.

Run after `make demo`: `python benchmarks/reliability/hostile.py`. It starts a service of its own on loopback over a copy
of the home's ledger and keys, and ends it. Figures: median time and CPU time of each kind of request, growth of the
service's memory over 500 of them, and the p50 and p99 of a caller's reads and dry-run decisions, alone and under attack.

The attack under which others are measured sends hostile requests at a steady pace (`--pace`, requests a second over all
attackers, with a valid key), holds 400 half-sent requests open, and knocks with wrong keys at the same pace.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

sys.path.insert(
    0, str(Path(__file__).resolve().parents[2])
)  # the service and the hostile requests are those of the tests

from features.home import Home
from serving.auth import create_key
from tests.e2e.raw_http import ask, connect, request
from tests.e2e.service_process import Server, private_home, running
from tests.e2e.test_hostile_input import BODIES, LIMITS_OFF, RAW, post

ROUNDS, CALLS, GROWTH_ROUNDS, HELD_OPEN = 15, 400, 500, 400
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print one table per question; exit code 1 when a bound of the project's does not hold."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pace", type=float, default=20.0, help="hostile requests a second")
    pace = options.parse_args().pace
    with tempfile.TemporaryDirectory() as folder:
        home = private_home(Home.from_environment(), Path(folder) / "home")
        caller, attacker = create_key(home, "caller", "admin"), create_key(home, "attacker", "orchestrator")
        with running(home, caller, **LIMITS_OFF) as server:
            requests = [post(attacker, headers, body) for headers, body, _ in BODIES.values()]
            requests += [sent for sent, _ in RAW.values()]
            slowest, grown = _costs(server, requests), _growth(server, requests)
            ratios = _others(server, attacker, requests, pace)
    held = slowest < 50 and grown < 20 and max(ratios.values()) < 2
    print("\nall bounds hold (50 ms, 20 MB, twice the p99)" if held else "\nA BOUND DOES NOT HOLD")
    sys.exit(0 if held else 1)


def _costs(server: Server, requests: list[bytes]) -> float:
    """Prints the cost of each kind; returns the largest median in ms."""
    print(f"{'request':34} {'median ms':>10} {'CPU ms':>8}")
    largest = 0.0
    for name, sent in zip([*BODIES, *RAW], requests, strict=True):
        before, took = _cpu(server), list[float]()
        for _ in range(ROUNDS):
            began = time.perf_counter()
            ask(server.port, sent, 5)
            took.append((time.perf_counter() - began) * 1000)
        median = statistics.median(took)
        largest = max(largest, median)
        print(f"{name:34} {median:10.1f} {(_cpu(server) - before) * 1000 / ROUNDS:8.1f}")
    return largest


def _growth(server: Server, requests: list[bytes]) -> float:
    before = _resident(server)
    for turn in range(GROWTH_ROUNDS):
        ask(server.port, requests[turn % len(requests)], 5)
    grown = _resident(server) - before
    print(f"\nmemory grew by {grown:.1f} MB over {GROWTH_ROUNDS} hostile requests, to {_resident(server):.0f} MB")
    return grown


def _others(server: Server, attacker: str, requests: list[bytes], pace: float) -> dict[str, float]:
    """Prints p50 and p99 alone and under attack; returns the ratio of the p99s per kind of call."""
    bodies = [{"request_id": "b", "customer": {"id": str(one)}, "mode": "dry_run"} for one in range(1, 51)]

    def measured() -> dict[str, list[float]]:
        took: dict[str, list[float]] = {"read": [], "dry-run decision": []}
        for turn in range(CALLS):
            began = time.perf_counter()
            server.http.get("/openapi.json").raise_for_status()
            read = time.perf_counter()
            server.http.post("/v1/decisions", json=bodies[turn % len(bodies)]).raise_for_status()
            took["read"].append((read - began) * 1000)
            took["dry-run decision"].append((time.perf_counter() - read) * 1000)
        return took

    measured()
    alone = measured()
    with _attack(server, attacker, requests, pace) as sent:
        attacked = measured()
    print(f"\n{'another caller':18} {'p50 alone':>10} {'attacked':>9} {'p99 alone':>10} {'attacked':>9} {'ratio':>6}")
    ratios = {}
    for kind in alone:
        quiet, loud = statistics.quantiles(alone[kind], n=100), statistics.quantiles(attacked[kind], n=100)
        ratios[kind] = loud[98] / quiet[98]
        print(f"{kind:18} {quiet[49]:10.1f} {loud[49]:9.1f} {quiet[98]:10.1f} {loud[98]:9.1f} {ratios[kind]:6.2f}")
    print(f"({sent[0]} hostile requests and {sent[1]} wrong keys meanwhile, {HELD_OPEN} half-sent requests held open)")
    return ratios


@contextmanager
def _attack(server: Server, attacker: str, requests: list[bytes], pace: float) -> Iterator[list[int]]:
    """Attack for the length of the block; yields how many requests of each kind were sent."""
    over, sent = threading.Event(), [0, 0]
    wrong = request("GET", "/v1/decisions/d-1", attacker[:-4] + "AAAA")

    def bombard(kind: int, choice: list[bytes]) -> None:
        while not over.wait(1 / pace):
            with suppress(OSError, IndexError):
                ask(server.port, choice[sent[kind] % len(choice)], 5)
            sent[kind] += 1

    def hold() -> None:
        while not over.is_set():
            with ExitStack() as held:
                for _ in range(HELD_OPEN):
                    with suppress(OSError):
                        held.enter_context(connect(server.port)).sendall(b"POST /v1/decisions HTTP/1.1\r\nX: ")
                    if over.wait(0.005):
                        return
                over.wait(9)

    attackers = [
        threading.Thread(target=bombard, args=(0, requests)),
        threading.Thread(target=bombard, args=(1, [wrong])),
        threading.Thread(target=hold),
    ]
    for thread in attackers:
        thread.start()
    try:
        yield sent
    finally:
        over.set()
        for thread in attackers:
            thread.join()


def _cpu(server: Server) -> float:
    """Seconds of CPU that the service used so far."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _resident(server: Server) -> float:
    """Resident memory in MB."""
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
