"""What goes on beside the calls: the sweeper of every process, people who stop journeys, crashes, and clocks that are set wrong."""

from __future__ import annotations

import json
import random
from functools import partial

from arbitration.errors import LedgerError
from serving import journeys
from serving.auth import Client
from serving.bootstrap import Runtime
from serving.ledger.rights import files_done, unfinished
from serving.sweeper import sweep
from tests.simulation.calling import Network
from tests.simulation.machine import Crashed, Process
from tests.simulation.promises import Promises
from tests.simulation.scheduling import DAY, HOUR, TICKS

ADMIN = Client("admin", "admin")
_LONGEST_JUMP = 3 * 3600


class Keepers:
    """Actors that live until `until` (ticks)."""

    def __init__(self, network: Network, dice: random.Random, promises: Promises, until: int) -> None:
        self._network, self._dice, self._promises, self._until = network, dice, promises, until
        self._scheduler = network.machine.scheduler

    def sweeping(self, process: Process, name: str) -> None:
        """A process sweeps now and then, and carries erasures through; it comes to others' calls like any other."""
        while self._passes(6 * HOUR):
            try:
                swept = sweep(process.runtime.ledger, name)
                if swept is not None and swept.left:
                    self._network.note("swept with customers left")
                self._forget(process)
            except Crashed:
                self._network.note("crashed while sweeping")
            except LedgerError:
                self._network.note("not swept")

    def stopping(self) -> None:
        """A journey is stopped for some hours."""
        while self._passes(6 * DAY):
            journey, body = (
                self._dice.choice(("welcome", "churn_recovery")),
                json.dumps({"reason": "simulated"}).encode(),
            )
            status, _ = self._network.ask_unrecorded("stop", partial(_stop, journey, body))
            if status == 200:
                self._promises.begin("stop", journey)
            self._passes(8 * HOUR)
            self._promises.end("stop", journey)
            self._network.ask_unrecorded("resume", partial(_resume, journey, body))

    def crashing(self, process: Process) -> None:
        """The process dies, at a moment when calls are under way if there are any."""
        while self._passes(10 * DAY):
            process.crash()
            self._network.note("crashed")

    def jumping(self) -> None:
        """Somebody sets the machine's clock wrong, by minutes or hours, and right again."""
        machine, dice = self._network.machine, self._dice
        while self._passes(4 * DAY):
            machine.offset = float(dice.choice((-1, 1)) * dice.randrange(30, _LONGEST_JUMP))
            self._network.note(f"clock {machine.offset:+.0f}")
            self._scheduler.wait(dice.randrange(2 * HOUR))
            machine.offset = 0.0
            self._network.note("clock right")

    def _passes(self, mean: int) -> bool:
        """Wait for a while; whether the world still goes on."""
        self._scheduler.wait(1 + self._dice.randrange(2 * mean))
        return self._scheduler.tick < self._until

    def _forget(self, process: Process) -> None:
        """The files of the erased are done: this world has none."""
        with process.runtime.ledger.reading() as reading:
            waiting = unfinished(reading)
        if waiting:
            process.runtime.ledger.write(None, lambda tx: files_done(tx, waiting))
            self._network.note("files done")
        self._scheduler.wait(self._dice.randrange(TICKS))


def _stop(journey: str, body: bytes, runtime: Runtime) -> tuple[int, bytes]:
    return journeys.stop(runtime, ADMIN, journey, body)


def _resume(journey: str, body: bytes, runtime: Runtime) -> tuple[int, bytes]:
    return journeys.resume(runtime, ADMIN, journey, body)
