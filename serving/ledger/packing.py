"""How a decision lies in the ledger: its two parts compressed, its summary as columns."""

from __future__ import annotations

import json
import zlib
from typing import Any

from sqlalchemy import Row

from serving.ledger.rows import Summary
from serving.ledger.schema import from_micros, to_micros


def packed(part: bytes) -> bytes:
    """A part of a record, compressed: it names hundreds of candidates or features and shrinks to a tenth."""
    return zlib.compress(part)


def unpacked(part: bytes) -> bytes | None:
    """What was packed, or None when the bytes are damaged."""
    try:
        return zlib.decompress(part)
    except zlib.error:
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


def summary_out(row: Row[Any]) -> Summary:
    """The summary that a row holds."""
    opens_at = None if row.opens_at is None else from_micros(row.opens_at)
    return Summary(row.favorite, opens_at, row.net, row.decided_on, json.loads(row.stopped))
