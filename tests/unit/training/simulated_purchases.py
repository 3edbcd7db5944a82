"""Simulated purchases for tests: customers buy as a Poisson process, each at an own rate, until they leave for good."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

START = pd.Timestamp("2023-01-01", tz="UTC")
CUTOFF = "2023-12-01"
ACTIVE, HORIZON = 90, 45


def simulated_purchases(customers: int = 400, days: int = 400, seed: int = 5) -> pd.DataFrame:
    """Canonical events (event_id, customer_id, occurred_at, type, value) of `days` days, ordered by customer."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(customers):
        gap, life = rng.gamma(2.0, 10.0) + 3.0, rng.exponential(200.0)
        at = rng.uniform(0, 120)
        end = min(float(days), at + life)
        while at < end:
            rows.append((f"c{number:04d}", START + pd.Timedelta(days=at), round(float(rng.gamma(2.0, 15.0)), 2)))
            at += rng.exponential(gap)
    table = pd.DataFrame(rows, columns=["customer_id", "occurred_at", "value"])
    table.insert(0, "event_id", [f"e{n}" for n in range(len(table))])
    return table.assign(type="purchase")


def written(table: pd.DataFrame, folder: Path, name: str = "events.parquet") -> Path:
    """The table as Parquet."""
    path = folder / name
    table.to_parquet(path, index=False)
    return path
