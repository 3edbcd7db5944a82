"""Leaks in the service's own training sets: refused before anything is fitted, by the detectors of the stand-alone verbs.

Three kinds: a feature that tells the label by itself (`experiment.leaks`), a feature that holds a date after its own row's moment,
and a feature view that changes when what comes after its moment is taken away (`lapse_risk.suspicion`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.compute import compute
from features.home import Home
from features.schema import View
from features.tables.contract import TABLES
from features.tables.store import open_tables, readable
from training.experiment.leaks import ENOUGH_ROWS, grouped, tells_reward
from training.lapse_risk.suspicion import LeakError, refuse_looking_ahead

if TYPE_CHECKING:
    from training.dataset import Dataset

SAMPLE = 100
"""Customers whose features are computed twice."""
DATES = 0.9
"""A column of which at least this share lies between 2000 and 2100, read as a time, is a column of times."""
EARLIEST, LATEST = 946_684_800.0, 4_102_444_800.0
UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
HAPPENS = {"events": "occurred_at", "contacts": "sent_at", "outcomes": "occurred_at"}
MEND = "Leave it out of the model, or compute it from what happened before its moment alone."


def refuse_telling(data: Dataset) -> None:
    """Raises LeakError for a feature from which alone the label can be read, or which holds a time after its row's moment.

    Below 100 rows nothing can be told from chance.
    """
    if len(data) < ENOUGH_ROWS:
        return
    moments = data.moments.astype("datetime64[us]").astype(np.int64) / 1e6
    for place, name in enumerate(data.features):
        column = data.rows[:, place]
        numbers, _ = grouped(pd.Series(column), data.labels)
        if tells_reward(numbers, data.labels):
            raise LeakError("it tells the label by itself; nothing was trained", where=f"feature {name}", mend=MEND)
        if unit := _holds_future(column, moments):
            raise LeakError(
                f"it holds times ({unit} since 1970) after its row's own moment; nothing was trained",
                where=f"feature {name}", mend=MEND,
            )  # fmt: skip


def refuse_views_that_look_ahead(home: Home, rows: pd.DataFrame, views: Iterable[View]) -> None:
    """Raises LeakError where a view, computed at a middle moment of `rows`, changes when everything at or after it is taken away."""
    moments = rows["event_timestamp"].sort_values()
    moment = pd.Timestamp(moments.iloc[len(moments) // 2])
    known = rows.loc[rows["event_timestamp"] <= moment]
    spine = known.drop_duplicates("customer_id").sort_values("customer_id").head(SAMPLE)
    at = int(moment.timestamp() * 1e6)
    with Tables(home) as tables:
        for view in views:
            refuse_looking_ahead(_Maker(view, spine), tables, at, of=f"view {view.name} at ")


class Tables:
    """The shop's tables, whole or `until` a moment (microseconds since 1970)."""

    def __init__(self, home: Home, until: int | None = None) -> None:
        self._home = home
        self.connection = open_tables(home)
        moment = None if until is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=until)
        for table, column in HAPPENS.items() if moment else ():
            kept = f"SELECT * FROM ({readable(home, TABLES[table])}) WHERE {column} < TIMESTAMPTZ '{moment}'"
            self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS {kept}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def before(self, moment: int) -> Tables:
        """The tables as they were, but for what a shop never dates: who its customers are."""
        return Tables(self._home, moment)


class _Maker:
    """A view's features of the same customers at a moment, as `refuse_looking_ahead` compares them."""

    def __init__(self, view: View, spine: pd.DataFrame) -> None:
        self._view, self._spine = view, spine

    def __call__(self, tables: Tables, moment: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        keys = self._spine[list(self._view.keys)].assign(moment=pd.Timestamp(moment, unit="us", tz="UTC"))
        frame = compute(tables.connection, self._view, keys).sort_values(list(self._view.keys))
        numbers = frame[[feature.name for feature in self._view.features]].copy()
        for feature in self._view.features:
            if feature.dtype == "string":  # another text is another number
                numbers[feature.name] = numbers[feature.name].map(_digest)
        return np.arange(len(frame)), numbers.to_numpy(dtype=np.float64)


def _digest(text: object) -> float:
    return float(zlib.crc32(text.encode())) if isinstance(text, str) else np.nan


def _holds_future(column: NDArray[np.float64], moments: NDArray[np.float64]) -> str | None:
    """The unit in which the column reads as times of which one is later than its row; None where it holds none."""
    known = ~np.isnan(column)
    if not known.any():
        return None
    for unit, scale in UNITS.items():
        seconds = column[known] / scale
        times = (seconds > EARLIEST) & (seconds < LATEST)
        if times.mean() >= DATES and (seconds > moments[known])[times].any():
            return unit
    return None


def refuse_disorder(parts: Sequence[Dataset]) -> None:
    """Raises LeakError where a part of a split has a row later than the first of the part that judges it."""
    for earlier, later in pairwise(parts):
        if earlier.moments.max() > later.moments.min():
            raise LeakError(
                "rows to learn from are later than rows to be judged on; nothing was trained",
                where=str(later.moments.min()), mend="Split by time.",
            )  # fmt: skip
