"""Cooperative scheduling: simulated time, and actors that run one at a time in an order that a seed decides.

An actor is a plain function in a greenlet of its own. It runs until it waits; then the actor whose moment comes next goes on. Time
passes only while all wait. Moments are ticks of an eighth of a second: a whole number of milliseconds, as answers tell them, and
exact as a float of seconds, so that no sum depends on the order of its terms.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import count
from typing import Any

import greenlet

TICKS = 8
"""Ticks per second."""
HOUR, DAY = 3600 * TICKS, 24 * 3600 * TICKS


class Scheduler:
    """`tick` is the present moment, counted from the beginning of the world. Actors of one tick go in an order drawn by `dice`."""

    def __init__(self, dice: random.Random) -> None:
        self.tick, self._dice = 0, dice
        self._queue: list[tuple[int, float, int, greenlet.greenlet]] = []
        self._numbers = count()
        self._main = greenlet.getcurrent()

    @property
    def elapsed(self) -> float:
        """Seconds since the world began."""
        return self.tick / TICKS

    def start(self, actor: Callable[..., Any], *given: Any, after: int = 0) -> None:
        """Let an actor begin `after` ticks from now."""
        self._put(greenlet.greenlet(lambda: actor(*given), parent=self._main), after)

    def wait(self, ticks: int) -> None:
        """Let the others go on, and the calling actor after so many ticks."""
        self._put(greenlet.getcurrent(), ticks)
        self._main.switch()

    def run(self, until: int) -> None:
        """Go on until nobody waits for a moment before `until`. What an actor raises ends the run."""
        while self._queue and self._queue[0][0] < until:
            self.tick, _, _, actor = heapq.heappop(self._queue)
            actor.switch()

    def _put(self, actor: greenlet.greenlet, after: int) -> None:
        heapq.heappush(self._queue, (self.tick + after, self._dice.random(), next(self._numbers), actor))
