"""The customers whose rows nothing may read: those who objected to direct marketing, and those whose erasure is not finished.

GDPR Art. 21(3): after an objection the data "shall no longer be processed for such purposes", so no feature, no model, no
training row and no simulation. The list holds clear ids, because a reader must find the rows that it is to leave out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from arbitration.errors import StateError
from features.files import exclusive, replace
from features.home import Home

Reason = Literal["objection", "erasure"]
REASONS: tuple[Reason, ...] = ("objection", "erasure")
Stamp = tuple[int, int, int]
"""Changes whenever the list does: inode, time of the last change in nanoseconds, bytes."""
_Lists = dict[str, frozenset[str]]
_EMPTY: Stamp = (0, 0, 0)
_known: dict[Path, tuple[Stamp, _Lists]] = {}


def bar(home: Home, customer_id: str, reason: Reason) -> None:
    """From now on nothing reads this customer's rows. Doing it again changes nothing; it is on the disk when this returns."""
    change(home, [customer_id], (reason,), barring=True)


def unbar(home: Home, customer_id: str, reason: Reason) -> None:
    """Take this reason away; another one may still stand in the way."""
    change(home, [customer_id], (reason,), barring=False)


def change(home: Home, customer_ids: Iterable[str], reasons: Iterable[Reason], *, barring: bool) -> None:
    """Add or take off many at once, in one write."""
    wanted = frozenset(customer_ids)
    with exclusive(home, "lists"):
        before = _read(_path(home))[1]
        after = dict(before)
        for reason in reasons:
            after[reason] = after[reason] | wanted if barring else after[reason] - wanted
        if after != before:
            replace(_path(home), json.dumps({reason: sorted(ids) for reason, ids in after.items()}).encode())


def barred(home: Home, *reasons: Reason) -> frozenset[str]:
    """The customers on the list for one of these reasons, or for any. Read again only when it changed: one `stat` otherwise.

    Raises StateError when the list cannot be read: then nobody's rows may be.
    """
    path = _path(home)
    found = _known.get(path)
    if found is None or found[0] != _stamp(path):
        found = _known[path] = _read(path)
    return frozenset[str]().union(*(found[1][reason] for reason in reasons or REASONS))


def stamp(home: Home) -> Stamp:
    """What a reader that keeps something may compare, to learn whether the list changed."""
    return _stamp(_path(home))


def _path(home: Home) -> Path:
    return home.rights / "barred.json"


def _stamp(path: Path) -> Stamp:
    try:
        state = path.stat()
    except FileNotFoundError:
        return _EMPTY
    return state.st_ino, state.st_mtime_ns, state.st_size


def _read(path: Path) -> tuple[Stamp, _Lists]:
    mark = _stamp(path)  # before the content: should it be replaced in between, it is read again next time
    if mark == _EMPTY:
        return mark, {reason: frozenset() for reason in REASONS}
    try:
        content = json.loads(path.read_bytes())
        return mark, {reason: frozenset(map(str, content[reason])) for reason in REASONS}
    except (ValueError, KeyError, TypeError):
        raise StateError("cannot be read", where=str(path), mend="restore it from your backup") from None
