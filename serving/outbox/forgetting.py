"""Forgetting a sink that will not come back, so that events no longer wait for it."""

from __future__ import annotations

from sqlalchemy import delete

from arbitration.errors import InputError, StateError
from serving.ledger.bookkeeping import deliveries
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from serving.outbox.lease import Lease, LostLeaseError
from serving.outbox.status import standings


def forget(ledger: Ledger, sink: str) -> int:
    """Remove everything about a sink's deliveries. Returns how many events it had not been told; they stay for the other sinks.

    Told again later, it is a new sink. Raises InputError for one that nobody knows, StateError while a relay works (it may be
    telling just this one), `LedgerError`.
    """
    lease = Lease(ledger)
    try:
        if not lease.held():
            raise LostLeaseError
        with ledger.reading() as reading:
            known = {one.sink: one.pending for one in standings(reading)}
        if sink not in known:
            names = ", ".join(known) or "none"
            raise InputError(
                f"no sink is called {sink!r}", mend=f"Known are: {names}. `dirigent relay --status` lists them."
            )
        ledger.write(None, lambda tx: _remove(tx, lease, sink))
    except LostLeaseError:
        raise StateError("a relay is at work", mend="End it (at most 30 s after a crash), then ask again.") from None
    finally:
        lease.give_up()
    return known[sink]


def _remove(tx: Transaction, lease: Lease, sink: str) -> None:
    lease.renew(tx)
    tx.connection.execute(delete(deliveries).where(deliveries.c.sink == sink))
