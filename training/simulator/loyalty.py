"""Simulated loyalty program on real baskets: a point per unit of money, rewards, first-in-first-out expiry, three tiers."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator

import duckdb
import numpy as np
import pandas as pd

from features.views.context import REWARD_POINTS
from features.views.customer import POINTS_LIFETIME_DAYS

TIERS = ((0, 0.0, 1000.0), (1, 1000.0, 2500.0), (2, 2500.0, None))  # level, from this yearly spend, next tier at
REDEEMS = 0.25  # chance to redeem at a purchase when the balance allows it
DAY = 86400.0

Row = tuple[str, str, float, str, float, str | None]


def loyalty_events(connection: duckdb.DuckDBPyConnection, rng: np.random.Generator, end: float) -> pd.DataFrame:
    """Points and tier events of every customer up to `end` (epoch seconds), in the columns of `events`."""
    baskets = connection.execute("""
        SELECT customer_id, event_id, epoch(occurred_at) AS instant, value FROM events
        WHERE type = 'purchase' AND NOT simulated ORDER BY customer_id, instant, event_id""").df()
    rows: list[Row] = []
    for customer, group in baskets.groupby("customer_id", sort=True):
        columns = group["event_id"].tolist(), group["instant"].tolist(), group["value"].tolist()
        purchases = list(zip(*columns, rng.random(len(group)).tolist(), strict=True))
        rows += _points(str(customer), purchases, end)
        rows += _tiers(str(customer), purchases)
    return pd.DataFrame(rows, columns=["event_id", "customer_id", "instant", "type", "value", "properties"])


def _points(customer: str, purchases: list[tuple[str, float, float, float]], end: float) -> Iterator[Row]:
    """Points earned, redeemed and lapsed. Lots are used oldest first."""
    lots: deque[list[float]] = deque()  # [expires at, points left]
    number = 0
    for event, at, value, chance in [*purchases, ("", end, 0.0, 1.0)]:
        while lots and lots[0][0] <= at:
            expires, left = lots.popleft()
            number += 1
            yield f"sim-expired-{customer}-{number}", customer, expires, "points_expired", left, None
        if sum(left for _, left in lots) >= REWARD_POINTS and chance < REDEEMS:
            _use(lots, REWARD_POINTS)
            yield f"sim-redeemed-{event}", customer, at, "points_redeemed", float(REWARD_POINTS), None
        if value >= 1:
            lots.append([at + POINTS_LIFETIME_DAYS * DAY, float(int(value))])
            yield f"sim-earned-{event}", customer, at, "points_earned", float(int(value)), None


def _use(lots: deque[list[float]], points: float) -> None:
    while points > 0:
        taken = min(points, lots[0][1])
        lots[0][1] -= taken
        points -= taken
        if lots[0][1] == 0:
            lots.popleft()


def _tiers(customer: str, purchases: list[tuple[str, float, float, float]]) -> Iterator[Row]:
    """A tier change at the first purchase and whenever the year's spend reaches the next tier (the data spans one year)."""
    spend, level = 0.0, -1
    for _event, at, value, _chance in purchases:
        spend += value
        reached = max(tier for tier, start, _next in TIERS if spend >= start)
        if reached > level:
            level = reached
            properties = {"level": level} | ({"next_at": TIERS[level][2]} if TIERS[level][2] is not None else {})
            yield f"sim-tier-{customer}-{level}", customer, at, "tier_changed", float(level), json.dumps(properties)
