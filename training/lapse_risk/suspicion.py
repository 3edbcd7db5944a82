"""Leaks: a file that knows the future, a feature that looks ahead, a label window that reaches into what judges it. All are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol, Self, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arbitration.errors import StateError, TableError


class Known(Protocol):
    """What happened, from which the time at and after a moment can be taken away."""

    def before(self, moment: int) -> Self:
        """The same without everything at or after `moment` (microseconds since 1970)."""


K = TypeVar("K", bound=Known)
Maker = Callable[[K, int], tuple[NDArray[np.int64], NDArray[np.float64]]]
"""Features at a moment: the customers (n,) and their rows (n, k)."""
SAMPLE = 200
DATES = 0.9
"""A text column of which at least this share of a sample reads as a date is a column of dates."""


class LeakError(StateError):
    """The future stands in the features or in the training labels; nothing was trained."""


def refuse_future_dates(path: Path, strangers: Iterable[str], cutoff: int) -> None:
    """Raises TableError where a column outside the data contract holds, on an event before the cutoff, a date at or after it.

    Such a column (next_purchase_at, churned_on, last_seen_at of an export made later) was written with knowledge of the future.
    """
    for name in strangers:
        column = pq.read_table(path, columns=["occurred_at", name])
        dates = _as_dates(column[name])
        if dates is None:
            continue
        occurred = pd.to_datetime(column["occurred_at"].to_pandas(), utc=True, errors="coerce")
        limit = pd.Timestamp(cutoff, unit="us", tz="UTC")
        ahead = (occurred < limit) & (dates >= limit)
        if ahead.any():
            raise TableError(
                f"leaks: {ahead.sum():,} events before the cutoff hold a date at or after it",
                where=f"{path}, row {int(np.flatnonzero(ahead)[0]) + 1}, column {name}",
                mend="Leave this column out: it was written with knowledge of the future.",
            )


def _as_dates(column: pa.ChunkedArray) -> pd.Series | None:
    """The column as UTC moments, NaT where there is none; None where it is no column of dates."""
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return pd.Series(pd.to_datetime(column.to_pandas(), utc=True, errors="coerce"))
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)):
        return None
    text = column.to_pandas().astype("string")
    sample = text.dropna().head(SAMPLE)
    sample = sample[sample.str.match(r"\d{4}-\d{2}-\d{2}")]
    if len(sample) == 0 or len(sample) < DATES * min(SAMPLE, int(text.notna().sum())):
        return None
    return pd.Series(pd.to_datetime(text, utc=True, errors="coerce", format="ISO8601"))


def refuse_looking_ahead(make: Maker[K], events: K, moment: int, *, of: str = "") -> None:
    """Raises LeakError where the features at `moment` change when everything at or after it is taken away; `of` names what makes them."""
    with_future, without = make(events, moment), make(events.before(moment), moment)
    alike = np.array_equal(with_future[0], without[0]) and with_future[1].shape == without[1].shape
    # sums of the same numbers in another order differ in their last digits
    same = alike and np.allclose(with_future[1], without[1], rtol=1e-9, atol=1e-12, equal_nan=True)
    if not same:
        raise LeakError(
            "a feature looks at events at or after its own moment; nothing was trained",
            where=f"{of}{pd.Timestamp(moment, unit='us', tz='UTC')}",
            mend="Compute every feature from what happened before its moment alone.",
        )


def refuse_overlap(moments: Sequence[int], horizon: int, judged_at: int) -> None:
    """Raises LeakError where the label window of a training moment ends after the moment at which the model is judged or used."""
    if late := [moment for moment in moments if moment + horizon > judged_at]:
        raise LeakError(
            f"{len(late)} label windows end after the moment that judges them; nothing was trained",
            where=str(pd.Timestamp(judged_at, unit="us", tz="UTC")),
            mend="Train at moments whose whole label window lies before.",
        )
