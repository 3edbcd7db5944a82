"""Requests that are being answered in this process: the same one again is told to wait instead of working twice."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from serving.problems import Problem


class InFlight:
    """What is being answered now. Other processes are not seen here: there the ledger gives the first answer to all."""

    def __init__(self) -> None:
        self._names: set[Hashable] = set()
        self._lock = threading.Lock()

    @contextmanager
    def only(self, name: Hashable) -> Iterator[None]:
        """Hold a name while the block runs. Raises `Problem` (409 with Retry-After) when somebody holds it already."""
        with self._lock:
            if name in self._names:
                raise Problem(
                    409, "in-flight", "The same request is being answered", "Ask again in a second.",
                    headers={"Retry-After": "1"},
                )  # fmt: skip
            self._names.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._names.discard(name)
