"""The consent gates as arrays: which record holds when a window opens, and what it refuses. Unknown is no."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.clock import NEVER, Windows
from arbitration.batch.layout import CODES, PASSED
from arbitration.batch.people import People, instants
from arbitration.batch.tables import BASES, EVERYWHERE, STATES, begins, counts, ragged

Array = npt.NDArray[Any]
_GRANTED, _DENIED, _WITHDRAWN = (STATES.index(state) for state in ("granted", "denied", "withdrawn"))
_FITS = np.array(
    [
        [basis in ("consent", "existing_customer_7_3") for basis in BASES],
        [basis in ("consent", "contract") for basis in BASES],
    ]
)
_EXISTING = BASES.index("existing_customer_7_3")
EMAIL = "email"
"""The one channel that the existing-customer exception is for."""


@dataclass(frozen=True, slots=True)
class Records:
    """Records of some channel and purpose in the order of row and time: `refuses` is the gate that says no whenever one holds."""

    row: Array
    valid_from: Array
    valid_to: Array
    refuses: Array


class Permission:
    """Records of consent of all rows, by channel and purpose."""

    def __init__(self, people: People) -> None:
        self._people = people

    @cached_property
    def _sorted(self) -> tuple[Array, Array, Array]:
        """Positions of all records by row, time and strictness; their rows; channel * 2 + service."""
        consents, people = self._people.audience.consents, self._people
        where, offsets = ragged(consents.offsets, people.rows)
        row = np.repeat(np.arange(people.size), counts(offsets))
        order = np.lexsort((consents.state[where], instants(consents.valid_from)[where], row))
        where = where[order]
        return where, row[order], consents.channel[where] * 2 + consents.service[where]

    def records(self, channel: int, *, service: bool, needed: bool) -> Records:
        """The records for channel and purpose; a channel that needs no consent still heeds a no."""
        consents = self._people.audience.consents
        where, row, key = self._sorted
        keep = (key == channel * 2 + service) | (
            (key == EVERYWHERE * 2 + service) & (consents.state[where] != _GRANTED)
        )
        where, row = where[keep], row[keep]
        state, basis = consents.state[where], consents.basis[where]
        refuses = np.full(len(where), PASSED)
        if needed:
            fits = _FITS[int(service)][basis] & (
                (basis != _EXISTING) | (self._people.layout.channels[channel] == EMAIL)
            )
            refuses[~(consents.evidence[where] & fits)] = CODES["consent_evidence_incomplete"]
        refuses[state == _DENIED] = CODES["consent_denied"]
        refuses[state == _WITHDRAWN] = CODES["consent_withdrawn"]
        valid_to = instants(consents.valid_to)[where] if needed else np.full(len(where), NEVER)
        return Records(row, instants(consents.valid_from)[where], valid_to, refuses)

    def codes(self, channel: int, windows: Windows, *, service: bool) -> Array:
        """The first consent gate that refuses each window, for a channel and purpose: rows x windows."""
        needed = self._people.layout.policy.channels[self._people.layout.channels[channel]].needs_consent
        records = self.records(channel, service=service, needed=needed)
        found = np.full(windows.opens.shape, CODES["consent_missing"] if needed else PASSED)
        if not len(records.row):
            return found
        starts = begins(records.row)
        rows = records.row[starts]
        opens = windows.opens[rows]
        early = records.valid_from <= self._people.now[records.row]
        if early.all():
            held = (np.append(starts[1:], len(records.row)) - 1)[:, None]
            none = np.zeros((1, 1), dtype=bool)
        else:
            begun = np.add.reduceat(
                records.valid_from[:, None] <= windows.opens[records.row], starts, axis=0, dtype=np.int64
            )
            held, none = np.maximum(starts[:, None] + begun - 1, 0), begun == 0
        valid_to = records.valid_to[held]
        expired = (valid_to != NEVER) & (valid_to <= opens)
        code = np.minimum(records.refuses[held], np.where(expired, CODES["consent_expired"], PASSED))
        found[rows] = np.where(none, found[rows], code)
        return found
