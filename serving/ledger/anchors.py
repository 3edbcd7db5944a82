"""Anchors: the newest seal of every lane, written down beside the ledger, so that an end that was cut off is missed.

The chain alone cannot tell a lane that was cut short from one that never grew longer. `anchors.jsonl` in the home holds one line per
anchor, each sealed with the line before it. Copied to another machine, it also convicts somebody who owns database and keys.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arbitration.errors import LedgerError
from features.home import Home
from serving.ledger.auditing import LANES, NOTHING_BEFORE, newest
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction

EVERY_SECONDS = 3600.0
Lane = tuple[int, int, str]
"""A lane, the number of its newest entry, and that entry's seal."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the lanes ended at a moment (microseconds since 1970); lanes without an entry are not named."""

    at: int
    lanes: tuple[Lane, ...]


def path_of(home: Home) -> Path:
    """The file that holds a home's anchors."""
    return home.root / "anchors.jsonl"


def anchor(ledger: Ledger, home: Home) -> Anchor:
    """Write down where the lanes end now, in the file and as an event, whose receivers thereby hold a copy. Raises `LedgerError`."""
    with _only_writer(path_of(home)) as (file, before):
        found = ledger.write(None, _told)
        line = {"at": found.at, "lanes": [list(lane) for lane in found.lanes]}
        sealed = line | {"seal": _seal(ledger.keyring.audit, before, line)}
        os.write(file, json.dumps(sealed, separators=(",", ":")).encode() + b"\n")
        os.fsync(file)
    return found


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
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return [], None
    found, before = list[Anchor](), NOTHING_BEFORE
    for number, line in enumerate(lines, 1):
        read = _read(line, key, before)
        if read is None:
            return found, number
        found.append(read[0])
        before = read[1]
    return found, None


def _read(line: bytes, key: bytes, before: str) -> tuple[Anchor, str] | None:
    """An anchor and its seal; None where the line is not as it was written."""
    try:
        told = json.loads(line)
        seal = str(told.pop("seal"))
        if not hmac.compare_digest(seal, _seal(key, before, told)):
            return None
        lanes = tuple((int(lane), int(number), str(of_entry)) for lane, number, of_entry in told["lanes"])
        return Anchor(int(told["at"]), lanes), seal
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _seal(key: bytes, before: str, line: dict[str, Any]) -> str:
    told = f"anchor\n{before}\n{json.dumps(line, separators=(',', ':'), sort_keys=True)}"
    return hmac.new(key, told.encode(), hashlib.sha256).hexdigest()


def _told(tx: Transaction) -> Anchor:
    ends = ((lane, newest(tx.connection, lane)) for lane in range(LANES))
    found = Anchor(tx.at, tuple((lane, *end) for lane, end in ends if end is not None))
    tx.emit("dirigent.audit.anchored.v1", {"at": found.at, "lanes": [list(lane) for lane in found.lanes]})
    return found


@contextmanager
def _only_writer(path: Path) -> Iterator[tuple[int, str]]:
    """The file, open for appending by nobody else, and the seal of its last line. An unfinished last line is taken away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        os.ftruncate(file, len(whole))
        yield file, _last_seal(whole, path)
    finally:
        os.close(file)


def _last_seal(text: bytes, path: Path) -> str:
    if not text:
        return NOTHING_BEFORE
    try:
        return str(json.loads(text.splitlines()[-1])["seal"])
    except (ValueError, TypeError, KeyError):
        raise LedgerError(
            "its last line is no anchor", where=str(path), mend="run: dirigent verify, then move the file away"
        ) from None
