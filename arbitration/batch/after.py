"""The gates that a plan's earlier steps may close, asked again with these steps counted as contacts: caps and the cool-down.

An exclusive group is not asked again: the steps are of one journey, and a journey does not exclude itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.caps import Periods, counted, sliding
from arbitration.batch.clock import NEVER, Windows, hours
from arbitration.batch.people import People, Sent
from arbitration.batch.rests import cooling
from arbitration.batch.tables import ragged
from arbitration.policy import Bound, Cap

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of each row: when it is sent and on which channel."""

    opens: Array
    channel: Array

    def only(self, rows: Array) -> Step:
        """The steps of some rows."""
        return Step(self.opens[rows], self.channel[rows])


class After:
    """The winners' contacts, with the journey and purpose of each winner's plan."""

    def __init__(self, people: People, journey: Array, service: Array) -> None:
        self._people, self._journey, self._service = people, journey, service
        sent, layout = people.sent, people.layout
        self._own = sent.only(np.flatnonzero(sent.journey == journey[sent.row]))
        self._spoke = np.bincount(self._own.row, minlength=people.size) > 0
        self._bounds = [
            (at, bound, recent, np.bincount(recent.row, minlength=people.size))
            for at, cap in enumerate(layout.policy.contact_policy.caps)
            for bound, contacts in counted(cap, layout, sent)
            for recent in [_recent(contacts, people, cap)]
        ]

    def passes(self, rows: Array, steps: list[Step], channel: Array, windows: Windows) -> Array:
        """Whether a contact on each row's channel may still follow the steps, in windows after the last step's wait; `steps` and
        `channel` are for `rows`.
        """
        found = np.ones((len(rows), windows.opens.shape[1]), dtype=bool)
        layout, journey = self._people.layout, self._journey[rows]
        for at, bound, sent, size in self._bounds:
            cap, counts = layout.policy.contact_policy.caps[at], layout.cap_counts[at]
            used = [counts[journey, step.channel] for step in steps]
            more = np.add.reduce(used, dtype=np.int64)
            asked = counts[journey, channel] & ~self._service[rows] & (more > 0) & (size[rows] + more >= bound.limit)
            some = np.flatnonzero(asked)
            if len(some):
                counted_steps = [(step.only(some), use[some]) for step, use in zip(steps, used, strict=True)]
                with_steps = _joined(sent, rows[some], counted_steps, journey[some])
                full = _full(cap, (bound, with_steps), self._people.some(rows[some]), windows.only(rows[some]))
                if full is not None:
                    found[some] &= full == NEVER
        some = np.flatnonzero(self._spoke[rows])
        if len(some):
            found[some] &= self._goes_on(rows[some], [step.only(some) for step in steps], channel[some], windows)
        return found

    def _goes_on(self, rows: Array, steps: list[Step], channel: Array, windows: Windows) -> Array:
        """The cool-down, for rows with contacts of the journey before. Steps alone never break it: each is on a channel of its own,
        after the last one's wait, unanswered, and within the journey's horizon.
        """
        layout, journey = self._people.layout, self._journey[rows]
        every = np.ones(len(rows), dtype=bool)
        together = _joined(self._own, rows, [(step, every) for step in steps], journey)
        rest, horizon = layout.rest_of[journey], layout.horizon_of[journey]
        cooled = cooling(together, windows.opens[rows], rest, horizon, layout.waits)
        return np.ones((len(rows), windows.opens.shape[1]), dtype=bool) if cooled is None else ~cooled.codes(channel)


def _recent(sent: Sent, people: People, cap: Cap) -> Sent:
    """Contacts that can still use up a sliding cap."""
    if cap.window_hours is None:
        return sent
    return sent.only(np.flatnonzero(people.now[sent.row] - sent.at < hours(cap.window_hours)))


def _full(cap: Cap, contacts: tuple[Bound, Sent], people: People, windows: Windows) -> Array | None:
    if cap.calendar is None:
        return sliding(cap, [contacts], people.now, windows)
    return Periods(cap, [contacts], people).full(windows)


def _joined(sent: Sent, rows: Array, steps: list[tuple[Step, Array]], journey: Array) -> Sent:
    """The contacts of some rows, numbered anew, and the steps among them in time order; each step only where its mask says so."""
    offsets = np.searchsorted(sent.row, np.arange(int(rows.max(initial=-1)) + 2))
    where, starts = ragged(offsets, rows)
    row = [np.repeat(np.arange(len(rows)), np.diff(starts))]
    at, channel, journeys = [sent.at[where]], [sent.channel[where]], [sent.journey[where]]
    marketing, silent = [sent.marketing[where]], [sent.silent[where]]
    for step, use in steps:
        some = np.flatnonzero(use)
        row.append(some)
        at.append(step.opens[some])
        channel.append(step.channel[some])
        journeys.append(journey[some])
        marketing.append(np.ones(len(some), dtype=bool))
        silent.append(np.ones(len(some), dtype=bool))
    columns = [np.concatenate(parts) for parts in (row, at, journeys, channel, marketing, silent)]
    order = np.lexsort((columns[1], columns[0]))
    return Sent(*(column[order] for column in columns))
