"""Categories of many levels as one number each: the mean of what is to be learned among a level's rows, shrunk to the mean of all.

A learner gets the means of other parts of its rows for each of its rows, or it would take a row's own answer for its category's (Micci-Barreca
2001; Prokhorenkova et al. 2018); new rows get the means of all. How far a level is believed is the method of moments' between / (between + noise).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Regression = Callable[[FloatArray], FloatArray]
Fit = Callable[[FloatArray, FloatArray, int], Regression]
PARTS = 5


@dataclass(frozen=True)
class Means:
    """The shrunk mean of each level 0, 1, ...; `other` is that of all rows, for codes that are NaN or were not seen."""

    level: FloatArray
    other: float

    def of(self, codes: FloatArray) -> FloatArray:
        """The means of these rows' levels, shape (rows,)."""
        known = ~np.isnan(codes) & (codes < len(self.level))
        found = np.full(len(codes), self.other)
        found[known] = self.level[codes[known].astype(np.int64)]
        return found


def shrunk_means(codes: FloatArray, target: FloatArray) -> Means:
    """Learned from rows whose codes are NaN where the level is rare."""
    known = ~np.isnan(codes)
    overall = float(target.mean()) if len(target) else 0.0
    if not known.any():
        return Means(np.zeros(0), overall)
    levels, values = codes[known].astype(np.int64), target[known]
    rows = np.bincount(levels)
    mean = np.bincount(levels, values) / np.maximum(rows, 1)
    noise = float(((values - mean[levels]) ** 2).sum()) / max(len(values) - int((rows > 0).sum()), 1)
    seen = rows > 0
    # Weighted by rows, the squared distance of a level's mean holds one noise per level beside the spread.
    far = float((rows[seen] * (mean[seen] - overall) ** 2).sum()) - noise * int(seen.sum())
    between = max(0.0, far / float(rows.sum()))
    weight = rows * between / (rows * between + noise) if between > 0 else np.zeros(len(rows))
    return Means(np.where(seen, overall + weight * (mean - overall), overall), overall)


def with_means(fit: Fit, coded: int) -> Fit:
    """The same learner, with the last `coded` columns of its rows, which are codes of levels, replaced by means of its target."""
    if not coded:
        return fit

    def fitted(rows: FloatArray, target: FloatArray, seed: int) -> Regression:
        plain, codes = rows[:, :-coded], rows[:, -coded:]
        told = np.empty_like(codes)
        for part in np.array_split(np.arange(len(rows)), PARTS):
            rest = np.ones(len(rows), dtype=bool)
            rest[part] = False
            for column in range(coded):
                told[part, column] = shrunk_means(codes[rest, column], target[rest]).of(codes[part, column])
        means = [shrunk_means(codes[:, column], target) for column in range(coded)]
        model = fit(np.column_stack([plain, told]), target, seed)
        return lambda asked: model(
            np.column_stack([asked[:, :-coded], *(one.of(asked[:, n - coded]) for n, one in enumerate(means))])
        )

    return fitted
