"""Calibration: from a model's margin to a probability that can be counted on.

Platt scaling, P = 1 / (1 + exp(-(a m + b))) with a > 0 (Platt 1999): two numbers, monotone, and enough for held-out slices of a
few thousand rows, where isotonic steps overfit. It is used only where it lowers the log-loss on customers it was not fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_STEPS = 50
_RIDGE = 1e-6
_FLOOR = 1e-12
_FARTHEST = 27.0
"""Log money beyond which no amount is believed: 5e11."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """`slope` a > 0 and `intercept` b; the identity is (1, 0)."""

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.slope) and self.slope > 0 and np.isfinite(self.intercept)):
            raise ValueError(f"a calibration needs a finite slope > 0 and a finite intercept, not {self}")

    def probability(self, margins: FloatArray) -> FloatArray:
        """Calibrated probabilities of raw log-odds, same shape, monotone, in [0, 1]."""
        return sigmoid(self.slope * margins + self.intercept)

    def amount(self, margins: FloatArray) -> FloatArray:
        """Calibrated amounts of raw log money, same shape, monotone, above 0 and finite."""
        return np.asarray(np.exp(np.clip(self.slope * margins + self.intercept, -_FARTHEST, _FARTHEST)))

    def expected(self, margins: FloatArray, link: Literal["logit", "log"]) -> FloatArray:
        """What is expected at these margins: probabilities for `logit`, amounts for `log`."""
        return self.amount(margins) if link == "log" else self.probability(margins)


IDENTITY = Calibration()


def sigmoid(margins: FloatArray) -> FloatArray:
    """1 / (1 + exp(-m)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * margins)), dtype=np.float64)


def log_loss(labels: FloatArray, probabilities: FloatArray) -> float:
    """Mean negative log-likelihood of 0/1 labels, in nats."""
    p = np.clip(probabilities, _FLOOR, 1 - _FLOOR)
    return float(-np.mean(labels * np.log(p) + (1 - labels) * np.log1p(-p)))


def fit(margins: FloatArray, labels: FloatArray) -> Calibration:
    """Maximum likelihood by Newton's method; the identity when the labels are all equal or the slope would not be positive."""
    if labels.min() == labels.max() or margins.min() == margins.max():
        return IDENTITY
    design = np.column_stack([margins, np.ones_like(margins)])
    weights = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        p = sigmoid(design @ weights)
        gradient = design.T @ (labels - p)
        hessian = (design * (p * (1 - p))[:, None]).T @ design + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        weights = weights + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(float(weights[0]), float(weights[1])) if weights[0] > 0 else IDENTITY


def calibrate(margins: FloatArray, labels: FloatArray, half: NDArray[np.bool_]) -> tuple[Calibration, float]:
    """Fit on a held-out slice, kept only if it helps across customers; also the slice's log-loss, honestly held out.

    `half` splits the customers in two; each half judges the calibration fitted on the other. When the joint log-loss is not
    lower than without calibration, the identity is returned.
    """
    calibration, chances = cross_calibrate(margins, labels, half)
    return calibration, log_loss(labels, chances)


def cross_calibrate(margins: FloatArray, labels: FloatArray, half: NDArray[np.bool_]) -> tuple[Calibration, FloatArray]:
    """As `calibrate`, with the honestly held-out probability of every row in place of their log-loss."""
    plain = sigmoid(margins)
    if half.all() or not half.any():
        return IDENTITY, plain
    crossed = np.empty_like(margins)
    for side in (half, ~half):
        crossed[side] = fit(margins[~side], labels[~side]).probability(margins[side])
    better = log_loss(labels, crossed) < log_loss(labels, plain)
    return (fit(margins, labels), crossed) if better else (IDENTITY, plain)
