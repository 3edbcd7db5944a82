"""The decision for an audience: columns in, decisions out, equal to `arbitration.decide.decide` record by record.

Rows that the arrays cannot treat exactly are decided one by one (`Decisions.one_by_one`): a value that cannot be reckoned, a plan over
more channels than are searched, a time zone whose clock jumps across a block. In ordinary audiences there are none.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from arbitration.audience import Audience
from arbitration.batch.caps import LOOK_BACK
from arbitration.batch.clock import UNZONED, Clock, hours, moment_of, months
from arbitration.batch.decisions import Decisions, collected
from arbitration.batch.layout import Layout
from arbitration.batch.people import Array, People, instants
from arbitration.batch.round import Decider
from arbitration.batch.situations import context_of, estimates_of
from arbitration.batch.tables import counts
from arbitration.decide import decide
from arbitration.domain import Decision
from arbitration.policy import Policy

CHUNK = 8000
"""Rows that are decided at once: enough to be fast, few enough to keep memory flat."""


def decide_all(audience: Audience, policy: Policy, *, candidates: bool = False) -> Decisions:
    """The decisions of all rows; `candidates` keeps every candidate's rejection, value and probability, too (much memory)."""
    layout = Layout(policy)
    clock = clock_of(audience, layout)
    found = Decisions.empty(len(audience), layout, instants(audience.now), candidates=candidates)
    for row, journey in audience.triggers.unknown:
        found.unknown[row] = found.unknown.get(row, frozenset()) | {journey}
    barred = audience.objected | audience.suppressed
    jumpy = (audience.zone >= 0) & ~clock.plain[audience.zone]
    asked, odd = np.flatnonzero(~barred & ~jumpy), np.flatnonzero(~barred & jumpy).tolist()
    for rows in _chunks(asked):
        people = People(audience, layout, clock, rows)
        with np.errstate(all="ignore"):  # what is no number is decided one by one
            result = Decider(people, audience.estimates.only(rows)).decided(audience.draw[rows], audience.holdout[rows])
        collected(found, rows, result)
        odd += rows[result.odd].tolist()
    for row in sorted(odd):
        found.put(row, _alone(audience, layout, row))
    return found


def clock_of(audience: Audience, layout: Layout) -> Clock:
    """The blocks of every time zone of the audience, over the months that its decisions look at."""
    now = instants(audience.now)
    ahead = max([24, *(it.horizon_hours for it in layout.policy.journeys.values())])
    calendars = any(cap.calendar is not None for cap in layout.policy.contact_policy.caps)
    since = now - hours(24 * LOOK_BACK) if calendars else now
    row = np.repeat(np.arange(len(audience)), counts(audience.contacts.offsets))
    sent = instants(audience.contacts.sent_at)
    near = (sent > since[row]) & calendars
    spans = []
    for at in range(len(audience.zones) + 1):
        own = (audience.zone == at) if at < len(audience.zones) else (audience.zone < 0)
        first, last = months(since[own]), months(now[own] + hours(ahead + 1))
        pairs = np.unique(np.stack([first, last], axis=1), axis=0)
        ranges = [np.arange(begin, end + 1) for begin, end in pairs]
        spans.append(np.unique(np.concatenate([*ranges, months(sent[near & own[row]])])).astype(np.int64))
    return Clock([*audience.zones, UNZONED], spans, layout.policy.contact_policy)


def _chunks(rows: Array) -> Iterator[Array]:
    for begin in range(0, len(rows), CHUNK):
        yield rows[begin : begin + CHUNK]


def _alone(audience: Audience, layout: Layout, row: int) -> Decision:
    return decide(
        context_of(audience, layout, row),
        estimates_of(audience, layout, row),
        layout.policy,
        decision_id=str(audience.decision_id[row]),
        now=moment_of(instants(audience.now)[row]),
        draw=float(audience.draw[row]),
    )
