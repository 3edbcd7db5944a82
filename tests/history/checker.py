"""Judges I1 to I8 from the clients' histories and a dump of the ledger: `python -m tests.history.checker DUMP HISTORY...`.

Standard library only, nothing of the project is imported: it sees the system from outside. FORMAT.md says what it reads.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.history import (
    i1_single_winner,
    i2_caps,
    i3_withdrawal,
    i4_idempotency,
    i5_outcomes,
    i6_durability,
    i7_agreement,
    i8_epochs,
)
from tests.history.ledger import Ledger
from tests.history.lines import Row, Unreadable, placed, rows_of
from tests.history.rows import Finding
from tests.history.seen import Seen

INVARIANTS = (
    i1_single_winner, i2_caps, i3_withdrawal, i4_idempotency, i5_outcomes, i6_durability, i7_agreement, i8_epochs,
)  # fmt: skip
SHOWN = 200
"""So many findings are printed; all are counted."""


def judge(ledger: Ledger, seen: Seen) -> list[Finding]:
    """Every finding, in the order of the invariants."""
    return [finding for invariant in INVARIANTS for finding in invariant.judge(ledger, seen)]


def judge_rows(dump: Iterable[Row], histories: Iterable[Iterable[Row]]) -> list[Finding]:
    """Every finding in a dump and histories that lie in memory; they count as file 0, 1, 2 ..."""
    seen = Seen.of(placed(history, number) for number, history in enumerate(histories, 1))
    return judge(Ledger.of(placed(dump, 0)), seen)


def judge_files(dump: Path, histories: Sequence[Path]) -> tuple[list[Finding], int]:
    """Every finding, and how many calls were judged. Raises `Unreadable` and `OSError`."""
    was_enabled = gc.isenabled()
    gc.disable()  # millions of small records without a cycle: looking for garbage would take most of the time
    try:
        ledger = Ledger.of(rows_of(dump, 0, torn=False))
        seen = Seen.of(rows_of(history, number, torn=True) for number, history in enumerate(histories, 1))
        return judge(ledger, seen), seen.calls
    finally:
        if was_enabled:
            gc.enable()


def main(arguments: Sequence[str]) -> int:
    """Print what was found. 0: nothing, 1: findings, 2: a file cannot be read. A folder stands for its `*.jsonl`."""
    if len(arguments) < 2:
        print("usage: python -m tests.history.checker DUMP HISTORY...", file=sys.stderr)
        return 2
    dump, *given = map(Path, arguments)
    histories = [file for path in given for file in (sorted(path.glob("*.jsonl")) if path.is_dir() else [path])]
    histories = [file for file in histories if file.resolve() != dump.resolve()]
    names = [dump, *histories]
    try:
        findings, calls = judge_files(dump, histories)
    except (Unreadable, OSError) as error:
        print(error, *(f"file {number}: {name}" for number, name in enumerate(names)), sep="\n", file=sys.stderr)
        return 2
    for finding in findings[:SHOWN]:
        lines = ", ".join(f"{names[place.file].name}:{place.line}" for place in finding.lines)
        print(f"{finding.invariant} {finding.customer or '-'}: {finding.what} [{lines}]")
    counted = Counter(finding.invariant for finding in findings)
    print(f"{calls} calls in {len(histories)} histories judged: {sum(counted.values())} findings {dict(counted) or ''}")
    return 1 if findings or not calls else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
