"""A large shop: past features of a fixed part of the customers, today's of everybody, and labels of the same part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from features import sample
from features.home import Home
from features.snapshots import build_snapshots
from features.tables.importer import import_folder
from features.tables.store import open_tables
from training.labels import churn_labels, contact_labels

CUSTOMERS = sample.MOST_CUSTOMERS + 8_000
AS_OF = datetime(2024, 3, 16, 4, tzinfo=UTC)
CUT_OFF = AS_OF - timedelta(days=35)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """38,000 customers with one early and one late purchase each, one silent moment each, and their snapshots."""
    folder, home = tmp_path_factory.mktemp("brought"), Home(tmp_path_factory.mktemp("home"))
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    tables = {
        "customers": "'c' || i AS customer_id, TIMESTAMPTZ '2023-12-01 00:00:00+00' AS created_at, 'Europe/Berlin' AS time_zone, 'de-DE' AS locale FROM range({n}) AS t(i)",
        "events": "'e' || i || '-' || k AS event_id, 'c' || i AS customer_id, TIMESTAMPTZ '2024-01-02 10:00:00+00' + to_days(CAST(30 * k + i % 3 AS INT)) AS occurred_at, 'purchase' AS type, 10.0 AS value, 'EUR' AS currency FROM range({n}) AS t(i), range(3) AS u(k)",
        "contacts": "'k' || i AS contact_id, 'c' || i AS customer_id, 'silence' AS journey, 'none' AS channel, TIMESTAMPTZ '2024-02-01 10:00:00+00' AS sent_at, 0.5 AS probability, 'silence' AS arm, true AS simulated FROM range({n}) AS t(i)",
    }
    for name, text in tables.items():
        connection.execute(f"COPY (SELECT {text.format(n=CUSTOMERS)}) TO '{folder / name}.parquet' (FORMAT parquet)")
    import_folder(folder, home)
    sample_part, sample.PART = sample.PART, 10_000
    try:
        build_snapshots(home, AS_OF)
    finally:
        sample.PART = sample_part
    return home


def snapshots(home: Home, view: str = "customer") -> duckdb.DuckDBPyRelation:
    return duckdb.sql(f"SELECT * FROM read_parquet('{home.features / view}.parquet')")


def test_everybody_has_todays_features_and_about_the_wanted_number_a_past(shop):
    counts = dict(snapshots(shop).aggregate("event_timestamp, count(DISTINCT customer_id)").fetchall())
    last = counts.pop(max(counts))
    assert last == CUSTOMERS
    assert len(set(counts.values())) == 1
    assert abs(counts.popitem()[1] - sample.MOST_CUSTOMERS) < 500


def test_parts_make_the_same_features_as_one_go(shop):
    """Today's values of two customers in different parts, against the same text asked for them alone."""
    from features.compute import compute
    from features.registry import VIEWS

    connection = open_tables(shop)
    asked = connection.sql(f"SELECT 'c' || i AS customer_id, TIMESTAMPTZ '{AS_OF.isoformat()}' AS moment FROM range(12) AS t(i)").df()  # fmt: skip
    alone = compute(connection, VIEWS["customer"], asked).set_index("customer_id")
    whole = snapshots(shop).filter(f"event_timestamp = TIMESTAMPTZ '{AS_OF.isoformat()}'").df().set_index("customer_id")
    names = [feature.name for feature in VIEWS["customer"].features]
    assert whole.loc[alone.index, names].astype(float).equals(alone[names].astype(float))


def test_labels_are_of_exactly_those_who_have_a_past(shop):
    known = {row[0] for row in snapshots(shop).filter(f"event_timestamp < TIMESTAMPTZ '{AS_OF.isoformat()}'").project("customer_id").distinct().fetchall()}  # fmt: skip
    with open_tables(shop) as connection:
        assert set(churn_labels(connection, [CUT_OFF])["customer_id"]) == known
        assert set(contact_labels(connection)["customer_id"]) == known
