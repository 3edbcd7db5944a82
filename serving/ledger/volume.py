"""Journeys that are stopped, and the volume that stops one by itself: so many times its plan of contacts within an hour.

A contact is counted when it is reserved, in the transaction that reserves it, under the lock of its journey: no two writers take the
same last place, and whoever reserves after a stop sees it. Journeys without a limit share their lock, which only a stop keeps waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from arbitration.errors import LedgerError
from arbitration.policy import Journey, Policy
from serving.ledger.bookkeeping import stops, volumes
from serving.ledger.engine import Again
from serving.ledger.named_locks import JOURNEYS, hold, holding
from serving.ledger.reading import STOPPED, Reading
from serving.ledger.schema import from_micros
from serving.ledger.statements import Step, question
from serving.ledger.transaction import Transaction

BY_ITSELF = "dirigent"
"""Who stopped a journey that nobody stopped."""
TOO_MANY = "volume"
KEPT = timedelta(days=2)
_HOUR = 3_600_000_000  # microseconds


class Stopped(Again):
    """The journey was stopped a moment ago: the decision must be made anew, which tries the transaction again."""


class Overrun(LedgerError):
    """The hour's volume of `journey` is used up and nobody stopped it, as when its plan was lowered: `halt` it, then try again."""

    def __init__(self, journey: str) -> None:
        super().__init__("a journey has used up its volume of this hour", mend="ask again")
        self.journey = journey


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

    Raises `Stopped` when the journey was stopped since it was looked at; `Ledger.write` then tries again, and reads that it is.
    Raises `Overrun` when there is no place left and no stop.
    """
    found = policy.journeys.get(journey)
    if found is None:
        return None
    limit = limit_of(found, policy)
    locks = holding(tx.dialect, JOURNEYS, journey, shared=limit is None)
    # Counted together with asking whether it is stopped, which is one round trip less; where it is, this is undone.
    counting = [] if limit is None else [_adding_one(tx, journey)]
    stopped, *counted = tx.run(*locks, question(tx.dialect, STOPPED), *counting)[len(locks) :]
    if journey in {row[0] for row in stopped}:
        raise Stopped("a journey was stopped at this moment", mend="ask again")
    number = counted[0].fetchone()[0] if counted else 0
    if limit is None or number < limit:
        return None
    if number > limit:
        raise Overrun(journey)
    return stop(tx, journey, by=BY_ITSELF, reason=TOO_MANY, automatic=True)


def halt(tx: Transaction, journey: str, policy: Policy) -> Stop | None:
    """Stop a journey whose volume of this hour is used up, in a transaction of its own because the one that found it so is undone. None
    when that is not so any more, or it is stopped already.
    """
    hold(tx.connection, JOURNEYS, journey)
    found = policy.journeys.get(journey)
    limit = limit_of(found, policy) if found else None
    if limit is None or journey in tx.stopped() or this_hour(tx, tx.now()).get(journey, 0) < limit:
        return None
    return stop(tx, journey, by=BY_ITSELF, reason=TOO_MANY, automatic=True)


def stop(tx: Transaction, journey: str, *, by: str, reason: str, automatic: bool = False) -> Stop:
    """Let a journey speak no more, in the next decision at the latest; one that is stopped already stays so, as it was."""
    hold(tx.connection, JOURNEYS, journey)
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
    """Let a stopped journey speak again; False when it was not stopped. It has a whole hour's volume anew, because somebody
    looked at it.
    """
    hold(tx.connection, JOURNEYS, journey)
    values = {"ended_at": tx.at, "ended_by": by, "end_reason": reason}
    ended = tx.change(stops, (stops.c.journey == journey) & stops.c.ended_at.is_(None), values)
    if not ended:
        return False
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


def _adding_one(tx: Transaction, journey: str) -> Step:
    """Add to the hour's count, and tell it."""
    asked = _ADD_IN_POSTGRES if tx.dialect.name == "postgresql" else _ADD_IN_SQLITE
    return question(tx.dialect, asked, {"its_journey": journey, "its_hour": tx.at // _HOUR, "more": 1})


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) // 3600


def _adding(dialect: Any) -> Any:
    more: Any = bindparam("more")
    given = dialect.insert(volumes).values(journey=bindparam("its_journey"), hour=bindparam("its_hour"), contacts=more)
    added = {"contacts": volumes.c.contacts + more}
    return given.on_conflict_do_update(index_elements=["journey", "hour"], set_=added).returning(volumes.c.contacts)


_ADD_IN_POSTGRES, _ADD_IN_SQLITE = _adding(postgresql), _adding(sqlite)
