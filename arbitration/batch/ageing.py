"""`arbitration.gates.ageing` for columns: the same float operations, so that rules say the same at every moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.gates.ageing import age_of, aged

Array = npt.NDArray[Any]


def aged_column(feature: str, column: Array, hours: Array) -> Array:
    """A feature of each row after the hours of each of its moments, rows x moments; one column where it does not age."""
    age = age_of(feature)
    if age == 0.0 or column.dtype == bool:
        return column[:, None]
    number = _numbers(column)
    if number is None:
        return _one_by_one(feature, column, hours)
    value = number[:, None]
    return np.maximum(np.minimum(value, 0.0), value + age * hours)


def _numbers(column: Array) -> Array | None:
    """The column as float64, NaN where unknown; None if it holds more than numbers."""
    if column.dtype == object and not set(map(type, column)) <= {int, float, type(None)}:
        return None
    try:
        return column.astype(np.float64)
    except OverflowError:  # a whole number that no float holds
        return None


def _one_by_one(feature: str, column: Array, hours: Array) -> Array:
    found = np.empty(hours.shape, dtype=object)
    for row, value in enumerate(column.tolist()):
        found[row] = [aged(feature, value, moment) for moment in hours[row].tolist()]
    return found
