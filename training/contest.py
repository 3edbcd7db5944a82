"""A contest: trees against the linear challenger on the same split. The validation part calibrates and chooses, the test reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from training.calibration import calibrate
from training.dataset import Dataset, Split
from training.evaluate import Metrics, metrics
from training.fitting import Recipe, fit_linear, fit_tree
from training.models import LinearModel, Model, TreeModel


@dataclass(frozen=True)
class Trial:
    """One fitted model with its numbers. `held_out` is the validation log-loss that decides; `parts` judges each group alone."""

    model: Model
    held_out: float
    validation: Metrics
    test: Metrics
    parts: Mapping[str, Metrics]
    parameters: Mapping[str, float]


@dataclass(frozen=True)
class Contest:
    """Both trials of one model, and the data they saw."""

    name: str
    trials: tuple[Trial, ...]
    split: Split
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Trial:
        """The lower held-out log-loss; the linear model, which is simpler, wins a tie."""
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
    parts = {
        group: measure(judged, split.test.where(split.test.groups == group))
        for group in sorted(set(split.test.groups) - {""})
    }
    return Trial(judged, held_out, measure(judged, split.validation), measure(judged, split.test), parts, parameters)


def measure(model: Model, data: Dataset) -> Metrics:
    """A model's numbers on a dataset."""
    return metrics(data.labels, model.predict(data.rows))
