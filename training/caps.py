"""Randomized weekly caps, read from the tables, and what they say of the price of attention: the estimator of `training.attention`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from arbitration.codec import canonical_json
from arbitration.errors import TableError
from features.tables.store import quoted
from training.attention import LEAST_CUSTOMERS, Attention
from training.effects import Effects
from training.models import FloatArray

if TYPE_CHECKING:
    import duckdb

# Sums over whole weeks under the cap. Spend is real purchases; contacts of unknown cells count with the overall effect.
EXPERIMENT = """
WITH capped AS (
    SELECT customer_id, CAST(weekly_cap AS INTEGER) AS weekly_cap, CAST(weekly_cap_probability AS DOUBLE) AS weekly_cap_probability,
           {since} AS drawn_at, coalesce(drawn_at, created_at) AS starts
    FROM customers WHERE weekly_cap IS NOT NULL
), ends AS (SELECT max(occurred_at) AS last FROM events
), spans AS (
    SELECT *, CAST(floor((epoch(last) - epoch(starts)) / 604800) AS BIGINT) AS weeks FROM capped, ends
), baskets AS (SELECT coalesce(avg(greatest(value, 0)), 0) AS basket FROM events WHERE type = 'purchase'
), touched AS (
    SELECT customer_id, count(*) AS contacts, sum(coalesce(tau, {tau})) AS tau{on}
    FROM contacts JOIN spans USING (customer_id) LEFT JOIN taus ON cell = journey || '/' || channel
    WHERE arm IS DISTINCT FROM 'silence' AND sent_at >= starts AND sent_at < starts + to_days(CAST(7 * weeks AS INT))
    GROUP BY customer_id
), spent AS (
    SELECT customer_id, sum(greatest(value, 0)) FILTER (occurred_at >= starts AND occurred_at < starts + to_days(CAST(7 * weeks AS INT))) AS spend,
           sum(greatest(value, 0)) FILTER (occurred_at < drawn_at AND occurred_at >= drawn_at - INTERVAL 91 DAY) AS before
    FROM events JOIN spans USING (customer_id) WHERE type = 'purchase' AND NOT simulated
    GROUP BY customer_id
)
SELECT customer_id, weekly_cap, weekly_cap_probability, weeks, coalesce(contacts, 0) AS contacts, coalesce(spend, 0) AS spend,
       coalesce(tau, 0) * basket AS direct, basket, CASE WHEN drawn_at IS NOT NULL THEN coalesce(before, 0) END AS before,
       touched.* EXCLUDE (customer_id, contacts, tau)
FROM spans LEFT JOIN touched USING (customer_id) LEFT JOIN spent USING (customer_id), baskets
WHERE weeks > 0 ORDER BY customer_id
"""


def measure(connection: duckdb.DuckDBPyConnection, effects: Effects) -> Attention:
    """Attention's price from the tables; without the attributes nothing is measured. Raises TableError for attributes that are no draw."""
    customers = experiment(connection, effects)
    if customers.empty or customers["weekly_cap"].nunique() < 2 or customers["contacts"].sum() == 0:
        return Attention()
    doubt = effects.tau.overall.sd * float(customers["basket"].iloc[0])
    lost, sd, strength = wald(customers, doubt)
    if not np.isfinite(lost):
        return Attention()
    channels = {name: float(customers[f"on {name}"].sum()) for name in _channels(connection)}
    total = sum(channels.values())
    mix = {name: count / total for name, count in channels.items() if count > 0}
    unbalanced = balance(customers[customers["before"].notna()])
    found = Attention(lost, sd, strength, len(customers), int(customers["weeks"].sum()), mix, unbalanced)
    return replace(found, version=hashlib.sha256(canonical_json(found)).hexdigest()[:12])


def experiment(connection: duckdb.DuckDBPyConnection, effects: Effects) -> pd.DataFrame:
    """One row per customer with a drawn cap and at least one whole week under it; no rows where the shop brings no caps.

    Columns: customer_id, weekly_cap, weekly_cap_probability, weeks, contacts, spend, direct, basket (the mean of all purchases),
    before (spend of the 91 days before `weekly_cap_from`, NaN without it), and `on <channel>`, contacts by channel.
    """
    attributes = {row[0] for row in connection.execute("DESCRIBE customers").fetchall()}
    if not {"weekly_cap", "weekly_cap_probability"} <= attributes:
        return pd.DataFrame()
    if not _channels(connection):
        return pd.DataFrame()
    _check(connection, "weekly_cap_from" in attributes)
    since = (
        "TRY_CAST(weekly_cap_from AS TIMESTAMPTZ)" if "weekly_cap_from" in attributes else "CAST(NULL AS TIMESTAMPTZ)"
    )
    cells = [(name, belief.mean) for name, belief in effects.tau.cells.items()]
    connection.execute("CREATE OR REPLACE TEMP TABLE taus (cell VARCHAR, tau DOUBLE)")
    if cells:
        connection.executemany("INSERT INTO taus VALUES (?, ?)", cells)
    on = ", ".join(f"count(*) FILTER (channel = ?) AS {quoted(f'on {name}')}" for name in _channels(connection))
    query = EXPERIMENT.format(since=since, on=f", {on}", tau=effects.tau.overall.mean)
    found: pd.DataFrame = connection.execute(query, _channels(connection)).df()
    return found


def balance(customers: pd.DataFrame) -> float:
    """Standard errors by which the spend before the draw goes with the cap; about 0 to 2 where the caps were drawn at random."""
    if len(customers) < LEAST_CUSTOMERS or customers["weekly_cap"].nunique() < 2:
        return 0.0
    weight = 1.0 / customers["weekly_cap_probability"].to_numpy(dtype=np.float64)
    cap, before = (customers[name].to_numpy(dtype=np.float64) for name in ("weekly_cap", "before"))
    parts = weight * (cap - np.average(cap, weights=weight)) * (before - np.average(before, weights=weight))
    error = float(np.sqrt((parts**2).sum()))
    return float(parts.sum()) / error if error > 0 else 0.0


def wald(customers: pd.DataFrame, tau_sd: float) -> tuple[float, float, float]:
    """Lost spend per contact, its standard error, and the instrument's F; NaN where the cap moves no contact.

    `customers`: one row each, as of `experiment`, its sums over `weeks`; `tau_sd`: the doubt about the direct money of one contact. A
    customer's weeks share one draw, so errors are of customers (Liang & Zeger 1986).
    """
    cap, weeks, contacts, spend, direct, probability = (
        customers[name].to_numpy(dtype=np.float64)
        for name in ("weekly_cap", "weeks", "contacts", "spend", "direct", "weekly_cap_probability")
    )
    weight = 1.0 / probability
    total = float((weight * weeks).sum())
    z = cap - float((weight * weeks * cap).sum()) / total
    c, y = (sums - weeks * float((weight * sums).sum()) / total for sums in (contacts, direct - spend))
    y = _adjusted(y, weeks, weight, customers["before"].to_numpy(dtype=np.float64))
    moved, spread = float((weight * z * c).sum()), float((weight * weeks * z * z).sum())
    if moved == 0 or spread == 0:
        return float("nan"), float("nan"), 0.0
    ratio, first = float((weight * z * y).sum()) / moved, moved / spread
    error = _length(weight * z * (y - ratio * c)) / abs(moved)
    first_error = _length(weight * z * (c - first * weeks * z)) / spread
    strength = (first / first_error) ** 2 if first_error > 0 else 1e12
    return ratio, sqrt(error**2 + tau_sd**2), strength


def _check(connection: duckdb.DuckDBPyConnection, dated: bool) -> None:
    """Every customer with a cap has a whole number as cap and a probability above 0; raises TableError for the first that has not."""
    date = "OR (weekly_cap_from IS NOT NULL AND TRY_CAST(weekly_cap_from AS TIMESTAMPTZ) IS NULL)" if dated else ""
    wrong = connection.execute(f"""
        SELECT count(*), min(customer_id) FROM customers
        WHERE weekly_cap IS NOT NULL AND NOT coalesce(
            TRY_CAST(weekly_cap AS INTEGER) >= 0 AND TRY_CAST(weekly_cap_probability AS DOUBLE) > 0
            AND TRY_CAST(weekly_cap_probability AS DOUBLE) <= 1, false) {date}""").fetchall()[0]
    if wrong[0]:
        raise TableError(
            f"{wrong[0]:,} customers have a weekly cap that is no draw", where=f"customers, customer {wrong[1]}",
            mend="Give weekly_cap as a whole number, weekly_cap_probability above 0 and at most 1, weekly_cap_from as a time with an offset.",
        )  # fmt: skip


def _channels(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT DISTINCT channel FROM contacts WHERE arm IS DISTINCT FROM 'silence' ORDER BY 1")
    return [str(row[0]) for row in rows.fetchall()]


def _adjusted(y: FloatArray, weeks: FloatArray, weight: FloatArray, before: FloatArray) -> FloatArray:
    """What is left of `y` when the spend before the draw is taken out (Deng et al. 2013): the draw does not depend on it, only noise does."""
    if np.isnan(before).any():
        return y
    x = weeks * (before - float((weight * weeks * before).sum()) / float((weight * weeks).sum()))
    scale = float((weight * x * x).sum())
    return np.asarray(y - x * float((weight * x * y).sum()) / scale) if scale > 0 else y


def _length(values: FloatArray) -> float:
    return float(np.sqrt((values**2).sum()))
