"""Delete rows from the online store itself, because Feast offers no way to delete one customer's.

Keys are Feast's, and `leaves` says of each whether it is to go. Every key is looked at, so that rows of channels and views that
are no longer used go, too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

Leaves = Callable[[bytes], bool]
_AT_ONCE = 1000
_PATIENCE_SECONDS = 30.0


def drop_from_sqlite(path: Path, leaves: Leaves) -> int:
    """Delete and overwrite; returns how many keys went. Whoever reads meanwhile waits for a moment."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, timeout=_PATIENCE_SECONDS)) as database:
        gone = 0
        with database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                keys = database.execute(f'SELECT DISTINCT entity_key FROM "{table}"').fetchall()
                leaving = [key for key in keys if leaves(key[0])]
                database.executemany(f'DELETE FROM "{table}" WHERE entity_key = ?', leaving)
                gone += len(leaving)
        if gone:
            database.execute("VACUUM")  # a deleted row's bytes stay in the file until it is written anew
    return gone


def drop_from_redis(client: Any, project: bytes, leaves: Leaves) -> int:
    """Delete the project's keys that leave; returns how many. `client` is redis-py's; Feast appends the project to each key."""
    leaving = [
        key
        for key in client.scan_iter(match=b"*" + project, count=_AT_ONCE)
        if leaves(bytes(key).removesuffix(project))
    ]
    for begin in range(0, len(leaving), _AT_ONCE):
        client.delete(*leaving[begin : begin + _AT_ONCE])
    return len(set(leaving))
