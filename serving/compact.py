"""Records as MessagePack and back: they name hundreds of candidates and features, and a live decision waits for them to be written.

The library writes our dataclasses by itself, eight times as fast as JSON by name, and checks the types when it reads. Numbers that
are none stay what they are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from pydantic_core import from_json

from arbitration.errors import InputError

T = TypeVar("T")
_ENCODER = msgspec.msgpack.Encoder()


def compact(obj: object) -> bytes:
    """The short form of a dataclass or a mapping; its moments in UTC."""
    return _ENCODER.encode(obj)


def expand(cls: type[T], text: bytes) -> T:
    """The object of type `cls` that `compact` wrote. Raises `InputError` where the bytes say something else."""
    decoder: msgspec.msgpack.Decoder[T] = _decoder(cls)  # type: ignore[arg-type]  # a class can be hashed
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"no {cls.__name__}: {error}") from None


def plain(text: bytes) -> dict[str, Any]:
    """The mapping that `compact` wrote, or that was kept as JSON before: plain values, moments as such or as ISO text. Raises `InputError`."""
    try:
        return dict(from_json(text) if text.startswith(b"{") else msgspec.msgpack.decode(text))
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise InputError(f"no record: {error}") from None


@lru_cache(maxsize=64)
def _decoder(cls: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(cls)
