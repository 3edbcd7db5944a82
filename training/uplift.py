"""Measure effects from randomized contacts: raw cells of incremental orders, engagement and opt-outs, then `effects` shrinks them.

Outcome: any order attributed within 14 days of the contact, or of the moment of silence. In a shop that attributes orders to
contacts alone, the silent never have one and the difference would measure attribution; there any purchase at all counts. Only
logged randomization is used: a row weighs 1 / its logging probability. The customers a journey applies to differ from all the silent, so each treated row is
compared with what the silent with the same features did (Robins 1994; Kennedy 2023, DR-learner averaged by cell):

    tau(cell) = sum w_i (y_i - m0(x_i)) / sum w_i,    w_i = 1 / p_i,    m0 fitted on the silent alone

How much an individual's propensity says about its own effect is the slope of y - m0 on tau_cell * (ratio - 1) inside the cells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arbitration.codec import canonical_json
from arbitration.errors import StateError
from training.calibration import calibrate
from training.dataset import Dataset, dataset
from training.effects import (
    INDIVIDUAL_RANGE,
    TINY,
    Beliefs,
    Effects,
    Prior,
    Sample,
    Slope,
    hierarchy,
    shrink,
    shrink_slope,
)
from training.fitting import fit_linear
from training.labels import EFFECT_DAYS

FloatArray = NDArray[np.float64]
NAME = "effects"
SILENCE_ARM = "silence"
NEEDED = "Import contacts with their logged probability, and silent moments with arm 'silence'; see features/tables/contract.py."
# Before data: a contact causes two orders in a hundred, give or take three; one in ten engages; three in a thousand opt out.
TAU_PRIOR = Prior(mean=0.02, sd=0.03, floor=0.01)
ENGAGEMENT_PRIOR = Prior(mean=0.10, sd=0.10, floor=0.02)
OPT_OUT_PRIOR = Prior(mean=0.003, sd=0.003, floor=0.001)


def measure(contacts: pd.DataFrame, features: tuple[str, ...], propensity: FloatArray | None = None) -> Effects:
    """Effects of every journey and channel that occurs; `contacts` are labeled rows with features (`labels.contact_labels`).

    `propensity` is P(engage) of each treated row, in their order, by a model that did not learn from the row's customer; without
    it the individual slope stays 0.
    """
    silent = contacts[contacts["arm"] == SILENCE_ARM]
    treated = contacts[contacts["arm"] != SILENCE_ARM]
    if silent.empty or treated.empty:
        raise StateError("effects need contacts and silent moments with logged probabilities", mend=NEEDED)
    outcome = "ordered" if silent["ordered"].any() else "bought"
    expected = baseline(dataset(silent, features, outcome), treated[list(features)].to_numpy(dtype=np.float64))
    doubt = float(silent[outcome].var() / len(silent))
    keys = (treated["journey"] + "/" + treated["channel"]).to_numpy(dtype=str)
    weights = 1.0 / treated["probability"].to_numpy(dtype=np.float64)
    gained = treated[outcome].to_numpy(dtype=np.float64) - expected
    tau = hierarchy(cells(keys, gained, weights, doubt), TAU_PRIOR)
    engagement = hierarchy(cells(keys, treated["engaged"].to_numpy(), weights, 0.0), ENGAGEMENT_PRIOR)
    channels = treated["channel"].to_numpy(dtype=str)
    opt_out, _ = shrink(cells(channels, treated["opted_out"].to_numpy(), np.ones(len(treated)), 0.0), OPT_OUT_PRIOR)
    slope = Slope()
    if propensity is not None:
        predicted = individual(keys, propensity, tau, engagement)
        slope = fit_slope(
            keys, gained, predicted, weights=weights, customers=treated["customer_id"].to_numpy(dtype=str)
        )
    found = Effects(tau, engagement, opt_out, EFFECT_DAYS, "", slope, outcome)
    return replace(found, version=hashlib.sha256(canonical_json(found)).hexdigest()[:12])


def individual(keys: NDArray[np.str_], propensity: FloatArray, tau: Beliefs, engagement: Beliefs) -> FloatArray:
    """tau_cell * (ratio - 1) of each row: what its effect would differ from its cell's if effects were proportional to propensity."""
    ratio = propensity / np.array([max(engagement.cells[key].mean, TINY) for key in keys])
    return np.asarray(np.array([tau.cells[key].mean for key in keys]) * (np.clip(ratio, *INDIVIDUAL_RANGE) - 1))


def fit_slope(
    keys: NDArray[np.str_],
    gained: FloatArray,
    predicted: FloatArray,
    *,
    weights: FloatArray,
    customers: NDArray[np.str_],
) -> Slope:
    """Weighted least squares of `gained` on `predicted` with each cell's own level taken out; its error is clustered by customer.

    The sandwich of Liang & Zeger (1986). A `predicted` that does not vary inside the cells gives slope 0.
    """
    _, cell = np.unique(keys, return_inverse=True)
    total = np.bincount(cell, weights)
    x, y = (v - (np.bincount(cell, weights * v) / total)[cell] for v in (predicted, gained))
    scale = float((weights * x**2).sum())
    if scale <= TINY:
        return Slope()
    raw = float((weights * x * y).sum()) / scale
    _, number = np.unique(customers, return_inverse=True)
    sums = np.bincount(number, weights * x * (y - raw * x))
    return shrink_slope(raw, float(np.sqrt((sums**2).sum())) / scale)


def baseline(silent: Dataset, rows: FloatArray) -> FloatArray:
    """m0(x): P(order without contact) for feature `rows`, calibrated on the silent."""
    if silent.labels.min() == silent.labels.max():
        return np.full(len(rows), silent.labels[0])
    model = fit_linear("baseline", silent)
    calibration, _ = calibrate(model.margins(silent.rows), silent.labels, silent.half())
    return calibration.probability(model.margins(rows))


def cells(keys: NDArray[np.str_], outcomes: FloatArray, weights: FloatArray, doubt: float) -> Mapping[str, Sample]:
    """Weighted mean and squared standard error by key (Hajek); `doubt` is the comparison's own squared standard error.

    The variance is at least that of one event among the rows, so that a cell in which nothing happened is not certain.
    """
    found = {}
    for key in sorted(set(keys)):
        y, w = outcomes[keys == key], weights[keys == key] / weights[keys == key].sum()
        mean = float((w * y).sum())
        variance = float((w**2 * (y - mean) ** 2).sum())
        found[key] = Sample(mean, max(variance, 1.0 / (len(y) + 1) ** 2) + doubt, len(y))
    return found
