"""The suppression list: erased customers stay erased when the shop's next export still names them.

It keeps keyed hashes (HMAC-SHA256) of customer ids and of `alias_type:alias`, never an id; without the secret, which lies in
`keys/suppression`, nobody can try out who is on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from arbitration.errors import StateError
from features.files import exclusive, replace
from features.home import Home

_BYTES = 32


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The list as it was read: the secret and the hashes made with it."""

    key: bytes
    hashes: frozenset[str]

    def holds(self, name: str) -> bool:
        """Whether a customer id, or an alias as `alias_type:alias`, is on the list."""
        return keyed_hash(self.key, name) in self.hashes


def keyed_hash(key: bytes, customer_id: str) -> str:
    """What stands for a customer id, or for an alias as `alias_type:alias`, on the list: 64 hex digits."""
    return hmac.digest(key, customer_id.encode(), hashlib.sha256).hex()


def suppress(home: Home, names: Iterable[str]) -> None:
    """Put customer ids and `alias_type:alias` on the list; on the disk when this returns."""
    with exclusive(home, "lists"):
        key = secret(home)
        before = _hashes(home)
        after = before | {keyed_hash(key, name) for name in names}
        if after != before:
            replace(_path(home), ("\n".join(sorted(after)) + "\n").encode())


def suppressed(home: Home) -> Suppressed | None:
    """The list; None when nobody is on it. Raises StateError when its secret is gone: then nobody would be recognized."""
    hashes = _hashes(home)
    return Suppressed(secret(home), hashes) if hashes else None


def secret(home: Home) -> bytes:
    """The list's 32 random bytes in `keys/suppression` (64 hex digits, for the owner only), made on first use.

    Raises StateError when it is damaged, or missing though hashes were made with it.
    """
    return kept_secret(home.keys / "suppression", expected=bool(_hashes(home)))


def kept_secret(path: Path, *, expected: bool) -> bytes:
    """A file's 32 random bytes (64 hex digits, for the owner only), made on first use; on the disk, name and all, when this returns.

    Raises StateError when it is damaged, or missing though it is `expected`: then something was made with it.
    """
    if not path.exists():
        if expected:
            raise StateError(
                "is missing, and what was made with it exists", where=str(path), mend="restore it from your backup"
            )
        _make(path)
    try:
        found = bytes.fromhex(path.read_text().strip())
    except ValueError:
        found = b""
    if len(found) != _BYTES:
        raise StateError(f"does not hold {_BYTES} bytes in hex", where=str(path), mend="restore it from your backup")
    return found


def _make(path: Path) -> None:
    """Written in full before it gets its name; of two processes the first wins and the other reads the first one's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        Path(fresh).unlink()
    folder = os.open(path.parent, os.O_RDONLY)  # the name, too, must outlive a power cut: what is sealed next does
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _path(home: Home) -> Path:
    return home.rights / "suppressed"


def _hashes(home: Home) -> frozenset[str]:
    path = _path(home)
    return frozenset(path.read_text().split()) if path.exists() else frozenset()
