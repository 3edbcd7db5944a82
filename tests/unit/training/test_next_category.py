"""How the next category is learned: labels at the edges of their windows, pairs, hits, leaks and shops that name no categories."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest

from features.snapshots import ANCHOR
from features.tables.contract import TABLES
from features.tables.store import connect, empty
from tests.unit.training.pairs import LIKELY, SHARES, text
from training import next_category
from training.categories import FEATURES, HISTORY
from training.dataset import Dataset
from training.labels import category_labels
from training.lapse_risk.suspicion import LeakError
from training.next_category import NAME, fit_shares, hits, pair_rows, split_rows
from training.references import ShrunkShare

MOMENT = datetime(2017, 9, 30, 4, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@pytest.fixture
def shop() -> duckdb.DuckDBPyConnection:
    connection = connect()
    for table in TABLES.values():
        connection.execute(f"CREATE TABLE {table.name} AS {empty(table)}")
    return connection


def buy(shop: duckdb.DuckDBPyConnection, customer: str, at: timedelta, simulated: bool = False, **spent: float) -> None:
    shop.execute(
        "INSERT INTO events (event_id, customer_id, occurred_at, type, value, properties, simulated)"
        " VALUES (uuid(), ?, ?, 'purchase', 10, ?, ?)",
        [customer, MOMENT + at, json.dumps({"categories": spent} if spent else {"items": 1}), simulated],
    )


def labels(shop: duckdb.DuckDBPyConnection) -> dict[str, str]:
    frame = category_labels(shop, [MOMENT])
    return dict(zip(frame["customer_id"], frame["category"], strict=True))


def test_the_label_is_what_most_of_the_next_purchase_in_56_days_was(shop: duckdb.DuckDBPyConnection):
    buy(shop, "buys", -182 * DAY, tea=1)
    buy(shop, "buys", timedelta(0), tea=1, beer=3, milk=2)
    buy(shop, "buys", DAY, milk=9)
    buy(shop, "at the end", -SECOND, tea=1)
    buy(shop, "at the end", 56 * DAY - SECOND, beer=1)
    buy(shop, "too late", -DAY, tea=1)
    buy(shop, "too late", 56 * DAY, beer=1)
    buy(shop, "too early", -182 * DAY - SECOND, tea=1)
    buy(shop, "too early", DAY, beer=1)
    buy(shop, "new", DAY, beer=1)
    buy(shop, "equal parts", -DAY, tea=1)
    buy(shop, "equal parts", DAY, milk=2, beer=2)
    assert labels(shop) == {"buys": "beer", "at the end": "beer", "equal parts": "beer"}


def test_purchases_that_name_nothing_are_simulated_or_cost_nothing_do_not_count(shop: duckdb.DuckDBPyConnection):
    buy(shop, "buys", -DAY, tea=1)
    buy(shop, "buys", DAY)
    buy(shop, "buys", 2 * DAY, simulated=True, milk=1)
    buy(shop, "buys", 3 * DAY, milk=0)
    buy(shop, "buys", 4 * DAY, beer=1)
    assert labels(shop) == {"buys": "beer"}


def test_a_shop_that_names_no_categories_has_no_labels(shop: duckdb.DuckDBPyConnection):
    buy(shop, "buys", -DAY)
    buy(shop, "buys", DAY)
    assert labels(shop) == {}


def rows(leaking: bool = False) -> pd.DataFrame:
    """Two hundred customers at every cut-off, who mostly buy what they mostly bought; `leaking`: the history knows the label."""
    rng, found = np.random.default_rng(3), []
    weeks = [ANCHOR - timedelta(weeks=week) for week in (0, *range(8, 12), *range(19, 23))]
    for moment in weeks:
        for customer in range(200):
            category = str(rng.choice(["tea", "beer", "milk"]))
            most = [int(rng.integers(0, 6)) for _ in range(3)]
            names = ["tea", "beer", "milk"]
            if leaking:
                most = [9 if name == category else 0 for name in names]
            own = {name: (1.0, 9.0, 1, 3, count, 4.0, 7.0) for name, count in zip(names, most, strict=True)}
            history = text(own, money=(3.0, 27.0), baskets=18, recency=4.0)
            found.append((f"c{customer}", pd.Timestamp(moment), category, history))
    return pd.DataFrame(found, columns=["customer_id", "event_timestamp", "category", HISTORY])


def test_a_planted_leak_is_refused():
    assert len(split_rows(rows(), SHARES).train) > 0
    with pytest.raises(LeakError, match="feature category_most_182d: it tells the label by itself"):
        split_rows(rows(leaking=True), SHARES)


def test_each_labeled_moment_becomes_one_row_per_candidate_and_at_most_one_is_right():
    frame = rows().head(50)
    pairs = pair_rows(frame, SHARES)
    assert list(pairs.columns) == [*FEATURES, "customer_id", "event_timestamp", "label"]
    right = pairs.groupby(["customer_id", "event_timestamp"])["label"].sum()
    assert len(right) == 50
    assert (right == 1).all()
    assert pair_rows(frame.assign(category="never a candidate"), SHARES)["label"].sum() == 0


def test_shares_are_those_of_the_labels_and_the_rarest_are_left_out(monkeypatch: pytest.MonkeyPatch):
    frame = pd.DataFrame({"category": ["tea"] * 5 + ["beer"] * 3 + ["milk"] * 2})
    assert fit_shares(frame).of == {"tea": 0.5, "beer": 0.3, "milk": 0.2}
    monkeypatch.setattr(next_category, "MOST_KNOWN", 2)
    assert list(fit_shares(frame).of) == ["tea", "beer"]


def test_a_large_shop_learns_from_the_same_part_of_its_customers_at_every_moment(monkeypatch: pytest.MonkeyPatch):
    frame = rows()
    monkeypatch.setattr(next_category, "LARGEST", len(frame) // 2)
    part = next_category._part(frame)
    assert 0.35 < len(part) / len(frame) < 0.65
    assert (part.groupby("customer_id").size() == 9).all()


def test_hits_are_counted_by_moment_and_missed_where_the_right_one_is_no_candidate():
    columns = LIKELY.pooled.features
    given = np.array([[5, 9, 0.1], [1, 9, 0.1], [0, 9, 0.1], [0, 9, 0.1], [2, 9, 0.1], [3, 9, 0.1]], dtype=np.float64)
    moments = np.array(["2017-09-30"] * 4 + ["2017-10-07"] * 2, dtype="datetime64[D]")
    data = Dataset(columns, given, np.array([0, 0, 1.0, 0, 0, 0]), moments, np.array(["c"] * 6), np.array([""] * 6))
    model = ShrunkShare(NAME, columns, 4.0)
    assert hits(model, data, 1).tolist() == [0.0, 0.0]
    assert hits(model, data, 3).tolist() == [1.0, 0.0]
