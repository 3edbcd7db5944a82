"""The two regressions behind every estimate: LightGBM and ridge, each from rows to a function of rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.models import signed_log

FloatArray = NDArray[np.float64]
Regression = Callable[[FloatArray], FloatArray]
TREES, LEAVES, LEARNING_RATE = 60, 6, 0.05
FEWEST_IN_LEAF, MOST_IN_LEAF = 20, 500
RIDGE = 30.0
"""Penalty on standardized columns: as much as 30 rows that say the column means nothing."""


def constant(value: float) -> Regression:
    """The same for every row."""
    return lambda rows: np.full(len(rows), value)


def fit_ridge(rows: FloatArray, target: FloatArray, seed: int) -> Regression:
    """Ridge regression on standardized signed logarithms, unknown values at the median."""
    del seed
    from sklearn.linear_model import Ridge

    transformed = signed_log(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column that is unknown in every row has no median
        median = np.nan_to_num(np.nanmedian(transformed, axis=0))
    filled = np.where(np.isnan(transformed), median, transformed)
    mean, scale = filled.mean(axis=0), filled.std(axis=0)
    scale = np.where(scale > 1e-9, scale, np.inf)  # a column that does not vary here says nothing
    model = Ridge(alpha=RIDGE).fit((filled - mean) / scale, target)
    low, high = (filled.min(axis=0) - mean) / scale, (filled.max(axis=0) - mean) / scale

    def predict(asked: FloatArray) -> FloatArray:
        known = signed_log(asked)
        known = (np.where(np.isnan(known), median, known) - mean) / scale
        return np.asarray(
            model.predict(np.clip(known, low, high)), dtype=np.float64
        )  # a line is not drawn out beyond the data

    return predict


def fit_trees(rows: FloatArray, target: FloatArray, seed: int) -> Regression:
    """Small boosted trees; the same rows and seed give the same trees."""
    import lightgbm

    settings = {
        "objective": "regression", "num_leaves": LEAVES, "learning_rate": LEARNING_RATE, "seed": seed % 2**31,
        "min_child_samples": int(np.clip(len(rows) // 50, FEWEST_IN_LEAF, MOST_IN_LEAF)), "feature_fraction": 0.8,
        "bagging_fraction": 0.8, "bagging_freq": 1, "deterministic": True, "force_row_wise": True, "verbose": -1,
        "num_threads": 1,  # on a shared machine two threads wait for each other
    }  # fmt: skip
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, target), TREES)
    return lambda asked: np.asarray(booster.predict(asked, num_threads=1), dtype=np.float64)


KINDS = {"ridge": fit_ridge, "trees": fit_trees}
"""By name; the first is the simpler one and wins a tie."""
