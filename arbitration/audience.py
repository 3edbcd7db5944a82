"""An audience: many customers at their own moments, as columns. What `arbitration.vectorized.decide_all` is asked with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from arbitration.batch.layout import Layout
from arbitration.batch.reading import Read, read
from arbitration.batch.tables import Believed, Consents, Contacts, Triggers
from arbitration.policy import Policy

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Audience:
    """Rows as columns of one length; each row has its own moment, dice and time zone. Channels and journeys are positions of the
    policy's ids in alphabetical order.

    now, paused_until  datetime64[us] in UTC; NaT: not paused
    draw               the dice in [0, 1) of each decision
    zone, zones        position in `zones` (IANA names), -1 when unknown
    names_channels     whether the caller named the channels it serves; `serves` says which: rows x channels
    stock              resource id -> units left (float64, NaN unknown); a resource that is absent is unknown
    stopped            whether a journey is stopped: rows x journeys; None: none is
    features           feature -> column as `arbitration.columns.evaluate` takes it; only those of `Layout.features` are read
    """

    customer_id: Array
    decision_id: Array
    now: Array
    draw: Array
    zone: Array
    zones: tuple[str, ...]
    known: Array
    holdout: Array
    objected: Array
    suppressed: Array
    paused_until: Array
    names_channels: Array
    serves: Array
    stock: Mapping[str, Array]
    consents: Consents
    contacts: Contacts
    triggers: Triggers
    features: Mapping[str, Array]
    estimates: Believed
    stopped: Array | None = None

    def __len__(self) -> int:
        return len(self.now)

    @classmethod
    def from_encoded(cls, rows: Sequence[Mapping[str, Any]], policy: Policy) -> Audience:
        """From plain JSON as `arbitration.codec.encode` gives it, moments also as such: each row has context, estimates, now, draw and decision_id."""
        found: Read = read(rows, Layout(policy))
        return cls(**found)
