"""Writes what one client process asks and is answered, as FORMAT.md has it. One recorder per process and file."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Recorder:
    """The history of one client. Every line is handed to the operating system at once: it survives the client's own kill -9.

    Threads of one process may share it. A forked or restarted process makes its own, with a file of its own: `FileExistsError`
    where there is one already.
    """

    def __init__(self, path: Path | str, client: str) -> None:
        self.client = client
        self._file = Path(path).open("x", encoding="utf-8", buffering=1)  # noqa: SIM115 - open as long as the client runs
        self._lock = threading.Lock()
        self._kinds: dict[int, str] = {}
        self._calls = 0

    def ask(self, kind: str, **what: Any) -> int:
        """Write that a call begins, before it is sent. Gives the number of the call."""
        with self._lock:
            self._calls += 1
            call = self._calls
            self._kinds[call] = kind
            self._write(call, kind, "ask", time.monotonic_ns(), what)
        return call

    def answer(self, call: int, **what: Any) -> None:
        """Write that a call was answered; `what` holds its status. Raises `KeyError` for a call that is not open."""
        self._end(call, "answer", what)

    def unknown(self, call: int, **what: Any) -> None:
        """Write that nobody will learn what became of a call: the connection is lost, the deadline passed."""
        self._end(call, "unknown", what)

    def _end(self, call: int, phase: str, what: dict[str, Any]) -> None:
        at = time.monotonic_ns()  # before the lock: the answer was there already while other threads wrote
        with self._lock:
            self._write(call, self._kinds.pop(call), phase, at, what)

    def _write(self, call: int, kind: str, phase: str, at: int, what: dict[str, Any]) -> None:
        line = {"client": self.client, "call": call, "kind": kind, "phase": phase, "at": at}
        line |= {"wall": time.time_ns() // 1000} | what
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """Close the file; calls that are open stay unknown."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
