"""Expected rewards q(x, a) for every logged row and arm, each from models that did not see the row's customer.

Cross-fitting (Chernozhukov et al. 2018): customers are dealt into folds, and a fold is predicted by what the others taught. Then
DR stays unbiased however bad the model is, because the logged probabilities are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.fitting import SEED
from training.off_policy.log import FloatArray, IntArray, Log, LogError

Learner = Literal["ridge", "trees"]
FOLDS = 5
RIDGE = 10.0
"""Penalty on standardized columns, in rows: an arm with ten rows is half its own and half the pooled model's."""
TREES = 60


@dataclass(frozen=True)
class Expected:
    """The learner with the lower held-out squared error, its predictions (n, k), and the error of each learner."""

    learner: Learner
    rewards: FloatArray
    errors: Mapping[Learner, float]


def expected_rewards(log: Log, folds: int = FOLDS) -> Expected:
    """Both learners cross-fitted, and the one that predicts the held-out rewards better; ridge, which is simpler, wins a tie.

    The choice sees all rows, but it is one bit; the rows' own rewards enter no prediction. Raises LogError `one_cluster`.
    """
    trials: dict[Learner, FloatArray] = {learner: cross_fit(log, learner, folds) for learner in LEARNERS}
    rows = np.arange(len(log))
    errors = {learner: float(np.mean((log.reward - q[rows, log.arm]) ** 2)) for learner, q in trials.items()}
    best = min(errors, key=lambda learner: errors[learner])
    return Expected(best, trials[best], errors)


def cross_fit(log: Log, learner: Learner = "ridge", folds: int = FOLDS, seed: int = SEED) -> FloatArray:
    """q(x, a), shape (n, k), in the reward's unit; no customer is in a fold that taught his own prediction.

    Raises LogError `one_cluster` where there are not two customers to deal, `bad_setting` for fewer than two folds.
    """
    if folds < 2:
        raise LogError("bad_setting", f"{folds} folds", mend="use at least 2")
    fold = folds_of(log.clusters, folds, seed)
    found = np.empty((len(log), len(log.arms)))
    for number in range(int(fold.max()) + 1):
        held = fold == number
        found[held] = LEARNERS[learner](log, ~held, held)
    return found


def folds_of(clusters: IntArray, folds: int, seed: int = SEED) -> IntArray:
    """A fold for every row, 0 to folds - 1, equal numbers of customers in each; as many folds as customers if there are fewer."""
    count = int(clusters.max()) + 1
    if count < 2:
        raise LogError("one_cluster", "all rows belong to one customer", mend="cross-fitting needs at least two")
    dealt = np.random.default_rng(seed).permutation(count) % min(folds, count)
    return np.asarray(dealt[clusters], dtype=np.int64)


def _ridge(log: Log, learned: NDArray[np.bool_], held: NDArray[np.bool_]) -> FloatArray:
    """One ridge over all arms, then for each arm a ridge on what is left, both shrunk toward what stands above them."""
    mean, scale, median = _standard(log.known[learned])
    x, new = (_design(log.known[rows], mean, scale, median) for rows in (learned, held))
    arm, reward = log.arm[learned], log.reward[learned]
    center = float(reward.mean())
    pooled = _solve(x, reward - center)
    left = reward - center - x @ pooled
    found = np.empty((len(new), len(log.arms)))
    for number in range(len(log.arms)):
        rows = arm == number
        own = _solve(x[rows], left[rows]) if rows.any() else np.zeros(x.shape[1])
        found[:, number] = center + new @ (pooled + own)
    return found


def _trees(log: Log, learned: NDArray[np.bool_], held: NDArray[np.bool_]) -> FloatArray:
    """Gradient boosted trees on the features and the arm, which is a category; squared error, so that the mean is learned."""
    import lightgbm

    settings = {
        "objective": "regression", "num_leaves": 15, "learning_rate": 0.08, "min_child_samples": max(20, len(log) // 200),
        "seed": SEED, "deterministic": True, "force_row_wise": True, "verbose": -1, "num_threads": 1,
        "cat_smooth": RIDGE, "min_data_per_group": 20,
    }  # fmt: skip
    columns = np.column_stack([log.arm[learned], log.known[learned]])
    frame = lightgbm.Dataset(columns, log.reward[learned], categorical_feature=[0], free_raw_data=True)
    booster = lightgbm.train(settings, frame, TREES)
    found = np.empty((int(held.sum()), len(log.arms)))
    for number in range(len(log.arms)):
        rows = np.column_stack([np.full(len(found), number), log.known[held]])
        found[:, number] = booster.predict(rows, num_threads=1)
    return found


def _standard(known: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean, scale and median of each column among the known values; a column without any has median 0."""
    median = np.array(
        [np.median(values[~np.isnan(values)]) if (~np.isnan(values)).any() else 0.0 for values in known.T]
    )
    filled = np.where(np.isnan(known), median, known)
    scale = filled.std(axis=0)
    return filled.mean(axis=0), np.where(scale > 1e-9, scale, 1.0), median


def _design(known: FloatArray, mean: FloatArray, scale: FloatArray, median: FloatArray) -> FloatArray:
    """A column of ones and the standardized features, unknown values at the median."""
    return np.column_stack([np.ones(len(known)), (np.where(np.isnan(known), median, known) - mean) / scale])


def _solve(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y))


LEARNERS: Mapping[Learner, Callable[[Log, NDArray[np.bool_], NDArray[np.bool_]], FloatArray]] = {
    "ridge": _ridge,
    "trees": _trees,
}
