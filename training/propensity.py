"""Channel propensity: P(engage) of a contact, clicked or converted within 7 days, per journey and channel; and the base
purchase: P(any purchase in 14 days) of those who were left in silence. Both learn from randomized contacts alone.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.home import Home
from features.registry import VIEWS
from features.tables.store import open_tables
from training.contest import Contest, compete
from training.dataset import Dataset, dataset, historical, split_by_share
from training.fitting import Recipe, fit_linear
from training.labels import EFFECT_DAYS, ENGAGE_DAYS, contact_labels
from training.shortage import TooLittle
from training.uplift import NEEDED, SILENCE_ARM, sent_alone

FloatArray = NDArray[np.float64]
NAME = "channel_propensity"
NOTE = "Engaged means clicked or converted, so it includes orders that would have happened without the contact."
BASE_NAME = "base_purchase"
RECIPE = Recipe(leaves=7, learning_rate=0.03, trees=120, min_rows=200)
BASE_RECIPE = Recipe(leaves=7, learning_rate=0.03, trees=150, min_rows=100)
CUSTOMER_FEATURES = tuple(
    feature.name for view in ("customer", "timing", "context") for feature in VIEWS[view].features
)
CHANNEL_FEATURES = tuple(feature.name for feature in VIEWS["channel"].features)


def contacts(home: Home) -> pd.DataFrame:
    """Every randomized contact and silence with labels and the features known at that moment. Raises TooLittle without any."""
    connection = open_tables(home)
    rows = contact_labels(connection)
    connection.close()
    if rows.empty:
        raise TooLittle("there are no randomized contacts and no silent moments to learn from", mend=NEEDED)
    return historical(home, NAME, rows)


def train(rows: pd.DataFrame) -> Contest:
    """P(engage) of contacts."""
    return compete(NAME, split_by_share(sent_rows(sent_alone(rows)), timedelta(days=ENGAGE_DAYS)), RECIPE, (NOTE,))


def sent_rows(rows: pd.DataFrame) -> Dataset:
    """The contacts: journey and channel enter as one column each, `journey=...` and `channel=...`, 0 or 1."""
    sent = rows[rows["arm"] != SILENCE_ARM]
    kinds = [
        pd.get_dummies(sent[column], prefix=column, prefix_sep="=", dtype=float) for column in ("journey", "channel")
    ]
    frame = pd.concat([sent, *kinds], axis=1)
    names = (*kinds[0].columns, *kinds[1].columns, *CUSTOMER_FEATURES, *CHANNEL_FEATURES)
    return dataset(frame, names, "engaged", group="channel")


def cross_fitted(rows: pd.DataFrame) -> FloatArray | None:
    """P(engage) of each contact, in order, by the linear model fitted on the other half of the customers; None for too few."""
    data = sent_rows(rows)
    half, found = data.half(), np.empty(len(data))
    if any(len(np.unique(data.labels[side])) < 2 for side in (half, ~half)):
        return None
    for side in (half, ~half):
        found[side] = fit_linear(NAME, data.where(~side)).predict(data.rows[side])
    return found


def train_base(rows: pd.DataFrame) -> Contest:
    """P(any purchase in 14 days without a contact), from the silent."""
    silent = rows[rows["arm"] == SILENCE_ARM]
    if silent.empty:
        raise TooLittle("there are no silent moments to learn from", mend=NEEDED)
    data = dataset(silent, CUSTOMER_FEATURES, "bought")
    return compete(BASE_NAME, split_by_share(data, timedelta(days=EFFECT_DAYS)), BASE_RECIPE)
