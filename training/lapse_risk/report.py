"""What the back-test showed: the model and its references on the same customers, with bootstrap intervals. Everything is plain JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.calibration import log_loss
from training.evaluate import auc, calibration_error

FloatArray = NDArray[np.float64]
SEED = 20170930
REPETITIONS = 200
TOP = 0.1
MISSED = 0.2
"""Share by which the number of those who stay away may be missed before it is warned about."""
Json = dict[str, object]


def top_decile_lift(labels: FloatArray, probabilities: FloatArray) -> float:
    """How often the tenth of customers with the highest probability stays away, against all; 1 where nobody stays away or all are equal."""
    if probabilities.min() == probabilities.max():
        return 1.0
    count = max(1, round(len(labels) * TOP))
    top = np.argsort(-probabilities, kind="stable")[:count]
    return float(labels[top].mean() / labels.mean()) if labels.any() else 1.0


def average_precision(labels: FloatArray, probabilities: FloatArray) -> float:
    """Area under the precision-recall curve by steps; the base rate where only one outcome occurred."""
    from sklearn.metrics import average_precision_score

    return (
        float(average_precision_score(labels, probabilities)) if labels.min() < labels.max() else float(labels.mean())
    )


def count_bias(labels: FloatArray, probabilities: FloatArray) -> float:
    """Expected over observed number of cases, minus 1; 0 where none was observed."""
    return float(probabilities.sum() / labels.sum() - 1.0) if labels.any() else 0.0


MEASURES: Mapping[str, Callable[[FloatArray, FloatArray], float]] = {
    "auc": auc,
    "average_precision": average_precision,
    "log_loss": log_loss,
    "calibration_error": calibration_error,
    "count_bias": count_bias,
    "count_bias_of_buyers": lambda labels, p: count_bias(1.0 - labels, 1.0 - p),
    "top_decile_lift": top_decile_lift,
}


def measured(labels: FloatArray, probabilities: FloatArray) -> dict[str, float]:
    """Every measure of one forecast."""
    return {name: measure(labels, probabilities) for name, measure in MEASURES.items()}


def intervals(
    labels: FloatArray, probabilities: FloatArray, repetitions: int = REPETITIONS, seed: int = SEED
) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals over customers (each is one row). The calibration error's is wide upward: noise adds to it."""
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(repetitions):
        rows = rng.integers(0, len(labels), len(labels))
        drawn.append(list(measured(labels[rows], probabilities[rows]).values()))
    low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
    return {name: (float(low[n]), float(high[n])) for n, name in enumerate(MEASURES)}


def gain(labels: FloatArray, ours: FloatArray, theirs: FloatArray) -> tuple[float, float, float]:
    """Log-loss that `theirs` has above `ours`: the mean over customers and its 95 % interval, paired; above 0 ours is better."""
    edge = 1e-12

    def loss(p: FloatArray) -> FloatArray:
        clipped = np.clip(p, edge, 1 - edge)
        return np.asarray(-(labels * np.log(clipped) + (1 - labels) * np.log1p(-clipped)), dtype=np.float64)

    difference = loss(theirs) - loss(ours)
    mean, half = float(difference.mean()), 1.96 * float(difference.std()) / len(labels) ** 0.5
    return mean, mean - half, mean + half


def back_test_table(labels: FloatArray, forecasts: Mapping[str, FloatArray], ours: str) -> Json:
    """All forecasts of the same customers: their measures, intervals of `ours`, and how much log-loss it saves against each other."""
    return {
        "customers": len(labels),
        "stayed_away": int(labels.sum()),
        "measures": {name: measured(labels, p) for name, p in forecasts.items()},
        "intervals_95": {ours: intervals(labels, forecasts[ours])},
        "log_loss_saved_against": {
            name: dict(zip(("mean", "low", "high"), gain(labels, forecasts[ours], p), strict=True))
            for name, p in forecasts.items() if name != ours
        },
    }  # fmt: skip


def doubts(table: Mapping[str, Any], ours: str) -> dict[str, str]:
    """What a back-test says against the forecast, by name: a level that was missed, a simpler forecast that was surely better."""
    found = {}
    bias, (low, high) = table["measures"][ours]["count_bias"], table["intervals_95"][ours]["count_bias"]
    if abs(bias) > MISSED and not low <= 0 <= high:
        found["level_missed"] = (
            f"in the back-test {abs(bias):.0%} {'more' if bias > 0 else 'fewer'} were expected to stay away than did: "
            "use the order of the customers rather than the probabilities"
        )
    better = [name for name, saved in table["log_loss_saved_against"].items() if saved["high"] < 0]
    if better:
        found["reference_better"] = f"in the back-test {', '.join(better)} alone had surely less log-loss"
    return found
