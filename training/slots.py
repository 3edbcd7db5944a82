"""When to send: engagement per hour-of-week slot, an individual model shrunk to the pooled curve.

    P(engage | slot s, customer x) = w * individual(x, s) + (1 - w) * pooled(s)

The individual model reads how much more often than others the customer is active in the slot's block of the day and on its
weekday, so a customer about whom nothing is known gets the pooled curve. w is chosen on held-out contacts and may be 0. What
leaves here is relative to the customer's own mean over the slots in which contacts are sent, so that only the time matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.models import Model

FloatArray = NDArray[np.float64]
SLOTS = 42
BLOCKS = 6
PRIOR_EVENTS = 20.0
"""Events of pooled behavior mixed into a customer's own shares before they are compared."""
INPUTS = (
    *(f"activity_block_{block}" for block in range(BLOCKS)),
    *(f"activity_weekday_{day}" for day in range(SLOTS // BLOCKS)),
    "activity_count_182d",
)
FEATURES = ("slot_pooled", "own_block", "own_weekday")
_SLOT = np.arange(SLOTS)
_FLOOR = 1e-4


@dataclass(frozen=True)
class Curve:
    """What holds for everybody: engagement `rate` and share of contacts `weight` per slot, typical activity by block and weekday."""

    rate: tuple[float, ...]
    weight: tuple[float, ...]
    block: tuple[float, ...]
    weekday: tuple[float, ...]

    def describe(self, activity: FloatArray) -> FloatArray:
        """Model rows, shape (n, 42, 3), of customers' `activity`, shape (n, 14) in the order of INPUTS, NaN where unknown."""
        count = np.nan_to_num(activity[:, -1:])
        block = _against(activity[:, :BLOCKS], np.array(self.block), count)
        weekday = _against(activity[:, BLOCKS:-1], np.array(self.weekday), count)
        rate = np.clip(np.array(self.rate), _FLOOR, 1 - _FLOOR)
        pooled = np.broadcast_to(np.log(rate / (1 - rate)), (len(activity), SLOTS))
        return np.stack([pooled, block[:, _SLOT % BLOCKS], weekday[:, _SLOT // BLOCKS]], axis=2)


@dataclass(frozen=True)
class SendTime:
    """The curve, the individual model and its weight."""

    curve: Curve
    individual: Model
    weight: float

    @property
    def version(self) -> str:
        """The individual model's version and its weight."""
        return f"{self.individual.version}-w{self.weight:.2f}"

    def probabilities(self, activity: FloatArray) -> FloatArray:
        """P(engage) per customer and slot, shape (n, 42)."""
        pooled = np.broadcast_to(np.array(self.curve.rate), (len(activity), SLOTS))
        if self.weight == 0.0:
            return np.array(pooled)
        rows = self.curve.describe(activity)
        own = self.individual.predict(rows.reshape(-1, len(FEATURES))).reshape(len(activity), SLOTS)
        return np.asarray(self.weight * own + (1 - self.weight) * pooled)

    def relative(self, features: Mapping[str, float]) -> FloatArray:
        """Engagement per slot relative to the customer's mean over slots as contacts are sent, shape (42,), mean 1."""
        values = [features.get(name, np.nan) for name in INPUTS]
        activity = np.array([values], dtype=np.float64)
        chances = self.probabilities(activity)[0]
        return np.asarray(chances / (chances @ np.array(self.curve.weight)))


def _against(shares: FloatArray, typical: FloatArray, count: FloatArray) -> FloatArray:
    """log(own share / typical share), the own share mixed with PRIOR_EVENTS typical events; 0 where nothing is known."""
    own = np.where(np.isnan(shares), typical, shares)
    mixed = (own * count + typical * PRIOR_EVENTS) / (count + PRIOR_EVENTS)
    return np.asarray(np.log(np.maximum(mixed, _FLOOR) / np.maximum(typical, _FLOOR)))
