"""Every promotion, kept in `bundles/promotions.jsonl`: who examined well, who was forced and why, which bundle followed which.

One line per promotion, signed under this installation's key and holding the SHA-256 of the line before, so that a changed,
inserted or removed line is noticed. The line is written before the bundle goes live: no bundle is ever served without one. It lies
beside the bundles and not inside: the same versions must give the same bundle, whenever and why ever they were promoted.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from arbitration.codec import canonical_json, decode, encode
from arbitration.errors import BundleError, InputError
from features.files import replace
from features.home import Home
from training import bundle
from training.verdict import Verdict

FILE = "promotions.jsonl"
MEND = "Compare it with the tags of the versions in MLflow; move the file away to begin a new one."


@dataclass(frozen=True, slots=True)
class Promotion:
    """One promotion: from which bundle to which, each model's verdict, the tolerance's share, and why it was forced (null: it was not)."""

    at: datetime
    digest: str
    previous: str | None
    share: float
    verdicts: tuple[Verdict, ...]
    forced: str | None = None


def path_of(home: Home) -> Path:
    """The file."""
    return home.bundles / FILE


def append(home: Home, promotion: Promotion) -> None:
    """Add one line, durably, after whatever stands there; it is signed, and bound to the line before."""
    path = path_of(home)
    before = path.read_bytes() if path.exists() else b""
    if before and not before.endswith(b"\n"):
        before += b"\n"
    payload = {"promotion": encode(promotion), "before": _digest(_last(before))}
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, before + canonical_json(payload | {"signature": bundle.sign(home, payload)}) + b"\n")


def read(home: Home) -> list[Promotion]:
    """Every promotion, oldest first. Raises BundleError, naming the line, where one was altered or is missing."""
    path = path_of(home)
    lines = path.read_bytes().splitlines() if path.exists() else []
    before, found = b"", []
    for number, line in enumerate(lines, 1):
        found.append(_checked(home, line, before, f"{path}:{number}"))
        before = line
    _check_current(home, found)
    return found


def _checked(home: Home, line: bytes, before: bytes, where: str) -> Promotion:
    try:
        payload = json.loads(line)
        signature = str(payload.pop("signature"))
        right = bundle.signed(home, payload, signature) and line == canonical_json(payload | {"signature": signature})
        if right and payload["before"] == _digest(before):
            return decode(Promotion, payload["promotion"])
    except (ValueError, KeyError, AttributeError, TypeError, InputError) as error:
        raise BundleError("is no record of a promotion", where=where, mend=MEND) from error
    told = (
        "does not follow the line before it: one was removed or moved"
        if right
        else "was altered, or signed by another installation"
    )
    raise BundleError(told, where=where, mend=MEND)


def _check_current(home: Home, found: list[Promotion]) -> None:
    """The live bundle is the one of the last line, or of the one before where a promotion was interrupted."""
    if not (home.bundles / bundle.CURRENT).exists():
        return
    live = bundle.current(home)
    if not found or live not in (found[-1].digest, found[-1].previous):
        mend = "If it was promoted by an earlier version, promote again; else a record was removed."
        raise BundleError(f"holds no record of the live bundle {live[:12]}", where=str(path_of(home)), mend=mend)


def _last(content: bytes) -> bytes:
    return content.splitlines()[-1] if content else b""


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
