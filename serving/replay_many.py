"""Many recorded decisions at once, on two processes: checked byte for byte, or compared under a candidate policy."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from arbitration.policy import Policy
from serving.comparison import BlastRadius, compared, together
from serving.favorites import summaries
from serving.ledger.archive import Archive
from serving.ledger.rows import Summary
from serving.replay import Replayed, Replayer, Unreplayable, inputs_of

PROCESSES = 2
CHECKED_AT_ONCE = 50
COMPARED_AT_ONCE = 500
Advance = Callable[[int], object]
"""Told how many more records are done."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of many recorded decisions: how many are identical, and each one that is not."""

    identical: int = 0
    others: tuple[Replayed, ...] = ()

    @property
    def differing(self) -> tuple[Replayed, ...]:
        """Those from which another decision followed."""
        return tuple(one for one in self.others if one.first_difference is not None)

    @property
    def failed(self) -> tuple[Replayed, ...]:
        """Those that could not be decided again, though they should."""
        return tuple(one for one in self.others if one.failure is not None and not one.excused)

    @property
    def excused(self) -> tuple[Replayed, ...]:
        """Those that an earlier version of the record lacks something for."""
        return tuple(one for one in self.others if one.excused)


@dataclass(frozen=True, slots=True)
class Compared:
    """The blast radius over the records that could be read, and how many could not, by reason."""

    radius: BlastRadius
    left_out: Mapping[str, int] = field(default_factory=dict)


def check_many(path: Path, numbers: Sequence[int], advance: Advance) -> Checked:
    """Decide each of these decisions of the ledger again from its own record."""
    identical, others = 0, list[Replayed]()
    for done in _spread(partial(_check, path), numbers, CHECKED_AT_ONCE):
        identical += sum(one.identical for one in done)
        others += [one for one in done if not one.identical]
        advance(len(done))
    return Checked(identical, tuple(others))


def compare_many(path: Path, numbers: Sequence[int], policy: Policy, advance: Advance) -> Compared:
    """What the candidate policy would change in these decisions of the ledger."""
    parts, left_out = list[BlastRadius](), Counter[str]()
    for part in _spread(partial(_compare, path, policy), numbers, COMPARED_AT_ONCE):
        parts.append(part.radius)
        left_out.update(part.left_out)
        advance(part.radius.records + sum(part.left_out.values()))
    return Compared(together(parts), dict(left_out))


def _check(path: Path, numbers: Sequence[int]) -> list[Replayed]:
    with Archive(path) as archive:
        return Replayer(archive).replayed(numbers)


def _compare(path: Path, policy: Policy, numbers: Sequence[int]) -> Compared:
    rows, before, left_out = list[dict[str, Any]](), list[Summary](), Counter[str]()
    with Archive(path) as archive:
        for kept in archive.kept(numbers, whole=False):
            try:
                rows.append(inputs_of(kept))
                before.append(kept.summary)
            except Unreplayable as fault:
                left_out[fault.why] += 1
    return Compared(compared(rows, before, summaries(rows, policy)), dict(left_out))


def _spread(work: Callable[[Sequence[int]], T], numbers: Sequence[int], at_once: int) -> Iterator[T]:
    """The work on all numbers in order, some at once; a second process pays off only from the second portion on."""
    portions = [numbers[at : at + at_once] for at in range(0, len(numbers), at_once)]
    if len(portions) <= 1:
        yield from map(work, portions)
        return
    # Spawned, not forked: this process has threads (the progress bar), and a fork would copy their locks.
    pool = ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"), initializer=_leave_interrupts)
    try:
        yield from pool.map(work, portions)
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C is for the process that asked; it then ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
