"""How sure a value is: intervals by customer, since rows of one customer go together.

The variance of a value is that of its customers' sums of influences (Liang & Zeger 1986; Cameron & Miller 2015):

    SE^2 = G / (G - 1) * sum_g (sum_{i in g} psi_i)^2 / n^2

With one row per customer it is the plain standard error. The t quantile has as many degrees of freedom as there are customers
effectively, less one: a few heavy customers must not pass for many (Carter, Schnepel & Steigerwald 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from statistics import NormalDist

import numpy as np
from scipy.special import stdtr, stdtrit

from training.off_policy.estimators import Valuation
from training.off_policy.log import FloatArray, IntArray, LogError

LEVEL = 0.95
RARE = 100.0
"""Below so many effective events, or non-events, a probability's interval is Wilson's: it cannot leave 0 to 1 and is not symmetric."""


@dataclass(frozen=True, slots=True)
class Interval:
    """`value` with its bounds in the reward's unit, its standard error, and the customers that effectively speak for it.

    `method` is `clustered` or `wilson`; `level` is the chance with which such intervals hold the truth.
    """

    value: float
    low: float
    high: float
    error: float
    effective: float
    level: float
    method: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Value of one policy less that of another on the same rows, with bounds, standard error and two-sided p-value of no difference."""

    value: float
    low: float
    high: float
    error: float
    p: float


def effective(weights: FloatArray, clusters: IntArray) -> float:
    """Effective number of customers, (sum W_g)^2 / sum W_g^2 over the customers' summed weights (Kish 1965); 0 without weight.

    `weights` and `clusters` have shape (n,), weights are not negative.
    """
    sums = np.bincount(clusters, weights)
    square = float((sums**2).sum())
    return float(sums.sum()) ** 2 / square if square > 0 else 0.0


def standard_error(influence: FloatArray, clusters: IntArray) -> float:
    """Cluster-robust standard error of the mean of `influence` (n,); infinite with a single customer."""
    sums = np.bincount(clusters, influence)
    count = len(sums)
    return sqrt(count / (count - 1) * float((sums**2).sum())) / len(influence) if count > 1 else inf


def clustered(valuation: Valuation, clusters: IntArray, level: float = LEVEL) -> Interval:
    """Value -+ t SE; `clusters` (n,) numbers the customers. Raises LogError `bad_setting` for a level outside 0 to 1."""
    error = standard_error(valuation.influence, clusters)
    count = effective(valuation.weights, clusters)
    reach = _quantile(level, count) * error
    value = valuation.value
    return Interval(value, value - reach, value + reach, error, count, level, "clustered")


def wilson(valuation: Valuation, clusters: IntArray, level: float = LEVEL) -> Interval:
    """Wilson's (1927) interval of a probability on the effective sample size n* = V (1 - V) / SE^2 (Korn & Graubard 1998).

    n* is corrected by (z / t)^2 for the uncertainty of SE. Where no event was seen, or nothing else, SE is 0 and n* is the
    effective number of customers. Raises LogError `bad_setting` for values of anything but rewards of 0 and 1.
    """
    if not valuation.binary:
        raise LogError("bad_setting", "Wilson's interval is for rewards of 0 and 1", mend="use clustered()")
    error, count = standard_error(valuation.influence, clusters), effective(valuation.weights, clusters)
    value = min(max(valuation.value, 0.0), 1.0)
    z = _normal(level)
    size = _size(value, error, count) * (z / _quantile(level, count)) ** 2
    middle = (value + z**2 / (2 * size)) / (1 + z**2 / size) if size > 0 else 0.5
    reach = z / (1 + z**2 / size) * sqrt(value * (1 - value) / size + z**2 / (4 * size**2)) if size > 0 else 0.5
    return Interval(value, max(middle - reach, 0.0), min(middle + reach, 1.0), error, count, level, "wilson")


def interval(valuation: Valuation, clusters: IntArray, level: float = LEVEL) -> Interval:
    """Wilson's for a probability with fewer than RARE effective events or non-events, else by clusters; both raise as above."""
    value = valuation.value
    if valuation.binary and 0 <= value <= 1:
        size = _size(value, standard_error(valuation.influence, clusters), effective(valuation.weights, clusters))
        if size * min(value, 1 - value) < RARE:
            return wilson(valuation, clusters, level)
    return clustered(valuation, clusters, level)


def contrast(first: Valuation, second: Valuation) -> Valuation:
    """`first` less `second` as one valuation, for `at_look`: its influence is the difference of theirs, its weight the larger.

    Raises LogError `shape` where the rows are not the same number.
    """
    if first.influence.shape != second.influence.shape:
        raise LogError("shape", f"{len(first.influence)} and {len(second.influence)} rows cannot be paired")
    heavier = np.asarray(np.maximum(first.weights, second.weights))
    name = f"{first.estimator} difference"
    return Valuation(name, first.value - second.value, first.influence - second.influence, heavier, binary=False)


def difference(first: Valuation, second: Valuation, clusters: IntArray, level: float = LEVEL) -> Difference:
    """`first` less `second` on the same rows: what both share cancels in the influence (paired).

    Degrees of freedom from the weaker of both. Equal policies differ by 0, surely: error 0, p 1. Raises LogError `shape` where
    the rows are not the same number, `bad_setting` for a level outside 0 to 1.
    """
    between = contrast(first, second)
    error, value = standard_error(between.influence, clusters), between.value
    count = min(effective(first.weights, clusters), effective(second.weights, clusters))
    reach = _quantile(level, count) * error
    p = 2 * float(stdtr(_freedom(count), -abs(value) / error)) if error > 0 else float(value == 0)
    return Difference(value, value - reach, value + reach, error, p)


def _size(value: float, error: float, count: float) -> float:
    """Rows of a plain sample that would know the probability as well."""
    return value * (1 - value) / error**2 if 0 < value < 1 and 0 < error < inf else count


def _freedom(count: float) -> float:
    return max(count - 1, 1.0)


def _quantile(level: float, count: float) -> float:
    _check(level)
    return float(stdtrit(_freedom(count), (1 + level) / 2))


def _normal(level: float) -> float:
    _check(level)
    return NormalDist().inv_cdf((1 + level) / 2)


def _check(level: float) -> None:
    if not 0 < level < 1:
        raise LogError("bad_setting", f"the level is {level}", mend="give a number between 0 and 1, such as 0.95")
