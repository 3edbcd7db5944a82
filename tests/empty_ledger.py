"""Empty SQLite ledgers that need not be made: one is made, and the others are copies of its file.

The making itself is tested in `contracts/test_ledger_migrations.py`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from serving.ledger.keyring import Keyring
from serving.ledger.store import Ledger


def empty_ledger(path: Path) -> Path:
    """Put a ledger there that holds nothing; whoever opens it first notes their keys in it, as in one that was just made."""
    path.touch(0o600, exist_ok=False)
    path.write_bytes(_file())
    return path


@cache
def _file() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        Ledger(path, Keyring.fresh()).close()
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM imports WHERE name LIKE 'key:%'")
        return path.read_bytes()
