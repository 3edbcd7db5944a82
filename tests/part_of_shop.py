"""A part of the shop, for tests that load or compute features and ask about a few customers: of all it takes ten times as long."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from features.home import Home


def copy_snapshots(shop: Home, home: Home, customers: Iterable[str]) -> None:
    """The snapshots of these customers alone, as the features of another home."""
    home.features.mkdir(parents=True)
    with duckdb.connect() as connection:
        for path in shop.features.glob("*.parquet"):
            rows = f"SELECT * FROM read_parquet('{path}') WHERE list_contains(?, customer_id)"
            connection.execute(f"COPY ({rows}) TO '{home.features / path.name}' (FORMAT parquet)", [sorted(customers)])
