"""Cool-downs and exclusive groups as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.clock import NEVER
from arbitration.batch.people import Sent
from arbitration.batch.tables import begins

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Cooling:
    """The runs of one journey per row: `rows` have contacts of it, `refuses` says where no channel may go on, `run` where there is
    a run, `since` the position of its first contact in `sent`, `free` when the rest is over.
    """

    sent: Sent
    rows: Array
    ends: Array
    since: Array
    run: Array
    refuses: Array
    free: Array

    def codes(self, channel: Array) -> Array:
        """Whether `cool_down` refuses a row's channel: one line for each of `rows`."""
        own = np.where(self.sent.channel == channel[self.sent.row], np.arange(len(self.sent.row)), -1)
        starts = np.append(0, self.ends[:-1])
        last = np.maximum.reduceat(own, starts)
        refused: Array = self.refuses | (self.run & (last[:, None] >= self.since))
        return refused


def cooling(sent: Sent, opens: Array, rest: Array, horizon: Array, wait: Array) -> Cooling | None:
    """The runs of contacts of each row's own journey, as seen from the opening of its windows; None without contacts."""
    if not len(sent.row):
        return None
    starts = begins(sent.row)
    ends = np.append(starts[1:], len(sent.row))
    rows = sent.row[starts]
    opens = opens[rows]
    near = np.repeat(opens, ends - starts, axis=0) - sent.at[:, None] < rest[sent.row][:, None]
    length = np.add.reduceat(near, starts, axis=0, dtype=np.int64)
    since, run = ends[:, None] - length, length > 0
    engaged = np.append(0, np.cumsum(~sent.silent))
    answered = engaged[ends][:, None] > engaged[since]
    first = sent.at[np.minimum(since, len(sent.at) - 1)]
    last = ends - 1
    waited = opens >= (sent.at[last] + wait[sent.channel[last]])[:, None]
    goes_on = (opens < first + horizon[rows][:, None]) & waited & ~answered
    return Cooling(sent, rows, ends, since, run, run & ~goes_on, sent.at[last] + rest[rows])


def running(sent: Sent, opens: Array, horizons: Array) -> Array | None:
    """Until when contacts of other journeys that still run block a window; NEVER where none does."""
    if not len(sent.row):
        return None
    starts = begins(sent.row)
    ends_at = sent.at + horizons[sent.journey]
    live = opens[sent.row] < ends_at[:, None]
    free = np.full(opens.shape, NEVER)
    free[sent.row[starts]] = np.maximum.reduceat(np.where(live, ends_at[:, None], NEVER), starts, axis=0)
    return free
