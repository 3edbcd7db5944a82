"""View `customer`: recency, frequency, money, rhythm, trend, basket, affinities, tenure, tier and points."""

from features.schema import Feature, View

# Days in a feature's window stand in its name. Trends compare the last 28 days with the 84 before them, per day.
BASE = """
SELECT spine.customer_id, spine.moment, history.* EXCLUDE (customer_id), customers.created_at, customers.time_zone,
       (epoch(spine.moment) - epoch(history.occurred_at)) / 86400 AS age,
       type = 'purchase' AS bought
FROM spine
LEFT JOIN customers ON customers.customer_id = spine.customer_id AND customers.created_at < spine.moment
LEFT JOIN history ON history.customer_id = spine.customer_id AND history.occurred_at < spine.moment
     AND history.type IN ('purchase', 'return', 'points_earned', 'points_redeemed', 'points_expired', 'tier_changed')
"""


def _purchases(days: int, what: str = "count(*)") -> str:
    return f"{what} FILTER (bought AND age <= {days})"


def _share(column: str, days: int = 182) -> str:
    """Share of the money spent in the window; null when nothing was spent."""
    return f"{_purchases(days, f'sum({column})')} / nullif({_purchases(days, 'sum(value)')}, 0)"


def _points(kind: str, days: int | None = None) -> str:
    window = f" AND age <= {days}" if days else ""
    return f"coalesce(sum(value) FILTER (type = 'points_{kind}'{window}), 0)"


BALANCE = f"({_points('earned')} - {_points('redeemed')} - {_points('expired')})"
POINTS_LIFETIME_DAYS = 180
# The last tier change names the spend the next tier asks for; the top tier names none.
NEXT_TIER = "arg_max(coalesce(next_tier_at, -1), occurred_at) FILTER (type = 'tier_changed')"
RECENCY = "min(age) FILTER (bought)"
GAP = "avg(gap_days) FILTER (bought AND age <= 182)"

# fmt: off
FEATURES = (
    Feature("recency_days", "float64", "days", RECENCY, "Time since the last purchase", "Days since last purchase", "Tage seit letztem Einkauf", 0, 3650),
    Feature("frequency_28d", "int64", "purchases", _purchases(28), "Purchases in 28 days", "Purchases in 4 weeks", "Einkäufe in 4 Wochen", 0, 500),
    Feature("frequency_56d", "int64", "purchases", _purchases(56), "Purchases in 56 days", "Purchases in 8 weeks", "Einkäufe in 8 Wochen", 0, 1000),
    Feature("frequency_91d", "int64", "purchases", _purchases(91), "Purchases in 91 days", "Purchases in 13 weeks", "Einkäufe in 13 Wochen", 0, 1500),
    Feature("frequency_182d", "int64", "purchases", _purchases(182), "Purchases in 182 days", "Purchases in half a year", "Einkäufe im Halbjahr", 0, 3000),
    Feature("purchases_total", "int64", "purchases", "count(*) FILTER (bought)", "All purchases known", "Purchases ever", "Einkäufe insgesamt", 0, 100000),
    Feature("active_weeks_91d", "int64", "weeks", _purchases(91, "count(DISTINCT floor(age / 7))"), "Weeks of the last 13 with a purchase", "Weeks with a purchase", "Wochen mit Einkauf", 0, 14),
    Feature("money_28d", "float64", "money", f"coalesce({_purchases(28, 'sum(value)')}, 0)", "Spend in 28 days", "Spend in 4 weeks", "Umsatz in 4 Wochen", 0, None),
    Feature("money_91d", "float64", "money", f"coalesce({_purchases(91, 'sum(value)')}, 0)", "Spend in 91 days", "Spend in 13 weeks", "Umsatz in 13 Wochen", 0, None),
    Feature("money_182d", "float64", "money", f"coalesce({_purchases(182, 'sum(value)')}, 0)", "Spend in 182 days", "Spend in half a year", "Umsatz im Halbjahr", 0, None),
    Feature("basket_value_182d", "float64", "money", _purchases(182, "avg(value)"), "Mean value of a basket", "Average basket", "Durchschnittlicher Bon", 0),
    Feature("basket_items_182d", "float64", "items", _purchases(182, "avg(items)"), "Mean number of lines in a basket", "Items per basket", "Artikel je Einkauf", 0),
    Feature("departments_182d", "float64", "departments", _purchases(182, "avg(departments)"), "Mean number of departments in a basket", "Departments per basket", "Abteilungen je Einkauf", 0),
    Feature("gap_mean_days", "float64", "days", GAP, "Mean time between purchases in 182 days", "Usual days between purchases", "Übliche Tage zwischen Einkäufen", 0),
    Feature("gap_sd_days", "float64", "days", "stddev_pop(gap_days) FILTER (bought AND age <= 182)", "Spread of the time between purchases", "Irregularity of purchases", "Unregelmäßigkeit der Einkäufe", 0),
    Feature("gap_ratio", "float64", "ratio", f"CASE WHEN {GAP} IS NOT NULL THEN {RECENCY} / greatest({GAP}, 0.5) END", "Time since the last purchase, in usual gaps", "Overdue against own rhythm", "Überfällig gegenüber eigenem Rhythmus", 0),
    Feature("trend_frequency", "float64", "ratio", f"({_purchases(28)} * 3.0 + 1) / ({_purchases(112)} - {_purchases(28)} + 1)", "Purchases per day: last 28 days against the 84 before", "Trend of purchases", "Trend der Einkäufe", 0),
    Feature("trend_money", "float64", "ratio", f"(coalesce({_purchases(28, 'sum(value)')}, 0) * 3 + 10) / (coalesce({_purchases(112, 'sum(value)')}, 0) - coalesce({_purchases(28, 'sum(value)')}, 0) + 10)", "Spend per day: last 28 days against the 84 before", "Trend of spend", "Trend des Umsatzes", 0),
    Feature("returns_182d", "int64", "returns", "count(*) FILTER (type = 'return' AND age <= 182)", "Returns in 182 days", "Returns", "Rückgaben", 0),
    Feature("discount_share_182d", "float64", "share", "{0} / nullif({0} + {1}, 0)".format(_purchases(182, "sum(retail_discount)"), _purchases(182, "sum(value)")), "Share of the regular price saved through shop discounts", "Loves discounts", "Rabatt-Affinität", 0, 1),
    Feature("coupon_share_182d", "float64", "share", f"{_purchases(182, 'avg(CAST(coupon_discount > 0 AS INT))')}", "Share of baskets with a coupon", "Uses coupons", "Nutzt Coupons", 0, 1),
    Feature("private_label_share_182d", "float64", "share", _share("private_label"), "Share of spend on own brands", "Buys own brands", "Kauft Eigenmarken", 0, 1),
    Feature("fresh_share_182d", "float64", "share", _share("fresh"), "Share of spend on fresh goods", "Buys fresh goods", "Kauft Frisches", 0, 1),
    Feature("mailer_share_182d", "float64", "share", _share("in_mailer"), "Share of spend on goods in the week's mailer", "Buys from the mailer", "Kauft aus dem Prospekt", 0, 1),
    Feature("display_share_182d", "float64", "share", _share("on_display"), "Share of spend on goods on display", "Buys from displays", "Kauft von Sonderflächen", 0, 1),
    Feature("stores_182d", "int64", "stores", _purchases(182, "count(DISTINCT store)"), "Stores visited in 182 days", "Stores visited", "Besuchte Filialen", 0),
    Feature("weekend_share_182d", "float64", "share", _purchases(182, "avg(CAST(isodow(timezone(time_zone, occurred_at)) >= 6 AS INT))"), "Share of purchases on Saturday and Sunday", "Shops on weekends", "Kauft am Wochenende", 0, 1),
    Feature("tenure_days", "float64", "days", "any_value((epoch(moment) - epoch(created_at)) / 86400)", "Time since the customer is known", "Days as a customer", "Tage als Kunde", 0),
    Feature("tier_level", "int64", "level", "coalesce(arg_max(tier_level, occurred_at) FILTER (type = 'tier_changed'), 0)", "Loyalty tier: 0 basic, 1 silver, 2 gold", "Loyalty tier", "Treuestufe", 0, 9),
    Feature("money_to_next_tier", "float64", "money", f"CASE WHEN {NEXT_TIER} >= 0 THEN greatest(0, {NEXT_TIER} - coalesce({_purchases(365, 'sum(value)')}, 0)) END", "Spend missing to the next tier; unknown at the top", "Missing to next tier", "Fehlt zur nächsten Stufe", 0),
    Feature("points_balance", "float64", "points", f"greatest(0, {BALANCE})", "Points the customer holds", "Points balance", "Punktestand", 0),
    Feature("points_earned_91d", "float64", "points", _points("earned", 91), "Points earned in 91 days", "Points earned", "Gesammelte Punkte", 0),
    Feature("points_redeemed_182d", "float64", "points", _points("redeemed", 182), "Points redeemed in 182 days", "Points redeemed", "Eingelöste Punkte", 0),
    # Oldest points are used first, so what is left is the newest: all beyond those earned in the last 150 days lapse within 30.
    Feature("points_expiring_30d", "float64", "points", f"greatest(0, {BALANCE} - {_points('earned', POINTS_LIFETIME_DAYS - 30)})", "Points that lapse within 30 days", "Points about to expire", "Bald verfallende Punkte", 0),
)
# fmt: on

CUSTOMER = View("customer", ("customer_id",), BASE, FEATURES, max_age_hours=8 * 24, ttl_days=8)
