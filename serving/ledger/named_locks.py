"""Locks by name that a write transaction holds until it ends. SQLite has one writer at a time and needs none.

Taken in this order: the customer's row, a journey, resources, policies, a lane of the audit. So no two transactions wait for each
other.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import Connection, Dialect

from serving.ledger.statements import Step, run

JOURNEYS: Final = 0x4449_0001
RESOURCES: Final = 0x4449_0002
# Two numbers name a lock of another kind than one number does: these never meet the locks of the audit's lanes.
_TAKE = "SELECT pg_advisory_xact_lock(%(space)s::integer, %(number)s::integer)"
_SHARE = "SELECT pg_advisory_xact_lock_shared(%(space)s::integer, %(number)s::integer)"


def hold(connection: Connection, space: int, *names: str, shared: bool = False) -> None:
    """Wait for names of a space and hold them until the transaction ends, always in the same order; what was committed before is seen
    by the next statement. Those who share a name do not wait for each other. Raises `LedgerError`, `Again`.
    """
    if steps := holding(connection.dialect, space, *names, shared=shared):
        run(connection, *steps)


def holding(dialect: Dialect, space: int, *names: str, shared: bool = False) -> list[Step]:
    """The statements of `hold`, to be carried out together with others; none in SQLite."""
    if dialect.name != "postgresql":
        return []
    text, numbers = _SHARE if shared else _TAKE, sorted({_number(name) for name in names})
    return [(text, {"space": space, "number": number}) for number in numbers]


def _number(name: str) -> int:
    """The same number in every process."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], signed=True)
