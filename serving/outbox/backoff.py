"""How long to wait before the next attempt: twice as long each time, up to a limit, and not all at the same moment."""

from __future__ import annotations

from collections.abc import Callable

from serving.outbox.sinks import Failure

FIRST, LONGEST = 1.0, 600.0
"""Seconds, for an event that was missed."""
FIRST_SLOW, LONGEST_SLOW = 300.0, 6 * 3600.0
"""Seconds, for an event that was refused."""
REPORTED = 10
"""After so many attempts an event is reported as stuck; it is tried on."""


def seconds_until(failure: Failure, attempts: int, share: float) -> float:
    """Seconds until the next attempt after `attempts` of them; `share`, 0 to 1, says where in the upper half of the range."""
    first, longest = (FIRST_SLOW, LONGEST_SLOW) if failure.slow else (FIRST, LONGEST)
    backoff = min(longest, first * 2.0 ** min(attempts - 1, 30)) * (0.5 + 0.5 * share)
    return max(backoff, failure.wait or 0.0)


def micros_until(failure: Failure, attempts: int, dice: Callable[[int], bytes]) -> int:
    """The same in microseconds, the share drawn from the ledger's dice."""
    return int(seconds_until(failure, attempts, int.from_bytes(dice(4)) / 0xFFFF_FFFF) * 1e6)
