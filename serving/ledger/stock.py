"""How much of a scarce resource is used up, counted over the contacts of all customers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, exists, func, or_, select

from arbitration.policy import Resource
from serving.ledger.engine import Again
from serving.ledger.named_locks import RESOURCES, hold
from serving.ledger.schema import contacts, shop_contacts, to_micros
from serving.ledger.statements import question, run


class SoldOut(Again):
    """Another customer took the last unit a moment ago: the decision must be made anew, which tries the transaction again."""


def claim(connection: Connection, resources: Iterable[Resource], now: datetime) -> None:
    """Keep one unit of each of these that has a limit for the contact that this transaction takes next: until it ends no other takes
    one. Raises `SoldOut` when one has none left; `Ledger.write` then tries again, and reads that.
    """
    limits = [(resource, resource.limit) for resource in resources if resource.limit is not None]
    hold(connection, RESOURCES, *(resource.id for resource, _ in limits))
    if any(uses_of(connection, resource, now) >= limit for resource, limit in limits):
        raise SoldOut("what the contact would use up was taken at this moment", mend="ask again")


def uses_of(connection: Connection, resource: Resource, now: datetime) -> int:
    """Contacts that used a unit within the resource's days up to `now`, or are reserved for later, and were not given back.

    Those reserved for later count, because they will be within the same days as the next one. What was decided here and
    came back with the shop's tables counts once.
    """
    named = (("offer", resource.offer), ("journey", resource.journey), ("channel", resource.channel))
    wanted = {name: value for name, value in named if value is not None}
    since = to_micros(now - timedelta(days=resource.per_days))
    asked = question(connection.dialect, _uses(tuple(wanted)), {"since": since, "now": to_micros(now), **wanted})
    return int(run(connection, asked)[0].fetchone()[0])


@lru_cache
def _uses(wanted: tuple[str, ...]) -> Any:
    """The question for the uses of a resource that is named by these columns."""
    own = contacts.c
    holds = or_(own.state == "confirmed", (own.state == "reserved") & (own.lease_until > bindparam("now")))
    back = (own.decision_id == shop_contacts.c.decision_id) & (own.channel == shop_contacts.c.channel) & holds
    again = exists(select(1).select_from(contacts).where(back).correlate(shop_contacts))
    decided = _counted(contacts, wanted).where(holds)
    known = _counted(shop_contacts, wanted).where(~again)
    return select(decided.scalar_subquery() + known.scalar_subquery())


def _counted(table: Table, wanted: tuple[str, ...]) -> Any:
    """The question how many contacts of a table fit; the most particular index is named for SQLite, which knows no statistics of a
    new file.
    """
    fits = [table.c[name] == bindparam(name) for name in wanted]
    asked = select(func.count()).select_from(table).where(*fits, table.c.sent_at > bindparam("since"))
    index = f"INDEXED BY {table.name}_of_{wanted[0]}" if wanted else ""
    return asked.with_hint(table, index, "sqlite") if index else asked
