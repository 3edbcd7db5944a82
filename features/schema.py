"""The feature schema: name, dtype, unit, meaning and business name of every feature, in one place.

A feature belongs to one view. Its `sql` is an expression over that view's base relation (`features/views/*.py`), so the
same text serves training (all customers, many moments) and serving (one customer, this moment).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["float64", "int64", "string"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature. `low` and `high` bound plausible values."""

    name: str
    dtype: Dtype
    unit: str
    sql: str
    meaning: str
    en: str
    de: str
    low: float | None = None
    high: float | None = None
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A set of features with the same keys: `base` is SQL for the relation the expressions read.

    `base` may use the relation `spine` (the keys plus `moment`) and the canonical tables by name; it yields the keys, `moment`,
    and whatever the features need. `max_age_hours` is the age beyond which an online row counts as missing.
    """

    name: str
    keys: tuple[str, ...]
    base: str
    features: tuple[Feature, ...]
    max_age_hours: int
    ttl_days: int
