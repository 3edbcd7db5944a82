"""The real service of a prepared home, in processes of its own, for benchmarks that load, kill and starve it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx

from benchmarks.reliability.http_callers import Caller, Key
from benchmarks.reliability.verdicts import Verdict, judge
from catalog.loading import EXAMPLE, load_catalog
from features.home import Home
from features.tables.store import open_tables
from serving.auth import create_key
from serving.clock import Clock
from serving.opening import open_ledger
from serving.settings import Settings
from tests.e2e.service_process import AS_OF, ROOT, SERVE, environment, free_port, private_home
from tests.history.recorder import Recorder

UNLIMITED = {"DIRIGENT_RATE_PER_KEY": "1000000", "DIRIGENT_RATE_PER_PEER": "1000000", "DIRIGENT_CONCURRENCY": "512",
             "DIRIGENT_CONCURRENCY_PER_KEY": "256", "DIRIGENT_LOG_LEVEL": "warning"}  # fmt: skip
START_SECONDS = 120.0


@dataclass
class Service:
    """`dirigent serve` over a private copy of a home. Its clock began once and runs on over every restart."""

    shop: Home
    folder: Path
    workers: int = 1
    ledger: str | None = None
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home, self.port = private_home(self.shop, self.folder / "home"), free_port()
        self.histories = self.folder / "histories"
        self.histories.mkdir()
        self.log = self.folder / "service.log"
        own = {"DIRIGENT_AS_OF_BEGAN": str(time.time()), **({"DIRIGENT_LEDGER": self.ledger} if self.ledger else {})}
        self.environment = environment(self.home, self.port, **UNLIMITED, **own, **self.more)
        self._process: subprocess.Popen[bytes] | None = None
        self._health = httpx.Client(base_url=self.base(), timeout=2, trust_env=False)

    def base(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start it and wait until it is ready; how many seconds that took."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            command = [*SERVE, "--workers", str(self.workers)]
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self.wait_ready(START_SECONDS)
        return time.monotonic() - began

    def wait_ready(self, seconds: float) -> float:
        """Wait until it says that it is ready; how long that took. Raises `TimeoutError`."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self.ready():
                return time.monotonic() - began
            if self._process is not None and self._process.poll() is not None:
                break
            time.sleep(0.05)
        state = "runs" if self.pid else f"ended with {self._process.returncode if self._process else 'no start'}"
        took = time.monotonic() - began
        raise TimeoutError(f"the service is not ready after {took:.0f} s and {state}:\n{self.log.read_text()[-2000:]}")

    def ready(self) -> bool:
        """Whether it says so."""
        try:
            return self._health.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def worker_pids(self) -> list[int]:
        """Its workers; the one process where there is no supervisor."""
        pid = self.pid
        if pid is None or self.workers == 1:
            return [] if pid is None else [pid]
        with suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
        return []

    @property
    def pid(self) -> int | None:
        """The first process, None while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def kill(self) -> None:
        """SIGKILL to every process of it at once."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)

    def stop(self) -> None:
        """End it as an operator does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)
        self._health.close()

    def customers(self, count: int) -> list[str]:
        """Customers of the shop."""
        with open_tables(self.home, without=()) as tables:
            found = tables.execute("SELECT customer_id FROM customers ORDER BY customer_id LIMIT ?", [count]).fetchall()
        return [str(name) for (name,) in found]

    def callers(
        self, count: int, customers: list[str], *, keys: int = 4, named: str = "caller", **more: float
    ) -> tuple[list[Caller], list[Recorder]]:
        """Callers who share a few keys, each key with its own history."""
        made = [self._key(f"{named}-{number}") for number in range(keys)]
        callers = [Caller(self.base(), made[it % keys], customers, it, **more) for it in range(count)]
        return callers, [key.recorder for key in made]

    def _key(self, name: str) -> Key:
        secret = create_key(self.home, name, "orchestrator")
        return Key(name, secret, Recorder(self.histories / f"{name}.jsonl", name))

    def verdict(self) -> Verdict:
        """Judge ledger and histories; the service may have ended."""
        settings = Settings(home=self.home.root, ledger=self.ledger, as_of=datetime.fromisoformat(AS_OF))
        clock = Clock(settings.as_of, float(self.environment["DIRIGENT_AS_OF_BEGAN"]))
        ledger = open_ledger(settings, clock)
        try:
            return judge(ledger, load_catalog(EXAMPLE), self.histories)
        finally:
            ledger.close()
