"""Choosing: the best constant arm first, then arms row by row, and those only where cross-validation shows that they earn more.

An arm is chosen by mean - 1/2 sd: silence unless an arm beats it by that measure, the best constant unless another arm beats it
for this row by that measure. Caution is against acting on nothing: an arm that surely has an effect is weighed against its cost, for everybody, by
its mean, since there silence errs as dearly as sending. The row-by-row policy is then tried on folds it did not learn from, against that constant; unless its paired gain is above 0 with 95 % confidence (one-sided), everybody gets the constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from training.experiment.contrasts import Contrasts
from training.experiment.shrinkage import Level, Mask, levels, mean_error
from training.experiment.table import Trial

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
CAUTION = 0.5
SURE = 1.645
"""Standard deviations above 0, one-sided 95 %, from which on an arm's effect before costs is no matter of chance."""
CONFIDENCE = 0.95
FEWEST_ROWS = 100
"""With fewer training rows nobody is told apart."""


@dataclass(frozen=True)
class Rule:
    """What was learned from some rows: levels against silence, the best constant, and levels against that constant."""

    cost: FloatArray
    against_silence: list[Level]
    constant: int
    against_constant: list[Level]

    def row_by_row(self, predicted: list[FloatArray]) -> IntArray:
        """The arm of every row; `predicted` are the forecasts' values of these rows, each (rows, arms)."""
        bounds = np.full((len(predicted[0]), len(self.cost)), -np.inf)
        bounds[:, self.constant] = 0.0
        for arm, level in enumerate(self.against_constant):
            if arm != self.constant and level.mean.rows:
                values = predicted[level.forecast]
                tau, sd = level.effect(values[:, arm] - values[:, self.constant])
                bounds[:, arm] = tau - CAUTION * sd - (self.cost[arm] - self.cost[self.constant])
        return np.asarray(bounds.argmax(axis=1), dtype=np.int64)

    def effects(self, predicted: list[FloatArray]) -> FloatArray:
        """Effects tau of every arm against silence, (rows, arms), in money before costs."""
        found = np.zeros((len(predicted[0]), len(self.cost)))
        for arm, level in enumerate(self.against_silence):
            values = predicted[level.forecast]
            found[:, arm] = level.effect(values[:, arm] - values[:, 0])[0]
        return found


@dataclass(frozen=True)
class Guard:
    """The trial of the row-by-row policy on held-out folds.

    `tried` and `constant` (n,) are what the row-by-row policy and the choice of a constant give a row by what other folds say;
    `effects` (n, arms) are what those folds predict against silence, before costs. `gain`, `error` and `lower` are money per row
    against the constant of all rows: mean, standard error, one-sided bound. `passed` lets the policy be used.
    """

    tried: IntArray
    constant: IntArray
    effects: FloatArray
    gain: float
    error: float
    lower: float
    passed: bool


@dataclass(frozen=True)
class Choice:
    """The rule of all rows, the guard's verdict, and with it the policy."""

    rule: Rule
    guard: Guard

    @property
    def personalized(self) -> bool:
        """Whether rows are told apart."""
        return self.guard.passed

    def arms(self, contrasts: Contrasts, rows: FloatArray) -> IntArray:
        """The arm of new rows."""
        if not self.personalized or not len(rows):
            return np.full(len(rows), self.rule.constant, dtype=np.int64)
        return self.rule.row_by_row([forecast.predict(rows) for forecast in contrasts.forecasts])


def learn_rule(trial: Trial, contrasts: Contrasts, within: Mask) -> Rule:
    """Learn from the rows `within` alone."""
    against_silence = levels(trial, contrasts, 0, within)
    bounds = [believed(level) - (cost - trial.cost[0]) for level, cost in zip(against_silence, trial.cost, strict=True)]
    bounds[0] = 0.0
    constant = int(np.argmax(bounds))
    return Rule(trial.cost, against_silence, constant, levels(trial, contrasts, constant, within))


def believed(level: Level) -> float:
    """The effect before costs by which an arm for everybody is judged; nothing is believed of one that nobody got."""
    mean, sd = level.mean.mean, level.mean.sd
    return -np.inf if not level.mean.rows else mean if mean > SURE * sd else mean - CAUTION * sd


def choose(trial: Trial, contrasts: Contrasts) -> Choice:
    """Learn from all rows, and try the same on folds."""
    rule = learn_rule(trial, contrasts, np.ones(len(trial), dtype=bool))
    return Choice(rule, guard(trial, contrasts, rule.constant))


def guard(trial: Trial, contrasts: Contrasts, everybody: int) -> Guard:
    """Each fold is given the arms that the others would give it, against the arm `everybody` would get. Forecasts of a row never saw its fold.

    `everybody` was chosen with all folds, which flatters it: the comparison errs to its side.
    """
    tried, constant = np.zeros(len(trial), dtype=np.int64), np.zeros(len(trial), dtype=np.int64)
    effects = np.zeros((len(trial), len(trial.arms)))
    for fold in np.unique(contrasts.fold):
        held_out = contrasts.fold == fold
        rule = learn_rule(trial, contrasts, ~held_out)
        constant[held_out] = rule.constant
        inside = [forecast.inside[held_out] for forecast in contrasts.forecasts]
        tried[held_out], effects[held_out] = rule.row_by_row(inside), rule.effects(inside)
    if not len(trial):
        return Guard(tried, constant, effects, 0.0, 0.0, 0.0, passed=False)
    paired = worth(trial, contrasts, tried) - worth(trial, contrasts, np.full(len(trial), everybody))
    gain, error = float(paired.mean()), mean_error(paired, trial.cluster)
    if not isfinite(error) or (tried == everybody).all():
        return Guard(tried, constant, effects, gain, 0.0, 0.0, passed=False)
    lower = gain - quantile(CONFIDENCE, trial.cluster) * error
    return Guard(tried, constant, effects, gain, error, lower, passed=lower > 0 and len(trial) >= FEWEST_ROWS)


def worth(trial: Trial, contrasts: Contrasts, arms: IntArray) -> FloatArray:
    """Doubly robust money of every training row under the given arms, costs paid."""
    return np.asarray(contrasts.gamma[np.arange(len(trial)), arms] - trial.cost[arms])


def quantile(level: float, cluster: IntArray) -> float:
    """Student's t for as many clusters."""
    from scipy.stats import t

    return float(t.ppf(level, max(len(np.unique(cluster)) - 1, 1)))
