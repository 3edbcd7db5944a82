"""Churn risk: P(no purchase in the next 28 days) of a customer who bought in the last 56.

Weekly cut-offs make the rows. The examination cut-off is never trained on: 14 weeks train, 4 weeks calibrate and choose, and
every label window ends before the part that follows it begins.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from features.home import Home
from features.registry import VIEWS
from features.snapshots import ANCHOR
from features.tables.store import open_tables
from training.contest import Contest, compete
from training.dataset import Dataset, Split, dataset, historical
from training.fitting import Recipe
from training.labels import CHURN_DAYS, churn_labels, last_known
from training.lapse import Lapse, measure
from training.shortage import TooLittle

NAME = "churn_risk"
WEEK = timedelta(weeks=1)
WINDOW = timedelta(days=CHURN_DAYS)
TRAIN_WEEKS, VALIDATION_WEEKS = 14, 4  # earlier cut-offs have less than 13 weeks of history behind them
RECIPE = Recipe(leaves=7, learning_rate=0.03, trees=200, min_rows=100, monotone={"recency_days": 1, "gap_ratio": 1})
# Loyalty status of the example shop is simulated from spend, so it says nothing that spend does not; without it the model
# is about real households alone.
LEFT_OUT = ("tier", "points")
FEATURES = tuple(
    feature.name for feature in VIEWS["customer"].features if not any(word in feature.name for word in LEFT_OUT)
)
EXAMPLE_WEEKS = 13
"""Data that ends so soon after the example's examination cut-off is examined there."""
REFERENCE = {"tree_auc": 0.855, "linear_auc": 0.858}
"""A yardstick: AUC of LightGBM and logistic regression, measured beforehand with the same label on the example's data."""
NOTE = "Loyalty tier and points are left out: simulated from spend, they move the held-out log-loss by less than 0.001."


def train(home: Home) -> Contest:
    """Both kinds of model on the feature store's history. Raises TooLittle when there is too little of it."""
    return compete(NAME, split(home), RECIPE, (NOTE,) if is_example(home) else ())


def is_example(home: Home) -> bool:
    """Whether the example shop is examined: at its fixed cut-off, with simulated loyalty tiers. Only of it NOTE and REFERENCE speak."""
    with open_tables(home) as connection:
        tiers = connection.execute("SELECT count(*) FROM events WHERE type = 'tier_changed' AND simulated").fetchall()
        return bool(tiers[0][0]) and examination(last_known(connection, WINDOW)) == ANCHOR


def lapses(home: Home) -> tuple[Lapse, ...]:
    """Measured rates of those the model does not speak of, at its own training and validation cut-offs."""
    with open_tables(home) as connection:
        examined = examination(last_known(connection, WINDOW))
        weeks = range(WINDOW // WEEK, WINDOW // WEEK + TRAIN_WEEKS + VALIDATION_WEEKS)
        return measure(connection, [examined - WEEK * week for week in weeks])


def split(home: Home) -> Split:
    """Rows of all cut-offs, in three parts."""
    connection = open_tables(home)
    examined = examination(last_known(connection, WINDOW))
    moments = [examined - WEEK * week for week in range(TRAIN_WEEKS + VALIDATION_WEEKS + 2 * (WINDOW // WEEK))]
    data = dataset(historical(home, NAME, churn_labels(connection, moments)), FEATURES, "label")
    connection.close()
    return split_at(data, examined)


def examination(last: datetime | None) -> datetime:
    """The test cut-off: the last weekly moment whose label window is inside the data; for the example shop its fixed one."""
    if last is None:
        raise TooLittle(
            "there are no purchases to learn from",
            mend="Import events of type purchase; see features/tables/contract.py.",
        )
    weeks = (last - ANCHOR) // WEEK
    return ANCHOR if 0 <= weeks < EXAMPLE_WEEKS else ANCHOR + WEEK * weeks


def split_at(data: Dataset, examined: datetime, window: timedelta = WINDOW, train_weeks: int = TRAIN_WEEKS) -> Split:
    """Train, validation and test around the examination cut-off, label windows apart."""
    test = np.datetime64(examined.replace(tzinfo=None))
    validation = test - np.timedelta64(window)
    train = validation - np.timedelta64(WEEK * (VALIDATION_WEEKS - 1)) - np.timedelta64(window)
    start = train - np.timedelta64(WEEK * train_weeks)
    first = validation - np.timedelta64(WEEK * VALIDATION_WEEKS)
    return Split(
        data.where((data.moments > start) & (data.moments <= train)),
        data.where((data.moments > first) & (data.moments <= validation)),
        data.where(data.moments == test),
    )
