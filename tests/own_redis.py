"""A Redis of the tests' own on a free loopback port, which may be killed and paused, and a line to it that may be cut."""

from __future__ import annotations

import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

import pytest

START_SECONDS = 10
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class OwnRedis:
    """One server without a password, on loopback; `address` is `host:port`. What it holds outlives a kill. `remove` when done."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise FileNotFoundError("redis-server is not on PATH")
        self._folder = tempfile.mkdtemp(prefix="own-redis-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        own = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder]
        self._command = [program, *own, "--save", "", "--appendonly", "yes", "--appendfsync", "no"]
        self.start()

    @property
    def address(self) -> str:
        """For `DIRIGENT_REDIS`."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start on the same port over the same data; returns when the data is loaded."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, start_new_session=True)
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < until, "Redis does not answer"
            assert self._process.poll() is None, "Redis ended"
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """SIGSTOP: connections are still taken, and nobody answers."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run on."""
        self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """End it and delete its folder."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
        return False


class Line:
    """A TCP proxy on a free loopback port. `open`: passes everything on; `resetting`: answers every byte with a reset."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.state: Literal["open", "resetting"] = "open"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """`host:port` of the near end."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Take no more connections and end those there are."""
        self._listener.close()
        for pair in list(self._pairs):
            for end in pair:
                end.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    near.close()
                    continue
                self._pairs.append((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(*pair, near), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                if self.state == "resetting":
                    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                    break
                target.sendall(chunk)
        for end in (source, target):
            if self.state == "open" or end is not near:  # a reset is not announced
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def redis() -> Iterator[OwnRedis]:
    """A running, empty Redis for one test."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not on PATH; on Debian: apt-get install redis-server")
    server = OwnRedis()
    try:
        yield server
    finally:
        server.remove()
