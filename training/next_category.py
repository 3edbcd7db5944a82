"""How the next category is learned: every labeled moment becomes one row per candidate category, 1 where it was the right one.

Rows are weekly cut-offs of everybody who bought in the 182 days before and buys again in the 56 after, purchases that name categories
alone. The simple reference is the share of the customer's own purchases that were mostly of the category, shrunk to the shop's share.
Judged is the log-loss of rows, customers being the independent units; and told is how often the likeliest candidate, or one of the
three likeliest, was the right one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.home import Home
from features.snapshots import ANCHOR
from features.tables.store import open_tables
from training.calibration import log_loss
from training.categories import BASKETS, FEATURES, HISTORY, OWN_MOST, SHOP_SHARE, NextCategory, Shares
from training.churn import VALIDATION_WEEKS, WEEK, split_at
from training.contest import Contest, Trial, judge_rows, measure, stay_or_go
from training.dataset import Dataset, Split, dataset, historical
from training.fitting import Recipe, fit_linear, fit_tree
from training.labels import SPEND_DAYS, category_labels, last_known
from training.models import FloatArray, Model
from training.references import ShrunkShare
from training.shortage import TooLittle

NAME = "next_category"
WINDOW = timedelta(days=SPEND_DAYS)
TRAIN_WEEKS = 4
LARGEST = 30_000
"""Labeled moments beyond which a fixed part of the customers is left out: each becomes a dozen rows."""
MOST_KNOWN = 500
"""Categories whose share of the shop is kept; rarer ones have none."""
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""How many purchases the shop's share may count for."""
RECIPE = Recipe(leaves=7, learning_rate=0.1, trees=60, min_rows=200, monotone={SHOP_SHARE: 1, OWN_MOST: 1})
NOTE = "Of those who buy in the 56 days; how likely that is, other models say. What no candidate has is left to all other categories."
NEEDED = "Name what was bought: properties.categories of purchases; see features/tables/contract.py."


@dataclass(frozen=True)
class Outcome:
    """The contest, and for each of its trials the model as it is served."""

    contest: Contest
    models: tuple[NextCategory, ...]


def labeled(home: Home) -> pd.DataFrame:
    """Labeled moments with the feature HISTORY. Raises TooLittle where purchases name no categories, or too few do."""
    with open_tables(home) as connection:
        last = last_known(connection, WINDOW)
        if last is None:
            raise TooLittle("there are no purchases to learn from", mend=NEEDED)
        examined = ANCHOR + WEEK * ((last - ANCHOR) // WEEK)
        rows = category_labels(connection, _moments(examined))
    if rows.empty:
        raise TooLittle("there are no purchases that name product categories", mend=NEEDED)
    found = historical(home, NAME, rows)
    found = found[found[HISTORY].notna()]
    return found if len(found) <= LARGEST else _part(found)


def _moments(examined: datetime) -> list[datetime]:
    """The weekly cut-offs of the three parts, label windows apart."""
    apart = WINDOW // WEEK
    validation = range(apart, apart + VALIDATION_WEEKS)
    train = range(validation[-1] + apart, validation[-1] + apart + TRAIN_WEEKS)
    return [examined - WEEK * week for week in (0, *validation, *train)]


def _part(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a fixed part of the customers, about LARGEST of them."""
    drawn = pd.util.hash_array(rows["customer_id"].to_numpy(dtype=object)) % 10_000
    return rows[drawn * len(rows) < LARGEST * 10_000]


def train(rows: pd.DataFrame) -> Outcome:
    """Trees and logistic regression on pairs, and the shrunk own share, the simple reference; from `labeled` rows."""
    shares = fit_shares(_train_part(rows))
    split = split_rows(rows, shares)
    models = (fit_tree(NAME, split.train, RECIPE), fit_linear(NAME, split.train), fit_reference(split.train))
    judged = [judge_rows(model, split, RECIPE, measure_hits) for model in models]
    chosen, reason = stay_or_go(judged, split.validation, "log-loss")
    trials = tuple(trial for trial, _ in judged)
    contest = Contest(NAME, trials, split, (NOTE, reason, _told(trials, split.test)), chosen=chosen)
    return Outcome(contest, tuple(NextCategory(shares, trial.model) for trial in contest.trials))


def _train_part(rows: pd.DataFrame) -> pd.DataFrame:
    end = rows["event_timestamp"].max() - 2 * WINDOW - WEEK * (VALIDATION_WEEKS - 1)
    part: pd.DataFrame = rows[rows["event_timestamp"] <= end]
    return part


def fit_shares(rows: pd.DataFrame) -> Shares:
    """How often the next purchase was mostly of each category, in `labeled` rows."""
    found = rows["category"].value_counts(normalize=True).sort_index().sort_values(ascending=False, kind="stable")
    return Shares({str(name): float(share) for name, share in found.head(MOST_KNOWN).items()})


def pair_rows(rows: pd.DataFrame, shares: Shares, beside: tuple[str, ...] | None = None) -> pd.DataFrame:
    """One row per candidate of each of the `labeled` rows: FEATURES, `label` (0 or 1), customer_id and event_timestamp."""
    pairs = shares.pairs(rows[HISTORY].tolist(), beside)
    owners = rows[["customer_id", "event_timestamp", "category"]].iloc[pairs.owner].reset_index(drop=True)
    label = (owners.pop("category").to_numpy(dtype=str) == pairs.names).astype(np.float64)
    return pd.concat([pd.DataFrame(pairs.rows, columns=list(FEATURES)), owners], axis=1).assign(label=label)


def split_rows(rows: pd.DataFrame, shares: Shares) -> Split:
    """Train, validation and test pairs."""
    last = rows["event_timestamp"].max().to_pydatetime()
    return split_at(dataset(pair_rows(rows, shares), FEATURES, "label"), last, WINDOW, TRAIN_WEEKS)


def fit_reference(data: Dataset) -> ShrunkShare:
    """The shrunk own share with the least training log-loss over ROWS."""
    columns = (OWN_MOST, BASKETS, SHOP_SHARE)
    chosen = data.columns(columns)
    tried = [ShrunkShare(NAME, columns, rows) for rows in ROWS]
    return min(tried, key=lambda one: log_loss(data.labels, one.predict(chosen)))


def hits(model: Model, data: Dataset, best: int) -> FloatArray:
    """For every customer's moment 1 where the right category is among the `best` likeliest candidates, else 0, shape (moments,)."""
    chances = model.predict(data.columns(model.features))
    people, moments = (pd.factorize(each)[0].astype(np.int64) for each in (data.customers, data.moments))
    owner = pd.factorize(people * (moments.max() + 1) + moments)[0]
    order = np.lexsort((-chances, owner))  # stable: among equals the customer's order decides
    place = np.arange(len(order)) - np.searchsorted(owner[order], owner[order])
    right = (data.labels[order] > 0) & (place < best)
    return np.asarray(np.bincount(owner[order], weights=right), dtype=np.float64)


def measure_hits(model: Model, data: Dataset) -> Mapping[str, object]:
    """The numbers of pairs, and `hit_1`, `hit_3`: how often the right category was the likeliest candidate, or one of three.

    Where it is none of the candidates it is missed. `moments` counts what was asked.
    """
    first, third = (hits(model, data, best) for best in (1, 3))
    return {**measure(model, data), "hit_1": float(first.mean()), "hit_3": float(third.mean()), "moments": len(first)}


def _told(trials: Sequence[Trial], data: Dataset) -> str:
    """The best kind's hits on the test part beside the reference's, which stands last, with the standard error of the difference."""
    found = []
    for best in (1, 3):
        *models, reference = (hits(trial.model, data, best) for trial in trials)
        ours = models[min(range(len(models)), key=lambda at: trials[at].held_out)]
        error = float((ours - reference).std() / np.sqrt(len(ours)))  # one moment of each customer
        found.append(f"{ours.mean():.1%} ({reference.mean():.1%}, difference ± {error:.1%})")
    return (
        f"Test: the likeliest candidate of the best model (of the shrunk own share) was right in {found[0]}, "
        f"one of the three likeliest in {found[1]}; ± is one standard error."
    )
