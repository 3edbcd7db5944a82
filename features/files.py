"""Writing below a home: one writer at a time, also across processes, and files that are replaced whole or not at all."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from arbitration.errors import InputError
from features.home import Home

Lock = Literal["tables", "lists", "bundles"]
"""`tables`: the shop's tables and everything computed from them. `lists`: the small files of `home.rights`. `bundles`: what is promoted."""
_held = threading.local()


@contextmanager
def exclusive(home: Home, lock: Lock) -> Iterator[None]:
    """Wait until nobody else holds the lock of this home, and hold it; the same thread may take it again inside."""
    path = home.rights / f"{lock}.lock"
    depths: dict[Path, int] = _held.__dict__.setdefault("depths", {})
    if depths.get(path):
        yield
        return
    home.rights.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the system gives it back when the process dies
        depths[path] = 1
        try:
            yield
        finally:
            del depths[path]


def refuse_unwritable(*targets: Path) -> None:
    """Raises InputError where a file cannot be written to, before the work is done that should go there."""
    for path in targets:
        folder = path.absolute().parent
        if not folder.is_dir():
            raise InputError("no such folder", where=str(folder), mend="make it, or name another")
        if path.is_dir():
            raise InputError("is a folder", where=str(path), mend="name a file")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError("you may not write there", where=str(folder), mend="name another folder")


def replace(path: Path, content: bytes) -> None:
    """Put a small file in place of `path`, readable by the owner only; after a crash the old or the new one is there, whole."""
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    settle(fresh, path)


def settle(fresh: Path, path: Path) -> None:
    """Give a finished file its final name, durably: its content reaches the disk first, then the name."""
    _sync(fresh)
    fresh.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
