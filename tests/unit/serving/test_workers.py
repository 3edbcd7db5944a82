"""The supervisor with workers that load nothing: who hangs is ended, who answers slowly is not, and a new one takes the place."""

from __future__ import annotations

import os
import signal
import socket
import time

import pytest

from serving import workers
from serving.settings import Settings
from serving.workers import Supervisor

SECONDS = 30  # for a machine that does much else


def light(_settings, _listener, report, beats):
    """A worker that is ready at once and gives signs of life."""
    report.send(None)
    while True:
        beats.value += 1
        time.sleep(0.05)


@pytest.fixture
def supervisor(monkeypatch):
    monkeypatch.setattr(workers, "work", light)
    with socket.socket() as listener:
        found = Supervisor(Settings(hung_seconds=3), listener, 2)
        yield found
        found._end()


def look(supervisor, until) -> None:
    """The supervisor's own round, until something holds."""
    ends = time.monotonic() + SECONDS
    while not until():
        assert time.monotonic() < ends
        supervisor._end_hung()
        supervisor._replace_dead()
        supervisor._look()


def pids(supervisor) -> set[int]:
    return {worker.process.pid for worker in supervisor._workers if worker.ready()}


def test_who_hangs_is_ended_and_another_takes_the_place(supervisor):
    look(supervisor, lambda: len(pids(supervisor)) == 2)
    victim, other = sorted(pids(supervisor))
    os.kill(victim, signal.SIGSTOP)
    look(supervisor, lambda: victim not in pids(supervisor) and len(pids(supervisor)) == 2)
    assert other in pids(supervisor)


def test_a_supervisor_that_stood_still_itself_ends_nobody(supervisor):
    look(supervisor, lambda: len(pids(supervisor)) == 2)
    before = pids(supervisor)
    for pid in before:  # all stood still together: nobody gave a sign of life meanwhile
        os.kill(pid, signal.SIGSTOP)
    time.sleep(0.2)
    supervisor._end_hung()
    supervisor._looked -= 1000
    supervisor._end_hung()
    for pid in before:
        os.kill(pid, signal.SIGCONT)
    look(supervisor, lambda: all(worker.silent(0.0) == 0.0 for worker in supervisor._workers))
    assert pids(supervisor) == before
