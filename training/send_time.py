"""Send time: fit the pooled curve, the individual models and the weight between them, on randomized contacts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.contest import Contest, clustered_error, compete
from training.dataset import Dataset, Split, dataset, split_by_share
from training.effects import Sample, spread
from training.evaluate import Metrics, metrics
from training.fitting import Recipe
from training.labels import ENGAGE_DAYS
from training.models import Model
from training.shortage import LONGER, TooLittle
from training.slots import BLOCKS, FEATURES, INPUTS, SLOTS, Curve, SendTime
from training.uplift import sent_alone

FloatArray = NDArray[np.float64]
NAME = "send_time"
RECIPE = Recipe(leaves=4, learning_rate=0.05, trees=60, min_rows=300)
FOLDS = 5
LOWEST = 1e-4
Z = 1.96
PRICE = 2.0
"""What a parameter costs in squared standard errors (Mallows's Cp)."""
LEAST = 1e-9
"""Log-loss below which a difference is rounding: a flat curve divided by its own mean is not exactly 1."""
FEWEST_CUSTOMERS = 30
"""Customers from whom on an error clustered by customer is one."""


@dataclass(frozen=True)
class Gain:
    """By how much held-out log-loss per contact falls for who knows the time of sending: mean and standard error over `customers`."""

    mean: float
    error: float
    customers: int

    @property
    def shown(self) -> bool:
        """Whether the 95 % interval lies above 0 (and above rounding), and the customers are enough for one."""
        return self.customers >= FEWEST_CUSTOMERS and self.mean > max(Z * self.error, LEAST)

    @property
    def note(self) -> str:
        """The verdict, for the model's card."""
        said = "gain shown" if self.shown else "no gain shown"
        interval = f"95 % [{self.mean - Z * self.error:.3g}, {self.mean + Z * self.error:.3g}]"
        return f"Choosing the time: {said}. Log-loss on the test lower by {self.mean:.3g}, {interval}, than of one rate for all times."


@dataclass(frozen=True)
class Outcome:
    """The contest of the individual models and, in its order, each shrunk to the curve with the test numbers of that mixture and what

    it gains on the test over one rate for all times.
    """

    contest: Contest
    models: tuple[SendTime, ...]
    tests: tuple[Metrics, ...]
    gains: tuple[Gain, ...]
    pooled_test: Metrics


def train(rows: pd.DataFrame) -> Outcome:
    """Everything about send time from labeled contacts with timing features."""
    raw = split_by_share(dataset(sent_alone(rows), (*INPUTS, "slot"), "engaged"), timedelta(days=ENGAGE_DAYS))
    _refuse_unknown(raw.train)
    curve = pooled_curve(raw.train)
    later = [describe(curve, part) for part in (raw.validation, raw.test)]
    contest = compete(NAME, Split(cross_described(curve, raw.train), later[0], later[1]), RECIPE)
    individuals = [trial.model for trial in contest.trials]
    models = tuple(SendTime(curve, model, weight(curve, model, raw.validation)) for model in individuals)
    pooled = measure(SendTime(curve, individuals[0], 0.0), raw.test)
    tests, gains = tuple(measure(model, raw.test) for model in models), tuple(gain(model, raw.test) for model in models)
    return Outcome(contest, models, tests, gains, pooled)


def _refuse_unknown(data: Dataset) -> None:
    """Raises TooLittle where nobody's activity is known, or all rows are in one fold: then there is no curve to compare with."""
    unknown = bool(np.isnan(data.rows[:, :-1]).all(axis=0).any())
    if unknown or len(np.unique(data.folds(FOLDS))) < 2:
        raise TooLittle("too few customers with known activity to learn from", mend=LONGER)


def pooled_curve(data: Dataset) -> Curve:
    """Engagement per slot (`slot_rates`), share of contacts per slot; typical activity is the customers' mean."""
    sent = np.bincount(_slots(data), minlength=SLOTS)
    typical = np.nanmean(data.rows[:, : len(INPUTS) - 1], axis=0)
    rate = slot_rates(data, float(data.labels.mean()))
    lists = [tuple(map(float, array)) for array in (rate, sent / sent.sum(), typical[:BLOCKS], typical[BLOCKS:])]
    return Curve(lists[0], lists[1], lists[2], lists[3])


def slot_rates(data: Dataset, overall: float) -> FloatArray:
    """`overall` plus what the block of the day and then the weekday add, each shrunk to 0 as far as it is noise; shape (42,)."""
    slots = _slots(data)
    block, weekday = slots % BLOCKS, slots // BLOCKS
    by_block = shrunk(block, data.labels - data.labels.mean(), BLOCKS)
    by_weekday = shrunk(weekday, data.labels - data.labels.mean() - by_block[block], SLOTS // BLOCKS)
    rate = overall + np.tile(by_block, SLOTS // BLOCKS) + np.repeat(by_weekday, BLOCKS)
    return np.asarray(np.clip(rate, LOWEST, 1 - LOWEST))


def shrunk(levels: NDArray[np.int64], residuals: FloatArray, count: int) -> FloatArray:
    """Mean residual of each level times B = between / (between + noise): empirical Bayes, shape (count,).

    The variance between levels is estimated by the method of moments (DerSimonian & Laird 1986; Efron & Morris 1975): what the
    means vary beyond their noise, and 0 where they vary no more than that. A level without rows adds nothing.
    """
    rows = np.bincount(levels, minlength=count)
    mean = np.bincount(levels, weights=residuals, minlength=count) / np.maximum(rows, 1)
    noise = residuals.var() / np.maximum(rows, 1)
    seen = [Sample(float(mean[n]), float(noise[n]), int(rows[n])) for n in np.flatnonzero(rows)]
    between = spread(seen, 0.0)
    return np.asarray(mean * between / (between + noise)) if between > 0 else np.zeros(count)


def describe(curve: Curve, data: Dataset) -> Dataset:
    """The individual model's rows: each contact in its own slot."""
    rows = curve.describe(data.rows[:, :-1])[np.arange(len(data)), _slots(data)]
    return Dataset(FEATURES, rows, data.labels, data.moments, data.customers, data.groups)


def cross_described(curve: Curve, data: Dataset) -> Dataset:
    """The same for the rows that made the curve: each reads the curve of the other customers' folds, never its own answer.

    All folds share the overall rate, so that a fold cannot be told from its level.
    """
    rows = np.empty((len(data), len(FEATURES)))
    for fold in range(FOLDS):
        own = data.folds(FOLDS) == fold
        rate = slot_rates(data.where(~own), float(data.labels.mean()))
        rows[own] = describe(replace(curve, rate=tuple(map(float, rate))), data.where(own)).rows
    return Dataset(FEATURES, rows, data.labels, data.moments, data.customers, data.groups)


def weight(curve: Curve, model: Model, held_out: Dataset) -> float:
    """How far the held-out contacts follow the individual model away from the curve, in [0, 1]; what is judged is `timed`.

    The weighted least-squares slope b of what the curve leaves on what the model adds, times (1 - 2 / t^2), 0 where t^2 < 2: Breiman's
    non-negative garrote (1995) at the price Mallows's Cp sets for a parameter. The error of b is clustered by customer.
    """
    pooled, own = (
        timed(curve, SendTime(curve, model, end).probabilities(held_out.rows[:, :-1]), held_out) for end in (0.0, 1.0)
    )
    scale = np.sqrt(pooled * (1 - pooled))
    added, left = (own - pooled) / scale, (held_out.labels - pooled) / scale
    varied = float(added @ added)
    slope = float(added @ left) / varied if varied > 0 else 0.0
    if slope <= 0:
        return 0.0
    error = clustered_error(added * (left - slope * added), held_out.customers) * len(held_out) / varied
    return float(np.clip(slope - PRICE * error**2 / slope, 0.0, 1.0))


def timed(curve: Curve, every: FloatArray, held_out: Dataset) -> FloatArray:
    """P(engage) of each contact in its slot for who knows the time alone, from `every` customer's rates per slot (n, 42); shape (n,).

    A customer's rates are taken relative to their own mean over the slots, or who engages more would show as when; the level is the
    held-out one, which changes with the season.
    """
    relative = every[np.arange(len(held_out)), _slots(held_out)] / (every @ np.array(curve.weight))
    return np.asarray(np.clip(held_out.labels.mean() * relative, LOWEST, 1 - LOWEST))


def chances(model: SendTime, data: Dataset) -> FloatArray:
    """P(engage) of each contact in the slot it was sent in, shape (n,)."""
    return np.asarray(model.probabilities(data.rows[:, :-1])[np.arange(len(data)), _slots(data)])


def measure(model: SendTime, data: Dataset) -> Metrics:
    """Its numbers on a dataset."""
    return metrics(data.labels, chances(model, data))


def gain(model: SendTime, held_out: Dataset) -> Gain:
    """What `model` gains over one rate for all times: `timed` says what of it is the time."""
    told = timed(model.curve, model.probabilities(held_out.rows[:, :-1]), held_out)
    flat = np.full(len(held_out), np.clip(held_out.labels.mean(), LOWEST, 1 - LOWEST))
    lower = _losses(held_out.labels, flat) - _losses(held_out.labels, told)
    customers = held_out.customers
    return Gain(float(lower.mean()), clustered_error(lower, customers), len(np.unique(customers)))


def curve_spread(curve: Curve) -> float:
    """Standard deviation of the rate over the slots as contacts are sent."""
    rate, share = np.array(curve.rate), np.array(curve.weight)
    return float(np.sqrt(share @ (rate - share @ rate) ** 2))


def _losses(labels: FloatArray, p: FloatArray) -> FloatArray:
    return np.asarray(-(labels * np.log(p) + (1 - labels) * np.log1p(-p)))


def _slots(data: Dataset) -> NDArray[np.int64]:
    return data.rows[:, -1].astype(np.int64)
