"""Rolling cutoffs: at which past moments the model is trained, and the rows there. A label window starts where its features end.

    | history | train … train | label | back-test | label | cutoff |  horizon asked for  |

The back-test is one horizon before the cutoff and is trained only on label windows that end by then; the final model is then trained
anew on all label windows that end by the cutoff.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arbitration.errors import StateError
from training.dataset import Dataset
from training.lapse_risk.events import DAY, Events
from training.lapse_risk.features import NAMES, features_at

Maker = Callable[[Events, int, int, int], tuple[NDArray[np.int64], NDArray[np.float64]]]
"""Features of the active at a moment, given the active time and the horizon: customers (n,) and rows (n, k)."""
WEEK = 7 * DAY
MOST_MOMENTS = 12
ENOUGH_MOMENTS = 4
SHORTEST_HISTORY = 4 * WEEK
MOST_ROWS = 300_000
"""Rows that are about enough to train on; beyond, customers are thinned evenly, the same ones at every moment."""


@dataclass(frozen=True)
class Question:
    """Who is asked about and for how long: `cutoff`, and `active` and `horizon`, in microseconds."""

    cutoff: int
    active: int
    horizon: int

    def at(self, moment: int) -> Question:
        """The same question at another moment."""
        return Question(moment, self.active, self.horizon)


def training_moments(events: Events, question: Question) -> tuple[int, ...]:
    """Past moments, latest first, whose label window ends by the cutoff; steps of a quarter horizon, in whole weeks.

    Only at moments with a history of `active` before them is the active population like the one asked about. Where fewer than
    ENOUGH_MOMENTS have it, a history of one horizon has to do, then one of SHORTEST_HISTORY.
    """
    if len(events.when) == 0:
        return ()
    step = max(WEEK, question.horizon // 4 // WEEK * WEEK)
    latest, first = question.cutoff - question.horizon, int(events.when.min())
    moments = [latest - step * number for number in range(MOST_MOMENTS)]
    histories = (question.active, min(question.active, question.horizon), SHORTEST_HISTORY)
    found = [tuple(moment for moment in moments if moment >= first + history) for history in histories]
    return next((some for some in found if len(some) >= ENOUGH_MOMENTS), max(found, key=len))


def labels_at(events: Events, customers: NDArray[np.int64], moment: int, horizon: int) -> NDArray[np.float64]:
    """1 where a customer buys nothing from `moment` until `horizon` later, else 0."""
    inside = (events.when >= moment) & (events.when < moment + horizon)
    came = np.zeros(len(events.customers), dtype=bool)
    came[events.who[inside]] = True
    return np.asarray(~came[customers], dtype=np.float64)


def rows_at(
    events: Events, question: Question, make: Maker = features_at
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The active at the question's moment (n,), their features (n, k), and their labels (n,), true only if the horizon is known."""
    customers, rows = make(events, question.cutoff, question.active, question.horizon)
    return customers, rows, labels_at(events, customers, question.cutoff, question.horizon)


def training_rows(
    events: Events,
    question: Question,
    moments: Sequence[int],
    progress: Callable[[str], None],
    make: Maker = features_at,
) -> Dataset:
    """Rows of all training moments together, thinned by customer where they would be more than MOST_ROWS."""
    parts: list[Dataset] = []
    share = 1
    for number, moment in enumerate(moments):
        progress(f"features at {pd.Timestamp(moment, unit='us').date()}, {number + 1} of {len(moments)}")
        part = _dataset(events, question.at(moment), make)
        if number == 0:
            share = max(1, -(-len(part) * len(moments) // MOST_ROWS))
        parts.append(part if share == 1 else part.where(part.folds(share) == 0))
    if not parts:
        raise StateError(
            "too little history: no label window ends before the cutoff with four weeks of purchases before it",
            mend="Bring earlier events, or choose a later --cutoff or a shorter --horizon.",
        )
    return _joined(parts)


def _dataset(events: Events, question: Question, make: Maker) -> Dataset:
    customers, rows, labels = rows_at(events, question, make)
    moments = np.full(len(customers), np.datetime64(question.cutoff, "us"))
    ids = np.asarray(events.customers[customers].astype(str), dtype=str)
    return Dataset(NAMES, rows, labels, moments, ids, np.full(len(customers), ""))


def _joined(parts: Sequence[Dataset]) -> Dataset:
    return Dataset(
        parts[0].features,
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.moments for part in parts]),
        np.concatenate([part.customers for part in parts]),
        np.concatenate([part.groups for part in parts]),
    )
