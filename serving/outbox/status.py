"""How far each sink is behind, and what keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import exists, func, select

from serving.ledger.bookkeeping import deliveries, outbox
from serving.ledger.reading import Reading
from serving.ledger.schema import to_micros
from serving.outbox.backoff import REPORTED


@dataclass(frozen=True, slots=True)
class Standing:
    """One sink: events it was not told yet and the age of the oldest, those of them that failed so far, those that failed ten times
    or more, and why the newest failing one did.
    """

    sink: str
    pending: int
    oldest: timedelta | None
    failing: int
    stuck: int
    error: str | None


def standings(reading: Reading) -> list[Standing]:
    """Every sink that was ever told anything, or was to be, by name."""
    known = select(deliveries.c.sink).where(deliveries.c.number == 0).order_by(deliveries.c.sink)
    return [_standing(reading, str(sink)) for sink in reading.connection.execute(known).scalars().all()]


def _standing(reading: Reading, sink: str) -> Standing:
    of_sink = deliveries.c.sink == sink
    noted = select(deliveries.c.number).where(of_sink, deliveries.c.number == outbox.c.number)
    new = _counted().select_from(outbox).where(~exists(noted))
    pairs = deliveries.join(outbox, deliveries.c.number == outbox.c.number)
    waits = of_sink & deliveries.c.delivered_at.is_(None)
    failing = waits & (deliveries.c.attempts > 0)
    rows = [reading.connection.execute(asked).one() for asked in (new, _counted().select_from(pairs).where(waits))]
    failed = reading.connection.execute(_counted().select_from(pairs).where(failing)).one()
    stuck = _counted().select_from(pairs).where(waits, deliveries.c.attempts >= REPORTED)
    last = select(deliveries.c.error).where(failing).order_by(deliveries.c.number.desc())
    newest = reading.first(last)
    first = min((row.oldest for row in rows if row.oldest is not None), default=None)
    age = None if first is None else timedelta(microseconds=max(0, to_micros(reading.now()) - first))
    return Standing(
        sink, sum(row.events for row in rows), age, failed.events, reading.connection.execute(stuck).one().events,
        newest.error if newest else None,
    )  # fmt: skip


def _counted() -> Any:
    return select(func.count().label("events"), func.min(outbox.c.at).label("oldest"))
