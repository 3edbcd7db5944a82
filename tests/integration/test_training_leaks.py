"""A leak in a real shop's snapshots: training refuses it and registers nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from features.home import Home
from features.store import FeatureStore
from training.labels import CHURN_DAYS
from training.lapse_risk.suspicion import LeakError
from training.registry import train


def test_snapshots_written_with_knowledge_of_the_label_window_are_refused(shop_home: Home, tmp_path: Path):
    """Recency is replaced by the days to the first purchase after the snapshot: what an export made later could hold."""
    home = Home(shutil.copytree(shop_home.root, tmp_path / "home"))
    path, events = home.features / "customer.parquet", home.tables / "events.parquet"
    with duckdb.connect() as connection:
        rows = f"""
            SELECT snapshots.* REPLACE (CAST(coalesce(next, 99) AS DOUBLE) AS recency_days) FROM read_parquet('{path}') AS snapshots
            LEFT JOIN (
                SELECT customer_id, event_timestamp, min(epoch(occurred_at) - epoch(event_timestamp)) / 86400 AS next
                FROM read_parquet('{path}') AS s JOIN read_parquet('{events}') AS e USING (customer_id)
                WHERE type = 'purchase' AND NOT simulated AND occurred_at >= event_timestamp
                      AND occurred_at < event_timestamp + INTERVAL {CHURN_DAYS} DAY GROUP BY ALL
            ) USING (customer_id, event_timestamp)"""
        connection.execute(f"COPY ({rows}) TO '{path}.new' (FORMAT parquet)")
    path.with_suffix(".parquet.new").replace(path)
    FeatureStore(home).apply()
    before = sorted((home.mlflow / "artifacts").rglob("card.json"))
    with pytest.raises(LeakError, match="feature recency_days: it tells the label by itself; nothing was trained"):
        train(home, "churn_risk")
    assert sorted((home.mlflow / "artifacts").rglob("card.json")) == before
