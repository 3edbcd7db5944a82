"""What the tests of faults share: writing, reading back, and what an error in time and a recovery are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from arbitration.errors import LedgerError
from serving.ledger.bookkeeping import audit
from serving.ledger.schema import decisions, policies
from serving.ledger.store import Ledger
from tests.contracts.conftest import decision, rows_of
from tests.wire import Wire

ROOT = Path(__file__).resolve().parents[2]
IN_TIME = 10.0


def through(wire: Wire, url: str) -> str:
    """The same database behind a line that a test may cut."""
    before, _, name = url.rpartition("/")
    return f"{before.rpartition(':')[0]}:{wire.port}/{name}"


def write(ledger: Ledger, number: int) -> None:
    with ledger.writing(f"c{number}") as tx:
        tx.add_decision(decision(number, customer=f"c{number}"))
        tx.add_policy(f"v{number}", b"policy")
        tx.emit("dirigent.test.v1", {"number": number})


def fails_in_time(work) -> LedgerError:
    """The error of a piece of work, which comes in time and is one of ours."""
    began = time.monotonic()
    with pytest.raises(LedgerError) as caught:
        work()
    assert time.monotonic() - began < IN_TIME
    told = str(caught.value)
    assert caught.value.mend
    assert not [word for word in ("psycopg", "sqlalchemy", "INSERT", "SELECT", "Background") if word in told], told
    return caught.value


def works_again(work) -> None:
    """It succeeds soon, without anybody's hand but the caller's, who asks again."""
    until = time.monotonic() + 15
    while True:
        try:
            return work()
        except LedgerError:
            assert time.monotonic() < until, "it does not work again"
            time.sleep(0.1)


def numbers_in(ledger: Ledger) -> set[int]:
    """Which transactions are there; each of them wholly, with one audit entry."""
    kept = {int(row.decision_id.removeprefix("d-")) for row in rows_of(ledger, decisions)}
    assert {row.version for row in rows_of(ledger, policies)} == {f"v{number}" for number in kept}
    assert len(rows_of(ledger, audit)) == len(kept)
    return kept
