"""What would change a decision: single changes, each decided anew and kept only if another choice comes first then.

"If the customer had consented to push, X would come first" (Wachter, Mittelstadt & Russell 2018, "Counterfactual explanations
without opening the black box"). Nothing is shown that the engine has not done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from arbitration.changes import Start, applied, proposals
from arbitration.decide import decide
from arbitration.domain import Context, Decision, Estimates
from arbitration.explanation import Change, ChangeKind, Counterfactual
from arbitration.policy import Policy
from arbitration.sensitivity import favorite_of
from arbitration.thresholds import AMOUNTS

KINDS: tuple[ChangeKind, ...] = ("consent", "feature", "cap", "contact", "time", "lever")
SHOWN = 8
Belief = Callable[[Context], Estimates]
_BELIEVED = frozenset({"feature", "contact", "time"})
"""Kinds that change what models read."""


def counterfactuals(
    context: Context,
    estimates: Estimates,
    policy: Policy,
    decision: Decision,
    *,
    draw: float,
    believe: Belief | None = None,
) -> tuple[Counterfactual, ...]:
    """At most eight changes after which the favorite is another one, the smallest of each kind first.

    `believe` gives the models' estimates of a changed context; without it the estimates are held and each line says so. Nobody
    who objected, is suppressed or belongs to the holdout is evaluated: no single change may, or could, win them.
    """
    if context.objected or context.suppressed or context.holdout:
        return ()
    start, before = Start(context, policy, decision.decided_at), favorite_of(decision.ranked).treatment
    found: list[Counterfactual] = []
    for change in proposals(start, decision):
        believed = believe if change.kind in _BELIEVED else None
        changed = applied(change, start)
        after = favorite_of(
            decide(
                changed.context,
                estimates if believed is None else believed(changed.context),
                changed.policy,
                decision_id=decision.decision_id,
                now=changed.now,
                draw=draw,
            ).ranked
        )
        if after.treatment != before:
            held = believed is None and change.kind in _BELIEVED
            found.append(Counterfactual(change, after.treatment, after.worth, held))
    return _kept(found)


def _kept(found: Sequence[Counterfactual]) -> tuple[Counterfactual, ...]:
    """The smallest of each kind, then the second smallest, until enough are kept; in the order of kinds.

    What takes points or a cart from the customer is kept only where nothing else is left.
    """
    found = [one for one in found if not _poorer(one.change)] or list(found)
    places: list[tuple[int, int, Counterfactual]] = []
    for number, kind in enumerate(KINDS):
        own = sorted((one for one in found if one.change.kind == kind), key=lambda one: size(one.change))
        places += [(place, number, one) for place, one in enumerate(_telling(own))]
    kept = sorted(places, key=lambda it: it[:2])[:SHOWN]
    return tuple(one for _, _, one in sorted(kept, key=lambda it: (it[1], it[0])))


def _poorer(change: Change) -> bool:
    """Whether an amount of the customer's own becomes less; nobody would propose that."""
    if change.kind != "feature" or AMOUNTS.get(change.what, -1) < 0:
        return False
    before, after = change.before, change.after
    return isinstance(before, (int, float)) and isinstance(after, (int, float)) and after < before


def _telling(own: list[Counterfactual]) -> list[Counterfactual]:
    """Of later moments only the first that brings a favorite; of values of one feature only the nearest for a favorite."""
    first: dict[tuple[str, str], Counterfactual] = {}
    for one in own:
        first.setdefault((one.change.what, one.favorite), one)
    return list(first.values())


def size(change: Change) -> float:
    """How large a change is among its own kind: hours of a time, money of a lever, the share of a number; 0 for yes and no."""
    before, after = change.before, change.after
    if change.kind == "time":
        return (datetime.fromisoformat(str(after)) - datetime.fromisoformat(str(before))).total_seconds() / 3600
    if isinstance(before, str) or isinstance(after, str) or after is None:
        return 0.0
    old, new = float(before or 0), float(after)
    return abs(new - old) if change.kind == "lever" else abs(new - old) / max(abs(new), abs(old), 1.0)
