"""Calls over a network that delays, repeats and loses: what clients ask and see, written as histories are, and a digest of it all."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from arbitration.errors import DirigentError
from serving.bootstrap import Runtime
from serving.problems import Problem, from_error
from tests.simulation.machine import Crashed, Machine, Process
from tests.simulation.scheduling import HOUR, TICKS

Row = dict[str, Any]
Send = Callable[[Runtime], tuple[int, bytes]]
LOST = 0.03
"""Share of requests, and of answers, that never arrive."""
TRIES = 5


class Network:
    """Every call goes through here, to one of the processes. `lines` is the history of all clients, as one file would hold it."""

    def __init__(self, machine: Machine, processes: list[Process], dice: random.Random) -> None:
        self.machine, self.processes, self.dice = machine, processes, dice
        self.lines: list[Row] = []
        self.counted: Counter[str] = Counter()
        self._calls, self._last = 0, 0
        self._digest = hashlib.sha256()

    def ask(self, kind: str, asked: Row, send: Send) -> tuple[int, Row]:
        """Call until somebody answers for good, or patience ends. Returns the last status (0: none) and what was answered."""
        if self.dice.random() < 0.03:  # the client's library sends it twice
            self.machine.scheduler.start(self._call, kind, asked, send, after=self.dice.randrange(8 * TICKS))
        for number in range(TRIES):
            status, answer, again = self._call(kind, asked, send)
            if not again:
                return status, answer
            long = self.dice.random() < 0.1
            self.machine.scheduler.wait(self.dice.randrange(1, 3 * HOUR if long else (5 << number) * TICKS))
        return status, answer

    def _call(self, kind: str, asked: Row, send: Send) -> tuple[int, Row, bool]:
        """One call. The third says whether the caller should try again."""
        scheduler, dice = self.machine.scheduler, self.dice
        self._calls += 1
        call = self._calls
        self._write(call, kind, "ask", asked)
        scheduler.wait(dice.choice((0, 0, 1, 4)))
        if dice.random() < LOST:
            return self._unknown(call, kind)
        try:
            status, body, retry = _answered(dice.choice(self.processes).runtime, send)
        except Crashed:
            return self._unknown(call, kind)
        scheduler.wait(dice.choice((0, 0, 1, 4)))
        if dice.random() < LOST:
            return self._unknown(call, kind)
        answer = json.loads(body) if 200 <= status < 300 else {}
        told: Row = {"status": status} | ({"retry_after": True} if retry else {})
        if answer:
            told |= {"sha": hashlib.sha256(body).hexdigest()} | _told(kind, answer)
        self._write(call, kind, "answer", told)
        self.counted[f"{kind} {status}"] += 1
        return status, answer, retry or status >= 500

    def ask_unrecorded(self, kind: str, send: Send) -> tuple[int, bytes]:
        """A call that histories have no word for; it is repeated until it is answered."""
        while True:
            self.machine.scheduler.wait(self.dice.choice((0, 1, 4)))
            try:
                status, body, again = _answered(self.dice.choice(self.processes).runtime, send)
            except Crashed:
                again, status, body = True, 0, b""
            self.note(f"{kind} {status}")
            if not again:
                return status, body
            self.machine.scheduler.wait(self.dice.randrange(1, HOUR))

    @property
    def now(self) -> int:
        """The moment of the line that was written last, in nanoseconds."""
        return self._last

    def _unknown(self, call: int, kind: str) -> tuple[int, Row, bool]:
        self._write(call, kind, "unknown", {})
        self.counted[f"{kind} lost"] += 1
        return 0, {}, True

    def note(self, what: str) -> None:
        """Something that happened to the world, for the digest and the counts."""
        self._digest.update(f"{self.machine.scheduler.tick} {what}\n".encode())
        self.counted[what] += 1

    def _write(self, call: int, kind: str, phase: str, what: Row) -> None:
        self._last = max(self._last + 1, int(self.machine.scheduler.elapsed * 1_000_000_000))
        line = {"client": "sim", "call": call, "kind": kind, "phase": phase, "at": self._last} | what
        self._digest.update(repr(line).encode())
        self.lines.append(line)

    def digest(self, more: list[Row]) -> str:
        """One number for everything that happened, and for the rows that are left in the end."""
        whole = self._digest.copy()
        for row in more:
            whole.update(repr(row).encode())
        return whole.hexdigest()


def _answered(runtime: Runtime, send: Send) -> tuple[int, bytes, bool]:
    """Status, bytes and whether to retry, as HTTP would say them. What is neither an answer nor a known error ends the run."""
    try:
        status, body = send(runtime)
        return status, body, False
    except Problem as problem:
        return problem.status, b"", "Retry-After" in problem.headers
    except DirigentError as error:
        status = from_error(error).status
        return status, b"", status >= 500


def _told(kind: str, answer: Row) -> Row:
    """What an answer says, in the words of the histories."""
    if kind == "erase":
        return {"erasure_id": answer["erasure_id"]}
    if kind not in ("decide", "reserve"):
        return {}
    found = {"decision_id": answer["decision_id"]}
    held = answer.get("reservation")
    if held:
        chosen = answer["action"] if kind == "decide" else answer
        found |= {"reservation_id": held["id"], "epoch": held["epoch"], "lease_until": micros(held["lease_until"])}
        found |= {"journey": chosen["journey"], "channel": chosen["channel"], "step": answer.get("step", 0)}
        if kind == "decide":
            found["send_at"] = micros(chosen["send_at"])
    return found


def micros(told: str) -> int:
    """A moment of an answer in microseconds since 1970. Answers tell milliseconds, and simulated moments are whole ones."""
    return round(datetime.fromisoformat(told).timestamp() * 1000) * 1000
