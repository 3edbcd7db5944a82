"""Whether a ledger is the one that its home's anchors tell of, asked once when it is opened.

An empty ledger, or one that was restored from an older backup, works like any other. But it has forgotten withdrawals, objections and
stops, and would let people be spoken to who said no. So it is refused until somebody says that it is meant (`dirigent verify --begin-anew`).
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select, tuple_

from arbitration.errors import LedgerError
from serving.ledger.anchors import ANEW, newest_in, tells_of_entries
from serving.ledger.bookkeeping import audit
from serving.ledger.place import Place
from serving.ledger.schema import from_micros
from serving.ledger.store import Ledger

_MEND = f"put the ledger back from its newest backup, or correct DIRIGENT_LEDGER; {ANEW}"
_LOST = "withdrawals, objections and stops would be forgotten"


def check_there(place: Place, anchors: Path) -> None:
    """Raise `LedgerError` when there is no file of the ledger that the anchors tell of, before a new one is made."""
    if place.path is None or (place.path.exists() and place.path.stat().st_size > 0):
        return
    if tells_of_entries(anchors):
        raise LedgerError(
            f"the ledger is gone that {anchors.name} tells of; with a new one {_LOST}", where=place.shown, mend=_MEND
        )


def check_fits(ledger: Ledger, anchors: Path) -> None:
    """Raise `LedgerError` unless the ledger holds every entry that the newest anchor names, with its seal. One query."""
    newest = newest_in(anchors, ledger.keyring.audit)
    if newest is None or not newest.lanes:
        return
    table = audit.c
    asked = select(table.lane, table.number, table.seal)
    asked = asked.where(tuple_(table.lane, table.number).in_([lane[:2] for lane in newest.lanes]))
    with ledger.reading() as reading:
        there = {tuple(row) for row in reading.connection.execute(asked)}
    lost = len(set(newest.lanes) - there)
    if lost:
        raise LedgerError(
            f"is not the ledger that was anchored last, on {from_micros(newest.at):%Y-%m-%d %H:%M} UTC: it lacks the newest entry of"
            f" {lost} of {len(newest.lanes)} lanes of the audit. It is new, another one or an older copy; {_LOST}",
            where=ledger.place.shown,
            mend=_MEND,
        )
