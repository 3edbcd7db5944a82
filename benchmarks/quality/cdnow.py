"""CDNOW, temporal: who of 23,570 buyers of the first quarter of 1997 stays away for 90 days. Real purchases, nothing simulated.

    python -m benchmarks.quality.cdnow [--data ../shared/data] [--all]

The data (CDNOW_master.txt of https://www.brucehardie.com/datasets/, 69,659 purchases from January 1997 to June 1998) are looked for in
`cdnow/CDNOW_master.txt.gz` of the folder. Trained on what lies before the cutoff alone. The examined cutoff is 1998-01-01, after one
year; `--all` adds cutoffs a quarter earlier and later and two with fewer customers, as a check that nothing was fitted to the examined one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from arbitration.errors import DirigentError
from benchmarks.quality.churn_tables import judge, met, show, write_events

EVERYONE, HORIZON = 600, 90
EXAMINED = ("1998-01-01", EVERYONE)
OTHERS = (("1997-10-01", EVERYONE), ("1998-04-01", EVERYONE), ("1998-01-01", 180), ("1998-04-01", 180))
AT_LEAST = {"auc": 0.806}
AT_MOST = {"log_loss": 0.344, "calibration_error": 0.025, "count_bias": 0.08, "count_bias_of_buyers": 0.08}


def cdnow(source: Path) -> pd.DataFrame:
    """The purchases: customer_id, occurred_at (midnight UTC of the day), amount in dollars."""
    names = ["customer_id", "day", "items", "amount"]
    table = pd.read_csv(
        source, sep=r"\s+", header=None, skiprows=1, names=names, dtype={"customer_id": str, "day": str}
    )
    occurred = pd.to_datetime(table["day"], format="%Y%m%d").dt.tz_localize("UTC")
    return pd.DataFrame({"customer_id": table["customer_id"], "occurred_at": occurred, "amount": table["amount"]})


def main() -> int:
    """Print the tables; 1 where a target of the examined cutoff is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--all", action="store_true", help="also the other cutoffs")
    arguments = parser.parse_args()
    source = arguments.data / "cdnow" / "CDNOW_master.txt.gz"
    if not source.exists():
        print(f"skipped: {source} is not there")
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        events = write_events(cdnow(source), Path(folder) / "events.parquet")
        examined = judge(events, *EXAMINED, HORIZON)
        others = [judge(events, cutoff, active, HORIZON) for cutoff, active in OTHERS] if arguments.all else []
    show(f"CDNOW, no purchase in {HORIZON} days", [examined, *others], time.monotonic() - started)
    print(f"targets at {EXAMINED[0]}:")
    return 0 if met(examined, AT_LEAST, AT_MOST) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DirigentError as fault:
        sys.exit(str(fault))
