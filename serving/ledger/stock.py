"""How much of a scarce resource is used up, counted over the contacts of all customers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, exists, func, or_, select

from arbitration.policy import Resource
from serving.ledger.engine import Again
from serving.ledger.named_locks import RESOURCES, hold
from serving.ledger.schema import contacts, shop_contacts, to_micros


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
    since, own = to_micros(now - timedelta(days=resource.per_days)), contacts.c
    holds = or_(own.state == "confirmed", (own.state == "reserved") & (own.lease_until > to_micros(now)))
    back = (own.decision_id == shop_contacts.c.decision_id) & (own.channel == shop_contacts.c.channel) & holds
    again = exists(select(1).select_from(contacts).where(back).correlate(shop_contacts))
    decided = _counted(contacts, resource, since).where(holds)
    known = _counted(shop_contacts, resource, since).where(~again)
    asked = select(decided.scalar_subquery() + known.scalar_subquery())
    return int(connection.execute(asked).scalar_one())


def _counted(table: Table, resource: Resource, since: int) -> Any:
    """The question how many contacts of a table fit; the most particular index is named for SQLite, which knows no statistics of a
    new file.
    """
    named = (("offer", resource.offer), ("journey", resource.journey), ("channel", resource.channel))
    wanted = [(name, value) for name, value in named if value is not None]
    fits = [table.c[name] == value for name, value in wanted]
    asked = select(func.count()).select_from(table).where(*fits, table.c.sent_at > since)
    index = f"INDEXED BY {table.name}_of_{wanted[0][0]}" if wanted else ""
    return asked.with_hint(table, index, "sqlite") if index else asked
