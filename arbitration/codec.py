"""Decisions, contexts, estimates and policies as JSON and back, without loss.

`decode(cls, encode(obj)) == obj` for every dataclass of this package; canonical bytes are what digests are taken of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite, isnan
from sys import float_info
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from arbitration.errors import InputError

T = TypeVar("T")
_NO_NUMBERS = ("nan", "inf", "-inf")
_PLAIN = frozenset({str, int, float, bool, NoneType})


def encode(obj: object) -> Any:
    """JSON-ready form: dataclass and mapping to dict, tuple and list to list, moment to ISO text in UTC with Z.

    JSON has no word for a number that is none: it becomes the text `nan`, `inf` or `-inf`, which `decode` reads as a number again
    wherever a field holds only numbers.
    """
    kind = type(obj)
    if kind in _PLAIN:  # most of what a record holds
        return str(obj) if kind is float and not isfinite(cast(float, obj)) else obj
    if kind is datetime:
        return _moment(cast(datetime, obj))
    if is_dataclass(kind):
        return {name: encode(getattr(obj, name)) for name in _names(kind)}
    if isinstance(obj, Mapping):
        return {str(key): None if _unknown(value) else encode(value) for key, value in obj.items()}
    if isinstance(obj, (tuple, list)):
        return [encode(value) for value in obj]
    if isinstance(obj, (str, int, float)):
        return obj
    raise TypeError(f"{kind.__name__} has no JSON form")


def _unknown(value: object) -> bool:
    """A feature that is no number is unknown."""
    return type(value) is float and isnan(value)


def _moment(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise InputError(f"the moment {moment.isoformat()} has no offset", mend="give every moment a time zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def canonical_json(obj: object) -> bytes:
    """UTF-8 JSON with sorted keys, no spaces and no NaN: equal objects give equal bytes."""
    return canonical_text(encode(obj))


def canonical_text(plain: Any) -> bytes:
    """The same for what `encode` already turned into plain JSON values."""
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def decode(cls: type[T], data: object) -> T:
    """The object of type `cls` that `encode` turned into `data`, in which moments may also be such; `InputError` names the path of what does
    not fit.
    """
    return cast(T, _decode(cls, data, cls.__name__))


@lru_cache(maxsize=256)
def _names(cls: type) -> tuple[str, ...]:
    return tuple(item.name for item in fields(cls))


@lru_cache(maxsize=256)
def _hints(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {item.name: hints[item.name] for item in fields(cls)}


def _decode(hint: Any, data: object, path: str) -> object:
    hint = getattr(hint, "__supertype__", hint)
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return _decode_union(get_args(hint), data, path)
    if origin is Literal:
        return data if data in get_args(hint) else _misfit(path, f"one of {', '.join(map(str, get_args(hint)))}")
    if origin is tuple:
        items = data if isinstance(data, list) else _misfit(path, "a list")
        return tuple(_decode(get_args(hint)[0], item, f"{path}[{at}]") for at, item in enumerate(items))
    if origin is not None and issubclass(origin, Mapping):
        return {key: _decode(get_args(hint)[1], value, f"{path}.{key}") for key, value in _dict(data, path).items()}
    if is_dataclass(hint):
        return _decode_dataclass(cast(type, hint), _dict(data, path), path)
    return _decode_plain(hint, data, path)


def _decode_union(options: tuple[Any, ...], data: object, path: str) -> object:
    """None first; plain values keep the exact type that JSON gave them; otherwise the one structured option."""
    if data is None and NoneType in options:
        return None
    if type(data) in options:
        return data
    structured = [option for option in options if option is not NoneType]
    return _decode(structured[0], data, path)


def _decode_dataclass(cls: type, data: dict[str, object], path: str) -> object:
    hints = _hints(cls)
    if unknown := sorted(set(data) - set(hints)):
        _misfit(f"{path}.{unknown[0]}", f"no such field; fields are {', '.join(hints)}")
    try:
        return cls(**{name: _decode(hints[name], value, f"{path}.{name}") for name, value in data.items()})
    except TypeError as error:
        raise InputError(f"a field is missing ({error})", where=path) from error


def _decode_plain(hint: Any, data: object, path: str) -> object:
    if hint is datetime:
        return _decode_moment(data, path)
    if hint is float and data in _NO_NUMBERS:
        return float(data)
    if hint is float and isinstance(data, (int, float)) and not isinstance(data, bool) and abs(data) <= float_info.max:
        return data  # 5 stays 5, so that canonical bytes survive the round trip
    return data if type(data) is hint else _misfit(path, f"a {getattr(hint, '__name__', hint)}")


def _decode_moment(data: object, path: str) -> datetime:
    try:
        moment = data if isinstance(data, datetime) else datetime.fromisoformat(cast(str, data))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        _misfit(path, "an ISO moment")
    raise InputError("expected an ISO moment with offset", where=path)


def _dict(data: object, path: str) -> dict[str, object]:
    return cast(dict[str, object], data) if isinstance(data, dict) else _misfit(path, "an object")


def _misfit(path: str, expected: str) -> Any:
    raise InputError(f"expected {expected}", where=path)
