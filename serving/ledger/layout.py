"""Whether the tables that lie at a ledger's place are of this program: asked before its keys, which earlier programs did not have."""

from __future__ import annotations

from sqlalchemy import inspect

from arbitration.errors import LedgerError
from serving.ledger.bookkeeping import audit
from serving.ledger.engine import connection_of, open_read_only
from serving.ledger.migrate import VERSION_TABLE
from serving.ledger.place import Place

_OURS = frozenset(audit.metadata.tables) | {"schema_version"}  # the last one: what programs before the first step kept


def check_layout(place: Place) -> None:
    """Raise `LedgerError` where tables of ours lie that no migration step has made: an earlier program wrote them. Needs no keys."""
    if place.path is not None and not place.path.exists():
        return
    engine = open_read_only(place)
    try:
        with connection_of(engine, place) as connection:
            there = frozenset(inspect(connection).get_table_names())
    finally:
        engine.dispose()
    if VERSION_TABLE not in there and there & _OURS:
        raise LedgerError(
            "the ledger was written by an earlier version of this program, whose tables were others", where=place.shown,
            mend="move it away and start again: a new one is made, and the shop's contacts and consents are read into it",
        )  # fmt: skip
