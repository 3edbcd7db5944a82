"""Training sets: labels joined to features as they were known at that moment, and split by time."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.barred import barred
from features.home import Home
from features.registry import VIEWS
from features.store import FeatureStore
from training.leaks import refuse_disorder, refuse_telling, refuse_views_that_look_ahead
from training.shortage import LONGER, TooLittle

FloatArray = NDArray[np.float64]
KEYS = ("customer_id", "channel", "event_timestamp")


@dataclass(frozen=True)
class Dataset:
    """`rows` (n, k) float64 with NaN for unknown, `labels` (n,) 0 or 1 or amounts, `moments` (n,) datetime64 in UTC, `customers` (n,) ids.

    `groups` (n,) names a part that is also judged alone, such as the channel.
    """

    features: tuple[str, ...]
    rows: FloatArray
    labels: FloatArray
    moments: NDArray[np.datetime64]
    customers: NDArray[np.str_]
    groups: NDArray[np.str_]

    def where(self, mask: NDArray[np.bool_]) -> Dataset:
        """The rows where `mask` holds."""
        return Dataset(
            self.features,
            self.rows[mask],
            self.labels[mask],
            self.moments[mask],
            self.customers[mask],
            self.groups[mask],
        )

    def columns(self, features: Sequence[str]) -> FloatArray:
        """The named columns, shape (n, len(features)); a model may read fewer than the contest it stands in."""
        return self.rows[:, [self.features.index(name) for name in features]]

    def folds(self, count: int) -> NDArray[np.int64]:
        """A stable fold of every row's customer, 0 to count - 1, by hash, so that no customer is in two."""
        place, people = pd.factorize(self.customers)  # each customer is hashed once
        return np.array([zlib.crc32(str(customer).encode()) % count for customer in people], dtype=np.int64)[place]

    def half(self) -> NDArray[np.bool_]:
        """A stable half of the customers, by hash, so that no customer is on both sides."""
        return np.asarray(self.folds(2) == 0)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Split:
    """Train, then validation (calibration and choice), then test (only reported): each label window ends before the next begins.

    A leaking split cannot be made: LeakError (`training.leaks`), and none of too few rows: TooLittle. Every part needs two different outcomes, but for `rare` ones, which a part may lack.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    rare: bool = False

    def __post_init__(self) -> None:
        for name, part in (("train", self.train), ("validation", self.validation), ("test", self.test)):
            if len(part) == 0 or (part.labels.min() == part.labels.max() and not self.rare):
                raise TooLittle(f"the {name} part has {len(part)} rows and not two different outcomes", mend=LONGER)
        refuse_disorder((self.train, self.validation, self.test))
        refuse_telling(self.train)


def historical(home: Home, service: str, rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` with the service's features, in the order of `rows`; their keys are customer_id, event_timestamp and maybe channel.

    Rows of the barred are left out, also of those who were barred after `rows` was read. Raises LeakError where a view of the service
    looks ahead of its own moment, TooLittle without rows.
    """
    rows = rows[~rows["customer_id"].isin(barred(home))]
    if rows.empty:
        raise TooLittle("there are no labeled rows to train on", mend=LONGER)
    keys = [key for key in KEYS if key in rows.columns]
    frame = FeatureStore(home).historical(service, rows[keys].drop_duplicates())
    frame = frame.assign(
        event_timestamp=pd.to_datetime(frame["event_timestamp"], utc=True).astype(rows["event_timestamp"].dtype)
    )
    used = [view for view in VIEWS.values() if view.features[0].name in frame.columns]
    refuse_views_that_look_ahead(home, rows, used)
    return rows.merge(frame, on=keys, how="left", validate="many_to_one")


def dataset(frame: pd.DataFrame, features: Iterable[str], label: str, group: str | None = None) -> Dataset:
    """Columns of a frame as arrays; rows whose features were not known at all are left out."""
    names = tuple(features)
    rows = frame[list(names)].to_numpy(dtype=np.float64)
    groups = frame[group] if group else pd.Series("", index=frame.index)
    moments = frame["event_timestamp"].dt.tz_convert("UTC").dt.tz_localize(None)
    everything = Dataset(
        names, rows, frame[label].to_numpy(dtype=np.float64), moments.to_numpy(),
        frame["customer_id"].to_numpy(dtype=str), groups.to_numpy(dtype=str),
    )  # fmt: skip
    return everything.where(~np.isnan(rows).all(axis=1))


def split_by_share(
    data: Dataset, window: timedelta, validation: float = 0.2, test: float = 0.2, *, rare: bool = False
) -> Split:
    """The last rows are the test, those before the validation; rows whose window reaches into the next part are dropped.

    Raises TooLittle where a part lacks rows.
    """
    if len(data) == 0:
        raise TooLittle("there are no rows to learn from", mend=LONGER)
    at = np.quantile(data.moments.astype("int64"), [1 - validation - test, 1 - test]).astype("int64")
    first, second = at.astype(data.moments.dtype)
    gap = np.timedelta64(window)
    return Split(
        data.where(data.moments + gap <= first),
        data.where((data.moments >= first) & (data.moments + gap <= second)),
        data.where(data.moments >= second),
        rare,
    )
