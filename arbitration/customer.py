"""What the customer reads about a decision: at most three reasons, what would change it, and how to object.

Plain words about the person's own consent, behavior and time; never money, ranks, or what models believe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from arbitration.domain import SILENCE, Decision
from arbitration.explanation import Change, Counterfactual, Lang
from arbitration.frames import CUSTOMER
from arbitration.naming import Naming
from arbitration.policy import Policy
from arbitration.thresholds import EVENTS
from arbitration.what_if import values, what

MOST = 3
PERSONAL = frozenset({"consent_held", "no_consent_needed", "holdout", "cold_start", "objection", "suppression"})
"""Reasons that say something to the person; the others speak of money and ranks."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the customer is told, in one language."""

    reasons: tuple[str, ...]
    changes: tuple[str, ...]
    objection: str


def for_customer(decision: Decision, policy: Policy, counterfactuals: Iterable[Counterfactual], lang: Lang) -> Told:
    """The decision in the customer's own words."""
    naming = Naming(decision, policy, {}, {}, lang)
    changes = dict.fromkeys(_changed(one, naming) for one in counterfactuals if concerns(one.change))
    return Told(
        reasons=tuple(_reasons(naming))[:MOST],
        changes=tuple(changes)[:MOST],
        objection=naming.say(CUSTOMER["how_to_object"]),
    )


def concerns(change: Change) -> bool:
    """Whether the change is the customer's own and there are words for it; what would take something away is not suggested."""
    if change.kind != "feature":
        return change.kind in ("consent", "time")
    before = change.before if isinstance(change.before, (int, float)) else 0
    grows = isinstance(change.after, (int, float)) and change.after > before
    return change.what in CUSTOMER and (change.what in EVENTS or grows)


def _reasons(naming: Naming) -> Iterator[str]:
    """What it is about, then the reasons that concern the person."""
    decision = naming.decision
    if decision.winner is None:
        yield naming.say(CUSTOMER["nothing"])
    else:
        treatment = decision.winner.candidate.treatment
        about = treatment.route_to or treatment.journey
        yield naming.say(CUSTOMER["about"]).format(journey=naming.journey(about))
    for reason in decision.reasons:
        if reason.code in PERSONAL:
            facts = {name: naming.fact(name, value) for name, value in reason.facts.items()}
            yield naming.say(CUSTOMER[reason.code]).format(**facts)


def _changed(one: Counterfactual, naming: Naming) -> str:
    change = one.change
    key = change.what if change.kind == "feature" else change.kind
    facts = {**values(change, naming), **what(change, naming), "then": _then(one.favorite, naming)}
    return naming.say(CUSTOMER[key]).format(**facts)


def _then(favorite: str, naming: Naming) -> str:
    """What the customer would get instead."""
    if favorite == SILENCE:
        return naming.say(CUSTOMER["silence"])
    journey, channel, template = favorite.split("/", 2)
    line = next(line for line in naming.lines(journey, channel) if line.template == template)
    facts = {"journey": journey, "channel": channel, "route_to": line.route_to or journey}
    told = {name: naming.fact(name, value) for name, value in facts.items()}
    return naming.say(CUSTOMER[line.kind]).format(**told)
