"""Leaks: a feature that knows the reward, or the arm, was recorded after the decision. Nothing is trained on such a feature.

Before the draw of the arm, every group of rows has the same expected weight for every arm: mean of 1{A = a} / p over the group
equals 1. A feature by which it does not was changed by the arm, or the logged probabilities are not those of the draw. How far a
group may be off by chance is told by the binomial law of the draw, for all features, groups and arms together (Bonferroni): a small arm
is often missing from a group of some dozen rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betainc
from scipy.stats import norm

from arbitration.errors import TableError
from training.experiment.notices import Notices
from training.experiment.table import Trial

FloatArray = NDArray[np.float64]
ENOUGH_ROWS = 100
KNOWS = 0.995
"""Area under the curve, or correlation, from which one feature alone tells the reward."""
CERTAIN, SURE = 1e-7, 1e-3
"""Chance of so much imbalance anywhere in a sound experiment: refused below the first, warned about below the second."""
FAR = 0.1
"""Share by which a group must be off balance to be refused; less is warned about."""
BINS = 10


def check_leaks(trial: Trial, notices: Notices) -> None:
    """Raise TableError for a feature that tells the reward or the arm; warn about what is only doubtful."""
    if len(trial) < ENOUGH_ROWS:
        return
    weights = _weights(trial)
    everybody = np.zeros(len(trial), dtype=np.int64)
    for position, arm in enumerate(trial.arms):
        if (trial.arm == position).any():
            draw = chances(everybody, weights[:, position], 1.0, trial.cluster)
            if draw.chance[0] * len(trial.arms) < SURE:
                notices.add(
                    "probabilities_do_not_fit",
                    f"arm {arm!r} was shown {draw.share[0]:.3f} times as often as its probability says",
                )
    for name, column in trial.columns.items():
        numbers, groups = grouped(column, trial.reward)
        if tells_reward(numbers, trial.reward):
            raise TableError(
                f"feature {name!r} tells the reward: it leaks", where="train",
                mend="leave it out, or give its value as it was before the arm was shown",
            )  # fmt: skip
        _check_balance(name, np.unique(groups, return_inverse=True)[1], weights, trial, notices)


def _check_balance(name: str, groups: NDArray[np.int64], weights: FloatArray, trial: Trial, notices: Notices) -> None:
    looks = len(trial.columns) * (BINS + 1) * len(trial.arms)
    for position, arm in enumerate(trial.arms):
        overall = float(weights[:, position].mean())
        if overall == 0:
            continue
        draw = chances(groups, weights[:, position], overall, trial.cluster)
        certain = np.flatnonzero((draw.chance * looks < CERTAIN) & (np.abs(draw.share - 1) > FAR))
        if len(certain):
            raise TableError(
                f"feature {name!r} tells the arm: where it has one value, {arm!r} is {draw.share[certain[0]]:.2f} times as frequent as drawn",
                where="train",
                mend="leave it out if it was recorded after the arm was shown; if the arms were not drawn at random, nothing can be learned",
            )  # fmt: skip
        if (least := float(draw.chance.min())) * looks < SURE:
            notices.add(
                "feature_unbalanced",
                f"feature {name!r} is not balanced over the arms ({norm.isf(max(least, 1e-300) / 2):.1f} standard errors)",
            )


@dataclass(frozen=True)
class Draw:
    """What an arm got in each group: its weight as a `share` of what it got overall, and the two-sided `chance` of a share so far off."""

    share: FloatArray
    chance: FloatArray


def chances(groups: NDArray[np.int64], weight: FloatArray, overall: float, cluster: NDArray[np.int64]) -> Draw:
    """The draw of one arm, whose rows weigh 1 / p and others 0, in groups 0, 1, ...; `overall` is the mean weight that is expected.

    Weights and clusters become a binomial of the same mean and variance: with u = sum of squared cluster weights / sum of weights (1 / p
    where rows are drawn alone) and m the mean size of a row's cluster, weight / u of n / m draws with probability overall * m / u.
    """
    rows = np.bincount(groups)
    clusters = int(cluster.max()) + 1
    pairs, place = np.unique(groups * clusters + cluster, return_inverse=True)
    group, sums = pairs // clusters, np.bincount(place, weight)
    size = np.bincount(group, np.bincount(place).astype(np.float64) ** 2) / rows
    total, square = np.bincount(group, sums), np.bincount(group, sums**2)
    common = float((np.bincount(cluster, weight) ** 2).sum() / weight.sum())
    unit = np.maximum(np.where(total > 0, square / np.where(total > 0, total, 1.0), 0.0), common)
    draws, seen = rows / size, np.minimum(total / unit, rows / size)
    likely = np.minimum(overall * size / unit, 1 - 1e-12)
    more = np.where(seen > 0, betainc(np.maximum(seen, 1e-12), draws - seen + 1, likely), 1.0)
    fewer = np.where(seen < draws, betainc(np.maximum(draws - seen, 1e-12), seen + 1, 1 - likely), 1.0)
    return Draw(total / rows / overall, np.asarray(np.minimum(1.0, 2 * np.minimum(more, fewer))))


def _weights(trial: Trial) -> FloatArray:
    """1{A = a} / p, shape (n, arms)."""
    found = np.zeros((len(trial), len(trial.arms)))
    found[np.arange(len(trial)), trial.arm] = 1 / trial.probability
    return found


def grouped(column: pd.Series[float], reward: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """The feature as numbers (a category by its mean reward, unknown below all) and as at most BINS + 1 groups."""
    numbers: FloatArray
    if column.dtype == object:
        codes, levels = pd.factorize(column.fillna("").astype(str))
        counts = np.bincount(codes, minlength=len(levels))
        means = np.bincount(codes, reward, len(levels)) / counts
        frequent = counts >= max(ENOUGH_ROWS, len(reward) // 50)
        numbers = np.where(counts >= ENOUGH_ROWS, means, reward.mean()).astype(np.float64)
        return numbers[codes], np.where(frequent, np.arange(len(levels)), -1).astype(np.int64)[codes]
    values = np.asarray(column.to_numpy(dtype=np.float64))
    known = ~np.isnan(values)
    groups = np.full(len(values), -1, dtype=np.int64)
    if known.any():
        edges = np.unique(np.quantile(values[known], np.linspace(0, 1, BINS + 1)[1:-1]))
        groups[known] = np.searchsorted(edges, values[known], side="left")
        values = np.where(known, values, values[known].min() - 1)
    numbers = values.astype(np.float64)
    return numbers, groups


def tells_reward(values: FloatArray, reward: FloatArray) -> bool:
    """Whether the feature alone tells the reward, or any outcome: a correlation, or an area under the curve, of at least KNOWS."""
    if np.ptp(reward) == 0 or not np.isfinite(values).all() or np.ptp(values) == 0:
        return False
    if abs(np.corrcoef(values, reward)[0, 1]) >= KNOWS:
        return True
    least = reward == reward.min()
    if min(least.sum(), (~least).sum()) < 10:
        return False
    ranks = pd.Series(values).rank().to_numpy()
    n1, n0 = int((~least).sum()), int(least.sum())
    area = (ranks[~least].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
    return bool(max(area, 1 - area) >= KNOWS)
