"""Many recorded decisions at once, on two processes: checked byte for byte, or compared under a candidate policy."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

from arbitration.codec import decode
from arbitration.gates.calendar import EARLIEST, LATEST
from arbitration.policy import Policy
from serving.comparison import BlastRadius, compared, hidden, together
from serving.favorites import Row, summaries
from serving.ledger.archive import Archive, Kept
from serving.ledger.place import Address
from serving.ledger.rows import Summary
from serving.replay import DAMAGE, Replayed, Replayer, Unreplayable, inputs_of

PROCESSES = 2
CHECKED_AT_ONCE = 50
COMPARED_AT_ONCE = 500
Advance = Callable[[int], object]
"""Told how many more records are done."""
T = TypeVar("T")
_PLAIN = frozenset({str, int, float, bool, type(None)})


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
    """The blast radius over the records that could be read, each one that could not, and what the comparison cannot show.

    `hidden`: settings that differ and that estimates, which stay as recorded, were made from.
    """

    radius: BlastRadius
    left_out: tuple[Replayed, ...] = ()
    hidden: frozenset[str] = frozenset()

    @property
    def reasons(self) -> dict[str, int]:
        """Why records were left out, and how many for each reason."""
        return dict(Counter(str(one.failure) for one in self.left_out).most_common())

    @property
    def damaged(self) -> tuple[Replayed, ...]:
        """Those that were left out though this program should be able to read them."""
        return tuple(one for one in self.left_out if not one.excused)


def check_many(address: Address, numbers: Sequence[int], advance: Advance) -> Checked:
    """Decide each of these decisions of the ledger again from its own record."""
    identical, others = 0, list[Replayed]()
    for done in _spread(partial(_check, address), numbers, CHECKED_AT_ONCE):
        identical += sum(one.identical for one in done)
        others += [one for one in done if not one.identical]
        advance(len(done))
    return Checked(identical, tuple(others))


def compare_many(address: Address, numbers: Sequence[int], policy: Policy, advance: Advance) -> Compared:
    """What the candidate policy would change in these decisions of the ledger."""
    parts = list[Compared]()
    for part in _spread(partial(_compare, address, policy), numbers, COMPARED_AT_ONCE):
        parts.append(part)
        advance(part.radius.records + len(part.left_out))
    left_out = tuple(one for part in parts for one in part.left_out)
    return Compared(together(part.radius for part in parts), left_out, frozenset().union(*(it.hidden for it in parts)))


def _check(address: Address, numbers: Sequence[int]) -> list[Replayed]:
    with Archive(address) as archive:
        return Replayer(archive).replayed(numbers)


def _compare(address: Address, policy: Policy, numbers: Sequence[int]) -> Compared:
    rows, before, left_out, versions = list[Row](), list[Summary](), list[Replayed](), set[str]()
    with Archive(address) as archive:
        for kept in archive.kept(numbers, whole=False):
            try:
                rows.append(_sound(inputs_of(kept)))
            except Unreplayable as fault:
                left_out.append(Replayed(kept.decision_id, failure=fault.why, excused=fault.excused))
                continue
            if isinstance(kept, Kept):
                before.append(kept.summary)
                versions.add(kept.policy_version)
        unseen = _hidden(Replayer(archive), versions, policy)
    after, failed = _summaries(rows, policy)
    kept_rows = [row for row, found in zip(rows, after, strict=True) if found is not None]
    kept_before = [was for was, found in zip(before, after, strict=True) if found is not None]
    radius = compared(kept_rows, kept_before, [found for found in after if found is not None])
    return Compared(radius, (*left_out, *failed), unseen)


def _sound(inputs: dict[str, Any]) -> dict[str, Any]:
    """The same inputs. Raises `Unreplayable` for what columns would read as something else, where a single decision would refuse it."""
    try:
        context, now = inputs["context"], decode(datetime, inputs["now"])
        sound = (
            type(context["customer_id"]) is str
            and type(inputs["draw"]) in (int, float)
            and now.tzinfo is not None
            and EARLIEST <= now <= LATEST
            and _PLAIN.issuperset(map(type, context["features"].values()))
        )
    except DAMAGE:
        sound = False
    if not sound:
        raise Unreplayable("its inputs are damaged")
    return inputs


def _summaries(rows: Sequence[Row], policy: Policy) -> tuple[list[Summary | None], list[Replayed]]:
    """What the policy holds for best in each row, None where the row is damaged; one damaged row would fail all, so that each is
    then asked alone.
    """
    try:
        return list(summaries(rows, policy)), []
    except Exception as fault:  # noqa: BLE001 - whatever a damaged row leads to, the others are still compared
        if len(rows) == 1:
            why = f"its inputs are damaged ({type(fault).__name__})"
            return [None], [Replayed(rows[0]["decision_id"], failure=why)]
    alone = [_summaries([row], policy) for row in rows]
    return [found for one, _ in alone for found in one], [no for _, failed in alone for no in failed]


def _hidden(replayer: Replayer, versions: Iterable[str], policy: Policy) -> frozenset[str]:
    found = set[str]()
    for version in versions:
        with suppress(Unreplayable):  # a policy that cannot be read takes part with its decisions alone
            found |= hidden(replayer.policy(version), policy)
    return frozenset(found)


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
