"""How the churn benchmarks measure and print: one forecast at one cutoff, judged on what happened after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from training.fitting import SEED
from training.lapse_risk.events import read_events
from training.lapse_risk.report import intervals, measured
from training.lapse_risk.run import forecast, question_of
from training.lapse_risk.windows import labels_at

SHOWN = (
    "auc",
    "log_loss",
    "calibration_error",
    "count_bias",
    "count_bias_of_buyers",
    "average_precision",
    "top_decile_lift",
)
HEADS = ("AUC", "log-loss", "cal. error", "bias lapse", "bias buyers", "avg prec.", "lift")


@dataclass(frozen=True)
class Judged:
    """One cutoff: measures of the forecast and their 95 % intervals; the back-test's measures of the references, one horizon earlier."""

    cutoff: str
    customers: int
    measures: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    references: dict[str, dict[str, float]]


def judge(events: Path, cutoff: str, active_days: int, horizon_days: int) -> Judged:
    """Forecast from what the file holds before the cutoff (the file beyond it is read only here, for the labels)."""
    question = question_of(cutoff, active_days, horizon_days)
    found = forecast(events, question, lambda _text: None)
    whole = read_events(events, question.cutoff + question.horizon).events
    labels = labels_at(
        whole, whole.customers.get_indexer(found.table["customer_id"]), question.cutoff, question.horizon
    )
    p = found.table["probability"].to_numpy(dtype=np.float64)
    back_test = found.report["back_test"]
    references = back_test["measures"] if isinstance(back_test, dict) else {}
    return Judged(cutoff, len(labels), measured(labels, p), intervals(labels, p), references)


def show(title: str, results: list[Judged], seconds: float) -> None:
    """The table of all cutoffs, with 95 % bootstrap intervals below each line, and the references of the back-tests."""
    print(f"{title}; {datetime.now(UTC):%Y-%m-%d}, seed {SEED}, {seconds:.0f} s")
    print(f"{'cutoff':<26}" + "".join(f"{head:>17}" for head in HEADS))
    for one in results:
        print(f"{one.cutoff + f' ({one.customers:,})':<26}" + "".join(f"{one.measures[name]:>17.4f}" for name in SHOWN))
        print(" " * 26 + "".join(f"{'[{:.3f}, {:.3f}]'.format(*one.intervals[name]):>17}" for name in SHOWN))
    print("back-tests, one horizon before each cutoff, against the references:")
    for one in results:
        for name, measures in one.references.items():
            print(f"{one.cutoff[:10] + ' ' + name:<26}" + "".join(f"{measures[key]:>17.4f}" for key in SHOWN))


def met(judged: Judged, at_least: dict[str, float], at_most: dict[str, float]) -> bool:
    """Print each target of the examined cutoff beside what was reached; whether all hold. Bias is taken without its sign."""
    lines = [(name, "≥", goal, judged.measures[name], judged.measures[name] >= goal) for name, goal in at_least.items()]
    for name, goal in at_most.items():
        reached = abs(judged.measures[name])
        lines.append((name, "≤", goal, reached, reached <= goal))
    for name, sign, goal, reached, holds in lines:
        print(f"  {name:<24}{sign} {goal:<8g}{reached:>9.4f}  {'met' if holds else 'MISSED'}")
    return all(line[-1] for line in lines)


def write_events(frame: pd.DataFrame, path: Path) -> Path:
    """Purchases as an events file: `frame` has customer_id, occurred_at (UTC) and amount."""
    frame.assign(type="purchase").to_parquet(path, index=False)
    return path
