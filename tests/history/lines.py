"""JSONL files, line by line, with errors that name file and line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tests.history.rows import Place

Row = dict[str, Any]
Placed = tuple[Place, Row]
Read = TypeVar("Read")


class Unreadable(ValueError):
    """A file that is no history and no dump: where, and what is wrong."""


def rows_of(path: Path, number: int, *, torn: bool) -> Iterator[Placed]:
    """The objects of one file, which is the `number`-th. With `torn` a last line that was cut off is left out.

    Raises `Unreadable` for a line that is no JSON object, `OSError` for a file that cannot be opened.
    """
    with path.open("rb") as file:
        for line, text in enumerate(file, 1):
            if not text.endswith(b"\n") and torn:
                return
            try:
                row = json.loads(str(text, "utf-8"))
            except ValueError as error:
                raise Unreadable(f"{path}:{line}: no JSON ({error})") from None
            if not isinstance(row, dict):
                raise Unreadable(f"{path}:{line}: no JSON object")
            yield Place(number, line), row


def placed(rows: Iterable[Row], number: int) -> Iterator[Placed]:
    """Objects that lie in memory, numbered as if they had been read from the `number`-th file."""
    for line, row in enumerate(rows, 1):
        yield Place(number, line), row


def take(place: Place, row: Row, read: Callable[[Place, Row], Read]) -> Read:
    """What `read` makes of a row. Raises `Unreadable` with the row's place where a field is missing or of another type."""
    try:
        return read(place, row)
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"file {place.file}, line {place.line}: {type(error).__name__} {error} in {row}") from None
