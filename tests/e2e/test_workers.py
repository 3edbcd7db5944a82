"""Several processes behind one port: one that is killed comes back under way, and none outlives the service."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Self

import httpx
import pytest

from serving.auth import create_key
from tests.e2e.service_process import AS_OF, ROOT, SERVE, Server, environment, free_port, private_home, running

WORKERS = [*SERVE, "--workers", "2"]
PAUSE_SECONDS = 0.1
"""Between two questions of a caller: a worker that is starting needs the processors, too."""


@pytest.fixture
def home(shop_home, tmp_path):
    return private_home(shop_home, tmp_path / "home")


def workers_of(server: Server) -> set[int]:
    """Process ids of the workers that live now."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


def lives(pid: int) -> bool:
    """Whether there is such a process, other than a dead one that nobody has collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(holds, seconds: float, what: str) -> float:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, what
        time.sleep(0.02)
    return time.monotonic() - began


def times_ready(server: Server) -> int:
    return server.log.read_text().count("worker ready")


class Callers:
    """Ask again and again, each on a connection of its own, as long as the block lasts; a cut line is asked again."""

    def __init__(self, server: Server, count: int = 2) -> None:
        self.answered, self.cut, self.statuses = 0, 0, set[int]()
        self._server, self._stop = server, threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        with self._server.client(self._server.key) as http:
            for turn in itertools.count():
                body = {"request_id": f"caller-{number}-{turn}", "customer": {"id": str(1 + turn % 5)}}
                while not self._stop.is_set():
                    try:
                        self.statuses.add(http.post("/v1/decisions", json=body).status_code)
                        self.answered += 1
                        break
                    except httpx.TransportError:
                        self.cut += 1
                if self._stop.wait(PAUSE_SECONDS):
                    return


def moments(server: Server, count: int) -> list[datetime]:
    """When the shop says that it is, asked on fresh connections one after the other, so that every worker has its turn."""
    found = []
    for number in range(count):
        body = {"request_id": f"moment-{number}", "customer": {"id": "1"}, "mode": "dry_run"}
        with server.client(server.key) as http:
            found.append(datetime.fromisoformat(http.post("/v1/decisions", json=body).json()["decided_at"]))
    return found


def test_a_killed_worker_comes_back_while_the_service_goes_on_and_none_is_left_at_the_end(home):
    began = time.time()
    with running(home, create_key(home, "orchestrator", "orchestrator"), WORKERS) as server:
        wait_until(lambda: times_ready(server) == 2, 120, "the second worker is not ready")
        first = workers_of(server)
        assert len(first) == 2
        with Callers(server) as callers:
            wait_until(lambda: callers.answered > 10, 20, "nobody answers")
            victim = min(first)
            os.kill(victim, signal.SIGKILL)
            assert wait_until(lambda: len(workers_of(server) - {victim}) == 2, 10, "no new worker was started") < 10
            before = callers.answered
            wait_until(lambda: callers.answered > before + 10, 10, "the other worker does not go on")
            wait_until(lambda: times_ready(server) == 3, 120, "the new worker is not ready")
        assert callers.statuses == {200}
        assert callers.cut <= 2, "only what was under way on the killed worker was cut"
        told = moments(server, 40)
        assert told == sorted(told), "the workers agree on the shop's time, the new one as well"
        assert abs((told[-1] - datetime.fromisoformat(AS_OF)).total_seconds() - (time.time() - began)) < 10
        last = workers_of(server)
        assert server.stop() == -signal.SIGTERM
        assert not [pid for pid in first | last if lives(pid)]
        assert "Traceback" not in server.log.read_text()


@pytest.mark.long  # with light workers: tests/unit/serving/test_workers.py
def test_a_worker_that_hangs_is_ended_and_another_takes_its_place(home):
    shop = create_key(home, "orchestrator", "orchestrator")
    with running(home, shop, WORKERS, DIRIGENT_HUNG_SECONDS="3") as server:
        wait_until(lambda: times_ready(server) >= 2, 120, "the second worker is not ready")
        victim = min(workers_of(server))
        os.kill(victim, signal.SIGSTOP)
        wait_until(lambda: not lives(victim), 60, "the worker that hangs was left")
        wait_until(lambda: len(workers_of(server)) == 2, 120, "no new worker was started")
        assert "worker hangs" in server.log.read_text()
        assert len(moments(server, 5)) == 5


@pytest.mark.long
def test_workers_end_when_their_supervisor_is_killed(home):
    with running(home, create_key(home, "orchestrator", "orchestrator"), WORKERS) as server:
        wait_until(lambda: times_ready(server) == 2, 120, "the second worker is not ready")
        workers = workers_of(server)
        server.stop(signal.SIGKILL)
        wait_until(lambda: not [pid for pid in workers if lives(pid)], 5, "a worker was left behind")


def test_what_is_missing_is_still_one_line(home):
    (home.root / "bundles").unlink()
    done = subprocess.run(
        WORKERS, cwd=ROOT, env=environment(home, free_port()), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 3
    [line] = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("{")]
    assert "dirigent promote" in line
