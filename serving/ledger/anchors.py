"""Anchors: the newest seal of every lane, written down beside the ledger, so that an end that was cut off is missed.

The chain alone cannot tell a lane that was cut short from one that never grew longer. `anchors.jsonl` in the home holds one line per
anchor, each sealed with the line before it. Copied to another machine, it also convicts somebody who owns database and keys.

The shop's lane notes every anchor as well, with the number of each lane's newest entry, so that without the file, too, a lane that lost
entries is missed as long as the shop's lane is whole. The ledger is written first: an anchor is never ahead of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from arbitration.errors import LedgerError
from features.home import Home
from serving.ledger.auditing import LANES, NOTHING_BEFORE, newest
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction

EVERY_SECONDS = 3600.0
NOTED = "anchors"
"""What the shop's lane calls the note of an anchor, where it otherwise says a table's name."""
ANEW = "when nothing can be put back, say that the ledger begins anew: dirigent verify --begin-anew WHY"
Lane = tuple[int, int, str]
"""A lane, the number of its newest entry, and that entry's seal."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the lanes ended at a moment (microseconds since 1970); lanes without an entry are not named. `begun`: why somebody let the
    file begin anew with this line.
    """

    at: int
    lanes: tuple[Lane, ...]
    begun: str | None = None

    def number_of(self, lane: int) -> int:
        """The number of a lane's newest entry; 0 where it had none."""
        return {one: number for one, number, _ in self.lanes}.get(lane, 0)


def path_of(home: Home) -> Path:
    """The file that holds a home's anchors."""
    return home.root / "anchors.jsonl"


def anchor(ledger: Ledger, home: Home) -> Anchor:
    """Write down where the lanes end now, in the file and as an event, whose receivers thereby hold a copy. Raises `LedgerError`."""
    path = path_of(home)
    with _only_writer(path) as (file, whole):
        if not whole:  # The file begins before the chain notes it: after a crash in between no line looks removed.
            first = _now(ledger)
            _append(file, ledger.keyring.audit, NOTHING_BEFORE, first)
            return ledger.write(None, lambda tx: _told(tx, first))
        found = ledger.write(None, _told)
        _append(file, ledger.keyring.audit, _last_seal(whole, path), found)
    return found


def begin_anew(ledger: Ledger, home: Home, why: str) -> Path | None:
    """Let the anchors begin again with this ledger, whatever they told of before. Those are kept in another file, whose path this gives
    (None: there were none), and the first new line says why. Raises `LedgerError`.
    """
    path = path_of(home)
    with _only_writer(path) as (file, whole):
        kept = path.with_name(f"anchors-until-{time.time_ns() // 1000}.jsonl") if whole else None
        if kept is not None:
            _keep(kept, whole)
        found = replace(ledger.write(None, _told), begun=why)
        os.ftruncate(file, 0)  # not another file in its place: who waits for the lock would write to the old one
        _append(file, ledger.keyring.audit, NOTHING_BEFORE, found)
    return kept


def anchor_when_due(ledger: Ledger, home: Home) -> bool:
    """`anchor`, when the last one is an hour old or there is none. Returns whether it was due."""
    try:
        age = time.time() - path_of(home).stat().st_mtime
    except FileNotFoundError:
        age = EVERY_SECONDS
    due = not 0 <= age < EVERY_SECONDS
    if due:
        anchor(ledger, home)
    return due


def anchors_in(path: Path, key: bytes) -> tuple[list[Anchor], int | None]:
    """The anchors of a file, oldest first, and the first line (from 1) whose seal does not fit, after which nothing is believed.

    No file: no anchors. A last line that a power cut left unfinished is no line.
    """
    found, before = list[Anchor](), NOTHING_BEFORE
    for number, line in enumerate(_lines(path), 1):
        read = _read(line, key, before)
        if read is None:
            return found, number
        found.append(read[0])
        before = read[1]
    return found, None


def newest_in(path: Path, key: bytes) -> Anchor | None:
    """The last anchor of a file, None when it holds none. Only its last lines are checked. Raises `LedgerError` when it is altered."""
    lines = _lines(path)
    if not lines:
        return None
    read = _read(lines[-1], key, _last_seal(b"\n".join(lines[:-1]), path))
    if read is None:
        raise _no_anchor(path)
    return read[0]


def tells_of_entries(path: Path) -> bool:
    """Whether a file of anchors says that there was a ledger with something in it; no key is needed. What cannot be read says so, too."""
    lines = _lines(path)
    try:
        return bool(lines) and json.loads(lines[-1])["lanes"] != []
    except (ValueError, TypeError, KeyError):
        return True


def _lines(path: Path) -> list[bytes]:
    """The whole lines. A last one that a power cut left unfinished is none."""
    try:
        return path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []


def _read(line: bytes, key: bytes, before: str) -> tuple[Anchor, str] | None:
    """An anchor and its seal; None where the line is not as it was written."""
    try:
        told = json.loads(line)
        seal = str(told.pop("seal"))
        if not hmac.compare_digest(seal, _seal(key, before, told)):
            return None
        lanes = tuple((int(lane), int(number), str(of_entry)) for lane, number, of_entry in told["lanes"])
        begun = told.get("begun")
        return Anchor(int(told["at"]), lanes, None if begun is None else str(begun)), seal
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _seal(key: bytes, before: str, line: dict[str, Any]) -> str:
    told = f"anchor\n{before}\n{json.dumps(line, separators=(',', ':'), sort_keys=True)}"
    return hmac.new(key, told.encode(), hashlib.sha256).hexdigest()


def _now(ledger: Ledger) -> Anchor:
    with ledger.reading() as reading:
        return _ends(reading.connection, to_micros(reading.now()))


def _ends(connection: Connection, at: int) -> Anchor:
    ends = ((lane, newest(connection, lane)) for lane in range(LANES))
    return Anchor(at, tuple((lane, *end) for lane, end in ends if end is not None))


def _told(tx: Transaction, written: Anchor | None = None) -> Anchor:
    found = written or _ends(tx.connection, tx.at)
    told = [list(lane) for lane in found.lanes]
    tx.emit("dirigent.audit.anchored.v1", {"at": found.at, "lanes": told})
    noted = json.dumps([lane[:2] for lane in told], separators=(",", ":"))
    tx.remark(NOTED, noted, hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest())
    return found


def _append(file: int, key: bytes, before: str, found: Anchor) -> None:
    line: dict[str, Any] = {"at": found.at, "lanes": [list(lane) for lane in found.lanes]}
    if found.begun is not None:
        line["begun"] = found.begun
    os.write(file, json.dumps(line | {"seal": _seal(key, before, line)}, separators=(",", ":")).encode() + b"\n")
    os.fsync(file)


def _keep(path: Path, text: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as kept:
        kept.write(text)
        kept.flush()
        os.fsync(file)


@contextmanager
def _only_writer(path: Path) -> Iterator[tuple[int, bytes]]:
    """The file, open for appending by nobody else, and its lines. An unfinished last line is taken away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        os.ftruncate(file, len(whole))
        yield file, whole
    finally:
        os.close(file)


def _last_seal(text: bytes, path: Path) -> str:
    if not text:
        return NOTHING_BEFORE
    try:
        return str(json.loads(text.splitlines()[-1])["seal"])
    except (ValueError, TypeError, KeyError):
        raise _no_anchor(path) from None


def _no_anchor(path: Path) -> LedgerError:
    return LedgerError(
        "its last line is no anchor that the key of this home sealed",
        where=str(path),
        mend=f"put the file back from a copy; {ANEW}",
    )
