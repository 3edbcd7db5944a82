"""Hazard of an opt-out per contact: P(unsubscribed or complained within 14 days), individually, where that can be known.

Opt-outs are rare, so every model starts from its channel's shrunk rate and adds little: the logistic one moves the log-odds of
that rate by ridge weights, those of recent pressure held at 0 or above (more contacts never make an opt-out less likely). A model
is used only if its held-out log-loss is surely lower than that of the channels' rates alone; else the rates of `effects` stay.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from training.calibration import sigmoid
from training.contest import Contest, judge_rows, stay_or_go
from training.dataset import Dataset, Split, dataset, split_by_share
from training.fitting import Recipe, fit_tree
from training.labels import EFFECT_DAYS
from training.models import Coefficients, FloatArray, LinearModel, TreeModel, signed_log
from training.uplift import sent_alone

NAME = "opt_out"
PRESSURE = ("fatigue", "contacts_7d", "contacts_28d", "contacts_all_7d")
OTHERS = ("click_rate_91d", "open_rate_91d", "days_since_contact", "recency_days", "tenure_days")
RECIPE = Recipe(leaves=4, learning_rate=0.03, trees=50, min_rows=500, monotone=dict.fromkeys(PRESSURE, 1))
LEAST_EVENTS = 20
"""Opt-outs among the training rows below which no model is fitted."""
PRIOR_ROWS = 300.0
"""Contacts by which a channel's rate is shrunk toward that of all."""
PRIOR_SD = 0.3
"""How far one standard deviation of a feature may be expected to move the log-odds."""
LOWEST = 1e-5
NOTE = "Counted are all opt-outs after a contact; the few that would have come without it are among them."


def train(rows: pd.DataFrame) -> Contest:
    """Trees and logistic regression on the channels' rates, and those rates alone, the simple reference."""
    split = split_rows(rows)
    rates = fit_rates(split.train)
    models: list[TreeModel | LinearModel] = [rates]
    if split.train.labels.sum() >= LEAST_EVENTS:
        models = [fit_tree(NAME, split.train, RECIPE), fit_logistic(split.train, rates), rates]
    judged = [judge_rows(model, split, RECIPE) for model in models]
    chosen, reason = stay_or_go(judged, split.validation, "log-loss")
    return Contest(NAME, tuple(trial for trial, _ in judged), split, (NOTE, reason), chosen=chosen)


def split_rows(rows: pd.DataFrame) -> Split:
    """The contacts; the channel enters as one column each, `channel=...`, 0 or 1."""
    sent = sent_alone(rows)
    flags = pd.get_dummies(sent["channel"], prefix="channel", prefix_sep="=", dtype=float)
    names = (*flags.columns, *PRESSURE, *OTHERS)
    data = dataset(pd.concat([sent, flags], axis=1), names, "opted_out", group="channel")
    return split_by_share(data, timedelta(days=EFFECT_DAYS), rare=True)


def fit_rates(data: Dataset) -> LinearModel:
    """Each channel's rate shrunk toward that of all by PRIOR_ROWS contacts; it reads the channel's columns alone."""
    flags = tuple(name for name in data.features if name.startswith("channel="))
    columns = data.columns(flags)
    overall = max(float(data.labels.mean()), LOWEST)
    rate = (columns.T @ data.labels + PRIOR_ROWS * overall) / (columns.sum(axis=0) + PRIOR_ROWS)
    base = _log_odds(overall)
    weights = (_log_odds(np.clip(rate, LOWEST, 1 - LOWEST)) - base) / np.log(2)  # the signed logarithm of 1 is log 2
    zeros, ones = (0.0,) * len(flags), (1.0,) * len(flags)
    coefficients = Coefficients(zeros, zeros, ones, tuple(map(float, weights)), float(base))
    return LinearModel(NAME, flags, coefficients, kind="rates")


def fit_logistic(data: Dataset, rates: LinearModel) -> LinearModel:
    """Log-odds of the channel's rate + intercept + weights * z, weights ~ N(0, PRIOR_SD^2), those of PRESSURE at least 0."""
    from scipy.optimize import minimize

    rest = tuple(name for name in data.features if name not in rates.features)
    transformed = signed_log(data.columns(rest))
    known = ~np.isnan(transformed).all(axis=0)
    median = np.zeros(len(rest))
    median[known] = np.nanmedian(transformed[:, known], axis=0)
    filled = np.where(np.isnan(transformed), median, transformed)
    mean, scale = filled.mean(axis=0), filled.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    z, offset = (filled - mean) / scale, rates.margins(data.columns(rates.features))

    def loss(w: FloatArray) -> tuple[float, FloatArray]:
        margins = offset + w[0] + z @ w[1:]
        error = sigmoid(margins) - data.labels
        value = np.logaddexp(0, margins).sum() - data.labels @ margins + (w[1:] ** 2).sum() / (2 * PRIOR_SD**2)
        return float(value), np.concatenate([[error.sum()], z.T @ error + w[1:] / PRIOR_SD**2])

    bounds = [(None, None), *((0.0, None) if name in PRESSURE else (None, None) for name in rest)]
    found = minimize(loss, np.zeros(len(rest) + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    c = rates.coefficients
    lists = [
        (*given, *map(float, own))
        for given, own in ((c.median, median), (c.mean, mean), (c.scale, scale), (c.weight, found[1:]))
    ]
    coefficients = Coefficients(lists[0], lists[1], lists[2], lists[3], c.intercept + float(found[0]))
    return LinearModel(NAME, (*rates.features, *rest), coefficients)


def _log_odds(chance: float | FloatArray) -> FloatArray:
    return np.asarray(np.log(chance) - np.log1p(-np.asarray(chance)))
