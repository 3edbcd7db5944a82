"""How long features take: all households at ten cut-offs in one go, against one household at a time with the same SQL.

Run `make bench`, or `python benchmarks/feature_speed.py` after `make demo` (it reads the demo's tables).
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import pandas as pd

from arbitration.errors import DirigentError
from features.compute import compute, prepare, select, spine_of
from features.home import Home
from features.registry import VIEWS
from features.snapshots import ANCHOR, channels_of
from features.tables.store import open_tables

CUT_OFFS = [ANCHOR - timedelta(weeks=2 * step) for step in range(10)]
ONE_BY_ONE = 20


def main() -> None:
    """Print a table: per view the rows, seconds and microseconds a row in one go, and the ratio to one at a time."""
    home = Home.from_environment()
    connection, channels = open_tables(home), channels_of(home)
    customers = [
        row[0]
        for row in connection.execute(f"SELECT customer_id FROM customers ORDER BY 1 LIMIT {ONE_BY_ONE}").fetchall()
    ]
    print(f"{'view':<10}{'rows':>10}{'seconds':>10}{'us a row':>10}{'one by one: us a row':>22}{'ratio':>9}")
    total = 0.0
    for view in VIEWS.values():
        started = time.perf_counter()
        prepare(connection, spine_of(view, CUT_OFFS, channels))
        rows = len(connection.execute(select(view)).df())
        seconds = time.perf_counter() - started
        total += seconds
        started = time.perf_counter()
        for customer in customers:
            compute(
                connection,
                view,
                pd.DataFrame({"customer_id": [customer], "channel": ["push"], "moment": [CUT_OFFS[0]]}),
            )
        single = (time.perf_counter() - started) / len(customers)
        print(
            f"{view.name:<10}{rows:>10,}{seconds:>10.2f}{seconds / rows * 1e6:>10.1f}{single * 1e6:>22,.0f}{single / (seconds / rows):>8,.0f}x"
        )
    print(f"all households x {len(CUT_OFFS)} cut-offs, all views: {total:.1f} s (promise: under 30 s)")


if __name__ == "__main__":
    try:
        main()
    except DirigentError as fault:
        sys.exit(str(fault))
