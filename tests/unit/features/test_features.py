"""Features are valid as of any moment, the same for one customer and for all, and described in one schema."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.compute import compute
from features.registry import FEATURES, VIEWS
from features.snapshots import ANCHOR, snapshot_moments
from features.tables.contract import TABLES
from features.tables.store import connect, empty

NOW = datetime(2020, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def tables() -> duckdb.DuckDBPyConnection:
    """Empty canonical tables with one customer in Berlin, known for 100 days."""
    connection = connect()
    for table in TABLES.values():
        connection.execute(f"CREATE TABLE {table.name} AS {empty(table)}")
    connection.execute(
        "INSERT INTO customers (customer_id, created_at, time_zone, locale) VALUES ('anna', ?, 'Europe/Berlin', 'de-DE')",
        [NOW - timedelta(days=100)],
    )
    return connection


def happen(
    tables: duckdb.DuckDBPyConnection,
    days_ago: float,
    kind: str = "purchase",
    value: float = 10.0,
    properties: str = "{}",
) -> None:
    number = tables.execute("SELECT count(*) FROM events").fetchall()[0][0]
    tables.execute(
        "INSERT INTO events (event_id, customer_id, occurred_at, type, value, properties, simulated) VALUES (?, 'anna', ?, ?, ?, ?, false)",
        [str(number), NOW - timedelta(days=days_ago), kind, value, properties],
    )


def view(
    tables: duckdb.DuckDBPyConnection, name: str, moment: datetime = NOW, channel: str = "push"
) -> dict[str, object]:
    spine = pd.DataFrame({"customer_id": ["anna"], "channel": [channel], "moment": [moment]})
    frame = compute(tables, VIEWS[name], spine)
    assert len(frame) == 1
    return {key: None if pd.isna(value) else value for key, value in frame.iloc[0].items()}


def test_there_are_five_views_and_every_feature_is_described_in_both_languages() -> None:
    assert list(VIEWS) == ["customer", "channel", "timing", "context", "category"]
    assert len(FEATURES) == sum(len(one.features) for one in VIEWS.values()) >= 40
    for feature in FEATURES.values():
        assert all((feature.unit, feature.meaning, feature.en, feature.de, feature.sql)), feature.name


def test_a_customer_without_events_has_counts_of_zero_and_unknown_ages(tables: duckdb.DuckDBPyConnection) -> None:
    found = view(tables, "customer")
    assert (found["frequency_28d"], found["money_91d"], found["points_balance"]) == (0, 0, 0)
    assert (found["recency_days"], found["basket_value_182d"], found["money_to_next_tier"]) == (None, None, None)
    assert view(tables, "context")["cart_age_hours"] is None


def test_a_rhythm_needs_two_purchases(tables: duckdb.DuckDBPyConnection) -> None:
    happen(tables, 30)
    found = view(tables, "customer")
    assert (found["recency_days"], found["gap_mean_days"], found["gap_ratio"]) == (pytest.approx(30), None, None)
    happen(tables, 10)
    assert view(tables, "customer")["gap_ratio"] == pytest.approx(0.5)


def test_windows_end_at_the_moment_and_start_where_their_name_says(tables: duckdb.DuckDBPyConnection) -> None:
    for days_ago in (-1, 0, 5, 27.9, 28.1, 90):
        happen(tables, days_ago)
    found = view(tables, "customer")
    assert (found["frequency_28d"], found["frequency_91d"], found["purchases_total"]) == (2, 4, 4)
    assert found["recency_days"] == pytest.approx(5)


def test_oldest_points_are_used_first_and_the_rest_lapses_after_half_a_year(tables: duckdb.DuckDBPyConnection) -> None:
    happen(tables, 160, "points_earned", 300)
    happen(tables, 100, "points_earned", 400)
    happen(tables, 50, "points_redeemed", 200)
    customer, context = view(tables, "customer"), view(tables, "context")
    assert (customer["points_balance"], customer["points_expiring_30d"]) == (500, 100)
    assert (context["reward_value"], context["reward_expires_days"]) == (5.0, pytest.approx(20))
    happen(tables, 10, "points_redeemed", 100)
    assert view(tables, "customer")["points_expiring_30d"] == 0
    assert view(tables, "context")["reward_expires_days"] == pytest.approx(80)


def test_the_top_tier_has_no_next_one(tables: duckdb.DuckDBPyConnection) -> None:
    happen(tables, 90, "purchase", 700)
    happen(tables, 90, "tier_changed", 0, '{"level": 0, "next_at": 1000}')
    assert (view(tables, "customer")["tier_level"], view(tables, "customer")["money_to_next_tier"]) == (0, 300)
    happen(tables, 10, "tier_changed", 2, '{"level": 2}')
    assert (view(tables, "customer")["tier_level"], view(tables, "customer")["money_to_next_tier"]) == (2, None)


def test_a_cart_is_open_until_something_is_bought(tables: duckdb.DuckDBPyConnection) -> None:
    happen(tables, 1, "cart_add", 42.0)
    found = view(tables, "context")
    assert (found["cart_open"], found["cart_value"], found["cart_age_hours"]) == (1, 42.0, pytest.approx(24))
    happen(tables, 0.5)
    assert (view(tables, "context")["cart_open"], view(tables, "context")["cart_value"]) == (0, 0)


def test_a_customer_is_in_a_store_for_an_hour_and_known_not_to_be_otherwise(tables: duckdb.DuckDBPyConnection) -> None:
    assert view(tables, "context")["in_store"] == 0
    happen(tables, 0.5 / 24, "purchase", properties='{"items": 3}')  # an order in the app
    assert view(tables, "context")["in_store"] == 0
    happen(tables, 0.9 / 24, "store_visit")
    assert view(tables, "context")["in_store"] == 1
    assert view(tables, "context", NOW + timedelta(hours=0.2))["in_store"] == 0
    happen(tables, 0.2 / 24, "purchase", properties='{"store": "7"}')
    assert view(tables, "context", NOW + timedelta(hours=0.2))["in_store"] == 1


def test_hours_are_local_on_both_sides_of_a_clock_change(tables: duckdb.DuckDBPyConnection) -> None:
    tables.execute("UPDATE customers SET created_at = TIMESTAMPTZ '2020-01-01'")
    for moment in ("2020-03-28 15:30:00+00", "2020-03-30 15:30:00+00"):  # 16:30 and, after the change, 17:30 in Berlin
        tables.execute(
            f"INSERT INTO events (event_id, customer_id, occurred_at, type) VALUES ('{moment}', 'anna', TIMESTAMPTZ '{moment}', 'purchase')"
        )
    found = view(tables, "timing")
    assert (found["activity_block_4"], found["activity_weekday_5"], found["activity_weekday_0"]) == (1, 0.5, 0.5)


def test_channels_are_data_and_opens_by_machines_do_not_count(tables: duckdb.DuckDBPyConnection) -> None:
    tables.execute(
        "INSERT INTO contacts (contact_id, customer_id, journey, channel, sent_at) VALUES ('c', 'anna', 'welcome', 'fax', ?)",
        [NOW - timedelta(days=3)],
    )
    tables.execute(
        "INSERT INTO outcomes VALUES ('a', 'c', 'opened', ?, NULL, true, false), ('b', 'c', 'clicked', ?, NULL, false, false)",
        [NOW - timedelta(days=3)] * 2,
    )
    found = view(tables, "channel", channel="fax")
    assert (found["contacts_7d"], found["opens_91d"], found["clicks_91d"]) == (1, 0, 1)
    assert view(tables, "channel", channel="push")["contacts_91d"] == 0


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ages=st.lists(st.floats(0.001, 99), max_size=12), later=st.lists(st.floats(-30, 0), min_size=1, max_size=6))
def test_what_happens_later_changes_no_feature(
    ages: list[float], later: list[float], tables: duckdb.DuckDBPyConnection
) -> None:
    tables.execute("DELETE FROM events")
    for age in ages:
        happen(tables, age, "purchase" if int(age) % 3 else "points_earned")
    before = {name: view(tables, name) for name in VIEWS}
    for age in later:
        happen(tables, age, "points_redeemed" if int(age) % 2 else "purchase")
    assert {name: view(tables, name) for name in VIEWS} == before


def test_snapshots_are_weekly_and_end_at_the_moment_asked_for() -> None:
    moments = snapshot_moments(datetime(2017, 1, 1, tzinfo=UTC), datetime(2018, 1, 2, 15, tzinfo=UTC))
    assert ANCHOR in moments
    assert moments[-1] == datetime(2018, 1, 2, 15, tzinfo=UTC)
    assert all(after - before == timedelta(weeks=1) for before, after in pairwise(moments[:-1]))
    assert moments[0] >= datetime(2017, 2, 26, tzinfo=UTC)


def test_the_example_package_is_where_it_is_looked_for() -> None:
    from features.tables.example import _package_folder

    assert (Path(_package_folder()) / "transactions.parquet").exists()
