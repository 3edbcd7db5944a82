"""How much one caller may ask: a rate per key and per stranger's address, and how many requests are worked on at once.

Answers 429 with `Retry-After`. What a person said or what happened (`access.URGENT`) has a rate, a share of the places
and threads of its own, which decisions cannot take.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from anyio import CapacityLimiter

from serving.access import OPEN, URGENT, Act
from serving.auth import Client
from serving.problems import Problem
from serving.settings import Settings

_BURST_SECONDS = 2.0
_REMEMBERED = 10_000  # addresses and keys; the one that was silent longest is forgotten first
_URGENT_SHARE = 0.25
_THREADS, _URGENT_THREADS = 32, 8


class Buckets:
    """Token buckets: each caller may do `rate` things a second, and `burst` at once after a pause."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._levels: dict[Hashable, tuple[float, float]] = {}

    def take(self, who: Hashable) -> float:
        """Take one token; 0.0 when there was one, else the seconds until there is."""
        now = self._clock()
        level, then = self._levels.pop(who, (self._burst, now))
        level = min(self._burst, level + (now - then) * self._rate)
        taken = level >= 1
        self._levels[who] = (level - 1 if taken else level, now)
        if len(self._levels) > _REMEMBERED:
            del self._levels[next(iter(self._levels))]
        return 0.0 if taken else (1 - level) / self._rate


class Places:
    """How many requests are worked on at once: in this process, and of one key. A quarter is kept for urgent acts."""

    def __init__(self, total: int, per_key: int) -> None:
        self._total, self._per_key = total, per_key
        self._open_to_all = total - max(1, math.ceil(total * _URGENT_SHARE))
        self._held: Counter[tuple[str, bool]] = Counter()

    @contextmanager
    def held(self, client: str, *, urgent: bool) -> Iterator[None]:
        """A place for the length of the block; a `Problem` (429) when there is none."""
        lane = (client, urgent)
        plain = sum(count for (_, pressing), count in self._held.items() if not pressing)
        full = self._held.total() >= self._total if urgent else plain >= self._open_to_all
        if full or self._held[lane] >= self._per_key:
            raise _too_many("busy", "Too many requests at once", 1)
        self._held[lane] += 1
        try:
            yield
        finally:
            self._held[lane] -= 1
            if not self._held[lane]:
                del self._held[lane]


class Limits:
    """The limits of one process; used on the event loop only, so nothing here needs a lock."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = Buckets(settings.rate_per_key, settings.rate_per_key * _BURST_SECONDS, clock)
        self._strangers = Buckets(settings.rate_per_peer, settings.rate_per_peer * _BURST_SECONDS, clock)
        self._places = Places(settings.concurrency, settings.concurrency_per_key)

    def stranger(self, peer: str, path: str) -> None:
        """Count a request without a valid key. Each open path counts by itself, so that a flood elsewhere hides no health."""
        self._check(self._strangers.take((peer, path if path in OPEN else "")))

    def caller(self, client: Client, act: Act | None) -> None:
        """Count a request of a key; reports and withdrawals are counted apart from questions."""
        self._check(self._keys.take((client.name, act in URGENT)))

    @contextmanager
    def place(self, client: Client | None, act: Act | None) -> Iterator[None]:
        """A place among the requests worked on; open paths need none."""
        if client is None:
            yield
            return
        with self._places.held(client.name, urgent=act in URGENT):
            yield

    @staticmethod
    def _check(wait: float) -> None:
        if wait > 0:
            raise _too_many("rate", "Too many requests", math.ceil(wait))


class Lanes:
    """The threads in which requests are worked on: decisions never hold those of the urgent acts."""

    def __init__(self) -> None:
        self._plain, self._urgent = CapacityLimiter(_THREADS), CapacityLimiter(_URGENT_THREADS)

    def of(self, act: Act | None) -> CapacityLimiter:
        """Which threads an act may take."""
        return self._urgent if act in URGENT else self._plain


def _too_many(code: str, title: str, seconds: int) -> Problem:
    detail = "Ask again after the time in Retry-After, with the same request_id or id."
    return Problem(429, code, title, detail, headers={"Retry-After": str(max(1, seconds))})
