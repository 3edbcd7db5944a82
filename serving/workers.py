"""Several processes behind one port: a supervisor that starts them, starts anew who dies or hangs, and ends with all of them.

uvicorn's own supervisor is left out: it stops the whole service when a worker that it starts anew cannot load (a database
that is away for a moment), ends with exit code 0 when nothing could be started, waits without end for a worker that hangs,
and leaves its workers behind when it is killed itself.
"""

from __future__ import annotations

import multiprocessing
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import Synchronized
from types import FrameType

from arbitration.errors import StateError
from serving.logs import log
from serving.settings import Settings
from serving.worker import GRACE_SECONDS, work

_LOOK_SECONDS = 0.2
_LONGEST_REST = 10.0
_ENDING = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class Worker:
    """One process; `report` brings None when it is ready, or why it cannot be. `beats` rises every second while it answers."""

    process: SpawnProcess
    report: Connection
    beats: Synchronized[int]
    _ready: bool = False
    _seen: int = 0
    _silent: float = 0.0

    def silent(self, passed: float) -> float:
        """Seconds without a beat since it was ready; `passed` since the last look."""
        beats = self.beats.value
        self._silent = self._silent + passed if self._ready and beats == self._seen else 0.0
        self._seen = beats
        return self._silent

    def ready(self) -> bool:
        """Whether it has said that it answers."""
        return self._ready

    def heard(self) -> Exception | None:
        """What it reported since the last time, if that is an error; remembers that it is ready."""
        with suppress(EOFError, OSError):
            if not self._ready and self.report.poll():
                error: Exception | None = self.report.recv()
                self._ready = error is None
                return error
        return None


class Supervisor:
    """Keeps `count` workers answering on `listener`, until SIGTERM or SIGINT."""

    def __init__(self, settings: Settings, listener: socket.socket, count: int) -> None:
        self._settings, self._listener, self._count = settings, listener, count
        self._spawn = multiprocessing.get_context("spawn")  # a fork would copy threads' locks and open connections
        self._workers: list[Worker] = []
        self._failures = 0  # starts in a row that did not become ready
        self._next_start = 0.0
        self._looked = time.monotonic()
        self._told: int | None = None

    def run(self) -> None:
        """Serve. Raises the `DirigentError` for which the first worker cannot start; later ones are tried again and again.

        Ends by the signal it was sent, as a single process does.
        """
        before = {number: signal.signal(number, self._remember) for number in _ENDING}
        try:
            self._first()
            while self._told is None:
                self._end_hung()
                self._replace_dead()
                self._look()
        finally:
            self._end()
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._told is not None:
            signal.raise_signal(self._told)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self._told = number

    def _start(self) -> Worker:
        near, far = self._spawn.Pipe(duplex=False)
        beats = self._spawn.Value("L", 0, lock=False)  # without a lock: who hangs would hold it
        process = self._spawn.Process(target=work, args=(self._settings, self._listener, far, beats), name="worker")
        process.start()
        far.close()
        worker = Worker(process, near, beats)
        self._workers.append(worker)
        log.info("worker started", pid=process.pid)
        return worker

    def _first(self) -> None:
        """One worker alone, so that what is missing is said once and a new ledger is made by one process."""
        first = self._start()
        while self._told is None and not first.ready():
            wait([first.report, first.process.sentinel], _LOOK_SECONDS)
            if error := first.heard():
                raise error
            if first.ready():
                log.info("worker ready", pid=first.process.pid)
            elif not first.process.is_alive():
                raise StateError(
                    f"ended while loading (exit code {first.process.exitcode})",
                    where="the first worker",
                    mend="see the lines above",
                )

    def _end_hung(self) -> None:
        """Kill who gave no sign of life for too long. Time in which this process stood still itself counts as one look."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, 2 * _LOOK_SECONDS), now
        for worker in self._workers:
            if worker.silent(passed) > self._settings.hung_seconds:
                log.error("worker hangs", pid=worker.process.pid, seconds=self._settings.hung_seconds)
                worker.process.kill()
                worker.process.join()

    def _replace_dead(self) -> None:
        for worker in list(self._workers):
            if worker.process.is_alive():
                continue
            self._workers.remove(worker)
            worker.process.join()
            worker.report.close()
            self._failures = 0 if worker.ready() else self._failures + 1
            rest = min(0.5 * 2**self._failures, _LONGEST_REST) if self._failures else 0.0
            self._next_start = time.monotonic() + rest
            log.error("worker ended", pid=worker.process.pid, code=worker.process.exitcode, again_in=rest)
        while len(self._workers) < self._count and time.monotonic() >= self._next_start:
            self._start()

    def _look(self) -> None:
        """Wait for news, not longer than a moment: a signal interrupts no wait."""
        loading = [worker.report for worker in self._workers if not worker.ready()]
        wait([*loading, *(worker.process.sentinel for worker in self._workers)], _LOOK_SECONDS)
        for worker in self._workers:
            was_ready = worker.ready()
            if error := worker.heard():
                log.error("worker cannot start", pid=worker.process.pid, what=str(error))
            elif worker.ready() and not was_ready:
                self._failures = 0
                log.info("worker ready", pid=worker.process.pid)

    def _end(self) -> None:
        """SIGTERM to all; who has not ended when requests must have, is killed."""
        for worker in self._workers:
            worker.process.terminate()
        until = time.monotonic() + GRACE_SECONDS + 2
        for worker in self._workers:
            worker.process.join(max(0.0, until - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.report.close()
