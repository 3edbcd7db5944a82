"""The report: what was chosen and why, how much it is worth, how far the effects can be believed, and what was doubtful."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.experiment.choosing import CONFIDENCE, Choice, quantile, worth
from training.experiment.contrasts import FOLDS, Contrasts
from training.experiment.notices import Notices
from training.experiment.shrinkage import FEWEST_ROWS, mean_error
from training.experiment.spec import Spec
from training.experiment.table import Trial

FloatArray = NDArray[np.float64]
Json = dict[str, Any]
TENTHS = 10
FEWEST_IN_TENTH = 20
TIERS = {
    0: "priors: too few rows of silence or of the arms to measure anything",
    1: "arm means: every row gets the arm that is best on average",
    2: "individual: rows are told apart, and on held-out folds that earned more than the best constant",
}


def report(
    trial: Trial,
    contrasts: Contrasts,
    choice: Choice,
    given: NDArray[np.int64],
    *,
    spec: Spec,
    seed: int,
    notices: Notices,
) -> Json:
    """Everything as JSON: money per row, `low` and `high` of 95 % intervals; null where it cannot be measured."""
    tier = tier_of(trial, choice)
    policy = "personalized" if choice.personalized else "silence" if choice.rule.constant == 0 else "constant"
    shares = np.bincount(given, minlength=len(trial.arms)) / max(len(given), 1)
    return {
        "rows": {"train": trial.total, "train_used": len(trial), "clusters": len(np.unique(trial.cluster)), "chosen_for": len(given)},
        "evidence": {"tier": tier, "meaning": TIERS[tier]},
        "policy": {
            "kind": policy,
            "constant": trial.arms[choice.rule.constant],
            "shares": dict(zip(trial.arms, map(float, shares), strict=True)),
        },
        "verdict": _verdict(trial, contrasts, choice),
        "value_per_row": _values(trial, contrasts, choice),
        "gain_per_row": _gains(trial, contrasts, choice),
        "guard": _guard(choice),
        "arms": [_arm(trial, contrasts, choice, position) for position in range(len(trial.arms))],
        "calibration": _calibrations(trial, contrasts, choice),
        "warnings": [{"name": notice.name, "text": notice.text} for notice in notices.found],
        "method": "cross-fitted doubly robust with the logged probabilities, intervals clustered",
        "seed": seed,
        "spec": spec.model_dump(mode="json"),
    }  # fmt: skip


def tier_of(trial: Trial, choice: Choice) -> int:
    """0 priors, 1 arm means, 2 individual."""
    counts = np.bincount(trial.arm, minlength=len(trial.arms))
    measured = len(trial.arms) > 1 and min(counts[0], counts[1:].max()) >= FEWEST_ROWS
    return 0 if not measured else 2 if choice.personalized else 1


def interval(values: FloatArray, trial: Trial) -> Json:
    """Mean with a clustered 95 % interval by Student's t."""
    if not len(values):
        return {"mean": None, "low": None, "high": None}
    mean, error = float(values.mean()), mean_error(values, trial.cluster)
    if not isfinite(error):
        return {"mean": mean, "low": None, "high": None}
    half = quantile((1 + CONFIDENCE) / 2, trial.cluster) * error
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _constant(trial: Trial, contrasts: Contrasts, arm: int) -> Json:
    if not (trial.arm == arm).any():
        return {"mean": None, "low": None, "high": None}
    return interval(worth(trial, contrasts, np.full(len(trial), arm)), trial)


def _values(trial: Trial, contrasts: Contrasts, choice: Choice) -> Json:
    """The arm for everybody is measured fold by fold as the one that the other folds call best: it is not judged by the luck that chose it."""
    best = choice.rule.constant
    told = interval(worth(trial, contrasts, choice.guard.constant), trial) if best else _constant(trial, contrasts, 0)
    constant = {"arm": trial.arms[best], **told}
    chosen = interval(worth(trial, contrasts, choice.guard.tried), trial) if choice.personalized else constant
    return {
        "silence": _constant(trial, contrasts, 0),
        "best_constant": constant,
        "chosen": {part: chosen[part] for part in ("mean", "low", "high")},
    }


def _gains(trial: Trial, contrasts: Contrasts, choice: Choice) -> Json:
    """Paired differences; against silence, a constant is on every fold the one that the other folds call best: luck is not counted."""
    guard = choice.guard
    held_out = guard.tried if choice.personalized else guard.constant
    none = {"mean": 0.0, "low": 0.0, "high": 0.0}
    paired = worth(trial, contrasts, held_out) - worth(trial, contrasts, np.zeros_like(held_out))
    beyond = worth(trial, contrasts, guard.tried) - worth(trial, contrasts, np.full(len(trial), choice.rule.constant))
    unknown = {"mean": None, "low": None, "high": None}
    silent = (trial.arm == 0).any()
    return {
        "chosen_over_silence": none
        if not held_out.any() and silent
        else interval(paired, trial)
        if silent
        else unknown,
        "chosen_over_best_constant": interval(beyond, trial) if choice.personalized else none,
    }


def _verdict(trial: Trial, contrasts: Contrasts, choice: Choice) -> Json:
    low = _gains(trial, contrasts, choice)["chosen_over_silence"]["low"]
    said = {True: "gain shown", False: "no gain shown"}
    return {
        "over_silence": said[low is not None and low > 0],
        "over_best_constant": said[choice.personalized],
    }


def _guard(choice: Choice) -> Json:
    guard = choice.guard
    return {
        "personalized_gain": guard.gain,
        "standard_error": guard.error,
        "lower_bound": guard.lower,
        "confidence": CONFIDENCE,
        "share_of_rows_told_apart": float((guard.tried != choice.rule.constant).mean()) if len(guard.tried) else 0.0,
        "passed": guard.passed,
    }


def _arm(trial: Trial, contrasts: Contrasts, choice: Choice, position: int) -> Json:
    level = choice.rule.against_silence[position]
    effect = {
        "mean": level.mean.mean,
        "sd": level.mean.sd,
        "measured": level.mean.raw,
        "slope": level.slope.used,
        "slope_measured": level.slope.raw,
        "slope_sd": level.slope.sd,
        "forecast": contrasts.forecasts[level.forecast].name,
    }
    return {
        "arm": trial.arms[position],
        "rows": int((trial.arm == position).sum()),
        "cost": float(trial.cost[position]),
        "value": _constant(trial, contrasts, position),
        "effect_before_cost": None if position == 0 else effect,
        "held_out_loss": contrasts.losses[trial.arms[position]],
    }


def _calibrations(trial: Trial, contrasts: Contrasts, choice: Choice) -> list[Json]:
    found = []
    for position in range(1, len(trial.arms)):
        if (trial.arm == position).any() and (trial.arm == 0).any():
            measured = contrasts.gamma[:, position] - contrasts.gamma[:, 0]
            found.append(
                {"arm": trial.arms[position], **calibration(choice.guard.effects[:, position], measured, trial)}
            )
    return found


def calibration(predicted: FloatArray, measured: FloatArray, trial: Trial) -> Json:
    """How predicted effects come true on folds that did not make them: the slope (1 is perfect) and a row per tenth.

    The slope is null where the prediction is the same for every row of a fold: an arm mean has no slope.
    """
    fold = fold_means(predicted, trial)
    x, y = predicted - fold, measured - measured.mean()
    scale = float((x**2).sum())
    slope: Json = {"slope": None, "slope_sd": None}
    if scale > 1e-12 * max(float((predicted**2).sum()), 1e-12):
        raw = float((x * y).sum()) / scale
        sums = np.bincount(trial.cluster, x * (y - raw * x))
        slope = {"slope": raw, "slope_sd": float(np.sqrt((sums**2).sum())) / scale}
    order = np.argsort(predicted, kind="stable")
    count = min(TENTHS, len(order) // FEWEST_IN_TENTH) if slope["slope"] is not None else 1
    parts = np.array_split(order, max(1, count))
    rows = [
        {"rows": len(part), "predicted": float(predicted[part].mean()), "measured": _part(measured, part, trial)}
        for part in parts
    ]
    return {**slope, "tenths": rows}


def fold_means(predicted: FloatArray, trial: Trial) -> FloatArray:
    """Mean prediction of each row's fold: folds have rules of their own, and their levels are no differences between rows."""
    fold = trial.cluster % FOLDS
    counts = np.maximum(np.bincount(fold, minlength=FOLDS), 1)
    return np.asarray((np.bincount(fold, predicted, FOLDS) / counts)[fold])


def _part(measured: FloatArray, part: NDArray[np.intp], trial: Trial) -> Json:
    mean, error = float(measured[part].mean()), mean_error(measured[part], trial.cluster[part])
    if not isfinite(error):
        return {"mean": mean, "low": None, "high": None}
    half = quantile((1 + CONFIDENCE) / 2, trial.cluster[part]) * error
    return {"mean": mean, "low": mean - half, "high": mean + half}
