"""View `category`: which kinds of goods the customer bought, how often, for how much money and when last, as one text.

A shop has hundreds of categories and names its own, so they are no columns. The text is JSON, read by `training.categories`; lists
hold one item per category, those with most money in 182 days first:

    recency       days since the last purchase              category      names, at most MOST_OWN
    baskets_182d  purchases in 182 days                     baskets_28d   purchases with this category, in 28 days
    money_28d     money in 28 days                          baskets_182d_own, money_28d_own, money_182d_own  likewise
    money_182d    money in 182 days                         most          purchases it was most of, in 182 days
                                                            days, gap     since it was last bought; usually between, 0 after one

Counted are purchases that name categories, and of each the two with most money. Money is added up in whole cents, so that the sum
does not depend on the order.
"""

from features.schema import Feature, View

DAYS, RECENT_DAYS = 182, 28
MOST_OWN = 8
KEPT = 2
"""Categories of one purchase: the third hardly tells what the next purchase will mostly be."""


def goods(events: str) -> str:
    """SQL for one row per purchase in `events` and category of it, by `place`: 1 is the one with most money, among equals the first by name."""
    return f"""
    SELECT * FROM (
        SELECT customer_id, occurred_at, event_id, category, cents,
               row_number() OVER (PARTITION BY event_id ORDER BY cents DESC, category) AS place
        FROM (
            SELECT customer_id, occurred_at, event_id, unnest(json_keys(properties, '$.categories')) AS category,
                   round(TRY_CAST(unnest(json_extract(properties, '$.categories.*')) AS DOUBLE) * 100) AS cents
            FROM {events} WHERE type = 'purchase' AND contains(properties, '"categories"')
        ) AS named WHERE cents > 0
    ) AS ranked WHERE place <= {KEPT}"""


_RECENT = f"FILTER (occurred_at >= spine.moment - INTERVAL {RECENT_DAYS} DAY)"
BASE = f"""
WITH goods AS MATERIALIZED ({goods("events SEMI JOIN spine USING (customer_id)")}),
own AS (
    SELECT spine.customer_id, spine.moment, category, sum(cents) AS money, coalesce(sum(cents) {_RECENT}, 0) AS money_recent,
           count(*) AS baskets, count(*) {_RECENT} AS baskets_recent, count(*) FILTER (place = 1) AS most,
           epoch(max(occurred_at)) AS last_at, epoch(min(occurred_at)) AS first_at
    FROM spine JOIN goods ON goods.customer_id = spine.customer_id AND goods.occurred_at < spine.moment
         AND goods.occurred_at >= spine.moment - INTERVAL {DAYS} DAY
    GROUP BY spine.customer_id, spine.moment, category
), everything AS (
    SELECT customer_id, moment, sum(most) AS baskets, sum(money_recent) AS money_recent, sum(money) AS money, max(last_at) AS last_at,
           max({{money: money, category: category, money_recent: money_recent, baskets: baskets, baskets_recent: baskets_recent,
                most: most, last_at: last_at, first_at: first_at}}, {MOST_OWN}) AS own
    FROM own GROUP BY customer_id, moment
), told AS (
    SELECT customer_id, moment, to_json({{
        recency: round((epoch(moment) - last_at) / 86400, 2), baskets_182d: CAST(baskets AS BIGINT),
        money_28d: money_recent / 100, money_182d: money / 100, category: [one.category FOR one IN own],
        baskets_28d_own: [one.baskets_recent FOR one IN own], baskets_182d_own: [one.baskets FOR one IN own],
        money_28d_own: [one.money_recent / 100 FOR one IN own], money_182d_own: [one.money / 100 FOR one IN own],
        most: [one.most FOR one IN own], days: [round((epoch(moment) - one.last_at) / 86400, 2) FOR one IN own],
        gap: [round((one.last_at - one.first_at) / 86400 / greatest(one.baskets - 1, 1), 2) FOR one IN own]
    }}) AS history FROM everything
)
SELECT spine.customer_id, spine.moment, told.history
FROM spine LEFT JOIN told ON told.customer_id = spine.customer_id AND told.moment = spine.moment
"""

# fmt: off
FEATURES = (
    Feature("category_history", "string", "categories", "any_value(history)", "What was bought in 182 days, by product category: how often, for how much money, when last", "Product categories bought", "Gekaufte Warengruppen"),
)
# fmt: on

CATEGORY = View("category", ("customer_id",), BASE, FEATURES, max_age_hours=8 * 24, ttl_days=8)
