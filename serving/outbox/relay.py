"""The relay: for each sink a thread that notes new events, offers what is due and keeps what became of it, until told to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from arbitration.errors import LedgerError
from serving.ledger.store import Ledger
from serving.logs import log
from serving.outbox.backoff import seconds_until
from serving.outbox.lease import Lease, LostLeaseError
from serving.outbox.queue import Queue
from serving.outbox.sinks import Failure, Sink

IDLE_SECONDS = 0.25
"""How long an event waits at most before it is seen."""
LONGEST_REST = 60.0
"""A sink that takes nothing at all is asked again at least this often, in seconds, unless it said otherwise itself."""
_HOPELESS = 10  # so many failures without one success, and the sink is taken to be at fault


@dataclass(frozen=True, slots=True)
class Told:
    """What a round or a run did for one sink: events delivered, attempts that failed."""

    delivered: int = 0
    failed: int = 0

    def __add__(self, other: Told) -> Told:
        return Told(self.delivered + other.delivered, self.failed + other.failed)


class Carrier:
    """Carries the ledger's events to one sink. For one thread."""

    def __init__(self, ledger: Ledger, sink: Sink, lease: Lease, *, from_start: bool = False) -> None:
        self.sink, self._lease, self._from_start = sink, lease, from_start
        self._dice = ledger.keyring.dice
        self._queue = Queue(ledger, sink.name, lease)
        self._unsettled: dict[int, Failure | None] = {}
        self._rests_until = 0.0
        self._vain = 0

    def run(self, ending: threading.Event) -> None:
        """Carry until told to end; a ledger that is away, or another relay that leads, is waited for. What nobody foresaw ends
        every thread: a relay that goes on without one of its sinks would look well.
        """
        try:
            while not ending.is_set():
                told = self._try()
                if told is None or told == Told():
                    ending.wait(IDLE_SECONDS if told is not None else 4 * IDLE_SECONDS)
        except BaseException:
            ending.set()
            raise

    def _try(self) -> Told | None:
        try:
            return self.round() if self._lease.held() else None
        except LedgerError as error:
            log.warning("events wait", sink=self.sink.name, what=str(error))
            return None

    def drain(self, ending: threading.Event) -> Told | None:
        """Carry what is due by now; None when another relay leads. Raises `LedgerError`."""
        total = Told()
        while not ending.is_set() and self._lease.held():
            told = self.round()
            if told is None:
                break
            if told == Told():
                return total
            total += told
        return total if ending.is_set() else None

    def round(self) -> Told | None:
        """One batch, if anything is due; None when another relay has taken over. Raises `LedgerError`."""
        try:
            self._settle()  # what was told while the ledger was away need not be told again
            self._queue.note(from_start=self._from_start)
            if time.monotonic() < self._rests_until:
                return Told()
            events, damaged = self._queue.due()
            offered = self.sink.offer(events, self._lease.until) if events else {}
            self._unsettled = {**damaged, **offered}
            told = self._judge(offered, len(damaged))
            self._settle()
        except LostLeaseError:
            self._unsettled = {}
            log.warning("another relay has taken over", sink=self.sink.name)
            return None
        return told

    def _settle(self) -> None:
        if self._unsettled:
            self._queue.settle(self._unsettled)
            self._unsettled = {}

    def _judge(self, offered: Mapping[int, Failure | None], damaged: int) -> Told:
        """Counts, and a rest for the sink when the fault is its own."""
        failures = [failure for failure in offered.values() if failure is not None]
        told = Told(len(offered) - len(failures), len(failures) + damaged)
        away = next((failure for failure in failures if failure.everyone), None)
        if away is None and len(failures) >= _HOPELESS and not told.delivered:
            away = failures[0]
        if told.delivered:
            self._vain = 0
        if away is not None:
            self._vain += 1
            self._rest(away)
        return told

    def _rest(self, away: Failure) -> None:
        share = int.from_bytes(self._dice(1)) / 255
        longest = max(LONGEST_REST, away.wait or 0.0)
        seconds = min(longest, seconds_until(Failure(away.reason, away.wait), self._vain, share))
        self._rests_until = time.monotonic() + seconds
        log.warning("a sink rests", sink=self.sink.name, seconds=round(seconds, 1), what=away.reason)


def run(ledger: Ledger, sinks: Sequence[Sink], ending: threading.Event, *, from_start: bool = False) -> None:
    """Relay until told to end; sinks do not wait for each other. Closes the sinks.

    `from_start`: a sink that is new here is also told what came before; without it, it starts from now.
    """
    _each(ledger, sinks, from_start, lambda carrier: carrier.run(ending))


def drain(
    ledger: Ledger, sinks: Sequence[Sink], ending: threading.Event, *, from_start: bool = False
) -> dict[str, Told] | None:
    """Relay what is due by now, by name of the sink; None when another relay leads. Closes the sinks. Raises `LedgerError`."""
    found = _each(ledger, sinks, from_start, lambda carrier: carrier.drain(ending))
    told = {sink.name: one for sink, one in zip(sinks, found, strict=True) if one is not None}
    return told if len(told) == len(found) else None


def _each(
    ledger: Ledger, sinks: Sequence[Sink], from_start: bool, work: Callable[[Carrier], Told | None]
) -> list[Told | None]:
    """What `work` gives for each sink, in a thread each; then the lease is given up."""
    lease = Lease(ledger)
    try:
        with ThreadPoolExecutor(len(sinks), thread_name_prefix="relay") as threads:
            carriers = [Carrier(ledger, sink, lease, from_start=from_start) for sink in sinks]
            return list(threads.map(work, carriers))
    finally:
        for sink in sinks:
            sink.close()
        try:
            lease.give_up()
        except LedgerError as error:
            log.warning("the lease runs on", what=str(error))
