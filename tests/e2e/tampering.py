"""Altering what a service has recorded, as somebody could who holds its keys: parts of a decision are opened, changed and sealed again."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select, update

from features.home import Home
from serving.ledger import schema
from serving.ledger.packing import packed, unpacked
from serving.ledger.store import Ledger
from serving.opening import keyring_of
from tests.e2e.service_process import private_home


def copy_of(home: Home, root: Path) -> Home:
    """Another home with the same keys and a copy of the ledger, also while a service writes to it."""
    other = private_home(home, root)
    shutil.rmtree(other.keys)
    shutil.copytree(home.keys, other.keys)
    with sqlite3.connect(home.ledger) as source, sqlite3.connect(other.ledger) as copy:
        source.backup(copy)
    source.close()
    copy.close()
    return other


def alter(home: Home, decision_id: str, part: str, change: Callable[[bytes], bytes]) -> None:
    """Put what `change` makes of a part of a decision in its place."""
    ledger, table, owner = Ledger(home.ledger, keyring_of(home)), schema.decisions, schema.subjects
    with ledger.writing() as tx:
        mine = table.c.decision_id == decision_id
        asked = select(table.c[part], owner.c.sealing_key, owner.c.subject)
        asked = asked.join_from(table, owner, table.c.subject == owner.c.subject)
        row = tx.connection.execute(asked.where(mine)).one()
        key, about = ledger.keyring.unwrapped(row.sealing_key, row.subject), f"{decision_id}.{part}"
        was = unpacked(ledger.keyring.open(key, row[0], about))
        assert was is not None
        fresh = ledger.keyring.seal(key, packed(change(was)), about)
        tx.connection.execute(update(table).where(mine).values({part: fresh}))
    ledger.close()
