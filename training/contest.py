"""A contest: trees against the linear challenger on the same split. The validation part calibrates and chooses, the test reports.

Models of probabilities are judged by log-loss here, models of amounts by deviance in `training.amounts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.calibration import calibrate, cross_calibrate
from training.dataset import Dataset, Split
from training.evaluate import Metrics, metrics
from training.fitting import Recipe, fit_linear, fit_tree
from training.models import FloatArray, LinearModel, Model, TreeModel

Measure = Callable[[Model, Dataset], Mapping[str, object]]
Loss = Literal["log_loss", "deviance"]

SURE = 1.96
REFERENCES = {"mean": "shrunk mean", "rates": "channel's shrunk rate", "shares": "shrunk own share"}


@dataclass(frozen=True)
class Trial:
    """One fitted model with its numbers. `held_out` is the validation loss that decides; `parts` judges each group alone."""

    model: Model
    held_out: float
    validation: Mapping[str, object]
    test: Mapping[str, object]
    parts: Mapping[str, Mapping[str, object]]
    parameters: Mapping[str, float]


@dataclass(frozen=True)
class Contest:
    """All trials of one model, and the data they saw. `chosen` names the kind that a rule other than the lowest loss took."""

    name: str
    trials: tuple[Trial, ...]
    split: Split
    notes: tuple[str, ...] = ()
    loss: Loss = "log_loss"
    chosen: str | None = None

    @property
    def best(self) -> Trial:
        """The chosen kind, else the lower held-out loss; the linear model, which is simpler, wins a tie."""
        if self.chosen is not None:
            return next(trial for trial in self.trials if trial.model.kind == self.chosen)
        return min(self.trials, key=lambda trial: (trial.held_out, trial.model.kind == "tree"))


def compete(name: str, split: Split, recipe: Recipe, notes: tuple[str, ...] = ()) -> Contest:
    """Fit both kinds on the training part, calibrate each on the validation part, judge both on the test part."""
    fitted = (fit_tree(name, split.train, recipe), fit_linear(name, split.train))
    return Contest(name, tuple(judge(model, split, recipe.parameters()) for model in fitted), split, notes)


def judge(model: TreeModel | LinearModel, split: Split, parameters: Mapping[str, float]) -> Trial:
    """Calibrate on the validation part and measure on both later parts."""
    margins = model.margins(split.validation.rows)
    calibration, held_out = calibrate(margins, split.validation.labels, split.validation.half())
    judged: Model = replace(model, calibration=calibration)
    return report(judged, held_out, split, measure, parameters)


def judge_rows(model: Model, split: Split, recipe: Recipe, measured: Measure | None = None) -> tuple[Trial, FloatArray]:
    """As `judge`, with each validation row's held-out log-loss, which `stay_or_go` compares."""
    held_out = split.validation
    margins = model.margins(held_out.columns(model.features))
    calibration, chances = cross_calibrate(margins, held_out.labels, held_out.half())
    losses = -np.log(np.clip(np.where(held_out.labels > 0, chances, 1 - chances), 1e-12, 1.0))
    judged: Model = replace(model, calibration=calibration)  # type: ignore[type-var]  # every kind is a dataclass
    parameters = recipe.parameters() if model.kind == "tree" else {}
    return report(judged, float(losses.mean()), split, measured or measure, parameters), losses


def report(model: Model, held_out: float, split: Split, measured: Measure, parameters: Mapping[str, float]) -> Trial:
    """A judged model with its numbers on both later parts, and on each group of the test part."""
    groups = sorted(set(split.test.groups.tolist()) - {""})
    parts = {group: measured(model, split.test.where(split.test.groups == group)) for group in groups}
    return Trial(model, held_out, measured(model, split.validation), measured(model, split.test), parts, parameters)


def stay_or_go(judged: Sequence[tuple[Trial, FloatArray]], held_out: Dataset, loss: str) -> tuple[str, str]:
    """The kind that is used, and why in one sentence. `judged`: each trial with its held-out loss by row, the simple reference last.

    The reference stays unless the best model's loss is lower by more than SURE standard errors of the paired difference, customers
    being the independent units.
    """
    *models, (reference, known) = judged
    simple = REFERENCES[reference.model.kind]
    if not models:
        return reference.model.kind, f"Too few events for a model: the {simple} stays in use."
    best, losses = min(models, key=lambda one: one[0].held_out)
    gained = known - losses
    mean, error = float(gained.mean()), clustered_error(gained, held_out.customers)
    numbers = f"changes the held-out {loss} of the {simple} by {-mean:.3g} (standard error {error:.2g})"
    if mean > SURE * error:
        return best.model.kind, f"The best model {numbers}: it is used."
    return reference.model.kind, f"The best model {numbers}, which is not surely better: the {simple} stays in use."


def clustered_error(values: FloatArray, customers: NDArray[np.str_]) -> float:
    """Standard error of the mean of `values` when the rows of one customer are not independent (Liang & Zeger 1986)."""
    _, number = np.unique(customers, return_inverse=True)
    sums = np.bincount(number, weights=values - values.mean())
    return float(np.sqrt((sums**2).sum()) / len(values))


def measure(model: Model, data: Dataset) -> Metrics:
    """A model's numbers on a dataset."""
    return metrics(data.labels, model.predict(data.columns(model.features)))
