"""A folder of catalog files becomes a `Policy`; every mistake becomes one line with file, line, column and mend."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from arbitration.codec import canonical_text, decode, encode
from arbitration.errors import CatalogError
from arbitration.policy import Policy
from catalog.agreement import disagreements
from catalog.rules import close_to, did_you_mean
from catalog.schema import Catalog
from catalog.sources import Finding, Place, Sources, Spot, read_all, read_over

EXAMPLE = Path(__file__).parent / "example"


def load_catalog(path: Path) -> Policy:
    """The policy of a catalog folder; `CatalogError` names file, line, column, what was expected and the mend, of all mistakes."""
    return read_catalog(path)[0]


def load_over(path: Path, file: Path) -> Policy:
    """The same with one file laid over the folder: each of its top-level keys takes the place of the folder's."""
    return _checked(read_over(path, file))


def read_catalog(path: Path) -> tuple[Policy, Sources]:
    """The same with the files, for checks that say where something stands."""
    sources = read_all(path)
    return _checked(sources), sources


def _checked(sources: Sources) -> Policy:
    data = sources.data()
    mistakes = [*sources.unread]
    try:
        catalog = Catalog.model_validate(data)
    except ValidationError as error:
        mistakes += _misshapen(error, sources)
    mistakes += disagreements(data, sources)
    if mistakes:
        raise _error(mistakes)
    return _policy(catalog)


def _error(mistakes: Iterable[Finding]) -> CatalogError:
    """One error for all mistakes, in file order; a single one keeps its parts."""
    ordered = sorted(dict.fromkeys(mistakes), key=lambda mistake: mistake.order)
    if len(ordered) == 1:
        return ordered[0].error()
    return CatalogError("\n".join(str(mistake.error()) for mistake in ordered))


def _policy(catalog: Catalog) -> Policy:
    data = catalog.model_dump(mode="json")
    for part in ("channels", "journeys", "resources"):
        data[part] = {key: {"id": key, **value} for key, value in data[part].items()}
    policy = decode(Policy, {"version": "", **data})
    return replace(policy, version=version_of(encode(policy)))


def version_of(plain: Mapping[str, Any]) -> str:
    """The version of a policy that is given as plain JSON values: the digest of all the rest of it."""
    return "sha256:" + hashlib.sha256(canonical_text({**plain, "version": ""})).hexdigest()[:16]


def _misshapen(error: ValidationError, sources: Sources) -> list[Finding]:
    """Every error of the schema in our words. A misspelled setting also misses the right one; that is told once."""
    found = error.errors()
    renamed = {
        (*_place(one)[:-1], close_to(str(one["loc"][-1]), _fields(_place(one)[:-1])))
        for one in found
        if one["type"] == "extra_forbidden"
    }
    mistakes = []
    for one in found:
        place = _place(one)
        absent = one["type"] == "missing" and len(place) == 1
        if place in renamed or (absent and sources.unread):
            continue
        mistakes.append(_explained(one, place, sources))
    return mistakes


def _place(error: ErrorDetails) -> Place:
    """`[key]` in a location marks a wrong key of a mapping."""
    return tuple(part for part in error["loc"] if part != "[key]")


def _explained(error: ErrorDetails, place: Place, sources: Sources) -> Finding:
    if not place or place[0] not in sources.by_key:
        key = place[0] if place else "journeys"
        return Finding(f"'{key}:' is in no file", Spot(str(sources.folder)), "add it; the example catalog has one")
    name = ".".join(map(str, place))
    if error["type"] == "extra_forbidden":
        known = _fields(place[:-1])
        return sources.finding(f"there is no setting '{place[-1]}'", place, did_you_mean(str(place[-1]), known))
    if error["type"] == "missing":
        return sources.finding(f"{name} is missing", place, f"add '{place[-1]}:'")
    given = error["input"]
    shown = f", found {given!r}" if isinstance(given, (str, int, float, bool)) else ""
    mend = "correct the value"
    if isinstance(given, str) and re.fullmatch(r"-?\d+,\d+", given):
        mend = f"write {given.replace(',', '.')}"  # a decimal comma
    return sources.finding(f"{name}: {error['msg'][:1].lower()}{error['msg'][1:]}{shown}", place, mend)


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
