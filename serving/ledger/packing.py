"""How a decision lies in the ledger: its two parts compressed, its summary as columns."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import pyarrow as pa

from serving.ledger.rows import Summary
from serving.ledger.schema import from_micros, to_micros

_LENGTH = 4
_LONGEST = 1 << 28
_LZ4 = pa.Codec("lz4_raw")


def packed(part: bytes) -> bytes:
    """A part of a record, compressed, behind its length: it names hundreds of candidates or features and shrinks to a tenth.

    LZ4 leaves a seventh more than zlib's lowest level, which takes ten times as long while a live decision waits.
    """
    return len(part).to_bytes(_LENGTH) + bytes(_LZ4.compress(part, asbytes=True))


def unpacked(part: Any) -> bytes | None:
    """What was packed, or None when the bytes are damaged."""
    try:
        length = int.from_bytes(part[:_LENGTH])
        whole = _LZ4.decompress(part[_LENGTH:], length, asbytes=True) if length <= _LONGEST else b""
        return bytes(whole) if len(whole) == length else None
    except (pa.ArrowException, OSError, TypeError, ValueError):
        return None


def summary_in(summary: Summary) -> dict[str, Any]:
    """The columns of a summary."""
    return {
        "favorite": summary.favorite,
        "opens_at": to_micros(summary.opens_at) if summary.opens_at else None,
        "net": summary.net,
        "decided_on": summary.decided_on,
        "stopped": json.dumps(summary.stopped, sort_keys=True, separators=(",", ":")),
    }


def summary_out(favorite: Any, opens_at: Any, net: Any, decided_on: Any, stopped: Any) -> Summary:
    """The summary that these columns hold. Raises `TypeError`, `ValueError` or `OverflowError` where they hold none."""
    counts = json.loads(stopped)
    sound = isinstance(counts, dict) and all(type(count) is int for count in counts.values())
    if not (sound and isinstance(favorite, str | None) and _is_money(net) and _is_money(decided_on)):
        raise ValueError("no summary")
    return Summary(favorite, None if opens_at is None else from_micros(opens_at), net, decided_on, counts)


def _is_money(stored: Any) -> bool:
    return isinstance(stored, float) and isfinite(stored)
