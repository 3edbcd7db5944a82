"""Calibration curves from log-odds to log-odds: none, beta (Kull, Silva Filho, Flach 2017) or isotonic. All are monotone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.calibration import sigmoid
from training.lapse_risk.purchasing import log_odds

FloatArray = NDArray[np.float64]
LOOSE = 1e6
"""Inverse ridge: as good as none."""


@dataclass(frozen=True)
class Curve:
    """`kind` with its numbers: beta a, b, c of a ln p - b ln(1 - p) + c; isotonic: steps (`x`, `y`) in log-odds."""

    kind: Literal["none", "beta", "isotonic"] = "none"
    beta: tuple[float, float, float] = (1.0, 1.0, 0.0)
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def apply(self, margins: FloatArray) -> FloatArray:
        """Calibrated log-odds, same shape."""
        if self.kind == "isotonic":
            return np.interp(margins, self.x, self.y)
        if self.kind == "beta":
            a, b, c = self.beta
            return np.asarray(a * _log(margins) - b * _log(-margins) + c, dtype=np.float64)
        return margins


def fit_beta(margins: FloatArray, labels: FloatArray) -> Curve:
    """Maximum likelihood; no curve where labels are all equal or a slope would turn negative."""
    from sklearn.linear_model import LogisticRegression

    if labels.min() == labels.max():
        return Curve()
    columns = np.column_stack([_log(margins), -_log(-margins)])
    fitted = LogisticRegression(C=LOOSE, max_iter=1000).fit(columns, labels)
    a, b = map(float, fitted.coef_[0])
    return Curve("beta", (a, b, float(fitted.intercept_[0]))) if a >= 0 and b >= 0 and a + b > 0 else Curve()


def fit_isotonic(margins: FloatArray, labels: FloatArray) -> Curve:
    """Pool adjacent violators; every step keeps half a case on both sides, so that no probability is 0 or 1."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(margins, labels)
    edge = 0.5 / len(labels)
    y = log_odds(np.clip(fitted.y_thresholds_, edge, 1 - edge))
    return Curve("isotonic", x=tuple(map(float, fitted.X_thresholds_)), y=tuple(map(float, y)))


CANDIDATES: Mapping[str, Callable[[FloatArray, FloatArray], Curve]] = {"beta": fit_beta, "isotonic": fit_isotonic}


def _log(margins: FloatArray) -> FloatArray:
    """Logarithm of the probability of these log-odds, without underflow."""
    return np.asarray(np.log(np.maximum(sigmoid(margins), 1e-12)), dtype=np.float64)
