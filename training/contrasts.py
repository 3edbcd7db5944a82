"""What each contact brought beyond silence: cross-fitted, doubly robust contrasts of randomized rows.

The customers a journey applies to are not all the silent, so each cell's contacts are compared with what the silent of the same
kind did. With w = 1 / p capped, m0 the expected outcome in silence, and r_j(x) the odds that a moment like x was one of journey j
rather than of silence,

    tau(cell) = sum_cell w_i e_i / sum_cell w_i  -  sum_silent w_i r_j(x_i) e_i / sum_silent w_i r_j(x_i),    e_i = y_i - m0(x_i)

which is right when either m0 or r is (Robins & Rotnitzky 1995; cross-fitted: Chernozhukov et al. 2018). Both are learned on other
customers than those they are asked about. m0 is the mean, logistic regression or LightGBM, whichever foretells held-out silence best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.calibration import log_loss
from training.dataset import Dataset
from training.effects import Sample
from training.fitting import SEED, Recipe, fit_linear, fit_tree
from training.models import Model

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]
FOLDS = 3
FEWEST_ROWS = 60
"""With fewer silent rows to learn from, silence is expected to bring everybody its mean; a journey with fewer has odds of 1."""
MOST_ROWS = 200_000
"""A fold's models learn from at most so many rows: more do not move the mean of a cell, and ten million would take hours."""
LEAST_CAP = 20.0
RECIPE = Recipe(leaves=7, learning_rate=0.05, trees=80, min_rows=100)
KINDS: dict[str, Callable[[Dataset], Model]] = {
    "linear": lambda data: fit_linear("silence", data),
    "tree": lambda data: fit_tree("silence", data, RECIPE),
}
ODDS = {
    "objective": "multiclass", "num_leaves": 15, "learning_rate": 0.1, "min_child_samples": 50, "seed": SEED,
    "deterministic": True, "force_row_wise": True, "verbose": -1, "num_threads": 1,
}  # fmt: skip
ODDS_ROUNDS, ODDS_ROWS = 30, 20_000


@dataclass(frozen=True)
class Side:
    """Rows of one side, silent or treated, their labels the outcome, with their logging `probability` (n,) and what they count (n,)."""

    data: Dataset
    weight: FloatArray
    probability: FloatArray

    @cached_property
    def fold(self) -> NDArray[np.int64]:
        """Each row's fold by its customer."""
        return self.data.folds(FOLDS)

    def __len__(self) -> int:
        return len(self.data)


@dataclass(frozen=True)
class Contrasts:
    """`gained` (t,): what each treated row did beyond its kind in silence; `losses`: held-out log-loss of m0 by kind.

    `samples` by cell, their variances without `shared`, the variance of the error that all cells have from the one group of silent.
    """

    gained: FloatArray
    samples: dict[str, Sample]
    shared: float
    losses: dict[str, float]


def side(frame: pd.DataFrame, features: tuple[str, ...], label: str) -> Side:
    """Every row of the frame, also one of whose customer nothing was known: it happened. Weights count by month, journey and channel."""
    moments = frame["event_timestamp"].dt.tz_convert("UTC").dt.tz_localize(None)
    data = Dataset(
        features, frame[list(features)].to_numpy(dtype=np.float64), frame[label].to_numpy(dtype=np.float64),
        moments.to_numpy(), frame["customer_id"].to_numpy(dtype=str), np.full(len(frame), "", dtype=str),
    )  # fmt: skip
    probability = frame["probability"].to_numpy(dtype=np.float64)
    weight = capped(probability)
    month = data.moments.astype("datetime64[M]").astype(np.int64)
    return Side(
        data, effective(weight, month, *(frame[name].to_numpy() for name in ("journey", "channel"))), probability
    )


def capped(probability: FloatArray) -> FloatArray:
    """1 / p, at most the square root of the number of rows or LEAST_CAP, whichever is more."""
    return np.minimum(1.0 / probability, max(LEAST_CAP, float(np.sqrt(len(probability)))))


def effective(weight: FloatArray, *groups: NDArray[Any]) -> FloatArray:
    """Weights scaled so that those of a group, rows alike in all `groups`, sum to its effective size (sum w)^2 / sum w^2 (Kish 1965).

    Months under a policy that explores little have heavy weights and say little; unscaled they would drown the months that say much
    (Agarwal et al. 2017, "Effective evaluation using logged bandit feedback from multiple loggers").
    """
    if not len(weight):
        return weight
    group = pd.DataFrame(dict(enumerate(groups))).groupby(list(range(len(groups))), sort=False).ngroup().to_numpy()
    return np.asarray(weight * (np.bincount(group, weight) / np.bincount(group, weight**2))[group])


def compare(silent: Side, treated: Side, cells: NDArray[np.str_]) -> Contrasts:
    """The contrasts of all `cells` (t,), named `journey/channel`. Where one side has no rows nothing is measured: every sample is empty."""
    place, names = pd.factorize(cells, sort=True)
    if not len(silent) or not len(treated):
        return Contrasts(np.zeros(len(treated)), {str(name): Sample() for name in names}, 0.0, {})
    losses, expected, beyond = expectations(silent, treated)
    residual, gained = silent.data.labels - expected, treated.data.labels - beyond
    own = np.array([name.partition("/")[0] for name in names])
    journeys, journey = np.unique(own, return_inverse=True)
    odds = journey_odds(silent, treated, journey[place], len(journeys))
    customer, people = pd.factorize(np.concatenate([silent.data.customers, treated.data.customers]))
    controls = [weighted(residual, silent.weight * odds[:, number]) for number in range(len(journeys))]
    errors = [np.bincount(customer[: len(silent)], part, len(people)) for _, part in controls]
    common = np.mean([errors[number] for number in journey], axis=0)
    samples = {}
    for number, name in enumerate(names):
        inside = place == number
        level = controls[journey[number]][0]
        mean, part = weighted(gained[inside], treated.weight[inside])
        error = np.bincount(customer[len(silent) :][inside], part, len(people)) + common - errors[journey[number]]
        samples[str(name)] = sample(mean - level, error, int(inside.sum()))
        gained[inside] -= level
    return Contrasts(gained, samples, float((common**2).sum()), losses)


def sample(mean: float, error: FloatArray, rows: int) -> Sample:
    """A mean with its squared standard error, from each customer's share in the error.

    It is at least that of one event among the rows, so that a cell in which nothing happened is not certain.
    """
    return Sample(mean, max(float((error**2).sum()), 1.0 / (rows + 1) ** 2), rows)


def weighted(values: FloatArray, weights: FloatArray) -> tuple[float, FloatArray]:
    """Weighted mean (Hajek), and each row's share in its error; 0 and no error where no row has a weight."""
    total = float(weights.sum())
    if total <= 0:
        return 0.0, np.zeros(len(values))
    mean = float((weights * values).sum()) / total
    return mean, weights * (values - mean) / total


def expectations(silent: Side, treated: Side) -> tuple[dict[str, float], FloatArray, FloatArray]:
    """Held-out log-loss of m0 by kind, and the best kind's m0 of the silent and of the treated rows, each by other customers."""
    found = {kind: _expected(kind, silent, treated) for kind in ("mean", *KINDS)}
    losses = {kind: log_loss(silent.data.labels, values[0]) for kind, values in found.items()}
    return losses, *found[min(losses, key=lambda kind: losses[kind])]


def _expected(kind: str, silent: Side, treated: Side) -> tuple[FloatArray, FloatArray]:
    inside, outside = np.zeros(len(silent)), np.zeros(len(treated))
    for fold in range(FOLDS):
        here, there = silent.fold == fold, treated.fold == fold
        learned = silent.data.where(thinned(~here))
        if kind == "mean" or len(learned) < FEWEST_ROWS or not learned.features or np.ptp(learned.labels) == 0:
            inside[here] = outside[there] = (learned.labels.sum() + silent.data.labels.mean()) / (len(learned) + 1)
            continue
        model = KINDS[kind](learned)
        for target, mask, rows in ((inside, here, silent.data.rows), (outside, there, treated.data.rows)):
            if mask.any():
                target[mask] = model.predict(rows[mask])
    return inside, outside


def journey_odds(silent: Side, treated: Side, journey: NDArray[np.int64], count: int) -> FloatArray:
    """r_j(x) of every silent row for each of `count` journeys, shape (silent rows, count); 1 where there is too little to learn from.

    A row that was silent with probability p had at most the odds (1 - p) / p of anything else: what is learned beyond that, or beyond
    even odds where p is above one half, is noise.
    """
    odds = np.ones((len(silent), count))
    enough = np.flatnonzero(np.bincount(journey, minlength=count) >= FEWEST_ROWS)
    if not len(enough) or len(silent) < FEWEST_ROWS or not silent.data.features:
        return odds
    known, most = np.isin(journey, enough), np.maximum(1.0 / silent.probability - 1.0, 1.0)[:, None]
    for fold in range(FOLDS):
        here = silent.fold == fold
        first, second = thinned(~here, ODDS_ROWS), thinned((treated.fold != fold) & known, ODDS_ROWS)
        if here.any() and first.any() and second.any():
            kinds = np.concatenate([np.zeros(int(first.sum())), np.searchsorted(enough, journey[second]) + 1])
            rows = np.vstack([silent.data.rows[first], treated.data.rows[second]])
            shares = (~here).sum() / first.sum(), ((treated.fold != fold) & known).sum() / second.sum()
            weight = np.concatenate([silent.weight[first] * shares[0], treated.weight[second] * shares[1]])
            learned = _learned_odds(rows, kinds, weight, silent.data.rows[here])
            odds[np.ix_(here, enough)] = np.minimum(learned, most[here])
    return odds


def _learned_odds(rows: FloatArray, kinds: FloatArray, weight: FloatArray, asked: FloatArray) -> FloatArray:
    """Odds of every kind above 0 against kind 0, shape (asked, kinds)."""
    import lightgbm

    settings = {**ODDS, "num_class": int(kinds.max()) + 1}
    model = lightgbm.train(settings, lightgbm.Dataset(rows, kinds, weight=weight), ODDS_ROUNDS)
    chances = np.asarray(model.predict(asked, num_threads=1))
    return np.asarray(chances[:, 1:] / np.maximum(chances[:, :1], 1e-9))


def thinned(mask: Mask, most: int = MOST_ROWS) -> Mask:
    """The mask, thinned evenly to `most` rows where it holds for more."""
    chosen = np.flatnonzero(mask)
    if len(chosen) <= most:
        return mask
    found = np.zeros(len(mask), dtype=np.bool_)
    found[chosen[np.linspace(0, len(chosen) - 1, most).astype(np.int64)]] = True
    return found
