"""When the online store does not answer: how long to wait for it, and how long then to leave it alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from arbitration.errors import FeatureStoreError

ANSWER_SECONDS = 0.2
REST_SECONDS = 2.0


class OnlineStoreAway(FeatureStoreError):
    """The online store does not answer now. `asked`: this call tried; False: it was spared the wait after a recent failure."""

    def __init__(self, what: str, *, where: str, mend: str, asked: bool = True) -> None:
        super().__init__(what, where=where, mend=mend)
        self.asked = asked


class Breaker:
    """After a failure nobody asks for `rest` seconds; then one caller tries, and the others wait for how it fares.

    Safe for threads. `now` gives seconds that only rise.
    """

    def __init__(self, rest: float = REST_SECONDS, now: Callable[[], float] = time.monotonic) -> None:
        self._rest, self._now = rest, now
        self._lock = threading.Lock()
        self._until: float | None = None

    def allows(self) -> bool:
        """Whether this caller may ask; the first one after the rest is over may, and the rest begins anew for the others."""
        with self._lock:
            moment = self._now()
            if self._until is None:
                return True
            if moment < self._until:
                return False
            self._until = moment + self._rest
            return True

    def failed(self) -> None:
        """The store did not answer."""
        with self._lock:
            self._until = self._now() + self._rest

    def answered(self) -> None:
        """The store is back."""
        with self._lock:
            self._until = None


def impatient(redis: str) -> str:
    """Feast's connection string for `host:port`: a short wait, and no repetition, because the breaker stands behind it."""
    wait = f"socket_connect_timeout={ANSWER_SECONDS},socket_timeout={ANSWER_SECONDS}"
    return f"{redis},{wait},retry=null"
