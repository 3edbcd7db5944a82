"""Features as numbers: those of the training rows decide the columns, and any later row is put into the same ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arbitration.errors import TableError
from training.experiment.notices import Notices
from training.experiment.table import Columns

FloatArray = NDArray[np.float64]
MOST_LEVELS = 50
FEWEST_ROWS = 20
"""A category needs this many rows to be told from others; with more than MOST_LEVELS of them a feature becomes one column of codes."""


@dataclass(frozen=True)
class Encoding:
    """Numbers stay one column (NaN where unknown); a string feature has one column of 0 and 1 per level.

    The features in `coded` have many levels: each is one column, the last ones, with the level's number (NaN where it is rare), which
    learners replace by means of what they learn (`category_means`).
    """

    numbers: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]
    seen: dict[str, frozenset[str]]
    coded: dict[str, tuple[str, ...]]

    def aligned(self, columns: Columns, where: str) -> Columns:
        """Columns of another table in the kinds of the training's: numbers become text where it had text; raises TableError for the reverse."""
        found = dict(columns)
        for name in self.numbers:
            if columns[name].dtype == object and columns[name].notna().any():
                raise TableError(
                    "is text, and a number in train", where=f"{where}, column {name}", mend="give the feature in one form"
                )  # fmt: skip
            found[name] = columns[name].astype(np.float64)
        for name in (*self.levels, *self.coded):
            if columns[name].dtype != object:
                numbers = columns[name].to_numpy(dtype=np.float64)
                texts = [None if np.isnan(number) else f"{number:.15g}" for number in numbers]
                found[name] = pd.Series(texts, dtype=object)
        return found

    def encode(self, columns: Columns, rows: int) -> FloatArray:
        """Shape (rows, width)."""
        parts = [columns[name].to_numpy(dtype=np.float64)[:, None] for name in self.numbers]
        for name, levels in self.levels.items():
            text = _texts(columns[name])
            parts += [(text == level)[:, None].astype(np.float64) for level in levels]
        for name, levels in self.coded.items():
            codes = pd.Index(levels).get_indexer(pd.Index(_texts(columns[name]))).astype(np.float64)
            parts.append(np.where(codes < 0, np.nan, codes)[:, None])
        return np.concatenate(parts, axis=1) if parts else np.empty((rows, 0))

    def note_unseen(self, columns: Columns, notices: Notices) -> None:
        """Name categories that no training row had."""
        for name, seen in self.seen.items():
            text = _texts(columns[name])
            new = ~np.isin(text, np.array(sorted(seen), dtype=object))
            if new.any():
                notices.add(
                    "category_not_in_training",
                    f"feature {name!r}: {int(new.sum())} rows have a category that no training row has",
                )


def learn_encoding(columns: Columns, notices: Notices) -> Encoding:
    """Columns for the features that vary; a constant one, or one with a new string in nearly every row, is left out and named."""
    numbers: list[str] = []
    levels: dict[str, tuple[str, ...]] = {}
    coded: dict[str, tuple[str, ...]] = {}
    seen: dict[str, frozenset[str]] = {}
    for name, column in columns.items():
        if column.nunique(dropna=False) < 2:
            notices.add("constant_feature", f"feature {name!r} is the same in every training row and was left out")
        elif column.dtype != object:
            numbers.append(name)
        else:
            text = pd.Series(_texts(column))
            counts = text.value_counts()
            frequent = (
                counts[counts >= FEWEST_ROWS].sort_index(kind="stable").sort_values(ascending=False, kind="stable")
            )
            seen[name] = frozenset(map(str, counts.index))
            kept = levels if len(frequent) <= MOST_LEVELS else coded
            kept[name] = tuple(map(str, frequent.index))
            if len(counts) > len(frequent):
                rest = int(counts.sum() - frequent.sum())
                notices.add(
                    "rare_categories",
                    f"feature {name!r}: {len(counts) - len(frequent)} rare categories ({rest} rows) are taken together",
                )
    return Encoding(tuple(numbers), levels, seen, coded)


def _texts(column: pd.Series[str]) -> NDArray[np.object_]:
    """Categories as text; what is not there is a category too."""
    return np.asarray(column.where(column.notna(), "").astype(str).to_numpy(dtype=object))
