"""What the view `category` says of a customer's purchases, at the edges of its window, and where a shop names none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import duckdb
import pandas as pd
import pytest

from features.compute import compute
from features.registry import VIEWS
from features.tables.contract import TABLES
from features.tables.store import connect, empty
from features.views.category import MOST_OWN

NOW = datetime(2020, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def tables() -> duckdb.DuckDBPyConnection:
    connection = connect()
    for table in TABLES.values():
        connection.execute(f"CREATE TABLE {table.name} AS {empty(table)}")
    return connection


def buy(
    tables: duckdb.DuckDBPyConnection,
    days_ago: float,
    *,
    customer: str = "anna",
    kind: str = "purchase",
    **spent: float,
) -> None:
    tables.execute(
        "INSERT INTO events (event_id, customer_id, occurred_at, type, value, properties, simulated) VALUES (uuid(), ?, ?, ?, 1, ?, false)",
        [customer, NOW - timedelta(days=days_ago), kind, json.dumps({"categories": spent})],
    )


def history(tables: duckdb.DuckDBPyConnection, moment: datetime = NOW) -> dict[str, object] | None:
    spine = pd.DataFrame({"customer_id": ["anna"], "moment": [moment]})
    (text,) = compute(tables, VIEWS["category"], spine)["category_history"]
    return json.loads(text) if isinstance(text, str) else None


def test_baskets_money_and_days_are_told_by_category(tables: duckdb.DuckDBPyConnection):
    buy(tables, 40, tea=3.1, milk=1)
    buy(tables, 20, tea=0.2, beer=7)
    buy(tables, 10, tea=0.1, **{'soap "x" ä.b': 9.0})
    assert history(tables) == {
        "recency": 10.0, "baskets_182d": 3, "money_28d": 16.3, "money_182d": 20.4, "category": ['soap "x" ä.b', "beer", "tea", "milk"],
        "baskets_28d_own": [1, 1, 2, 0], "baskets_182d_own": [1, 1, 3, 1], "money_28d_own": [9.0, 7.0, 0.3, 0.0],
        "money_182d_own": [9.0, 7.0, 3.4, 1.0], "most": [1, 1, 1, 0], "days": [10.0, 20.0, 10.0, 40.0],
        "gap": [0.0, 0.0, 15.0, 0.0],
    }  # fmt: skip


def test_the_window_is_182_days_before_the_moment(tables: duckdb.DuckDBPyConnection):
    for days_ago in (182.001, 0, -1):
        buy(tables, days_ago, late=1)
    assert history(tables) is None
    buy(tables, 182, tea=1)
    found = history(tables)
    assert found is not None
    assert found["category"] == ["tea"]


def test_of_a_purchase_two_categories_count_and_of_a_customer_eight(tables: duckdb.DuckDBPyConnection):
    buy(tables, 5, tea=3, milk=2, beer=1)
    found = history(tables)
    assert found is not None
    assert found["category"] == ["tea", "milk"]
    for number in range(MOST_OWN + 3):
        buy(tables, 6, **{f"kind {number}": 10.0 + number})
    found = history(tables)
    assert found is not None
    assert found["category"] == [f"kind {number}" for number in range(MOST_OWN + 2, 2, -1)]


def test_nothing_is_known_of_who_named_no_categories(tables: duckdb.DuckDBPyConnection):
    assert history(tables) is None
    buy(tables, 5)
    buy(tables, 5, tea=0)
    buy(tables, 5, kind="return", tea=9)
    buy(tables, 5, customer="ben", tea=9)
    assert history(tables) is None
