"""Intervals that may be looked at again and again: they hold the truth at all looks together, not only at one planned end.

An ordinary 95 % interval watched until it leaves 0 leaves it sooner or later. A confidence sequence does not.
"""

from __future__ import annotations

from math import log as ln

import numpy as np

from training.off_policy.estimators import Valuation
from training.off_policy.intervals import LEVEL, Interval, effective, standard_error
from training.off_policy.log import FloatArray, IntArray, LogError

Bounds = tuple[FloatArray, FloatArray]


def bernstein_sequence(values: FloatArray, bounds: tuple[float, float], level: float = LEVEL) -> Bounds:
    """Low and high of the mean after each value, shape of `values` (..., n), valid at all n at once and for every n.

    The predictable plug-in empirical-Bernstein confidence sequence of Waudby-Smith & Ramdas (2024, "Estimating means of bounded
    random variables by betting", Theorem 2), intersected over time. `values` come in order of time, each within `bounds` and
    with the same mean given those before it: one per customer, such as terms w r of IPS, 0 to the largest weight times the largest
    reward. Raises LogError `bad_setting` for a value outside `bounds` or a wrong level.
    """
    low, high = bounds
    alpha = _alpha(level)
    if not low < high or not ((values >= low) & (values <= high)).all():
        raise LogError("bad_setting", f"values must lie within the bounds {low:g} to {high:g}")
    x = (values - low) / (high - low)
    count = np.arange(1, x.shape[-1] + 1)
    mean = (0.5 + np.cumsum(x, axis=-1)) / (count + 1)
    before = np.concatenate([np.full((*x.shape[:-1], 1), 0.5), mean[..., :-1]], axis=-1)
    spread = (0.25 + np.cumsum((x - mean) ** 2, axis=-1)) / (count + 1)
    known = np.concatenate([np.full((*x.shape[:-1], 1), 0.25), spread[..., :-1]], axis=-1)
    bet = np.minimum(np.sqrt(2 * ln(2 / alpha) / (known * count * np.log1p(count))), 0.5)
    total = np.cumsum(bet, axis=-1)
    center = np.cumsum(bet * x, axis=-1) / total
    price = (x - before) ** 2 * (-np.log1p(-bet) - bet)
    reach = (ln(2 / alpha) + np.cumsum(price, axis=-1)) / total
    lower = np.maximum.accumulate(np.maximum(center - reach, 0.0), axis=-1)
    upper = np.minimum.accumulate(np.minimum(center + reach, 1.0), axis=-1)
    return low + (high - low) * lower, low + (high - low) * upper


def asymptotic_sequence(values: FloatArray, planned: int, level: float = LEVEL) -> Bounds:
    """Low and high of the mean after each value, shape of `values` (..., n): asymptotically valid at all looks, and far shorter.

    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024, "Time-uniform central limit theory and asymptotic confidence sequences",
    Theorem 2.2); shortest near `planned` values. No bounds are needed; the first looks, before some hundred values, lean on the
    normal approximation as every large-sample interval does. Raises LogError `bad_setting` for a wrong level or plan.
    """
    count = np.arange(1, values.shape[-1] + 1)
    mean = np.cumsum(values, axis=-1) / count
    spread = np.sqrt(np.maximum(np.cumsum(values**2, axis=-1) / count - mean**2, 0.0))
    reach = spread * _boundary(count.astype(np.float64), planned, level)
    return mean - reach, mean + reach


def at_look(valuation: Valuation, clusters: IntArray, planned: int, level: float = LEVEL) -> Interval:
    """The same for one look at any estimate, customers counted as the observations: valid however often one looks.

    `valuation` holds the rows up to now and `clusters` (n,) their customers; `planned` is the number of customers at which the
    interval is to be shortest. Its standard error is cluster-robust. Raises LogError `bad_setting` for a wrong level or plan.
    """
    error, count = standard_error(valuation.influence, clusters), float(clusters.max() + 1)
    reach = error * float(np.sqrt(count) * _boundary(np.array(count), planned, level))
    value = valuation.value
    return Interval(
        value, value - reach, value + reach, error, effective(valuation.weights, clusters), level, "sequence"
    )


def _boundary(count: FloatArray, planned: int, level: float) -> FloatArray:
    """sqrt(2 (t rho^2 + 1) / (t^2 rho^2) log(sqrt(t rho^2 + 1) / alpha)) for a spread of 1."""
    if planned < 1:
        raise LogError("bad_setting", f"planned is {planned}", mend="give the number of customers you expect")
    alpha = _alpha(level)
    scale = count * _tuning(alpha) / planned
    return np.asarray(np.sqrt(2 * (scale + 1) / (count * scale) * np.log(np.sqrt(scale + 1) / alpha)))


def _tuning(alpha: float) -> float:
    """rho^2 times the planned number, which minimizes the boundary there: y - 1 with y = 1 - 2 log(alpha) + log(y)."""
    y = 1 - 2 * ln(alpha)
    for _ in range(60):  # a contraction: the slope is 1 / y
        y = 1 - 2 * ln(alpha) + ln(y)
    return y - 1


def _alpha(level: float) -> float:
    if not 0 < level < 1:
        raise LogError("bad_setting", f"the level is {level}", mend="give a number between 0 and 1, such as 0.95")
    return 1 - level
