"""A folder of catalog files becomes a `Policy`; the first mistake becomes one line with file, line, column and mend."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from arbitration.codec import canonical_json, decode
from arbitration.errors import CatalogError, ExpressionError
from arbitration.policy import Policy
from catalog.rules import check_rule, did_you_mean, feature_kinds
from catalog.schema import Catalog

EXAMPLE = Path(__file__).parent / "example"
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Source:
    """One file: its path, its lines, and its content with line and column of every part."""

    file: Path
    lines: list[str]
    content: CommentedMap


def load_catalog(path: Path) -> Policy:
    """The policy of a catalog folder; `CatalogError` names file, line, column, what was expected, and the mend."""
    sources = _read_all(path)
    data = {key: _plain(source.content[key]) for key, source in sources.items()}
    try:
        catalog = Catalog.model_validate(data)
    except ValidationError as error:
        first = min(
            error.errors(), key=lambda it: it["type"] != "extra_forbidden"
        )  # a wrong name also misses the right one
        raise _explained(first, sources, path) from error
    _check_names(catalog, sources)
    _check_rules(catalog, sources)
    return _policy(catalog)


def _policy(catalog: Catalog) -> Policy:
    data = catalog.model_dump(mode="json")
    for part in ("channels", "journeys"):
        data[part] = {key: {"id": key, **value} for key, value in data[part].items()}
    policy = decode(Policy, {"version": "", **data})
    return replace(policy, version="sha256:" + hashlib.sha256(canonical_json(policy)).hexdigest()[:16])


def _read_all(path: Path) -> dict[str, _Source]:
    """Top-level key -> the file it stands in."""
    files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else []
    if not files:
        raise CatalogError(
            "there is no catalog here", where=str(path), mend="name a folder with journeys.yaml and others"
        )
    sources: dict[str, _Source] = {}
    for file in files:
        source = _read(file)
        for key in source.content:
            if key in sources:
                first = sources[key].file.name
                raise CatalogError(f"'{key}' stands in {first} too", where=_at(source, (key,)), mend="keep one of them")
            sources[key] = source
    return sources


def _read(file: Path) -> _Source:
    try:
        text = file.read_text(encoding="utf-8")
        content = YAML(typ="rt").load(text)
    except UnicodeDecodeError as error:
        raise CatalogError("the file is not UTF-8 text", where=str(file), mend="save it as UTF-8") from error
    except YAMLError as error:
        raise _unreadable(file, error) from error
    if not isinstance(content, CommentedMap):
        raise CatalogError("expected keys such as 'journeys:'", where=f"{file}:1:1", mend="see the example catalog")
    return _Source(file, text.splitlines(), content)


def _unreadable(file: Path, error: YAMLError) -> CatalogError:
    """YAML that cannot be read, at the place the parser stopped."""
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else f"{file}:1:1"
    problem = (getattr(error, "problem", None) or "this is not YAML").splitlines()[0]
    if twice := re.match(r'found duplicate key "([^"]+)"', problem):
        return CatalogError(f"'{twice[1]}' stands here twice", where=where, mend="rename or remove one of the two")
    if "<block" in problem:
        problem = "the indentation differs from the lines around it"
    return CatalogError(problem, where=where, mend="check indentation and colons around here")


def _plain(node: Any) -> Any:
    """Ordinary dicts, lists and scalars, so that strict checks see what was written."""
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _explained(error: ErrorDetails, sources: Mapping[str, _Source], path: Path) -> CatalogError:
    """A pydantic error in our words; `[key]` in a location marks a wrong key of a mapping."""
    place: Place = tuple(part for part in error["loc"] if part != "[key]")
    if not place or place[0] not in sources:
        key = place[0] if place else "journeys"
        return CatalogError(f"'{key}:' is in no file", where=str(path), mend="add it; the example catalog has one")
    where = _at(sources[str(place[0])], place)
    name = ".".join(map(str, place))
    if error["type"] == "extra_forbidden":
        known = _fields(place[:-1])
        return CatalogError(f"there is no setting '{place[-1]}'", where=where, mend=did_you_mean(str(place[-1]), known))
    if error["type"] == "missing":
        return CatalogError(f"{name} is missing", where=where, mend=f"add '{place[-1]}:'")
    given = error["input"]
    shown = f", found {given!r}" if isinstance(given, (str, int, float, bool)) else ""
    mend = "correct the value"
    if isinstance(given, str) and re.fullmatch(r"-?\d+,\d+", given):
        mend = f"write {given.replace(',', '.')}"  # a decimal comma
    return CatalogError(f"{name}: {error['msg'][:1].lower()}{error['msg'][1:]}{shown}", where=where, mend=mend)


def _fields(place: Place) -> list[str]:
    """The settings that exist at a place, found by walking the schema's own models."""
    model: type[BaseModel] | None = Catalog
    for part in place:
        fields = model.model_fields if model else {}
        if part in fields:
            model = _model_in(fields[str(part)].annotation)
    return list(model.model_fields) if model else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [_model_in(argument) for argument in getattr(annotation, "__args__", ())]
    return next((model for model in found if model), None)


def _check_names(catalog: Catalog, sources: Mapping[str, _Source]) -> None:
    """Channels that are named exist; a journey has each treatment once; silence fits into exploration."""
    named: list[tuple[str, Place]] = [
        (line.channel, ("journeys", journey_id, "treatments", at, "channel"))
        for journey_id, journey in catalog.journeys.items()
        for at, line in enumerate(journey.treatments)
    ]
    caps = catalog.contact_policy.caps
    named += [(cap.channel, ("contact_policy", "caps", at, "channel")) for at, cap in enumerate(caps) if cap.channel]
    for channel, place in named:
        if channel not in catalog.channels:
            where = _at(sources[str(place[0])], place)
            raise CatalogError(
                f"there is no channel '{channel}'", where=where, mend=did_you_mean(channel, catalog.channels)
            )
    _check_doubles([cap.id for cap in caps], sources["contact_policy"], ("contact_policy", "caps"))
    for journey_id, journey in catalog.journeys.items():
        lines = [f"{line.channel}/{line.template}" for line in journey.treatments]
        _check_doubles(lines, sources["journeys"], ("journeys", journey_id, "treatments"))
    if catalog.selection.silence_floor > catalog.selection.exploration:
        where = _at(sources["selection"], ("selection", "silence_floor"))
        raise CatalogError("silence_floor is above exploration", where=where, mend="lower it or raise exploration")


def _check_doubles(ids: list[str], source: _Source, place: Place) -> None:
    for at, name in enumerate(ids):
        if name in ids[:at]:
            raise CatalogError(f"'{name}' stands here twice", where=_at(source, (*place, at)), mend="keep one of them")


def _check_rules(catalog: Catalog, sources: Mapping[str, _Source]) -> None:
    kinds = feature_kinds(catalog.channels)
    rules: list[tuple[str, Place]] = [
        (getattr(journey, rule), ("journeys", journey_id, rule))
        for journey_id, journey in catalog.journeys.items()
        for rule in ("eligible", "applicable", "suitable")
    ]
    rules += [(channel.available, ("channels", key, "available")) for key, channel in catalog.channels.items()]
    for text, place in rules:
        try:
            check_rule(text, kinds)
        except ExpressionError as error:
            where = _at(sources[str(place[0])], place, error.column - 1, text)
            raise CatalogError(f"{place[-1]}: {error.what}", where=where, mend=error.mend) from error


def _at(source: _Source, place: Place, within: int = 0, text: str = "") -> str:
    """`file:line:column` of a value, or of its nearest parent when it is not there; `within` counts inside a one-line text."""
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
    return f"{source.file}:{line + 1}:{column + 1}"


def _position(node: Any, part: str | int) -> tuple[int, int]:
    if isinstance(node, CommentedMap) and part in node:
        scalar = not isinstance(node[part], (CommentedMap, CommentedSeq))
        line, column = node.lc.value(part) if scalar else node.lc.key(part)
    elif isinstance(node, CommentedSeq):
        line, column = node.lc.item(part)
    else:
        raise KeyError(part)
    return int(line), int(column)
