"""Send time: fit the pooled curve, the individual models and the weight between them, on randomized contacts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.calibration import log_loss
from training.contest import Contest, compete
from training.dataset import Dataset, Split, dataset, split_by_share
from training.evaluate import Metrics, metrics
from training.fitting import Recipe
from training.labels import ENGAGE_DAYS
from training.models import Model
from training.slots import BLOCKS, FEATURES, INPUTS, SLOTS, Curve, SendTime
from training.uplift import SILENCE_ARM

FloatArray = NDArray[np.float64]
NAME = "send_time"
RECIPE = Recipe(leaves=4, learning_rate=0.05, trees=60, min_rows=300)
WEIGHTS = np.linspace(0.0, 1.0, 21)
PRIOR_CONTACTS = 200.0
"""Contacts at the overall rate that are mixed into each slot's own, so that a rare slot does not stand out by luck."""


@dataclass(frozen=True)
class Outcome:
    """The contest of the individual models and, in its order, each shrunk to the curve with the test numbers of that mixture."""

    contest: Contest
    models: tuple[SendTime, ...]
    tests: tuple[Metrics, ...]
    pooled_test: Metrics


def train(rows: pd.DataFrame) -> Outcome:
    """Everything about send time from labeled contacts with timing features."""
    raw = split_by_share(
        dataset(rows[rows["arm"] != SILENCE_ARM], (*INPUTS, "slot"), "engaged"), timedelta(days=ENGAGE_DAYS)
    )
    curve = pooled_curve(raw.train)
    described = Split(*(describe(curve, part) for part in (raw.train, raw.validation, raw.test)))
    contest = compete(NAME, described, RECIPE)
    individuals = [trial.model for trial in contest.trials]
    models = tuple(SendTime(curve, model, weight(curve, model, raw.validation)) for model in individuals)
    pooled = measure(SendTime(curve, individuals[0], 0.0), raw.test)
    return Outcome(contest, models, tuple(measure(model, raw.test) for model in models), pooled)


def pooled_curve(data: Dataset) -> Curve:
    """Engagement per slot, each mixed with PRIOR_CONTACTS at the overall rate; typical activity is the customers' mean."""
    slots = data.rows[:, -1].astype(np.int64)
    sent = np.bincount(slots, minlength=SLOTS)
    engaged = np.bincount(slots, weights=data.labels, minlength=SLOTS)
    rate = (engaged + PRIOR_CONTACTS * data.labels.mean()) / (sent + PRIOR_CONTACTS)
    typical = np.nanmean(data.rows[:, : len(INPUTS) - 1], axis=0)
    lists = [tuple(map(float, array)) for array in (rate, sent / sent.sum(), typical[:BLOCKS], typical[BLOCKS:])]
    return Curve(lists[0], lists[1], lists[2], lists[3])


def describe(curve: Curve, data: Dataset) -> Dataset:
    """The individual model's rows: each contact in its own slot."""
    at = data.rows[:, -1].astype(np.int64)
    rows = curve.describe(data.rows[:, :-1])[np.arange(len(data)), at]
    return Dataset(FEATURES, rows, data.labels, data.moments, data.customers, data.groups)


def weight(curve: Curve, model: Model, held_out: Dataset) -> float:
    """The w with the lowest held-out log-loss; the smallest one where several are equal."""
    pooled, own = (chances(SendTime(curve, model, w), held_out) for w in (0.0, 1.0))
    losses = [log_loss(held_out.labels, w * own + (1 - w) * pooled) for w in WEIGHTS]
    return float(WEIGHTS[int(np.argmin(losses))])


def chances(model: SendTime, data: Dataset) -> FloatArray:
    """P(engage) of each contact in the slot it was sent in, shape (n,)."""
    table = model.probabilities(data.rows[:, :-1])
    return np.asarray(table[np.arange(len(data)), data.rows[:, -1].astype(np.int64)])


def measure(model: SendTime, data: Dataset) -> Metrics:
    """Its numbers on a dataset."""
    return metrics(data.labels, chances(model, data))
