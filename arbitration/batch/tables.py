"""What an audience is made of: flat columns for what a customer has many of, with one offset per row.

The records of row `i` stand from `offsets[i]` to `offsets[i + 1]`. Moments are datetime64[us] in UTC, NaT where there is none.
Channels and journeys are positions in the layout's sorted ids, -1 for one that the catalog does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
STATES = ("granted", "denied", "withdrawn")
BASES = ("consent", "existing_customer_7_3", "contract", "none")
EVERYWHERE = -2
"""Stands for `arbitration.domain.EVERY_CHANNEL`; -1 is a channel that the catalog does not know."""


@dataclass(frozen=True, slots=True)
class Consents:
    """Records of consent: `state` and `basis` are positions in `STATES` and `BASES`, `evidence` says whether there is any; `channel` may
    be `EVERYWHERE`.
    """

    offsets: Array
    channel: Array
    service: Array
    state: Array
    basis: Array
    evidence: Array
    valid_from: Array
    valid_to: Array


@dataclass(frozen=True, slots=True)
class Contacts:
    """Contacts made or reserved: `engaged` is 1 for yes, 0 for known not to have engaged, -1 for unknown; `live_until` until when a
    reservation holds that is neither sent nor given back (None: there is none).
    """

    offsets: Array
    journey: Array
    channel: Array
    sent_at: Array
    service: Array
    engaged: Array
    live_until: Array | None = None


@dataclass(frozen=True, slots=True)
class Triggers:
    """Triggers; `unknown` names those whose journey is not in the catalog, as (row, journey)."""

    offsets: Array
    journey: Array
    expires_at: Array
    unknown: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Believed:
    """Means of the estimates with priors filled in, and the effect's standard deviation: one line per row.

    `effect`, `effect_sd` and `propensity` have a column per treatment in the order of `treatments(policy)`, `timing` one per
    slot (42; 1.0 is neutral), `opt_out` and `reach_value` one per channel, by id.
    """

    effect: Array
    effect_sd: Array
    propensity: Array
    timing: Array
    opt_out: Array
    reach_value: Array
    base_purchase: Array
    basket_margin: Array
    recency_value: Array
    attention_price: Array
    tier_progress: Array

    def only(self, rows: Array) -> Believed:
        """The estimates of some rows."""
        return Believed(*(getattr(self, name)[rows] for name in Believed.__slots__))


def counts(offsets: Array) -> Array:
    """How many records each row has."""
    return np.diff(offsets)


def begins(rows: Array) -> Array:
    """Where each run of equal rows begins."""
    if not len(rows):
        return np.zeros(0, dtype=np.int64)
    changes = np.empty(len(rows), dtype=bool)
    changes[0] = True
    np.not_equal(rows[1:], rows[:-1], out=changes[1:])
    found: Array = changes.nonzero()[0]
    return found


def ragged(offsets: Array, rows: Array) -> tuple[Array, Array]:
    """Positions of the records of some rows, in order, and the new offsets."""
    length = counts(offsets)[rows]
    starts = np.concatenate([[0], np.cumsum(length)])
    where = np.arange(starts[-1]) + np.repeat(offsets[rows] - starts[:-1], length)
    return where, starts
