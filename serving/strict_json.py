"""Reading JSON strictly: what other readers accept quietly (NaN, repeated keys, lone surrogates) is refused, with its place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from serving.problems import field_path, unreadable

MAX_DEPTH = 12
MAX_INTEGER = 2**53
# Commas, colons and brackets in a body. Whatever is asked has a few hundred; a mebibyte of them takes a second to read.
MAX_MARKS = 4_000
_LONGEST_INTEGER, _LONGEST_FLOAT = 17, 64  # characters


def read(body: bytes) -> Any:
    """The value in `body`; a `Problem` with status 400 that names the place when it is not strict JSON (RFC 8259, I-JSON)."""
    if sum(map(body.count, (b",", b":", b"[", b"{"))) > MAX_MARKS:
        raise unreadable(f"at most {MAX_MARKS} commas, colons and opening brackets", "(body)")
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite, parse_int=_integer
        )
    except UnicodeDecodeError:
        raise unreadable("the body must be UTF-8") from None
    except json.JSONDecodeError as error:
        raise unreadable(f"the body is not JSON: see line {error.lineno}, column {error.colno}", "(body)") from None
    except RecursionError:
        raise unreadable(f"at most {MAX_DEPTH} levels of nesting", "(body)") from None
    _check(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise unreadable("each name once per object", field_path([name]))
        found[name] = value
    return found


def _constant(_: str) -> NoReturn:
    raise unreadable("NaN and Infinity are not JSON numbers", "(body)")


def _finite(text: str) -> float:
    number = float(text) if len(text) <= _LONGEST_FLOAT else math.inf
    if not math.isfinite(number):
        raise unreadable(f"numbers must fit a 64-bit float and be at most {_LONGEST_FLOAT} characters long", "(body)")
    return number


def _integer(text: str) -> int:
    # The length comes first: converting a million digits would take minutes.
    if len(text) > _LONGEST_INTEGER or abs(int(text)) > MAX_INTEGER:
        raise unreadable("whole numbers must lie within plus or minus 2^53", "(body)")
    return int(text)


def _check(value: Any) -> None:
    for parts, found in _walk(value):
        if len(parts) > MAX_DEPTH:
            raise unreadable(f"at most {MAX_DEPTH} levels of nesting", field_path(parts))
        if isinstance(found, str) and not _is_whole(found):
            raise unreadable("text must be whole Unicode characters", field_path(parts))


def _is_whole(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _walk(value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value and every name with its path; iterative, because depth is the caller's choice."""
    rest: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while rest:
        parts, found = rest.pop()
        yield parts, found
        if len(parts) > MAX_DEPTH:
            continue
        if isinstance(found, dict):
            for name, inner in found.items():
                yield (*parts, name), name
                rest.append(((*parts, name), inner))
        elif isinstance(found, list):
            rest.extend(((*parts, index), inner) for index, inner in enumerate(found))
