"""What is judged after a race: the audit, and by the history checker what the clients saw against what the ledger holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arbitration.policy import Policy
from serving.ledger.store import Ledger
from serving.ledger.verify import verify
from tests.history.checker import judge_files
from tests.history.dump import outcomes_in, rows_of, unhurried
from tests.history.rows import Finding


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: by invariant, the first of it in words, how many calls and contacts were judged, whether the audit holds.

    `lost` is the time in microseconds for which places were held that nobody used.
    """

    counts: Mapping[str, int]
    shown: tuple[str, ...]
    calls: int
    contacts: Mapping[str, int]
    audit_holds: bool
    lost: int

    @property
    def findings(self) -> int:
        """How many there are in all."""
        return sum(self.counts.values())

    @property
    def over_contacts(self) -> int:
        """Contacts beyond a cap."""
        return self.counts.get("I2", 0)

    @property
    def double_winners(self) -> int:
        """Second winners of one customer and timing."""
        return self.counts.get("I1", 0)

    def lines(self) -> Iterator[str]:
        """The verdict for people."""
        states = ", ".join(f"{count:,} {state}" for state, count in sorted(self.contacts.items()))
        yield f"contacts: {states or 'none'}; audit {'holds' if self.audit_holds else 'DOES NOT HOLD'}"
        yield f"judged {self.calls:,} calls: {self.over_contacts} over-contacts, {self.double_winners} double winners, {self.findings} findings in all"
        yield from self.shown


def judge(ledger: Ledger, policy: Policy, folder: Path) -> Verdict:
    """Verify the ledger, write it down and judge the histories that lie in `folder`."""
    found = verify(ledger.address)
    contacts, lost = Counter[str](), 0
    file, histories = folder / "dump.json", sorted(folder.glob("*.jsonl"))
    reported = outcomes_in(line for history in histories for line in _lines(history))
    with ledger.reading() as reading, unhurried(reading.connection), file.open("w") as out:
        now = int(reading.now().timestamp() * 1e6)
        for row in rows_of(reading.connection, ledger.keyring, policy, reported):
            if row["table"] == "contacts" and row.get("origin") != "history":
                contacts[row["state"]] += 1
                lost += _unused(row, now)
            out.write(json.dumps(row) + "\n")
        out.write(json.dumps({"table": "verify", "exit": 0 if found.holds else 1}) + "\n")
    findings, calls = judge_files(file, histories)
    counts = Counter(finding.invariant for finding in findings)
    return Verdict(counts, tuple(map(_told, findings[:10])), calls, contacts, found.holds, lost)


def _lines(history: Path) -> Iterator[dict[str, Any]]:
    """The lines of a history; the last may be torn, where its client was killed."""
    for line in history.read_text().splitlines():
        with suppress(ValueError):
            yield json.loads(line)


def _unused(row: Mapping[str, Any], now: int) -> int:
    """For how long a place kept others away although nothing came of it: its lease ended before anybody confirmed it."""
    if row["state"] == "expired":
        return min(int(row["settled_at"]), int(row["lease_until"])) - int(row["reserved_at"])
    lapsed = row["state"] == "reserved" and int(row["lease_until"]) <= now
    return int(row["lease_until"]) - int(row["reserved_at"]) if lapsed else 0


def _told(finding: Finding) -> str:
    return f"  {finding.invariant} {finding.customer or '-'}: {finding.what}"
