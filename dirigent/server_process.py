"""A service started for the length of a `with` block: its own process on loopback, stopped at the end whatever happens."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import httpx

from arbitration.errors import StateError
from features.home import Home

PATIENCE_SECONDS = 90.0


def free_port(wanted: int) -> int:
    """The wanted port, or any free one when something already listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            with socket.socket() as other:
                other.bind(("127.0.0.1", 0))
                return int(other.getsockname()[1])
    return wanted


@contextmanager
def running(home: Home, as_of: datetime, port: int) -> Iterator[str]:
    """Start `dirigent serve`, wait until it is ready, yield its URL, stop it. Its log is `serve.log` in the home."""
    log_path = home.root / "serve.log"
    environment = os.environ | {
        "DIRIGENT_HOME": str(home.root),
        "DIRIGENT_AS_OF": as_of.isoformat(),
        "DIRIGENT_PORT": str(port),
    }
    with log_path.open("w") as log:
        command = [sys.executable, "-c", "from dirigent.main import run; run()", "serve"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603 - our own program
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(process, url, log_path)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            lines = log.read_text().strip().splitlines() or ["it said nothing"]
            raise StateError("the service stopped at its start", where=str(log), mend=lines[-1])
        try:
            if httpx.get(f"{url}/readyz", timeout=5, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise StateError(f"the service was not ready within {PATIENCE_SECONDS:.0f} s", where=str(log), mend="Read the log.")
