"""Empirical Bayes: what a row is predicted to gain is drawn to its arm, the arm to all arms, all arms to "nothing happens".

Levels, with effects in money before costs against one reference arm:

    row:  tau_a(x) = mean_a + slope_a (f_a(x) - mean of f_a),    slope in [0, 1], 0 until it exceeds its standard error
    arm:  mean_a shrunk to the mean of all arms, and that to 0   (`training.effects.shrink`)

Arms with fewer than FEWEST_EVENTS rewards share one pooled slope.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.effects import TINY, Belief, Prior, Sample, Slope, shrink, shrink_slope
from training.experiment.contrasts import Contrasts
from training.experiment.table import Trial

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]
FEWEST_EVENTS = 50
FEWEST_ROWS = 30
"""Below this an arm's own spread is not believed: its error is at least that of the rewards of all."""
PRIOR_SD, PRIOR_FLOOR = 0.15, 0.05
"""Before data: an arm moves the mean reward by about 0.15 of the rewards' standard deviation, and arms differ by at least 0.05."""


@dataclass(frozen=True)
class Level:
    """One arm against the reference: its mean, the forecast that tells rows apart best, and how far that is followed."""

    mean: Belief
    slope: Slope
    forecast: int
    center: float

    def effect(self, predicted: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(tau, sd) of rows for which the forecast predicts `predicted`, in money before costs."""
        beyond = predicted - self.center
        doubt = self.slope.sd * float(np.sqrt(self.slope.used / self.slope.raw)) if self.slope.used > 0 else 0.0
        return self.mean.mean + self.slope.used * beyond, np.sqrt(self.mean.sd**2 + (beyond * doubt) ** 2)


def levels(trial: Trial, contrasts: Contrasts, reference: int, within: Mask) -> list[Level]:
    """One level per arm, learned from the rows `within` alone; the reference's own is exactly 0."""
    scale = reward_scale(trial.reward)
    counts = np.bincount(trial.arm[within], minlength=len(trial.arms))
    events = np.bincount(trial.arm[within], trial.reward[within] != 0, len(trial.arms))
    others = [position for position in range(len(trial.arms)) if position != reference]
    samples = {str(a): arm_sample(trial, contrasts.gamma, (a, reference), within, scale) for a in others}
    means, _ = shrink(samples, Prior(0.0, PRIOR_SD * scale, PRIOR_FLOOR * scale))
    own = {a: _follow(trial, contrasts, [a], reference, within) for a in others if min(counts[a], counts[reference])}
    few = [a for a in own if min(events[a], events[reference]) < FEWEST_EVENTS]
    pooled = _follow(trial, contrasts, few, reference, within) if few else (Slope(), 0)
    found = []
    for position in range(len(trial.arms)):
        if position == reference:
            found.append(Level(Belief(0.0, 0.0, int(counts[reference]), 0.0), Slope(), 0, 0.0))
            continue
        slope, forecast = pooled if position in few else own.get(position, (Slope(), 0))
        center = _difference(contrasts.forecasts[forecast].inside, position, reference)[within]
        found.append(Level(means[str(position)], slope, forecast, float(center.mean()) if len(center) else 0.0))
    return found


def arm_sample(trial: Trial, gamma: FloatArray, pair: tuple[int, int], within: Mask, scale: float) -> Sample:
    """Mean contrast of the `pair` (arm, reference) with its squared standard error, clustered; no rows on one of the sides is no sample."""
    arm, reference = pair
    counts = np.bincount(trial.arm[within], minlength=len(trial.arms))
    rows = int(min(counts[arm], counts[reference]))
    if rows == 0:
        return Sample()
    contrast = _difference(gamma, arm, reference)[within]
    variance = mean_error(contrast, trial.cluster[within]) ** 2
    if rows < FEWEST_ROWS:
        variance = max(variance, scale**2 * (1 / counts[arm] + 1 / counts[reference]))
    return Sample(float(contrast.mean()), max(variance, TINY), rows)


def mean_error(values: FloatArray, cluster: NDArray[np.int64]) -> float:
    """Standard error of the mean of `values`, clustered; infinite with fewer than two clusters."""
    if not len(values):
        return float("inf")
    _, number = np.unique(cluster, return_inverse=True)
    count = int(number.max()) + 1
    if count < 2:
        return float("inf")
    sums = np.bincount(number, values - values.mean())
    return float(np.sqrt((sums**2).sum() * count / (count - 1))) / len(values)


def reward_scale(reward: FloatArray) -> float:
    """Standard deviation of the rewards; where there is none, their size, and without rows 1."""
    if not len(reward):
        return 1.0
    spread = float(reward.std())
    return spread if spread > TINY else max(float(np.abs(reward).max()), 1e-9)


def _follow(trial: Trial, contrasts: Contrasts, arms: list[int], reference: int, within: Mask) -> tuple[Slope, int]:
    """The forecast with the least squared error of the contrasts of `arms`, and its slope; forecasts are of other folds."""
    cluster = trial.cluster[within]
    best, least = (Slope(), 0), np.inf
    for number, forecast in enumerate(contrasts.forecasts):
        pairs = [
            (_centered(forecast.inside, a, reference, within), _centered(contrasts.gamma, a, reference, within))
            for a in arms
        ]
        slope = _slope(pairs, cluster)
        loss = sum(float(((y - np.clip(slope.raw, 0.0, 1.0) * x) ** 2).sum()) for x, y in pairs)
        if loss < least - TINY:
            best, least = (slope, number), loss
    return best


def _slope(pairs: list[tuple[FloatArray, FloatArray]], cluster: NDArray[np.int64]) -> Slope:
    """Least squares of contrast on forecast, its error by the sandwich over clusters (Liang & Zeger 1986), shrunk."""
    scale = sum(float((x**2).sum()) for x, _ in pairs)
    if scale <= TINY:
        return Slope()
    raw = sum(float((x * y).sum()) for x, y in pairs) / scale
    residual = np.sum([x * (y - raw * x) for x, y in pairs], axis=0)
    return shrink_slope(raw, float(np.sqrt((np.bincount(cluster, residual) ** 2).sum())) / scale)


def _difference(values: FloatArray, arm: int, reference: int) -> FloatArray:
    return np.asarray(values[:, arm] - values[:, reference])


def _centered(values: FloatArray, arm: int, reference: int, within: Mask) -> FloatArray:
    part = _difference(values, arm, reference)[within]
    return part - part.mean() if len(part) else part
