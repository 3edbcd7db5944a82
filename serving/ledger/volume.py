"""Journeys that are stopped, and the volume that stops one by itself: so many times its plan of contacts within an hour.

A contact is counted when it is reserved, in the transaction that reserves it. The row of the journey's hour stays locked until that
transaction ends, so no two writers take the same last place. Locks come in this order: subject, volume, lane of the audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from arbitration.policy import Journey, Policy
from serving.ledger.bookkeeping import stops, volumes
from serving.ledger.engine import Again
from serving.ledger.reading import Reading
from serving.ledger.schema import from_micros
from serving.ledger.transaction import Transaction

BY_ITSELF = "dirigent"
"""Who stopped a journey that nobody stopped."""
TOO_MANY = "volume"
KEPT = timedelta(days=2)
_HOUR = 3_600_000_000  # microseconds


class Stopped(Again):
    """The journey was stopped by its volume a moment ago: the decision must be made anew, which tries the transaction again."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A journey that may not speak: since when, who said so and why. `automatic`: its own volume did."""

    journey: str
    since: datetime
    by: str
    reason: str
    automatic: bool


def limit_of(journey: Journey, policy: Policy) -> int | None:
    """How many contacts of a journey may be reserved within an hour; None: as many as come. Service messages have no limit."""
    if journey.hourly_plan is None or journey.purpose != "marketing":
        return None
    return max(1, int(journey.hourly_plan * policy.contact_policy.stop_factor))


def count(tx: Transaction, journey: str, policy: Policy) -> Stop | None:
    """Count one contact that this transaction reserves. The last one that fits stops the journey: then its `Stop` is returned.

    Raises `Stopped` when another writer took the last place; `Ledger.write` then tries again, and reads that the journey is stopped.
    """
    found = policy.journeys.get(journey)
    limit = limit_of(found, policy) if found else None
    if limit is None:
        return None
    number = _add(tx, journey, 1)
    if number < limit:
        return None
    if number > limit:
        raise Stopped("a journey was stopped by its volume at this moment", mend="ask again")
    return stop(tx, journey, by=BY_ITSELF, reason=TOO_MANY, automatic=True)


def stop(tx: Transaction, journey: str, *, by: str, reason: str, automatic: bool = False) -> Stop:
    """Let a journey speak no more, in the next decision at the latest; one that is stopped already stays so, as it was."""
    if not automatic:
        _add(tx, journey, 0)  # the lock that its volume stops it under
    earlier = stopped(tx).get(journey)
    if earlier is not None:
        return earlier
    tx.put(stops, {
        "stop_id": tx.keyring.new_id("t"), "journey": journey, "began_at": tx.at, "began_by": by, "reason": reason,
        "automatic": automatic,
    })  # fmt: skip
    tx.emit("dirigent.journey.stopped.v1", {"journey": journey, "by": by, "automatic": automatic})
    return Stop(journey, tx.now(), by, reason, automatic)


def resume(tx: Transaction, journey: str, *, by: str, reason: str) -> bool:
    """Let a stopped journey speak again; False when it was not stopped. One that its volume stopped has a whole hour's volume anew,
    because somebody looked at it.
    """
    _add(tx, journey, 0)
    values = {"ended_at": tx.at, "ended_by": by, "end_reason": reason}
    ended = tx.change(stops, (stops.c.journey == journey) & stops.c.ended_at.is_(None), values)
    if not ended:
        return False
    if ended[0]["automatic"]:
        tx.connection.execute(delete(volumes).where(volumes.c.journey == journey))
    tx.emit("dirigent.journey.resumed.v1", {"journey": journey, "by": by})
    return True


def stopped(reading: Reading) -> dict[str, Stop]:
    """The journeys that may not speak now."""
    asked = select(stops).where(stops.c.ended_at.is_(None)).order_by(stops.c.journey)
    return {
        row.journey: Stop(row.journey, from_micros(row.began_at), row.began_by, row.reason, row.automatic)
        for row in reading.connection.execute(asked)
    }


def this_hour(reading: Reading, now: datetime) -> Mapping[str, int]:
    """Contacts per journey that were counted within the hour of `now`."""
    asked = select(volumes.c.journey, volumes.c.contacts).where(volumes.c.hour == _hour(now))
    return {row.journey: row.contacts for row in reading.connection.execute(asked)}


def purge(tx: Transaction) -> int:
    """Forget counts of hours that are long over. Written past the audit, like the counts. Returns how many."""
    return int(tx.connection.execute(delete(volumes).where(volumes.c.hour < _hour(tx.now() - KEPT))).rowcount)


def _add(tx: Transaction, journey: str, contacts: int) -> int:
    """Add to the hour's count, whose row stays locked until the transaction ends. Returns the count."""
    asked = _ADD_IN_POSTGRES if tx.connection.dialect.name == "postgresql" else _ADD_IN_SQLITE
    values = {"its_journey": journey, "its_hour": tx.at // _HOUR, "more": contacts}
    return int(tx.connection.execute(asked, values).scalar_one())


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) // 3600


def _adding(dialect: Any) -> Any:
    more: Any = bindparam("more")
    given = dialect.insert(volumes).values(journey=bindparam("its_journey"), hour=bindparam("its_hour"), contacts=more)
    added = {"contacts": volumes.c.contacts + more}
    return given.on_conflict_do_update(index_elements=["journey", "hour"], set_=added).returning(volumes.c.contacts)


_ADD_IN_POSTGRES, _ADD_IN_SQLITE = _adding(postgresql), _adding(sqlite)
