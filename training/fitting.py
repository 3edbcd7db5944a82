"""Fit: LightGBM and, always beside it, a linear challenger. Same rows in, the same `Model` contract out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from training.booster import Booster
from training.dataset import Dataset
from training.models import Coefficients, FloatArray, LinearModel, Link, TreeModel, signed_log

SEED = 20170930
INVERSE_RIDGE = 0.1
TWEEDIE_POWER, TWEEDIE_RIDGE = 1.5, 0.01
"""Amounts: variance grows with mean^1.5, between counts (1) and single amounts (2), so that exact zeros fit (Jorgensen 1987)."""


@dataclass(frozen=True)
class Recipe:
    """What differs from model to model: trees' shape, and +1/-1 where the business knows the direction of a feature."""

    leaves: int
    learning_rate: float
    trees: int
    min_rows: int
    monotone: Mapping[str, int] = field(default_factory=dict)
    link: Link = "logit"

    def parameters(self) -> dict[str, float]:
        """For the registry."""
        return {
            "leaves": self.leaves, "learning_rate": self.learning_rate, "trees": self.trees, "min_rows": self.min_rows,
            "monotone": len(self.monotone), "seed": SEED,
        }  # fmt: skip


def fit_tree(name: str, data: Dataset, recipe: Recipe) -> TreeModel:
    """Gradient boosted trees; the same data and recipe give the same text."""
    import lightgbm

    settings = {
        "objective": "tweedie" if recipe.link == "log" else "binary", "tweedie_variance_power": TWEEDIE_POWER, "num_leaves": recipe.leaves, "learning_rate": recipe.learning_rate, "seed": SEED,
        "min_child_samples": recipe.min_rows, "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 1,
        "deterministic": True, "force_row_wise": True, "verbose": -1,
        "num_threads": 1,  # on a shared machine two threads wait for each other: up to 60 times slower
        "monotone_constraints": [recipe.monotone.get(feature, 0) for feature in data.features],
    }  # fmt: skip
    columns = [feature.replace("=", "_is_") for feature in data.features]  # LightGBM's text refuses some signs in names
    frame = lightgbm.Dataset(data.rows, data.labels, feature_name=columns)
    text = lightgbm.train(settings, frame, recipe.trees).model_to_string()
    return TreeModel(name, data.features, Booster(text), link=recipe.link)


def fit_linear(name: str, data: Dataset, link: Link = "logit") -> LinearModel:
    """Ridge regression on standardized signed logarithms, unknown values at the median: logistic, or Tweedie for amounts."""
    transformed = signed_log(data.rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column that is unknown in every row has no median
        median = np.nan_to_num(np.nanmedian(transformed, axis=0))
    filled = np.where(np.isnan(transformed), median, transformed)
    mean, scale = filled.mean(axis=0), filled.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    weights, intercept = _regress((filled - mean) / scale, data.labels, link)
    lists = [tuple(map(float, array)) for array in (median, mean, scale, weights)]
    coefficients = Coefficients(lists[0], lists[1], lists[2], lists[3], intercept)
    return LinearModel(name, data.features, coefficients, link=link)


def _regress(z: FloatArray, labels: FloatArray, link: Link) -> tuple[FloatArray, float]:
    """Weights, shape (k,), and intercept on standardized columns."""
    from sklearn.linear_model import LogisticRegression, TweedieRegressor

    if link == "log":
        amounts = TweedieRegressor(power=TWEEDIE_POWER, alpha=TWEEDIE_RIDGE, link="log", max_iter=1000).fit(z, labels)
        return np.asarray(amounts.coef_), float(amounts.intercept_)
    chances = LogisticRegression(C=INVERSE_RIDGE, max_iter=1000).fit(z, labels)
    return np.asarray(chances.coef_[0]), float(chances.intercept_[0])
