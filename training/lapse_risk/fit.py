"""Three members and their mix: trees and logistic regression on all features, and BG/NBD, blended in log-odds.

Weights and calibration are chosen by the log-loss on held-out customers: no customer of a fold was seen by the members that predict it.
The calibration (beta or isotonic) is applied only where that log-loss falls by more than WORTH.

The level, that is how many will stay away in all, is the hardest part of a forecast: it moves with season and cohort, and no held-out
customer of the past can show that. Two forecasts of it that err differently are averaged, the mix's and BG/NBD's (Bates and Granger
1969, The Combination of Forecasts), where BG/NBD describes the shop nearly as well as the mix (CREDIBLE).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from training.calibration import log_loss, sigmoid
from training.dataset import Dataset
from training.fitting import Recipe, fit_linear, fit_tree
from training.lapse_risk.curves import CANDIDATES, Curve
from training.lapse_risk.features import MONOTONE, NAMES, REFERENCE
from training.models import LinearModel, TreeModel

FloatArray = NDArray[np.float64]
NAME = "no_purchase"
FOLDS = 3
SEEN, OFTEN = 0.05, 0.5
"""A feature is used where, at this share OFTEN of the training moments, at least the share SEEN of the customers have it. A window
that reached before the data began at most moments would otherwise be judged by the few, and carried over to all."""
STEP = 0.1
WORTH = 1e-4
CREDIBLE = 1.05
"""BG/NBD's level counts where its held-out log-loss is at most this multiple of the mix's."""
MEMBERS = ("trees", "logistic", "bg_nbd")


@dataclass(frozen=True)
class LapseModel:
    """`weights` of MEMBERS sum to 1; `curve` calibrates; `anchor` is the share of BG/NBD's level in the forecast of the level.

    `used` (k,) tells which features the members read; the others are unknown to them.
    """

    trees: TreeModel
    logistic: LinearModel
    weights: tuple[float, ...]
    curve: Curve
    anchor: float
    held_out: dict[str, float]
    used: NDArray[np.bool_]

    def members(self, rows: FloatArray) -> FloatArray:
        """Log-odds of the three members, (n, 3)."""
        return _members(self.trees, self.logistic, np.where(self.used, rows, np.nan))

    def predict(self, rows: FloatArray) -> FloatArray:
        """P(no purchase in the horizon), (n,), of all customers active at one moment: the level is theirs together."""
        members = self.members(rows)
        calibrated = self.curve.apply(members @ np.array(self.weights))
        wanted = (1 - self.anchor) * sigmoid(calibrated).mean() + self.anchor * sigmoid(members[:, 2]).mean()
        return sigmoid(calibrated + level_shift(calibrated, float(wanted)))


def level_shift(margins: FloatArray, mean: float) -> float:
    """The shift of all log-odds after which the mean probability is `mean`, by bisection."""
    low, high = -5.0, 5.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if sigmoid(margins + middle).mean() < mean else (low, middle)
    return (low + high) / 2


def fit_lapse(data: Dataset, progress: Callable[[str], None]) -> LapseModel:
    """Members on all rows; weights, calibration and anchor from members that had not seen the customer."""
    recipe, used = _recipe(len(data)), known_often(data)
    data = replace(data, rows=np.where(used, data.rows, np.nan))
    folds = data.folds(FOLDS)
    crossed = np.empty((len(data), len(MEMBERS)))
    for fold in range(FOLDS):
        progress(f"held-out customers, part {fold + 1} of {FOLDS}")
        rest = data.where(folds != fold)
        crossed[folds == fold] = _members(
            fit_tree(NAME, rest, recipe), fit_linear(NAME, rest), data.rows[folds == fold]
        )
    weights = best_weights(crossed, data.labels)
    mixed = crossed @ np.array(weights)
    curve, losses = best_curve(mixed, data.labels, data.folds(2 * FOLDS) % 2 == 0)
    losses |= {name: log_loss(data.labels, sigmoid(crossed[:, n])) for n, name in enumerate(MEMBERS)}
    credible = losses["bg_nbd"] <= CREDIBLE * losses["uncalibrated"]
    progress("all customers")
    return LapseModel(
        fit_tree(NAME, data, recipe), fit_linear(NAME, data), weights, curve, 0.5 if credible else 0.0, losses, used
    )  # fmt: skip


def both_in_every_fold(data: Dataset) -> bool:
    """Whether whoever is left when a part of the customers is held out shows both outcomes; a handful of customers may not."""
    folds, halves = data.folds(FOLDS), data.folds(2 * FOLDS) % 2
    parts = [folds != fold for fold in range(FOLDS)] + [halves == side for side in (0, 1)]
    return all(len(np.unique(data.labels[part])) > 1 for part in parts)


def known_often(data: Dataset) -> NDArray[np.bool_]:
    """Which features (k,) are known at enough of the training moments."""
    moments = np.unique(data.moments)
    seen = [(~np.isnan(data.rows[data.moments == moment])).mean(axis=0) >= SEEN for moment in moments]
    return np.asarray(np.mean(seen, axis=0) >= OFTEN)


def best_weights(margins: FloatArray, labels: FloatArray) -> tuple[float, ...]:
    """Weights in steps of STEP that sum to 1 with the lowest log-loss; `margins` is (n, 3)."""
    count = round(1 / STEP)
    grid = [(a, b, count - a - b) for a, b in product(range(count + 1), repeat=2) if a + b <= count]
    weights = [tuple(part / count for part in parts) for parts in grid]
    return min(weights, key=lambda w: log_loss(labels, sigmoid(margins @ np.array(w))))


def _members(trees: TreeModel, logistic: LinearModel, rows: FloatArray) -> FloatArray:
    return np.column_stack([trees.margins(rows), logistic.margins(rows), rows[:, NAMES.index(REFERENCE)]])


def _recipe(rows: int) -> Recipe:
    return Recipe(leaves=8, learning_rate=0.04, trees=150, min_rows=max(20, min(200, rows // 500)), monotone=MONOTONE)


def best_curve(margins: FloatArray, labels: FloatArray, half: NDArray[np.bool_]) -> tuple[Curve, dict[str, float]]:
    """The calibration with the lowest log-loss on the half of the customers it was not fitted on; none where it does not pay."""
    losses = {"uncalibrated": log_loss(labels, sigmoid(margins))}
    best, kind = losses["uncalibrated"] - WORTH, Curve()
    if half.all() or not half.any():
        return kind, losses
    for name, fit in CANDIDATES.items():
        crossed = np.empty_like(margins)
        for side in (half, ~half):
            crossed[side] = fit(margins[~side], labels[~side]).apply(margins[side])
        losses[name] = log_loss(labels, sigmoid(crossed))
        if losses[name] < best:
            best, kind = losses[name], fit(margins, labels)
    return kind, losses
