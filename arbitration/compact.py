"""Decisions as short JSON and back: fields by their place instead of their name, treatments and windows once for all candidates.

A record names the same treatments and windows hundreds of times. Written by name it is four times as long and takes ten times as
long to make, and a live decision waits for it. Numbers that are none stay what they are (`NaN`, `Infinity`: read with Python's JSON).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from arbitration.errors import InputError
from arbitration.situation import SendWindow, Treatment

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SHARED = (Treatment, SendWindow)
_LEAVES = frozenset({str, int, float, bool, NoneType})


class _Shared:
    """Objects that occur many times, each written once and named by its place from then on."""

    def __init__(self) -> None:
        self.places: dict[int, int] = {}  # by identity, which is quick to ask for
        self.equals: dict[object, int] = {}  # by value, so that the same decision always gives the same bytes
        self.texts: dict[type, list[Any]] = {kind: [] for kind in _SHARED}


Writer = Callable[[Any, _Shared], Any]


def compact(obj: object) -> bytes:
    """The short form of a dataclass: `[treatments, windows, object]`."""
    shared = _Shared()
    told = _writer(cast(Any, type(obj)))(obj, shared)
    found = [*(shared.texts[kind] for kind in _SHARED), told]
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()


def expand(cls: type[T], text: bytes) -> T:
    """The object of type `cls` that `compact` wrote. Raises an error of many kinds where the text says something else."""
    *tables, told = json.loads(text)
    shared: dict[type, list[Any]] = {}
    for kind, rows in zip(_SHARED, tables, strict=True):
        shared[kind] = [_object(kind, row, shared) for row in rows]
    return cast(T, _value(cls, told, shared))


def _place(obj: Any, shared: _Shared) -> int:
    """Where a shared object stands, which is written there when it comes first."""
    place = shared.places.get(id(obj))
    if place is None:
        kind = type(obj)
        place = shared.places[id(obj)] = shared.equals.setdefault(obj, len(shared.texts[kind]))
        if place == len(shared.texts[kind]):
            shared.texts[kind].append(_fields_of(cast(Any, kind))(obj, shared))
    return place


@lru_cache(maxsize=256)
def _writer(hint: Any) -> Writer:
    """How a value of this type is written; found once per type, because a record holds hundreds of each."""
    if _is_leaf(hint):
        return lambda value, _: value
    if get_origin(hint) is not None:
        return _generic_writer(hint)
    if hint is datetime:
        return lambda moment, _: (moment - _EPOCH) // _MICROSECOND
    return _place if hint in _SHARED else _fields_of(hint)


def _generic_writer(hint: Any) -> Writer:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        write = _writer(next(option for option in inner if not _is_leaf(option)))
        return lambda value, shared: None if value is None else write(value, shared)
    of = _writer(inner[0] if origin is tuple else inner[1])
    if origin is tuple:
        return lambda items, shared: [of(item, shared) for item in items]
    return lambda named, shared: {name: of(value, shared) for name, value in named.items()}


@lru_cache(maxsize=256)
def _fields_of(kind: type) -> Writer:
    """A dataclass as the list of its values."""
    hints = _hints(kind)
    values = attrgetter(*hints) if len(hints) > 1 else _alone(*hints)
    nested = [(at, _writer(hint)) for at, hint in enumerate(hints.values()) if not _is_leaf(hint)]
    if not nested:
        return lambda obj, _: values(obj)

    def write(obj: Any, shared: _Shared) -> list[Any]:
        found = list(values(obj))
        for at, of in nested:
            found[at] = of(found[at], shared)
        return found

    return write


def _alone(name: str) -> Callable[[Any], tuple[Any]]:
    value = attrgetter(name)
    return lambda obj: (value(obj),)


@lru_cache(maxsize=256)
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {item.name: getattr(hints[item.name], "__supertype__", hints[item.name]) for item in fields(kind)}


def _is_leaf(hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return all(_is_leaf(option) for option in get_args(hint))
    return origin is Literal or hint in _LEAVES


def _value(hint: Any, told: Any, shared: Mapping[type, list[Any]]) -> Any:
    if told is None or _is_leaf(hint):
        return told
    if get_origin(hint) is not None:
        return _generic(hint, told, shared)
    if hint is datetime:
        return _EPOCH + told * _MICROSECOND
    return shared[hint][told] if hint in _SHARED else _object(hint, told, shared)


def _generic(hint: Any, told: Any, shared: Mapping[type, list[Any]]) -> Any:
    """A value whose type has parameters."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _value(next(option for option in inner if not _is_leaf(option)), told, shared)
    if origin is tuple:
        return tuple(_value(inner[0], item, shared) for item in _list(told))
    return {name: _value(inner[1], value, shared) for name, value in told.items()}


def _object(kind: Any, told: Any, shared: Mapping[type, list[Any]]) -> Any:
    if not is_dataclass(kind):
        raise InputError("expected an object")
    hints = _hints(cast(type, kind))
    values = (_value(hint, item, shared) for hint, item in zip(hints.values(), _list(told), strict=True))
    return cast(type, kind)(*values)


def _list(told: Any) -> list[Any]:
    return told if isinstance(told, list) else _misfit()


def _misfit() -> Any:
    raise InputError("expected a list")
