"""The gates for one set of windows: the first that refuses a treatment in each window, worked out once per scope."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.caps import Periods, counted, sliding
from arbitration.batch.clock import INSTANT, NEVER, Windows
from arbitration.batch.consents import Permission
from arbitration.batch.fitness import rule_codes, rules_of
from arbitration.batch.layout import CAP_GATES, CODES, PASSED
from arbitration.batch.people import People, instants
from arbitration.batch.rests import Cooling, cooling, running
from arbitration.columns import Answers
from arbitration.gates.ageing import ages
from arbitration.gates.contact_policy import HELD, VISIT

Array = npt.NDArray[Any]

ALL = slice(None)
SAYS_WHEN = ("pause", "quiet_hours", *CAP_GATES, "cool_down", "exclusive_group", "live_winner", "channel_held")
"""Gates that tell when a refused candidate would pass."""


class Desk:
    """Answers of the gates that look at the window, for `people` and their `windows`; `codes` holds positions in `GATES`."""

    def __init__(self, people: People, windows: Windows, permission: Permission) -> None:
        self.people, self.windows = people, windows
        self._permission, self._layout = permission, people.layout
        self._channels: dict[tuple[int, bool, bool], Array] = {}
        self._journeys: dict[int, Array] = {}
        self._rules: dict[str, Answers] = {}
        self._full: dict[int, Array | None] = {}
        self._periods: dict[int, Periods] = {}
        self._cooling: dict[int, Cooling | None] = {}
        self._groups: dict[int, Array | None] = {}
        self._customer = np.where(windows.opens < self._paused, CODES["pause"], PASSED)

    @property
    def _paused(self) -> Array:
        return instants(self.people.audience.paused_until)[self.people.rows][:, None]

    def codes(self, treatment: int, rows: Array | slice = ALL) -> Array:
        """The first gate that refuses each window, `PASSED` where none does: rows x windows."""
        layout = self._layout
        journey, channel = int(layout.journey_of[treatment]), int(layout.channel_of[treatment])
        service, scheduled = layout.service_of[treatment], layout.scheduled_of[treatment]
        shared = self._channel(channel, service=service, scheduled=scheduled)
        found = np.minimum(shared[rows], self._journey(journey)[rows])
        if not service:
            self._capped(found, "group_cap", journey, channel, rows)
        cooled = self.cooled(journey)
        if cooled is not None:
            refused = np.full(self.windows.opens.shape, PASSED)
            channels = np.full(self.people.size, channel)
            refused[cooled.rows] = np.where(cooled.codes(channels), CODES["cool_down"], PASSED)
            np.minimum(found, refused[rows], out=found)
        return found

    def _channel(self, channel: int, *, service: bool, scheduled: bool) -> Array:
        key = (channel, service, scheduled)
        if key not in self._channels:
            found = np.minimum(self._customer, self._permission.codes(channel, self.windows, service=service))
            if scheduled:
                quiet = (self.windows.quiet != NEVER) & self.people.zoned[:, None]
                np.minimum(found, np.where(quiet, CODES["quiet_hours"], PASSED), out=found)
            if not service:
                self._capped(found, "channel_cap", 0, channel)
                self._capped(found, "overall_cap", 0, channel)
            self._held(found, channel)
            self._channels[key] = found
        return self._channels[key]

    def _held(self, found: Array, channel: int) -> None:
        answers = self.people.holds(self._layout.policy.channels[self._layout.channels[channel]].held)
        held = ~answers.known | answers.truth
        if held.any():
            soon = self.windows.opens < (self.people.now + HELD // INSTANT)[:, None]
            np.minimum(found, np.where(soon & held[:, None], CODES["channel_held"], PASSED), out=found)

    def _journey(self, journey: int) -> Array:
        if journey not in self._journeys:
            people, opens = self.people, self.windows.opens
            ends, has = people.trigger_ends[:, journey, None], people.has_trigger[:, journey, None]
            found = np.where(has & (ends <= opens), CODES["trigger_expired"], PASSED)
            live = self.grouped(journey)
            if live is not None:
                np.minimum(found, np.where(live != NEVER, CODES["exclusive_group"], PASSED), out=found)
            for code, rule in rules_of(self._layout.policy.journeys[self._layout.journeys[journey]]):
                if ages(rule):
                    np.minimum(found, rule_codes(code, self._answers(rule)), out=found)
            self._journeys[journey] = found
        return self._journeys[journey]

    def _answers(self, rule: str) -> Answers:
        if rule not in self._rules:
            self._rules[rule] = self.people.holds_at(rule, self.windows.opens)
        return self._rules[rule]

    def _capped(self, found: Array, gate: str, journey: int, channel: int, rows: Array | slice = ALL) -> None:
        for at in self.caps(gate, journey, channel):
            full = self.full(at)
            if full is not None:
                np.minimum(found, np.where(full[rows] != NEVER, CODES[gate], PASSED), out=found)

    def caps(self, gate: str, journey: int, channel: int) -> list[int]:
        """Positions of the caps that a gate asks for a journey and channel."""
        return [at for at in self._layout.caps_of[gate] if self._layout.cap_counts[at][journey, channel]]

    def full(self, at: int) -> Array | None:
        """When the cap has room again (sliding), or the full period (calendar), NEVER where it has room; None: room everywhere."""
        if at not in self._full:
            cap = self._layout.policy.contact_policy.caps[at]
            contacts = counted(cap, self._layout, self.people.sent)
            if cap.calendar is None:
                self._full[at] = sliding(cap, contacts, self.people.now, self.windows)
            else:
                self._periods[at] = Periods(cap, contacts, self.people)
                self._full[at] = self._periods[at].full(self.windows)
        return self._full[at]

    def cooled(self, journey: int) -> Cooling | None:
        """The runs of the journey."""
        if journey not in self._cooling:
            people, layout = self.people, self._layout
            sent = people.sent.only(np.flatnonzero(people.sent.journey == journey))
            rest, horizon = (
                np.full(people.size, layout.rest_of[journey]),
                np.full(people.size, layout.horizon_of[journey]),
            )
            self._cooling[journey] = cooling(sent, self.windows.opens, rest, horizon, layout.waits)
        return self._cooling[journey]

    def grouped(self, journey: int) -> Array | None:
        """Until when another journey of the group runs."""
        if journey not in self._groups:
            rivals = self._layout.rivals_of(journey)
            sent = self.people.sent
            among = np.isin(sent.journey, rivals) if rivals else np.zeros(len(sent.row), dtype=bool)
            self._groups[journey] = running(
                sent.only(np.flatnonzero(among)), self.windows.opens, self._layout.horizon_of
            )
        return self._groups[journey]

    def free_at(self, code: str, treatment: int, row: Array, window: Array) -> Array:
        """When a refused candidate would pass, NEVER if the gate does not say."""
        journey, channel = int(self._layout.journey_of[treatment]), int(self._layout.channel_of[treatment])
        found: Array = np.full(len(row), NEVER)
        if code in CAP_GATES:
            found = self._free_of_cap(code, journey, channel, row, window)
        elif code == "pause":
            found = self._paused[row, 0]
        elif code == "quiet_hours":
            found = self.windows.quiet[row, window]
        elif code == "cool_down" and (cooled := self.cooled(journey)) is not None:
            found = cooled.free[np.searchsorted(cooled.rows, row)]
        elif code == "exclusive_group" and (live := self.grouped(journey)) is not None:
            found = live[row, window]
        elif code == "live_winner":
            found = self.people.live_until[row, int(self._layout.scheduled_of[treatment])]
        elif code == "channel_held":
            found = self.people.now[row] + VISIT // INSTANT
        return found

    def _free_of_cap(self, gate: str, journey: int, channel: int, row: Array, window: Array) -> Array:
        found = np.full(len(row), NEVER)
        for at in self.caps(gate, journey, channel):
            full = self.full(at)
            if full is None:
                continue
            stands = np.flatnonzero((found == NEVER) & (full[row, window] != NEVER))
            free = full[row[stands], window[stands]]
            periods = self._periods.get(at)
            found[stands] = free if periods is None else periods.free(row[stands], free)
        return found
