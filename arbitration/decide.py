"""The one decision: which candidate may speak now, or silence. Propose, gates, value, select, plan, reasons."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from arbitration.domain import Context, Decision, Estimates, Ranked, Reason, Rejection
from arbitration.gates.admission import admit
from arbitration.gates.case import Case
from arbitration.plan import plan_of
from arbitration.policy import Policy
from arbitration.propose import propose
from arbitration.reasons import furthest, reasons_of
from arbitration.selection import ONE, chances, pick
from arbitration.value import Valued, ranking, value_unknown

SILENCE_HOLDS = timedelta(hours=24)
"""Silence is asked again after a day at the latest."""


def decide(
    context: Context, estimates: Estimates, policy: Policy, *, decision_id: str, now: datetime, draw: float
) -> Decision:
    """The answer for one customer and moment, with every intermediate; pure: equal arguments, equal decision.

    `draw` in [0, 1) is the decision's dice (`arbitration.selection.draw_of`). A customer who objected or is suppressed gets
    silence before anything is proposed, read or drawn.
    """
    now = now.astimezone(UTC)
    case = Case(context, policy, now)
    barred = "objection" if context.objected else "suppression" if context.suppressed else None
    passed, rejections = admit(() if barred else propose(context, policy, now), case)
    valued, unsound = _sound(ranking(passed, estimates, policy))
    rejections += unsound
    chosen = chances(
        [(it.candidate, it.value) for it in valued], policy.selection, holdout=context.holdout and not barred
    )
    ranked = tuple(Ranked(*it, units / ONE) for it, units in zip(valued, chosen.units, strict=True))
    at, arm = pick(chosen, draw)
    winner = None if at is None else ranked[at]
    plan = plan_of(winner, case, estimates)
    why = reasons_of(case, estimates, winner=winner, arm=arm, ranked=ranked, rejections=rejections, plan=plan)
    return Decision(
        decision_id=decision_id,
        customer_id=context.customer_id,
        decided_at=now,
        valid_until=winner.candidate.window.closes_at if winner else _ask_again(rejections, now),
        outcome="act" if winner else "silence",
        arm=arm,
        winner=winner,
        probability=winner.probability if winner else chosen.silence / ONE,
        silence_probability=chosen.silence / ONE,
        ranked=ranked,
        rejections=rejections,
        plan=plan,
        reasons=(Reason(barred, {}),) if barred else why,
        degraded=context.degraded,
        policy_version=policy.version,
        time_zone=context.time_zone,
    )


def _sound(valued: Iterable[Valued]) -> tuple[list[Valued], tuple[Rejection, ...]]:
    """What has a finite value, still in order, and rejections of the rest."""
    sound: list[Valued] = []
    unsound: list[Rejection] = []
    for item in valued:
        if value_unknown(item):
            unsound.append(Rejection(item.candidate, "selection", value_unknown.__name__, missing="value"))
        else:
            sound.append(item)
    return sound, tuple(unsound)


def _ask_again(rejections: Iterable[Rejection], now: datetime) -> datetime:
    """Silence holds until the first gate opens, at most a day."""
    soon = [no.free_at for no in furthest(rejections) if no.free_at is not None and no.free_at > now]
    return min([*soon, now + SILENCE_HOLDS])
