"""A file of CloudEvents, one per line: appended, on the disk before an event counts as delivered, rotated by size.

`outbox.jsonl` is the file that is written; full ones are kept beside it as `outbox.000001.jsonl`, `outbox.000002.jsonl`, … A line
that a crash left unfinished is cut off before the next is written: its event was never delivered, and comes again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from serving.outbox.events import Event
from serving.outbox.sinks import Failure

ROTATE_BYTES = 64 * 1024 * 1024
_BLOCK = 64 * 1024


class JsonLines:
    """Appends to `path`, for its owner alone. Not for two threads at once."""

    def __init__(self, path: Path, brand: str, rotate_bytes: int = ROTATE_BYTES) -> None:
        self.name = f"jsonl:{path}"
        self._path, self._brand, self._rotate_bytes = path, brand, rotate_bytes
        self._file: int | None = None

    def offer(self, events: Sequence[Event], until: float) -> Mapping[int, Failure | None]:
        """All of them or none: one write, one sync."""
        if time.monotonic() >= until:
            return {}
        lines = b"".join(event.cloud_event(self._brand) + b"\n" for event in events)
        try:
            self._append(lines)
        except OSError as error:
            self.close()  # opened anew, what was half written is cut off
            failed = Failure(f"the file cannot be written ({error.strerror or type(error).__name__})", everyone=True)
            return {event.number: failed for event in events[:1]}
        return dict.fromkeys((event.number for event in events), None)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _append(self, lines: bytes) -> None:
        file = self._opened()
        if os.fstat(file).st_size >= self._rotate_bytes:
            self._rotate()
            file = self._opened()
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fdatasync(file)

    def _opened(self) -> int:
        """The file, opened anew when somebody moved it away."""
        if self._file is not None and self._is_moved(self._file):
            self.close()
        if self._file is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.fchmod(self._file, 0o600)
            _cut_torn_line(self._file)
            _sync_folder(self._path.parent)
        return self._file

    def _is_moved(self, file: int) -> bool:
        try:
            return not os.path.samestat(os.fstat(file), self._path.stat())
        except FileNotFoundError:
            return True

    def _rotate(self) -> None:
        self.close()
        stem, end = self._path.stem, self._path.suffix
        kept = re.compile(rf"{re.escape(stem)}\.(\d{{6,}}){re.escape(end)}")
        numbers = [int(found[1]) for path in self._path.parent.iterdir() if (found := kept.fullmatch(path.name))]
        self._path.rename(self._path.with_name(f"{stem}.{max(numbers, default=0) + 1:06d}{end}"))


def _cut_torn_line(file: int) -> None:
    """Cut off what follows the last line end."""
    size = at = os.fstat(file).st_size
    while at > 0:
        start = max(0, at - _BLOCK)
        found = os.pread(file, at - start, start).rfind(b"\n")
        if found >= 0:
            at = start + found + 1
            break
        at = start
    if at < size:
        os.ftruncate(file, at)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
