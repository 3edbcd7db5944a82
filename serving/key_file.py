"""The file of API keys: hashes, roles and dates; changed under a lock, replaced as a whole, never half written."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arbitration.errors import StateError

_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class StoredKey(BaseModel):
    """One client's key. Times are seconds since 1970; `former_hash` still opens until `former_until` after a rotation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    role: str
    hash: _Hash
    created_at: int
    expires_at: int | None = None
    rotated_at: int | None = None
    former_hash: _Hash | None = None
    former_until: int = 0

    def open_hashes(self, now: float) -> Iterator[str]:
        """The hashes that open at this moment: the key's while it has not run out, the former one's during the overlap."""
        if self.expires_at is None or now < self.expires_at:
            yield self.hash
        if self.former_hash is not None and now < self.former_until:
            yield self.former_hash


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[StoredKey, ...]


class KeyFile:
    """`api_keys.json` in a folder of secrets."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "api_keys.json"
        self._lock = folder / "api_keys.lock"

    def stamp(self) -> tuple[int, int]:
        """Changes with every change of the file; (0, 0) when there is none."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_ino)

    def read(self) -> dict[str, StoredKey]:
        """Every stored key by its client's name. A `StateError` names a file that cannot be understood."""
        try:
            content = _Content.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValidationError:
            raise StateError(
                "cannot be read", where=str(self.path), mend="restore it, or delete it and create keys"
            ) from None
        return {key.name: key for key in content.keys}

    @contextmanager
    def changing(self) -> Iterator[dict[str, StoredKey]]:
        """The keys, to be changed in place; written when the block ends well. One process at a time, others wait."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = self.read()
            yield keys
            self._write(_Content(keys=tuple(keys.values())))
        finally:
            os.close(lock)

    def _write(self, content: _Content) -> None:
        fresh = self.path.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(content.model_dump_json(indent=1, exclude_defaults=True))
            file.flush()
            os.fsync(file.fileno())
        before, now = self.stamp()[0], fresh.stat().st_mtime_ns
        if now <= before:  # the file system's clock is coarse: two changes within one tick must still differ
            os.utime(fresh, ns=(before + 1, before + 1))
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
