"""What is predicted: every label with its window, read from the canonical tables. Features never enter here.

A label's window starts at the row's moment and features end there, so the two never overlap. Rows whose window reaches past
the data's end are left out: nobody knows yet.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from features.sample import SAMPLED
from features.views.category import goods

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

ACTIVE_DAYS = 56
CHURN_DAYS = 28
ENGAGE_DAYS = 7
EFFECT_DAYS = 14
BUYER_DAYS, SPEND_DAYS = 182, 56

# Simulated orders are left out: churn is about what real households did. Gathered once: asked for every moment and purchase anew,
# whether a customer is in the sample would take most of training.
BOUGHT = f"""bought AS MATERIALIZED (
    SELECT customer_id, occurred_at, greatest(value, 0) AS value FROM events WHERE type = 'purchase' AND NOT simulated AND {SAMPLED}
)"""

CHURN = f"""
WITH {BOUGHT}
SELECT customer_id, moment AS event_timestamp, CAST(NOT bool_or(occurred_at >= moment) AS DOUBLE) AS label
FROM (VALUES {{moments}}) AS moments(moment)
JOIN bought ON occurred_at >= moment - INTERVAL {ACTIVE_DAYS} DAY AND occurred_at < moment + INTERVAL {CHURN_DAYS} DAY
GROUP BY customer_id, moment
HAVING bool_or(occurred_at < moment)
ORDER BY event_timestamp, customer_id
"""

# What came of a customer who bought in half a year: the first purchase's value (null without one) and the sum, negative values as 0.
SPEND = f"""
WITH {BOUGHT}
SELECT customer_id, moment AS event_timestamp,
       arg_min(value, occurred_at) FILTER (occurred_at >= moment) AS next_basket,
       coalesce(sum(value) FILTER (occurred_at >= moment), 0) AS spend
FROM (VALUES {{moments}}) AS moments(moment)
JOIN bought ON occurred_at >= moment - INTERVAL {BUYER_DAYS} DAY AND occurred_at < moment + INTERVAL {SPEND_DAYS} DAY
WHERE value IS NOT NULL
GROUP BY customer_id, moment
HAVING bool_or(occurred_at < moment)
ORDER BY event_timestamp, customer_id
"""

# What most of the next purchase that names categories was, of a customer who had one in half a year and has one in the window.
CATEGORY = f"""
WITH goods AS MATERIALIZED ({goods(f"(SELECT * FROM events WHERE NOT simulated AND {SAMPLED}) AS real")})
SELECT customer_id, moment AS event_timestamp, arg_min(category, (occurred_at, event_id)) FILTER (occurred_at >= moment) AS category
FROM (VALUES {{moments}}) AS moments(moment)
JOIN goods ON place = 1 AND occurred_at >= moment - INTERVAL {BUYER_DAYS} DAY AND occurred_at < moment + INTERVAL {SPEND_DAYS} DAY
GROUP BY customer_id, moment
HAVING bool_or(occurred_at < moment) AND bool_or(occurred_at >= moment)
ORDER BY event_timestamp, customer_id
"""

# `ordered`: an order attributed to the contact, or to its moment for the silent; `bought`: that or any purchase at all.
CONTACTS = f"""
WITH reactions AS (
    SELECT contact_id,
           bool_or(outcomes.type IN ('clicked', 'converted') AND occurred_at < sent_at + INTERVAL {ENGAGE_DAYS} DAY) AS engaged,
           bool_or(outcomes.type = 'converted' AND occurred_at < sent_at + INTERVAL {EFFECT_DAYS} DAY) AS ordered,
           bool_or(outcomes.type IN ('unsubscribed', 'complained') AND occurred_at < sent_at + INTERVAL {EFFECT_DAYS} DAY) AS opted_out
    FROM contacts JOIN outcomes USING (contact_id) WHERE occurred_at >= sent_at AND NOT machine_open GROUP BY contact_id
), purchases AS (
    SELECT contact_id, count(*) AS count
    FROM contacts JOIN events ON events.customer_id = contacts.customer_id AND type = 'purchase'
         AND occurred_at >= sent_at AND occurred_at < sent_at + INTERVAL {EFFECT_DAYS} DAY
    GROUP BY contact_id
)
SELECT contact_id, customer_id, journey, channel, arm, probability, contacts.simulated, sent_at AS event_timestamp,
       (isodow(timezone(time_zone, sent_at)) - 1) * 6 + hour(timezone(time_zone, sent_at)) // 4 AS slot,
       CAST(coalesce(engaged, false) AS DOUBLE) AS engaged,
       CAST(coalesce(ordered, false) AS DOUBLE) AS ordered,
       CAST(coalesce(ordered, false) OR coalesce(purchases.count, 0) > 0 AS DOUBLE) AS bought,
       CAST(coalesce(opted_out, false) AS DOUBLE) AS opted_out
FROM contacts JOIN customers USING (customer_id) LEFT JOIN reactions USING (contact_id) LEFT JOIN purchases USING (contact_id)
WHERE {SAMPLED} AND probability > 0 AND NOT censored AND sent_at + INTERVAL {EFFECT_DAYS} DAY <= (SELECT max(occurred_at) FROM events)
ORDER BY sent_at, contact_id
"""


def churn_labels(connection: duckdb.DuckDBPyConnection, moments: list[datetime]) -> pd.DataFrame:
    """One row per customer active before a moment: customer_id, event_timestamp, label (1: no purchase in the 28 days after)."""
    values = ", ".join(f"(TIMESTAMPTZ '{moment.isoformat()}')" for moment in moments)
    return connection.execute(CHURN.format(moments=values)).df()


def spend_labels(connection: duckdb.DuckDBPyConnection, moments: list[datetime]) -> pd.DataFrame:
    """One row per customer who bought in the 182 days before a moment: customer_id, event_timestamp, and of the 56 days after it

    `next_basket`, the value of the first purchase (NaN without one), and `spend`, that of all of them; money, at least 0.
    """
    values = ", ".join(f"(TIMESTAMPTZ '{moment.isoformat()}')" for moment in moments)
    return connection.execute(SPEND.format(moments=values)).df()


def category_labels(connection: duckdb.DuckDBPyConnection, moments: list[datetime]) -> pd.DataFrame:
    """One row per customer who bought in the 182 days before a moment and in the 56 after it: customer_id, event_timestamp, category

    with most money in the next purchase. Counted are purchases that name categories; there are no rows where none does.
    """
    values = ", ".join(f"(TIMESTAMPTZ '{moment.isoformat()}')" for moment in moments)
    return connection.execute(CATEGORY.format(moments=values)).df()


def contact_labels(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """One row per contact, or silence, whose logging probability is known, with what came of it (0 or 1 each).

    Columns: contact_id, customer_id, journey, channel, arm, probability, simulated, event_timestamp, slot, engaged, ordered, bought, opted_out.
    """
    return connection.execute(CONTACTS).df()


def last_known(connection: duckdb.DuckDBPyConnection, window: timedelta) -> datetime | None:
    """The last moment whose label window of that length lies inside the data; None without events."""
    end: datetime | None = connection.execute("SELECT max(occurred_at) FROM events").fetchall()[0][0]
    return None if end is None else end.astimezone(UTC) - window
