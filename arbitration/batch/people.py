"""One chunk of an audience, ready for the gates: records sorted, moments as numbers, each rule asked once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.ageing import aged_column
from arbitration.batch.clock import FAR, HOUR, NEVER, Clock
from arbitration.batch.layout import Layout
from arbitration.batch.tables import counts, ragged
from arbitration.columns import Answers, evaluate
from arbitration.expression import compile_expression

if TYPE_CHECKING:
    from arbitration.audience import Audience

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """Contacts in the order of row and time: `row`, moment, journey, channel, whether marketing, whether known as not engaged."""

    row: Array
    at: Array
    journey: Array
    channel: Array
    marketing: Array
    silent: Array

    def only(self, keep: Array) -> Sent:
        """The contacts that a mask or positions name."""
        return Sent(*(getattr(self, name)[keep] for name in Sent.__slots__))


class People:
    """Rows of an audience (`rows`, positions) with what all gates share. Moments are int64 microseconds."""

    def __init__(self, audience: Audience, layout: Layout, clock: Clock, rows: Array) -> None:
        self.audience, self.layout, self.clock, self.rows = audience, layout, clock, rows
        self.size = len(rows)
        self.now = instants(audience.now)[rows]
        self.zoned = audience.zone[rows] >= 0
        self.zone = np.where(self.zoned, audience.zone[rows], len(audience.zones))
        self._answers: dict[str, Answers] = {}

    def some(self, rows: Array) -> People:
        """Some of these rows as people of their own."""
        return People(self.audience, self.layout, self.clock, self.rows[rows])

    @cached_property
    def sent(self) -> Sent:
        """All contacts."""
        contacts = self.audience.contacts
        where, offsets = ragged(contacts.offsets, self.rows)
        row = np.repeat(np.arange(self.size), counts(offsets))
        at = instants(contacts.sent_at)[where]
        order = np.lexsort((at, row))
        where, row, at = where[order], row[order], at[order]
        return Sent(
            row,
            at,
            contacts.journey[where],
            contacts.channel[where],
            ~contacts.service[where],
            contacts.engaged[where] == 0,
        )

    @cached_property
    def live_until(self) -> Array:
        """Until when marketing contacts that are live now hold, on immediate and on scheduled channels (rows x 2); else NEVER."""
        found, contacts = np.full((self.size, 2), NEVER), self.audience.contacts
        if contacts.live_until is None:
            return found
        where, offsets = ragged(contacts.offsets, self.rows)
        row = np.repeat(np.arange(self.size), counts(offsets))
        until = instants(contacts.live_until)[where]
        live = ~contacts.service[where] & (until > self.now[row])
        timing = self.layout.scheduled[contacts.channel[where]]
        np.maximum.at(found, (row[live], timing[live]), until[live])
        return found

    @cached_property
    def has_trigger(self) -> Array:
        """Whether a row has a trigger of each journey: rows x journeys."""
        found = np.zeros((self.size, len(self.layout.journeys) + 1), dtype=bool)
        row, journey, _ = self._triggers
        found[row, journey] = True
        return found[:, :-1]

    @cached_property
    def any_trigger(self) -> Array:
        """Whether a row has any trigger, known or not."""
        return counts(self.audience.triggers.offsets)[self.rows] > 0

    @cached_property
    def trigger_ends(self) -> Array:
        """When the last trigger of each journey ends, `FAR` if one of them never does; NEVER without one: rows x journeys."""
        found = np.full((self.size, len(self.layout.journeys) + 1), NEVER)
        row, journey, ends = self._triggers
        np.maximum.at(found, (row, journey), ends)
        return found[:, :-1]

    @cached_property
    def _triggers(self) -> tuple[Array, Array, Array]:
        triggers = self.audience.triggers
        where, offsets = ragged(triggers.offsets, self.rows)
        ends = instants(triggers.expires_at)[where]
        row = np.repeat(np.arange(self.size), counts(offsets))
        return row, triggers.journey[where], np.where(ends == NEVER, FAR, ends)

    def holds(self, rule: str) -> Answers:
        """A rule's answer for each row."""
        if rule not in self._answers:
            expression = compile_expression(rule)
            features = self.audience.features
            columns = {name: features[name][self.rows] for name in expression.names if name in features}
            self._answers[rule] = evaluate(expression, columns, self.size)
        return self._answers[rule]

    def holds_at(self, rule: str, opens: Array) -> Answers:
        """A rule's answer for each row at each of its moments, rows x moments, if until then only time passes."""
        now, expression, features = self.holds(rule), compile_expression(rule), self.audience.features
        hours = (opens - self.now[:, None]) / HOUR
        names = [name for name in expression.names if name in features]
        columns = {name: aged_column(name, features[name][self.rows], hours) for name in names}
        later = evaluate(expression, columns, hours.shape)
        pairs = ((now.truth, later.truth), (now.known, later.known), (now.missing, later.missing))
        return Answers(*(np.where(hours > 0, after, before[:, None]) for before, after in pairs))


def instants(moments: Array) -> Array:
    """Datetime64[us] as int64 microseconds; NaT becomes NEVER."""
    return moments.astype("M8[us]", copy=False).view(np.int64)
