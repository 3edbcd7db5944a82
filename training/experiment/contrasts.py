"""Cross-fitted doubly robust values of every arm for every row, and predictions of how arms differ from row to row.

With m_a fitted on other folds only, and the weight w = 1 / p capped,

    gamma_a(i) = m_a(x_i) + 1{A_i = a} w_i (Y_i - m_a(x_i))         (Robins 1994; Chernozhukov 2018)

is an unbiased value of arm a for row i whatever m_a is, because p is known; a contrast of two arms is the difference of their
gammas. Weights of an arm are divided by their mean (Hajek 1971), which also mends probabilities that are off by a factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.experiment.category_means import Fit, with_means
from training.experiment.learners import KINDS, Regression, constant
from training.experiment.notices import Notices
from training.experiment.table import Trial

FloatArray = NDArray[np.float64]
FOLDS = 5
FEWEST_ROWS = 50
"""An arm with fewer rows in the other folds is expected to give their mean."""
LEAST_CAP = 20.0


@dataclass(frozen=True)
class Forecast:
    """Predicted values of arms: `inside` (n, arms) of the training rows, by models of other folds; `models` predict new rows."""

    name: str
    inside: FloatArray
    models: tuple[tuple[Regression, ...], ...]

    def predict(self, rows: FloatArray) -> FloatArray:
        """Mean over the folds' models, shape (rows, arms)."""
        total = np.zeros((len(rows), self.inside.shape[1]))
        for fold in self.models:
            total += np.column_stack([model(rows) for model in fold])
        return total / max(len(self.models), 1)


@dataclass(frozen=True)
class Contrasts:
    """`gamma` (n, arms) in money before costs; `fold` (n,); `forecasts` differ in how they were learned; `losses` by arm and kind."""

    gamma: FloatArray
    fold: NDArray[np.int64]
    forecasts: tuple[Forecast, ...]
    losses: dict[str, dict[str, float]]


def contrast(trial: Trial, rows: FloatArray, seed: int, notices: Notices, coded: int = 0) -> Contrasts:
    """Everything that is learned from the training rows before anything is shrunk or chosen; the last `coded` columns are codes of levels."""
    kinds = {name: with_means(fit, coded) for name, fit in KINDS.items()}
    fold = (trial.cluster % FOLDS).astype(np.int64)  # clusters are numbered in a shuffled order
    nuisances = [_nuisance(trial, rows, fold, kind=kind, fit=fit, seed=seed) for kind, fit in kinds.items()]
    losses: dict[str, dict[str, float]] = {name: {} for name in trial.arms}
    best = np.zeros(len(trial.arms), dtype=np.int64)
    for position, arm in enumerate(trial.arms):
        shown = trial.arm == position
        if shown.any():
            found = [float(((trial.reward - each.inside[:, position])[shown] ** 2).mean()) for each in nuisances]
            best[position] = int(np.argmin(found))
            losses[arm] = dict(zip(KINDS, found, strict=True))
    expected = Forecast(
        "difference of expected rewards",
        np.column_stack([nuisances[kind].inside[:, position] for position, kind in enumerate(best)]),
        tuple(
            tuple(nuisances[kind].models[k][position] for position, kind in enumerate(best))
            for k in range(len(nuisances[0].models))
        ),
    )
    gamma = doubly_robust(trial, expected.inside, notices)
    forecasts = [expected]
    if rows.shape[1] and _smallest_arm(trial) >= FEWEST_ROWS:
        forecasts += [_direct(trial, rows, gamma, fold, kind=kind, fit=fit, seed=seed) for kind, fit in kinds.items()]
    return Contrasts(gamma, fold, tuple(forecasts), losses)


def doubly_robust(trial: Trial, expected: FloatArray, notices: Notices) -> FloatArray:
    """The gammas of every row and arm; weights are capped at the square root of the number of rows, at least LEAST_CAP."""
    gamma = expected.copy()
    if not len(trial):
        return gamma
    weight = 1 / trial.probability
    cap = max(LEAST_CAP, float(np.sqrt(len(trial))))
    if (capped := int((weight > cap).sum())) > 0:
        notices.add(
            "weights_capped", f"{capped} rows have a probability below 1/{cap:.0f}; their weights were capped there"
        )
    weight = np.minimum(weight, cap)
    for position in range(len(trial.arms)):
        shown = trial.arm == position
        if shown.any():
            scale = len(trial) / weight[shown].sum()
            gamma[shown, position] += scale * weight[shown] * (trial.reward[shown] - expected[shown, position])
    return gamma


def _nuisance(trial: Trial, rows: FloatArray, fold: NDArray[np.int64], *, kind: str, fit: Fit, seed: int) -> Forecast:
    """E[reward | x, arm] by arm, each fold by the rows of the others."""
    count = int(fold.max()) + 1 if len(fold) else 0
    inside = np.zeros((len(trial), len(trial.arms)))
    models = []
    for k in range(count):
        others = fold != k
        overall = float(trial.reward[others].mean()) if others.any() else 0.0
        row_of_models: list[Regression] = []
        for position in range(len(trial.arms)):
            learned = others & (trial.arm == position)
            row_of_models.append(_fit(rows[learned], trial.reward[learned], fit, seed, overall))
            inside[~others, position] = row_of_models[-1](rows[~others])
        models.append(tuple(row_of_models))
    return Forecast(kind, inside, tuple(models))


def _direct(
    trial: Trial, rows: FloatArray, gamma: FloatArray, fold: NDArray[np.int64], *, kind: str, fit: Fit, seed: int
) -> Forecast:
    """gamma_a - gamma_silence on x (the DR-learner, Kennedy 2023); silence itself is 0."""
    inside = np.zeros_like(gamma)
    models = []
    for k in range(int(fold.max()) + 1):
        others = fold != k
        row_of_models: list[Regression] = [constant(0.0)]
        for position in range(1, len(trial.arms)):
            target = gamma[others, position] - gamma[others, 0]
            known = (trial.arm == position).any()
            row_of_models.append(fit(rows[others], target, seed) if known else constant(0.0))
            inside[~others, position] = row_of_models[-1](rows[~others])
        models.append(tuple(row_of_models))
    return Forecast(f"contrasts by {kind}", inside, tuple(models))


def _fit(rows: FloatArray, target: FloatArray, fit: Fit, seed: int, overall: float) -> Regression:
    if len(target) < FEWEST_ROWS or rows.shape[1] == 0 or np.ptp(target) == 0:
        weight = len(target) / (len(target) + 10.0)  # a mean of few rows is drawn to that of all
        return constant(weight * float(target.mean()) + (1 - weight) * overall if len(target) else overall)
    return fit(rows, target, seed)


def _smallest_arm(trial: Trial) -> int:
    """Rows of the smallest arm that was shown at all, 0 without silence."""
    counts = np.bincount(trial.arm, minlength=len(trial.arms))
    return int(counts[counts > 0].min()) if len(trial) and counts[0] else 0
