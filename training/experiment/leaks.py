"""Leaks: a feature that knows the reward, or the arm, was recorded after the decision. Nothing is trained on such a feature.

Before the draw of the arm, every group of rows has the same expected weight for every arm: mean of 1{A = a} / p over the group
equals 1. A feature by which it does not was changed by the arm, or the logged probabilities are not those of the draw.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arbitration.errors import TableError
from training.experiment.notices import Notices
from training.experiment.table import Trial

FloatArray = NDArray[np.float64]
ENOUGH_ROWS = 100
KNOWS = 0.995
"""Area under the curve, or correlation, from which one feature alone tells the reward."""
CERTAIN, SURE = 8.0, 5.0
"""Standard errors from balance: refused, and warned about."""
FAR = 0.1
"""Share by which a group must be off balance to be refused; less is warned about."""
BINS = 10


def check_leaks(trial: Trial, notices: Notices) -> None:
    """Raise TableError for a feature that tells the reward or the arm; warn about what is only doubtful."""
    if len(trial) < ENOUGH_ROWS:
        return
    weights = _weights(trial)
    for position, arm in enumerate(trial.arms):
        if (trial.arm == position).any():
            z = _z(weights[:, position] - 1, trial.cluster)
            if abs(z) > SURE:
                share = weights[:, position].mean()
                notices.add(
                    "probabilities_do_not_fit",
                    f"arm {arm!r} was shown {share:.3f} times as often as its probability says",
                )
    for name, column in trial.columns.items():
        numbers, groups = grouped(column, trial.reward)
        if tells_reward(numbers, trial.reward):
            raise TableError(
                f"feature {name!r} tells the reward: it leaks", where="train",
                mend="leave it out, or give its value as it was before the arm was shown",
            )  # fmt: skip
        _check_balance(name, groups, weights, trial, notices)


def _check_balance(name: str, groups: NDArray[np.int64], weights: FloatArray, trial: Trial, notices: Notices) -> None:
    for position, arm in enumerate(trial.arms):
        overall = weights[:, position].mean()
        if overall == 0:
            continue
        for group in np.unique(groups):
            inside = groups == group
            off = np.where(inside, weights[:, position] - overall, 0.0)
            z, share = _z(off, trial.cluster), weights[inside, position].mean() / overall
            if abs(z) > CERTAIN and abs(share - 1) > FAR:
                raise TableError(
                    f"feature {name!r} tells the arm: where it has one value, {arm!r} is {share:.2f} times as frequent as drawn", where="train",
                    mend="leave it out if it was recorded after the arm was shown; if the arms were not drawn at random, nothing can be learned",
                )  # fmt: skip
            if abs(z) > SURE:
                notices.add(
                    "feature_unbalanced",
                    f"feature {name!r} is not balanced over the arms ({abs(z):.1f} standard errors)",
                )


def _weights(trial: Trial) -> FloatArray:
    """1{A = a} / p, shape (n, arms)."""
    found = np.zeros((len(trial), len(trial.arms)))
    found[np.arange(len(trial)), trial.arm] = 1 / trial.probability
    return found


def _z(values: FloatArray, cluster: NDArray[np.int64]) -> float:
    """Sum of `values` in standard errors, clustered."""
    sums = np.bincount(cluster, values)
    spread = float(np.sqrt((sums**2).sum()))
    return float(sums.sum()) / spread if spread > 0 else 0.0


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
