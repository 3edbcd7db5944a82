"""How long a shop of a million customers takes to retrain: SIMULATED tables, every stage timed, memory at its highest.

    python -m benchmarks.quality.training_speed [--customers N ...] [--folder FOLDER]

Fifty events a customer over forty weeks (purchases by a rhythm of their own, app sessions, product views), six contacts or silences a
customer with their probabilities, and what came of them. The numbers mean nothing as marketing; the tables have the size of a shop's.
Printed are seconds per stage (wall and CPU) and, of two sizes, how much longer the larger takes. The online store is loaded by
`dirigent features`, which is no part of retraining.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from features.home import Home
from features.snapshots import build_snapshots
from features.store import FeatureStore
from features.tables.importer import import_folder
from training.promotion import promote
from training.registry import train

AS_OF = datetime(2024, 10, 5, 4, tzinfo=UTC)
DAYS = 280
BOUND_MINUTES, BOUND_GB, BOUND_GROWTH = 20.0, 12.0, 11.0
SHOP = {
    "customers": """
        SELECT 'c' || i AS customer_id, TIMESTAMPTZ '2023-06-01 00:00:00+00' + to_days(CAST(i % 200 AS INT)) AS created_at,
               'Europe/Berlin' AS time_zone, 'de-DE' AS locale
        FROM range({customers}) AS t(i)""",
    # each customer has a rhythm (of 2 to 40 days) and a day after which nothing more happens
    "events": """
        SELECT 'e' || i || '-' || k AS event_id, 'c' || i AS customer_id,
               TIMESTAMPTZ '2023-12-30 04:00:00+00' + to_seconds(CAST(86400 * {days} * chance AS BIGINT)) AS occurred_at,
               CASE WHEN k % 50 < 4 + i % 25 THEN 'purchase' WHEN k % 2 = 0 THEN 'app_session' ELSE 'product_view' END AS type,
               round(5 + 90 * (hash(i * 7 + k) % 1000) / 1000.0, 2) AS value, 'EUR' AS currency,
               CASE WHEN k % 50 < 4 + i % 25 THEN '{{"items": ' || (1 + k % 9) || ', "store": "s' || (i % 40) || '"}}' END AS properties
        FROM (SELECT i, k, (hash(i * 64 + k) % 1000003) / 1000003.0 * least(1.0, 0.3 + (hash(i) % 1000) / 700.0) AS chance
              FROM range({customers}) AS t(i), range(50) AS u(k))""",
    "contacts": """
        SELECT 'k' || i || '-' || k AS contact_id, 'c' || i AS customer_id,
               CASE WHEN silent THEN 'silence' ELSE (['win_back', 'earn_to_redeem', 'welcome'])[CAST(1 + draw % 3 AS BIGINT)] END AS journey,
               CASE WHEN silent THEN 'none' ELSE (['push', 'email'])[CAST(1 + draw // 8 % 2 AS BIGINT)] END AS channel,
               TIMESTAMPTZ '2024-05-01 08:00:00+00' + to_hours(CAST(24 * 20 * k + draw // 16 % 300 AS BIGINT)) AS sent_at,
               CASE WHEN silent THEN 0.35 ELSE 0.65 / 6 END AS probability, CASE WHEN silent THEN 'silence' ELSE 'random' END AS arm,
               true AS simulated
        FROM (SELECT i, k, hash(i * 31 + k * 7 + 1) AS draw, hash(i * 31 + k * 7 + 1) // 4096 % 100 < 35 AS silent
              FROM range({customers}) AS t(i), range(6) AS u(k))""",
    "outcomes": """
        SELECT 'o' || contact_id || type AS outcome_id, contact_id, type, sent_at + to_hours(5) AS occurred_at, true AS simulated
        FROM contacts, (VALUES ('clicked', 110), ('converted', 60), ('unsubscribed', 3)) AS kinds(type, share)
        WHERE hash(contact_id || type) % 1000 < share + CASE WHEN arm = 'silence' THEN -20 ELSE 0 END
              AND NOT (arm = 'silence' AND type <> 'converted')""",
    "consents": """
        SELECT customer_id, channel, 'marketing' AS purpose, 'granted' AS state, 'consent' AS legal_basis, 'x' AS evidence_id,
               created_at AS valid_from, true AS simulated
        FROM customers, (VALUES ('push'), ('email')) AS channels(channel)""",
}  # fmt: skip


def write_shop(folder: Path, customers: int) -> None:
    """The files that such a shop would bring."""
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    for name, text in SHOP.items():
        path = folder / f"{name}.parquet"
        connection.execute(f"COPY ({text.format(customers=customers, days=DAYS)}) TO '{path}' (FORMAT parquet)")
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}')")


def stages(home: Home, brought: Path) -> dict[str, Callable[[], object]]:
    """What happens one after the other; those of RETRAINING are what the bound is about."""
    store = FeatureStore(home)
    return {
        "import and check": lambda: import_folder(brought, home),
        "features": lambda: build_snapshots(home, AS_OF),
        "register views": store.apply,
        "train all models": lambda: train(home),
        "promote": lambda: promote(home),
    }


RETRAINING = ("features", "register views", "train all models", "promote")


def measured(customers: int, folder: Path) -> float:
    """Print one size, stage by stage; returns the seconds of retraining."""
    print(f"\n{customers:,} SIMULATED customers, {50 * customers:,} events")
    print(f"{'stage':<22}{'seconds':>10}{'CPU seconds':>13}{'peak GB':>10}")
    brought = folder / f"brought-{customers}"
    brought.mkdir()
    write_shop(brought, customers)
    home, total = Home(folder / f"home-{customers}"), 0.0
    for name, work in stages(home, brought).items():
        began, cpu = time.perf_counter(), _cpu()
        work()
        took = time.perf_counter() - began
        total += took if name in RETRAINING else 0.0
        print(f"{name:<22}{took:>10.1f}{_cpu() - cpu:>13.1f}{_peak():>10.2f}", flush=True)
    print(f"{'retraining':<22}{total:>10.1f}   ({total / 60:.1f} minutes)")
    return total


def _cpu() -> float:
    own, children = (os.times().user + os.times().system), (os.times().children_user + os.times().children_system)
    return own + children


def _peak() -> float:
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024**2


def main() -> None:
    """Print every size; exit code 1 when a bound does not hold for a million customers."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--customers", type=int, nargs="+", default=[100_000, 1_000_000])
    options.add_argument(
        "--folder", type=Path, help="where the tables go (6 GB for a million); default: a folder that is removed"
    )
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        totals = {customers: measured(customers, Path(folder)) for customers in given.customers}
    few, many = min(totals), max(totals)
    print(
        f"\nfrom {few:,} to {many:,} customers: {totals[many] / totals[few]:.1f} x as long (at most {BOUND_GROWTH:g} x for 10 x)"
    )
    slow = many >= 1_000_000 and (totals[many] > BOUND_MINUTES * 60 or _peak() > BOUND_GB)
    grows = many >= 10 * few and totals[many] / totals[few] > BOUND_GROWTH * many / few / 10
    print("A BOUND DOES NOT HOLD" if slow or grows else "as it must be")
    sys.exit(1 if slow or grows else 0)


if __name__ == "__main__":
    main()
