"""Models of amounts: how they are calibrated, judged and chosen. What is right on average is wanted, so the loss is the deviance

    2 mean(y log(y / m) - (y - m))        (Poisson; consistent for the mean, whatever the distribution: Gneiting 2011)

in units of money. The simple reference (`training.references`) stays in use unless a model's held-out deviance is lower by more
than 1.96 standard errors of the paired difference, customers being the independent units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from training.calibration import IDENTITY, Calibration
from training.contest import Contest, Trial, report, stay_or_go
from training.dataset import Dataset, Split
from training.evaluate import reliability
from training.fitting import Recipe, fit_linear, fit_tree
from training.models import FloatArray, LinearModel, Model, TreeModel
from training.references import Shrinkage, ShrunkMean

ROWS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""How many observations everybody's mean may count for."""
_STEPS, _RIDGE = 50, 1e-6


class AmountMetrics(TypedDict):
    """`mae`, `deviance` and `mean` (observed) in money; `total_ratio` predicted over observed; `rank` 0 to 1; `decile_error` a share."""

    mae: float
    deviance: float
    total_ratio: float
    rank: float
    decile_error: float
    mean: float
    rows: int


def metrics(observed: FloatArray, expected: FloatArray) -> AmountMetrics:
    """All numbers of one slice.

    `rank` is the Gini coefficient of the expectation over that of the outcome itself (1: the order of the outcomes, 0: random).
    `decile_error` is the mean distance of predicted and observed mean over tenths of the rows, as a share of the observed mean.
    """
    table, mean = reliability(observed, expected), float(observed.mean())
    distance = float((table["rows"] * (table["observed"] - table["predicted"]).abs()).sum() / len(observed))
    return AmountMetrics(
        mae=float(np.abs(observed - expected).mean()), deviance=float(deviances(observed, expected).mean()),
        total_ratio=float(expected.sum() / observed.sum()) if mean > 0 else 0.0, rank=rank(observed, expected),
        decile_error=distance / mean if mean > 0 else 0.0, mean=mean, rows=len(observed),
    )  # fmt: skip


def deviances(observed: FloatArray, expected: FloatArray) -> FloatArray:
    """Poisson deviance of each row, in money; `expected` is above 0."""
    safe = np.where(observed > 0, observed, 1.0)
    return np.asarray(2 * (np.where(observed > 0, observed * np.log(safe / expected), 0.0) - (observed - expected)))


def rank(observed: FloatArray, expected: FloatArray) -> float:
    """Gini of `expected` over Gini of `observed`; 0 where all outcomes are equal. Ties in `expected` share what they hold."""
    best = _gini(observed, observed)
    return _gini(observed, expected) / best if best > 0 else 0.0


def _gini(observed: FloatArray, order: FloatArray) -> float:
    """Twice the area between the share of money found, lowest `order` first, and the diagonal."""
    if observed.sum() <= 0:
        return 0.0
    _, group = np.unique(order, return_inverse=True)
    sums, rows = np.bincount(group, observed), np.bincount(group)
    found = np.concatenate([[0.0], np.cumsum(sums) / observed.sum()])
    share = np.concatenate([[0.0], np.cumsum(rows) / len(observed)])
    return float(1 - (np.diff(share) * (found[1:] + found[:-1])).sum())


def fit_calibration(margins: FloatArray, observed: FloatArray) -> Calibration:
    """Slope and intercept on log money by Poisson quasi-likelihood, so that totals agree; the identity where no slope above 0 fits."""
    if margins.min() == margins.max() or observed.sum() <= 0:
        return IDENTITY
    design = np.column_stack([margins, np.ones_like(margins)])
    weights = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        expected = np.exp(np.clip(design @ weights, -27.0, 27.0))
        gradient = design.T @ (observed - expected)
        hessian = (design * expected[:, None]).T @ design + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        weights = weights + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(float(weights[0]), float(weights[1])) if weights[0] > 0 else IDENTITY


def calibrate(margins: FloatArray, observed: FloatArray, half: NDArray[np.bool_]) -> tuple[Calibration, FloatArray]:
    """Fit on a held-out slice, kept only if it helps across customers; also each row's deviance, honestly held out.

    `half` splits the customers in two, as in `training.calibration.calibrate`.
    """
    plain = deviances(observed, IDENTITY.amount(margins))
    if half.all() or not half.any():
        return IDENTITY, plain
    crossed = np.empty_like(margins)
    for side in (half, ~half):
        crossed[side] = fit_calibration(margins[~side], observed[~side]).amount(margins[side])
    fitted = deviances(observed, crossed)
    return (fit_calibration(margins, observed), fitted) if fitted.mean() < plain.mean() else (IDENTITY, plain)


def fit_reference(name: str, data: Dataset, columns: tuple[str, ...], scale: float) -> ShrunkMean:
    """The shrunk mean with the least training deviance over ROWS."""
    everybody = max(float(data.labels.mean()), 0.01)
    chosen = data.columns(columns)
    tried = [ShrunkMean(name, columns, Shrinkage(scale, everybody, rows)) for rows in ROWS]
    return min(tried, key=lambda one: float(deviances(data.labels, one.predict(chosen)).mean()))


def compete(
    name: str, split: Split, recipe: Recipe, *, own_mean: tuple[str, ...], scale: float, notes: tuple[str, ...] = ()
) -> Contest:
    """Trees, the linear challenger and the shrunk mean of the columns `own_mean`, the simple reference, on the same split."""
    fitted = (
        fit_tree(name, split.train, recipe),
        fit_linear(name, split.train, "log"),
        fit_reference(name, split.train, own_mean, scale),
    )
    judged = [_judge(model, split, recipe if model.kind == "tree" else None) for model in fitted]
    chosen, reason = stay_or_go(judged, split.validation, "deviance")
    return Contest(name, tuple(trial for trial, _ in judged), split, (*notes, reason), "deviance", chosen)


def _judge(
    model: TreeModel | LinearModel | ShrunkMean, split: Split, recipe: Recipe | None
) -> tuple[Trial, FloatArray]:
    """Calibrated on the validation part and measured on both later parts, with each validation row's held-out deviance."""
    held_out = split.validation
    calibration, losses = calibrate(model.margins(held_out.columns(model.features)), held_out.labels, held_out.half())
    judged: Model = replace(model, calibration=calibration)
    parameters = recipe.parameters() if recipe else {}
    return report(judged, float(losses.mean()), split, _measure, parameters), losses


def _measure(model: Model, data: Dataset) -> Mapping[str, object]:
    return metrics(data.labels, model.predict(data.columns(model.features)))
