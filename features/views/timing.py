"""View `timing`: when the customer is active, in the customer's own time zone: six 4-hour blocks and seven weekdays."""

from features.schema import Feature, View

BASE = """
SELECT spine.customer_id, spine.moment, history.occurred_at,
       hour(timezone(customers.time_zone, history.occurred_at)) AS hour,
       isodow(timezone(customers.time_zone, history.occurred_at)) - 1 AS weekday
FROM spine
LEFT JOIN customers USING (customer_id)
LEFT JOIN history ON history.customer_id = spine.customer_id AND history.occurred_at < spine.moment
     AND history.occurred_at >= spine.moment - INTERVAL 182 DAY AND history.type IN ('purchase', 'app_session')
"""

COUNT = "count(occurred_at)"
DAYS_EN = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
DAYS_DE = ("montags", "dienstags", "mittwochs", "donnerstags", "freitags", "samstags", "sonntags")


def _block(block: int) -> Feature:
    start, end = block * 4, block * 4 + 4
    share = f"count(*) FILTER (hour // 4 = {block}) / nullif({COUNT}, 0)"
    return Feature(f"activity_block_{block}", "float64", "share", share, f"Share of activity from {start}:00 to {end}:00 local time",
                   f"Active {start}–{end} h", f"Aktiv {start}–{end} Uhr", 0, 1)  # fmt: skip


def _weekday(day: int) -> Feature:
    share = f"count(*) FILTER (weekday = {day}) / nullif({COUNT}, 0)"
    return Feature(f"activity_weekday_{day}", "float64", "share", share, f"Share of activity on {DAYS_EN[day]}",
                   f"Active on {DAYS_EN[day]}", f"Aktiv {DAYS_DE[day]}", 0, 1)  # fmt: skip


# fmt: off
FEATURES = (
    *(_block(block) for block in range(6)),
    *(_weekday(day) for day in range(7)),
    Feature("peak_hour", "int64", "hour", "CAST(mode(hour ORDER BY hour) AS BIGINT)", "Local hour with most activity", "Favorite hour", "Liebste Stunde", 0, 23),
    Feature("timing_concentration", "float64", "share", " + ".join(f"power(count(*) FILTER (hour // 4 = {b}) / nullif({COUNT}, 0), 2)" for b in range(6)), "Sum of squared block shares: 1/6 spread evenly, 1 always the same block", "Has a fixed time of day", "Hat eine feste Tageszeit", 0, 1),
    Feature("activity_count_182d", "int64", "events", COUNT, "Purchases and app sessions in 182 days", "Activity", "Aktivität", 0),
)
# fmt: on

TIMING = View("timing", ("customer_id",), BASE, FEATURES, max_age_hours=15 * 24, ttl_days=15)
