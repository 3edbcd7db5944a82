"""What a policy holds for best, for many recorded inputs at once: columns in, one summary per row out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.audience import Audience
from arbitration.batch.clock import moment_of
from arbitration.batch.decisions import Decisions, Kept
from arbitration.batch.drawing import NOBODY
from arbitration.batch.layout import PASSED
from arbitration.domain import Decision
from arbitration.gates import GATES
from arbitration.policy import Policy
from arbitration.reasons import furthest
from arbitration.vectorized import decide_all
from serving.ledger.rows import Summary

Array = npt.NDArray[Any]
Row = Mapping[str, Any]
"""Encoded inputs of one decision as plain values: `context`, `estimates`, `now`, `draw`, `decision_id`, and `simulated` if known."""


def summary_of(decision: Decision) -> Summary:
    """What the policy held for best in a decision, and what its gates stopped."""
    competing = {item.candidate.treatment for item in decision.ranked}
    stops = [no for no in furthest(decision.rejections) if no.candidate.treatment not in competing]
    stopped = dict(sorted(Counter(no.code for no in stops).items()))
    best = decision.ranked[0] if decision.ranked and decision.arm != "holdout" else None
    if best is None or best.value.decided_on <= 0:
        return Summary(None, None, 0.0, 0.0, stopped)
    candidate = best.candidate
    earned = best.value.net - best.value.lever
    return Summary(candidate.treatment.id, candidate.window.opens_at, earned, best.value.decided_on, stopped)


def summaries(rows: Sequence[Row], policy: Policy) -> list[Summary]:
    """What the policy holds for best in each row. The stock of a resource that a record does not know counts as full."""
    full = {it.id: it.limit for it in policy.resources.values() if it.limit is not None}
    if full:
        rows = [_stocked(row, full) for row in rows]
    audience = Audience.from_encoded(rows, policy)
    # The dice at 0 fall on the favorite wherever there is one, so that its value is the winner's.
    found = decide_all(replace(audience, draw=np.zeros(len(rows))), policy, candidates=True)
    stopped = _stopped(found, audience)
    return [
        summary_of(found.one_by_one[at]) if at in found.one_by_one else _summary(found, at, stopped[at])
        for at in range(len(rows))
    ]


def _stocked(row: Row, full: Mapping[str, int]) -> Row:
    context = row["context"]
    return {**row, "context": {**context, "stock": {**full, **context.get("stock", {})}}}


def _summary(found: Decisions, row: int, stopped: Mapping[str, int]) -> Summary:
    favorite = int(found.favorite[row])
    if favorite == NOBODY:
        return Summary(None, None, 0.0, 0.0, stopped)
    treatment, opens_at = found.layout.treatments[favorite], moment_of(int(found.favorite_opens[row]))
    earned = float(found.net[row]) - found.layout.policy.journeys[treatment.journey].lever
    return Summary(treatment.id, opens_at, earned, float(found.decided_on[row]), stopped)


def _stopped(found: Decisions, audience: Audience) -> list[dict[str, int]]:
    """Per row: gate -> treatments of which no window passed and the most promising one was stopped there. Of who objected or is
    suppressed nothing was looked at.
    """
    barred = audience.objected | audience.suppressed
    counted: list[dict[str, int]] = [{} for _ in barred]
    for kept in found.kept:
        codes, numbers = _codes(kept)
        for row, own in zip(kept.rows.tolist(), numbers.tolist(), strict=True):
            counted[row] = {GATES[code].code: number for code, number in zip(codes, own, strict=True) if number}
    for row, journeys in found.unknown.items():
        if journeys and not barred[row]:
            counted[row]["unknown_journey"] = counted[row].get("unknown_journey", 0) + len(journeys)
    return [dict(sorted(own.items())) for own in counted]


def _codes(kept: Kept) -> tuple[list[int], Array]:
    """The gates that stopped any treatment of a chunk, and how many of each row: rows x gates."""
    starts = np.flatnonzero(np.diff(kept.treatment, prepend=-1))
    furthest_code = np.maximum.reduceat(kept.code, starts, axis=1)  # a passed window is beyond every gate
    codes = [int(code) for code in np.unique(furthest_code) if 0 <= code < PASSED]
    counts = np.array([(furthest_code == code).sum(axis=1) for code in codes], dtype=np.int64)
    return codes, counts.reshape(len(codes), len(kept.rows)).T
