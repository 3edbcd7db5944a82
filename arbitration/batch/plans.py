"""Plans for the winners of a chunk: which rivals may follow and what they are worth; `chains` finds the best order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.after import After, Step
from arbitration.batch.chains import NOTHING, Rivals, best_chains
from arbitration.batch.clock import FAR, INSTANT, NEVER, Windows
from arbitration.batch.consents import Permission
from arbitration.batch.desk import Desk
from arbitration.batch.layout import PASSED, Layout
from arbitration.batch.people import People
from arbitration.batch.tables import Believed
from arbitration.batch.worth import worth_of
from arbitration.plan import ENDS, MOST_CHANNELS, PLAN_WITHIN

Array = npt.NDArray[Any]
STEPS = 3


@dataclass(frozen=True, slots=True)
class First:
    """The winner of each row: treatment, opening, net, P(engage)."""

    treatment: Array
    opens: Array
    net: Array
    propensity: Array


@dataclass(frozen=True, slots=True)
class Plans:
    """Per winner: worth of the whole plan, expiry, and for each of three steps treatment (-1: none), opening and net.

    `odd` marks rows whose plan the single decision must make: too many channels, or a value that cannot be reckoned.
    """

    worth: Array
    expires_at: Array
    treatment: Array
    opens: Array
    net: Array
    odd: Array


def plans(people: People, first: First, fixed: Array, believed: Believed) -> Plans:
    """The plans of `people`, who all have a winner; `fixed` holds their codes of the gates that do not look at the window."""
    layout = people.layout
    journey = layout.journey_of[first.treatment]
    expires_at = _expires_at(people, journey)
    ready = first.opens + layout.wait_of[first.treatment]
    lines = Lines(layout)
    copies = lines.copies(np.unique(journey))
    windows = people.clock.windows(people.zone, ready, expires_at).times(copies)
    rivals, odd = _rivals(people, first, windows, fixed=fixed, believed=believed, lines=lines)
    channel = layout.channel_of[first.treatment]
    service = np.array([layout.policy.journeys[it].purpose == "service" for it in layout.journeys], dtype=bool)
    step = Step(first.opens, channel)
    best = best_chains(step, first.net, first.propensity, rivals, After(people, journey, service[journey]))
    size = people.size
    treatment, opens = np.full((size, STEPS), -1), np.full((size, STEPS), NEVER)
    net = np.full((size, STEPS), np.nan)
    treatment[:, 0], opens[:, 0], net[:, 0] = first.treatment, first.opens, first.net
    for at, (place, window) in enumerate(((best.second, best.second_window), (best.third, best.third_window)), start=1):
        some = np.flatnonzero(place >= 0)
        treatment[some, at] = rivals.treatment[some, place[some], window[some]]
        opens[some, at] = windows.opens[some, window[some]]
        net[some, at] = rivals.net[some, place[some], window[some]]
    return Plans(best.worth, expires_at, treatment, opens, net, odd)


class Lines:
    """The treatments that may be a later step: by journey and the place of their channel among the journey's, by id."""

    def __init__(self, layout: Layout) -> None:
        self.by_journey: list[dict[int, list[int]]] = [{} for _ in layout.journeys]
        for at, treatment in enumerate(layout.treatments):
            if layout.scheduled_of[at] and treatment.kind not in ENDS:
                self.by_journey[layout.journey_of[at]].setdefault(int(layout.channel_of[at]), []).append(at)

    def copies(self, journeys: Array) -> int:
        """The most treatments that one of these journeys has on one channel."""
        return max((len(it) for at in journeys for it in self.by_journey[at].values()), default=1)

    def places(self, journeys: Array) -> int:
        """The most channels that one of these journeys has."""
        return max((len(self.by_journey[at]) for at in journeys), default=0)


def _rivals(
    people: People, first: First, windows: Windows, *, fixed: Array, believed: Believed, lines: Lines
) -> tuple[Rivals, Array]:
    """What may follow each winner, and which rows are odd."""
    layout = people.layout
    journey, own = layout.journey_of[first.treatment], layout.channel_of[first.treatment]
    ends = np.array([it.kind in ENDS for it in layout.treatments], dtype=bool)[first.treatment]
    present = np.unique(journey)
    copies = lines.copies(present)
    shape = (people.size, max(1, lines.places(present)), windows.opens.shape[1])
    found = Rivals(
        windows, first.opens + layout.wait_of[first.treatment], np.full(shape[:2], -1), np.zeros(shape[:2], dtype=np.int64), np.full(shape, NOTHING), np.zeros(shape),
        np.full(shape, -1),
    )  # fmt: skip
    odd = np.zeros(people.size, dtype=bool)
    desk = Desk(people, windows, Permission(people))
    for at in present:
        for place, (channel, listed) in enumerate(sorted(lines.by_journey[at].items())):
            rows = np.flatnonzero((journey == at) & (own != channel) & ~ends)
            found.channel[rows, place] = channel
            found.wait[rows, place] = layout.waits[channel]
            for copy, treatment in enumerate(listed):
                rows_open = rows[fixed[rows, treatment] == PASSED]
                share = (copy, copies)
                _fill(found, desk, treatment, rows_open, place=place, share=share, believed=believed, odd=odd)
    odd |= (found.net > NOTHING).any(axis=2).sum(axis=1) > MOST_CHANNELS
    return found, odd


def _fill(
    found: Rivals, desk: Desk, treatment: int, rows: Array, *, place: int, share: tuple[int, int], believed: Believed, odd: Array
) -> None:  # fmt: skip
    """Value one treatment in every window that is open to it, in its share of the windows' copies."""
    if not len(rows):
        return
    copy, copies = share
    free = (desk.codes(treatment, rows) == PASSED) & found.windows.real[rows]
    line, window = np.nonzero(free[:, copy::copies])
    row, window = rows[line], window * copies + copy
    worth = worth_of(believed, desk.people.layout, row, np.full(len(row), treatment), found.windows.slot[row, window])
    odd[row[~worth.sound]] = True
    keep = worth.sound & (worth.decided_on > 0)
    where = (row[keep], place, window[keep])
    found.net[where], found.propensity[where], found.treatment[where] = (
        worth.net[keep],
        worth.propensity[keep],
        treatment,
    )


def _expires_at(people: People, journey: Array) -> Array:
    """The end of the journey's horizon, or the last of its triggers' ends if all of them end."""
    horizon = people.now + np.minimum(people.layout.horizon_of[journey], PLAN_WITHIN // INSTANT)
    ends = people.trigger_ends[np.arange(people.size), journey]
    return np.where((ends == NEVER) | (ends == FAR), horizon, np.minimum(horizon, ends))
