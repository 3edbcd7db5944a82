"""The real server in its own process on a free loopback port, over a private copy of the trained shop's state."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from features.home import Home
from tests.e2e.forked_process import ForkedProcess, forks

ROOT = Path(__file__).resolve().parents[2]
AS_OF = "2018-01-02T15:00:00+00:00"
START_SECONDS = 120
SERVE = [sys.executable, "-c", "from dirigent.main import run; run()", "serve"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def private_home(shop: Home, root: Path) -> Home:
    """The shop's tables, features and models by reference; keys and ledger of its own."""
    root.mkdir(parents=True)
    for name in ("tables", "features", "feast", "bundles"):
        (root / name).symlink_to(shop.root / name)
    if shop.keys.exists():
        shutil.copytree(shop.keys, root / "keys")
    return Home(root)


@dataclass
class Server:
    """One running service and how to reach it; `log` is what it wrote to standard error."""

    home: Home
    port: int
    key: str
    log: Path
    process: subprocess.Popen[bytes] | ForkedProcess
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = self.client(self.key)

    def client(self, key: str | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = f"http://127.0.0.1:{self.port}"
        # Reading the certificates that nobody needs here takes longer than most requests.
        return httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False, verify=False)  # noqa: S501

    def decide(self, request_id: str, customer: str = "1", **more: object) -> httpx.Response:
        return self.http.post("/v1/decisions", json={"request_id": request_id, "customer": {"id": customer}} | more)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.http.close()
        self.process.send_signal(number)
        return self.process.wait(30)


def environment(home: Home, port: int, **more: str) -> dict[str, str]:
    own = {"DIRIGENT_HOME": str(home.root), "DIRIGENT_PORT": str(port), "DIRIGENT_AS_OF": AS_OF}
    clean = {name: text for name, text in os.environ.items() if not name.startswith("DIRIGENT_")}
    return clean | own | more


def start(home: Home, key: str, command: Sequence[str] = SERVE, *, forked: bool = False, **more: str) -> Server:
    """Start the service and wait until it says that it is ready. `forked`: without importing everything anew."""
    port = free_port()
    log = home.root / f"serve-{port}.log"
    variables = environment(home, port, **more)
    process: subprocess.Popen[bytes] | ForkedProcess
    if forked:
        process = forks().start(["serve"], variables, log, log)
    else:
        with log.open("wb") as file:
            process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=file, stderr=file)
    server = Server(home, port, key, log, process)
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if server.http.get("/readyz").status_code == 200:
                return server
        except httpx.TransportError:
            time.sleep(0.1)
    process.kill()
    process.wait()
    raise AssertionError(f"the service did not become ready:\n{log.read_text()[-3000:]}")


@contextmanager
def running(
    home: Home, key: str, command: Sequence[str] = SERVE, *, forked: bool = False, **more: str
) -> Iterator[Server]:
    """A service that ends with the block, unless it did before."""
    server = start(home, key, command, forked=forked, **more)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
