"""The lapsed: how often customers without a purchase in 56 days stay away for 28 more. The churn model never saw them.

Measured per band of recency at the churn model's own training cut-offs, shrunk to all lapsed customers by PRIOR_ROWS rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import TYPE_CHECKING

from training.labels import ACTIVE_DAYS, BOUGHT, CHURN_DAYS

if TYPE_CHECKING:
    import duckdb

BANDS = (float(ACTIVE_DAYS), 84.0, 112.0, 168.0)
PRIOR_ROWS = 50.0

LAPSED = f"""
SELECT moment, customer_id, (epoch(moment) - epoch(max(occurred_at) FILTER (occurred_at < moment))) / 86400 AS recency,
       NOT bool_or(occurred_at >= moment) AS away
FROM (VALUES {{moments}}) AS moments(moment) JOIN bought ON occurred_at < moment + INTERVAL {CHURN_DAYS} DAY
GROUP BY moment, customer_id HAVING bool_or(occurred_at < moment)
"""


@dataclass(frozen=True, slots=True)
class Lapse:
    """From `after_days` without a purchase on: the chance of none in the next 28 days, its standard deviation, rows behind it."""

    after_days: float
    rate: float
    sd: float
    rows: int


def measure(connection: duckdb.DuckDBPyConnection, moments: Sequence[datetime]) -> tuple[Lapse, ...]:
    """One rate per band; empty where nobody has lapsed yet."""
    values = ", ".join(f"(TIMESTAMPTZ '{moment.isoformat()}')" for moment in moments)
    bands = ", ".join(f"(CAST({low} AS DOUBLE))" for low in BANDS)
    rows = connection.execute(f"""
        WITH {BOUGHT}, lapsed AS ({LAPSED.format(moments=values)})
        SELECT low, count(*), sum(CAST(away AS INT))
        FROM lapsed JOIN (SELECT low, lead(low, 1, 1e9) OVER (ORDER BY low) AS high FROM (VALUES {bands}) AS b(low)) ON recency > low AND recency <= high
        GROUP BY low ORDER BY low""").fetchall()
    count, away = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return tuple(_lapse(low, n, k, away / count) for low, n, k in rows)


def _lapse(low: float, rows: int, away: int, overall: float) -> Lapse:
    rate = (away + PRIOR_ROWS * overall) / (rows + PRIOR_ROWS)
    return Lapse(low, rate, sqrt(rate * (1 - rate) / (rows + PRIOR_ROWS)), rows)


def lapse_at(lapses: Sequence[Lapse], recency_days: float) -> Lapse | None:
    """The band of a customer this long without a purchase; None for the active, of whom the model speaks."""
    return next((lapse for lapse in reversed(lapses) if recency_days > lapse.after_days), None)
