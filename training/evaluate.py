"""Judge a model on rows it has not seen: discrimination, calibration, gain; all from labels and probabilities."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.calibration import log_loss

FloatArray = NDArray[np.float64]
BINS = 10
FLAT = 1e-12


class Metrics(TypedDict):
    """`auc` 0.5 to 1; `log_loss` in nats; `brier`; `ece` expected calibration error; `base_rate`; `rows`."""

    auc: float
    log_loss: float
    brier: float
    ece: float
    base_rate: float
    rows: int


def metrics(labels: FloatArray, probabilities: FloatArray) -> Metrics:
    """All numbers of one slice; AUC is NaN-free: 0.5 where only one outcome occurred."""
    return Metrics(
        auc=auc(labels, probabilities),
        log_loss=log_loss(labels, probabilities),
        brier=float(np.mean((labels - probabilities) ** 2)),
        ece=calibration_error(labels, probabilities),
        base_rate=float(labels.mean()),
        rows=len(labels),
    )


def auc(labels: FloatArray, probabilities: FloatArray) -> float:
    """Area under the ROC curve: the chance that a random positive is ranked above a random negative (ties count half)."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, probabilities)) if labels.min() < labels.max() else 0.5


def reliability(labels: FloatArray, probabilities: FloatArray, bins: int = BINS) -> pd.DataFrame:
    """Ten bins of equal size by probability: mean predicted, share observed, rows."""
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return pd.DataFrame(
        [(float(probabilities[p].mean()), float(labels[p].mean()), len(p)) for p in parts],
        columns=["predicted", "observed", "rows"],
    )


def calibration_error(labels: FloatArray, probabilities: FloatArray, bins: int = BINS) -> float:
    """ECE over equal-mass bins (Naeini 2015): mean |observed - predicted|, weighted by rows."""
    table = reliability(labels, probabilities, bins)
    return float((table["rows"] * (table["observed"] - table["predicted"]).abs()).sum() / len(labels))


def gain_table(labels: FloatArray, probabilities: FloatArray, bins: int = BINS) -> pd.DataFrame:
    """From the highest probability down: share of rows, share of positives found, lift over random, observed rate.

    Fewer rows than bins make as many bins as there are rows.
    """
    order = np.argsort(-probabilities, kind="stable")
    found = np.cumsum(labels[order])
    ends = np.unique((np.arange(1, bins + 1) * len(labels)) // bins)
    ends = ends[ends > 0]
    taken = ends / len(labels)
    captured = found[ends - 1] / max(found[-1], FLAT)
    rate = np.diff(np.concatenate([[0.0], found[ends - 1]])) / np.diff(np.concatenate([[0], ends]))
    return pd.DataFrame({"rows": taken, "positives": captured, "lift": captured / taken, "observed_rate": rate})
