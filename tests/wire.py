"""A line between a program and a server, which a test may cut: loudly, or without a word."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Self

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Wire:
    """Passes a free loopback port on to another one. `silence`: what is sent vanishes, on old and new connections. `cut`: every
    connection is reset, and new ones are, too. `mend`: new connections pass again; old ones stay as they are.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._state = "open"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._reset()

    def silence(self) -> None:
        """From now on nothing arrives any more, and nobody is told."""
        self._state = "silent"

    def cut(self) -> None:
        """Reset every connection, and each new one."""
        self._state = "cut"
        self._reset()

    def mend(self) -> None:
        """Let new connections pass."""
        self._state = "open"

    def _reset(self) -> None:
        for end in self._ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                end.shutdown(socket.SHUT_RD)  # wakes the thread that reads from it
            end.close()
        self._ends.clear()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                self._ends.append(near)
                if self._state == "cut":
                    self._reset()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    self._reset()
                    continue
                self._ends.append(far)
                lost = threading.Event()
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(*pair, lost), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                if self._state == "silent":
                    lost.set()
                if not lost.is_set():  # a line that lost something never speaks again
                    target.sendall(chunk)
            if not lost.is_set():
                target.shutdown(socket.SHUT_RDWR)
