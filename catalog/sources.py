"""The YAML files of one catalog folder, and the file, line and column of everything in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from arbitration.errors import CatalogError

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something stands; spots sort in the order of files and lines. Lines and columns count from 1, 0 is a whole folder."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong or doubtful in a catalog: what, where, and how to mend it."""

    what: str
    spot: Spot
    mend: str

    @property
    def order(self) -> tuple[str, int, int]:
        """Findings are told in the order of files and lines."""
        return self.spot.file, self.spot.line, self.spot.column

    def error(self) -> CatalogError:
        """The finding as an error."""
        return CatalogError(self.what, where=str(self.spot), mend=self.mend)


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its path, its lines, and its content with line and column of every part."""

    file: Path
    lines: list[str]
    content: CommentedMap


@dataclass(frozen=True, slots=True)
class Sources:
    """All files of a folder: top-level key -> the file it stands in; `unread` is what could not be read."""

    folder: Path
    by_key: Mapping[str, Source]
    unread: tuple[Finding, ...]

    def data(self) -> dict[str, Any]:
        """The content of all files as ordinary dicts, lists and scalars, so that strict checks see what was written."""
        return {key: _plain(source.content[key]) for key, source in self.by_key.items()}

    def spot(self, place: Place, within: int = 0, text: str = "") -> Spot:
        """Where a value stands, or its nearest parent when it is not there; `within` counts inside a one-line text."""
        source = self.by_key.get(str(place[0])) if place else None
        return Spot(str(self.folder)) if source is None else _spot(source, place, within, text)

    def finding(self, what: str, place: Place, mend: str) -> Finding:
        """A finding about the value at `place`."""
        return Finding(what, self.spot(place), mend)


def read_all(folder: Path) -> Sources:
    """Every YAML file of the folder; what cannot be read becomes a finding. Raises `CatalogError` when there is none."""
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]) if folder.is_dir() else []
    if not files:
        raise CatalogError(
            "there is no catalog here", where=str(folder), mend="name a folder with journeys.yaml and others"
        )
    by_key: dict[str, Source] = {}
    unread: list[Finding] = []
    for file in files:
        source = _read(file)
        if isinstance(source, Finding):
            unread.append(source)
            continue
        for key in source.content:
            if not isinstance(key, str):
                unread.append(
                    Finding(f"'{key}' is not a name", _spot(source, (key,), 0, ""), "write a name such as 'journeys:'")
                )
            elif key in by_key:
                first = by_key[key].file.name
                unread.append(
                    Finding(f"'{key}' stands in {first} too", _spot(source, (key,), 0, ""), "keep one of them")
                )
            else:
                by_key[key] = source
    return Sources(folder, by_key, tuple(unread))


def read_over(folder: Path, file: Path) -> Sources:
    """The files of the folder with one more, whose top-level keys take the place of theirs: a change that is only tried."""
    base, source = read_all(folder), _read(file)
    if isinstance(source, Finding):
        return replace(base, unread=(*base.unread, source))
    return replace(base, by_key={**base.by_key, **{str(key): source for key in source.content}})


def _read(file: Path) -> Source | Finding:
    try:
        text = file.read_text(encoding="utf-8")
        content = _content(text)
    except UnicodeDecodeError:
        return Finding("the file is not UTF-8 text", Spot(str(file)), "save it as UTF-8")
    except YAMLError as error:
        return _unreadable(file, error)
    if not isinstance(content, CommentedMap):
        return Finding("expected keys such as 'journeys:'", Spot(str(file), 1, 1), "see the example catalog")
    return Source(file, text.splitlines(), content)


@lru_cache(maxsize=32)
def _content(text: str) -> Any:
    """What a text says, read once for all catalogs that share it; nobody changes it. Raises `YAMLError`."""
    return YAML(typ="rt").load(text)


def _unreadable(file: Path, error: YAMLError) -> Finding:
    """YAML that cannot be read, at the place the parser stopped."""
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    spot = Spot(str(file), mark.line + 1, mark.column + 1) if mark else Spot(str(file), 1, 1)
    problem = (getattr(error, "problem", None) or "this is not YAML").splitlines()[0]
    if twice := re.match(r'found duplicate key "([^"]+)"', problem):
        return Finding(f"'{twice[1]}' stands here twice", spot, "rename or remove one of the two")
    if "<block" in problem:
        problem = "the indentation differs from the lines around it"
    return Finding(problem, spot, "check indentation and colons around here")


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _spot(source: Source, place: Place, within: int, text: str) -> Spot:
    node: Any = source.content
    line, column = 0, 0
    for part in place:
        try:
            line, column = _position(node, part)
            node = node[part]
        except (KeyError, IndexError, TypeError):
            break
    shown = source.lines[line] if line < len(source.lines) else ""
    if text and (start := shown.find(text, column)) >= 0:
        column = start + within
    return Spot(str(source.file), line + 1, column + 1)


def _position(node: Any, part: str | int) -> tuple[int, int]:
    if isinstance(node, CommentedMap) and part in node:
        scalar = not isinstance(node[part], (CommentedMap, CommentedSeq))
        line, column = node.lc.value(part) if scalar else node.lc.key(part)
    elif isinstance(node, CommentedSeq):
        line, column = node.lc.item(part)
    else:
        raise KeyError(part)
    return int(line), int(column)
