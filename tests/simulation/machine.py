"""The simulated machine: its wall clock, which somebody may set wrong, and the service processes on it, which die and start again."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from arbitration.policy import Policy
from serving.bootstrap import Runtime
from serving.clock import Clock
from serving.ledger.keyring import Keyring
from tests.simulation.scheduling import Scheduler
from tests.simulation.shop import Features, Step, SteppedLedger, process

PROCESSES = 2
COMES_BETWEEN = {"read": 0.3, "statement": 0.03, "lock": 0.5, "committed": 0.5}
"""How often another actor may come in between at a step of a call."""


class Crashed(BaseException):
    """The process that worked on this call is dead; like a kill, nothing in the service may catch it."""


class Machine:
    """`begin` is the true moment at which the world began; `offset` how many seconds the wall clock is wrong."""

    def __init__(self, folder: Path, begin: datetime, scheduler: Scheduler, dice: random.Random) -> None:
        self.folder, self.begin, self.offset = folder, begin, 0.0
        self.scheduler, self.dice = scheduler, dice

    def wall(self) -> float:
        """What the machine's clock shows, in seconds since 1970."""
        return self.begin.timestamp() + self.scheduler.elapsed + self.offset

    def clock(self) -> Clock:
        """The clock of a process that starts now."""
        return Clock(wall=self.wall, elapsed=lambda: self.scheduler.elapsed)

    @property
    def true(self) -> datetime:
        """The true moment."""
        return datetime.fromtimestamp(self.begin.timestamp() + self.scheduler.elapsed, UTC)

    def ticks_until(self, moment: datetime) -> int:
        """Ticks from the true present to a moment, 0 where it has passed."""
        return max(0, (moment - self.true) // timedelta(milliseconds=125))


class Process:
    """One service process. `life` rises whenever it dies: calls that began in an earlier life end where they next look up."""

    def __init__(self, machine: Machine, keyring: Keyring, policy: Policy, features: Features) -> None:
        self._machine, self._keyring, self._policy, self._features = machine, keyring, policy, features
        self.life = 0
        self.runtime = self._start()

    def crash(self) -> None:
        """Die without a word, and start again with a clock that believes the machine's."""
        self.life += 1
        self.runtime.close()
        self.runtime = self._start()

    def step(self, where: str) -> None:
        """Let others come in between, sometimes. Raises `Crashed` when the process died meanwhile."""
        machine, life = self._machine, self.life
        if machine.dice.random() < COMES_BETWEEN[where]:
            machine.scheduler.wait(machine.dice.choice((0, 0, 1, 2, 8, 16)))
        if self.life != life:
            raise Crashed

    def _start(self) -> Runtime:
        machine = self._machine
        ledger = SteppedLedger(machine.folder / "ledger.db", self._keyring, machine.clock(), self._begun_now())
        return process(machine.folder, self._policy, self._features, ledger)

    def _begun_now(self) -> Step:
        """The steps of this life. A call that outlives it finds that it is over."""
        life = self.life

        def step(where: str) -> None:
            if self.life != life:
                raise Crashed
            self.step(where)

        return step
