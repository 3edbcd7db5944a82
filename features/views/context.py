"""View `context`: the situation right now: app, cart, store, service, pressure over all channels, rewards within reach.

A request may overwrite these by name, because the caller often knows the situation better than the last update.
"""

from features.schema import Feature, View
from features.views.customer import BALANCE, POINTS_LIFETIME_DAYS

REWARD_POINTS = 500
REWARD_VALUE = 5.0
IN_STORE_HOURS = 1

# `consumed`: points used or lapsed so far. Oldest are used first, so the lot that holds point number `consumed + 1` is the oldest left.
BASE = """
SELECT spine.customer_id, spine.moment, history.type, history.occurred_at, history.value, history.running_value, history.store,
       (epoch(spine.moment) - epoch(history.occurred_at)) / 3600 AS hours,
       coalesce(used.consumed, 0) AS consumed
FROM spine
LEFT JOIN (
    SELECT spine.customer_id, spine.moment, sum(history.value) AS consumed
    FROM spine JOIN history ON history.customer_id = spine.customer_id AND history.occurred_at < spine.moment
    WHERE history.type IN ('points_redeemed', 'points_expired') GROUP BY ALL
) AS used USING (customer_id, moment)
LEFT JOIN (
    SELECT customer_id, type, occurred_at, value, running_value, store FROM history
    WHERE type IN ('purchase', 'app_session', 'cart_add', 'store_visit', 'support_case', 'points_earned', 'points_redeemed', 'points_expired')
    UNION ALL
    SELECT customer_id, 'any_contact', touched_at, 0, 0, NULL FROM touches WHERE type = 'contact'
) AS history ON history.customer_id = spine.customer_id AND history.occurred_at < spine.moment
"""

CART_AT = "max(occurred_at) FILTER (type = 'cart_add' AND hours <= 72)"
CART_OPEN = f"({CART_AT} IS NOT NULL AND {CART_AT} > coalesce(max(occurred_at) FILTER (type = 'purchase'), TIMESTAMPTZ '1970-01-01'))"

# An order in the app is a purchase that names no store.
IN_STORE = f"CAST(coalesce(bool_or(hours <= {IN_STORE_HOURS}) FILTER (type = 'store_visit' OR (type = 'purchase' AND store IS NOT NULL)), false) AS BIGINT)"

# fmt: off
FEATURES = (
    Feature("app_sessions_7d", "int64", "sessions", "count(*) FILTER (type = 'app_session' AND hours <= 168)", "App sessions in 7 days", "App visits last week", "App-Besuche letzte Woche", 0),
    Feature("session_age_hours", "float64", "hours", "min(hours) FILTER (type = 'app_session')", "Time since the last app session", "Hours since last app visit", "Stunden seit letztem App-Besuch", 0),
    Feature("cart_open", "int64", "flag", f"CAST({CART_OPEN} AS BIGINT)", "1 when goods were put in a cart in 72 hours and nothing was bought since", "Open cart", "Offener Warenkorb", 0, 1),
    Feature("cart_value", "float64", "money", f"CASE WHEN {CART_OPEN} THEN arg_max(value, occurred_at) FILTER (type = 'cart_add') ELSE 0 END", "Value of the open cart", "Cart value", "Warenkorbwert", 0, None),
    Feature("cart_age_hours", "float64", "hours", f"CASE WHEN {CART_OPEN} THEN min(hours) FILTER (type = 'cart_add') END", "Age of the open cart", "Hours since cart was filled", "Stunden seit Warenkorb", 0),
    Feature("store_visit_age_hours", "float64", "hours", "min(hours) FILTER (type IN ('store_visit', 'purchase'))", "Time since the customer was in a store", "Hours since store visit", "Stunden seit Filialbesuch", 0),
    Feature("in_store", "int64", "flag", IN_STORE, "1 when the customer came to or bought in a store within the last hour, 0 otherwise; never unknown while the view is fresh", "In a store now", "Gerade in der Filiale", 0, 1),
    Feature("support_cases_28d", "int64", "cases", "count(*) FILTER (type = 'support_case' AND hours <= 672)", "Support cases in 28 days", "Support cases", "Servicefälle", 0),
    Feature("contacts_all_7d", "int64", "contacts", "count(*) FILTER (type = 'any_contact' AND hours <= 168)", "Contacts on all channels in 7 days", "All contacts last week", "Alle Kontakte letzte Woche", 0),
    Feature("reward_value", "float64", "money", f"floor(greatest(0, {BALANCE}) / {REWARD_POINTS}) * {REWARD_VALUE}", "Rewards the balance can pay now", "Rewards affordable now", "Einlösbare Prämien", 0),
    Feature("reward_expires_days", "float64", "days", f"CASE WHEN {BALANCE} > 0 THEN greatest(0, {POINTS_LIFETIME_DAYS} - max(hours) FILTER (type = 'points_earned' AND running_value > consumed) / 24) END", "Days until the oldest points left lapse", "Days until points expire", "Tage bis Punkteverfall", 0),
)
# fmt: on

CONTEXT = View("context", ("customer_id",), BASE, FEATURES, max_age_hours=48, ttl_days=8)
