"""Measure effects from randomized contacts: raw cells of incremental orders, engagement and opt-outs, then `effects` shrinks them.

Outcome: any order attributed within 14 days of the contact, or of the moment of silence. Only logged randomization is used: a
row weighs 1 / its logging probability. The customers a journey applies to differ from all the silent, so each treated row is
compared with what the silent with the same features did (Robins 1994; Kennedy 2023, DR-learner averaged by cell):

    tau(cell) = sum w_i (y_i - m0(x_i)) / sum w_i,    w_i = 1 / p_i,    m0 fitted on the silent alone
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arbitration.errors import StateError
from training.calibration import calibrate
from training.dataset import Dataset, dataset
from training.effects import Effects, Prior, Sample, hierarchy, shrink
from training.fitting import fit_linear
from training.labels import EFFECT_DAYS

FloatArray = NDArray[np.float64]
NAME = "effects"
SILENCE_ARM = "silence"
# Before data: a contact causes two orders in a hundred, give or take three; one in ten engages; three in a thousand opt out.
TAU_PRIOR = Prior(mean=0.02, sd=0.03, floor=0.01)
ENGAGEMENT_PRIOR = Prior(mean=0.10, sd=0.10, floor=0.02)
OPT_OUT_PRIOR = Prior(mean=0.003, sd=0.003, floor=0.001)


def measure(contacts: pd.DataFrame, features: tuple[str, ...]) -> Effects:
    """Effects of every journey and channel that occurs; `contacts` are labeled rows with features (`labels.contact_labels`)."""
    silent = contacts[contacts["arm"] == SILENCE_ARM]
    treated = contacts[contacts["arm"] != SILENCE_ARM]
    if silent.empty or treated.empty:
        raise StateError(
            "effects need contacts and silent moments with logged probabilities",
            mend="Run `dirigent import --example`.",
        )
    expected = baseline(dataset(silent, features, "ordered"), treated[list(features)].to_numpy(dtype=np.float64))
    doubt = float(silent["ordered"].var() / len(silent))
    keys = (treated["journey"] + "/" + treated["channel"]).to_numpy(dtype=str)
    weights = 1.0 / treated["probability"].to_numpy(dtype=np.float64)
    tau = hierarchy(cells(keys, treated["ordered"].to_numpy() - expected, weights, doubt), TAU_PRIOR)
    engagement = hierarchy(cells(keys, treated["engaged"].to_numpy(), weights, 0.0), ENGAGEMENT_PRIOR)
    channels = treated["channel"].to_numpy(dtype=str)
    opt_out, _ = shrink(cells(channels, treated["opted_out"].to_numpy(), np.ones(len(treated)), 0.0), OPT_OUT_PRIOR)
    content = json.dumps([asdict(tau), asdict(engagement), {k: asdict(v) for k, v in opt_out.items()}], sort_keys=True)
    return Effects(tau, engagement, opt_out, EFFECT_DAYS, hashlib.sha256(content.encode()).hexdigest()[:12])


def baseline(silent: Dataset, rows: FloatArray) -> FloatArray:
    """m0(x): P(order without contact) for feature `rows`, calibrated on the silent."""
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
