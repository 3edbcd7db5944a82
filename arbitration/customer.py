"""What the customer reads about a decision: at most three reasons, what would change it, and how to object.

Plain words about the person's own consent, behavior and time; never money, ranks, or what models believe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from arbitration.domain import SILENCE, Decision, Treatment
from arbitration.explanation import Change, Counterfactual, Lang
from arbitration.frames import CUSTOMER, CUSTOMER_THEN, STANDS
from arbitration.naming import Naming
from arbitration.policy import BusinessName, JourneyTreatment, Policy
from arbitration.thresholds import EVENTS
from arbitration.what_if import values, what
from arbitration.wording import plain

MOST = 3
PERSONAL = frozenset({"consent_held", "no_consent_needed", "holdout", "cold_start", "objection", "suppression"})
"""Reasons that say something to the person; the others speak of money and ranks."""
OF_THE_CHANNEL = frozenset({"consent_held", "no_consent_needed"})


@dataclass(frozen=True, slots=True)
class Told:
    """What the customer is told, in one language."""

    reasons: tuple[str, ...]
    changes: tuple[str, ...]
    objection: str


def for_customer(
    decision: Decision,
    policy: Policy,
    counterfactuals: Iterable[Counterfactual],
    lang: Lang,
    stands: Literal["objection", "suppression"] | None = None,
) -> Told:
    """The decision in the customer's own words. `stands` is what the customer has said no with by now: then the decision is told as one of
    the past, and nothing that would lead to a message is told, because that would be advertising (art. 21 GDPR).
    """
    naming = Naming(decision, policy, {}, {}, lang)
    if stands is not None:
        reasons = tuple(_reasons(naming, CUSTOMER_THEN))[:MOST]
        return Told(reasons=reasons, changes=(), objection=naming.say(STANDS[stands]))
    refused = {
        no.candidate.treatment.channel
        for no in decision.rejections
        if no.code in ("consent_denied", "consent_withdrawn")
    }
    told = [
        _changed(one, line, naming)
        for one in counterfactuals
        if concerns(one.change) and not (one.change.kind == "consent" and one.change.what.partition("/")[0] in refused)
        if (line := _seen(one.favorite, naming)) is not None
    ]
    return Told(
        reasons=tuple(_reasons(naming, CUSTOMER))[:MOST],
        changes=tuple(dict.fromkeys(told))[:MOST],
        objection=naming.say(CUSTOMER["how_to_object"]),
    )


def concerns(change: Change) -> bool:
    """Whether the change is the customer's own and there are words for it.

    What would take something away is not suggested, nor is consent to who said no: it was never asked for, or has expired.
    """
    if change.kind == "consent":
        return change.before in (None, "expired")
    if change.kind != "feature":
        return change.kind == "time"
    before = change.before if isinstance(change.before, (int, float)) else 0
    grows = isinstance(change.after, (int, float)) and change.after > before
    return change.what in CUSTOMER and (change.what in EVENTS or grows)


def _reasons(naming: Naming, texts: Mapping[str, BusinessName]) -> Iterator[str]:
    """What it is about, what it costs, then the reasons that concern the person. What they do not see is not told."""
    decision, winner = naming.decision, naming.decision.winner
    treatment = winner.candidate.treatment if winner else None
    seen = treatment is not None and naming.seen(treatment.kind, treatment.channel)
    if treatment is None or not seen:
        yield naming.say(texts["care" if treatment is not None and _cared_for(treatment, naming) else "nothing"])
    else:
        yield naming.say(texts["about"]).format(journey=naming.journey(treatment.journey))
        if treatment.offer is not None and treatment.offer.points < 0:
            yield naming.say(texts["costs"]).format(points=plain(-treatment.offer.points, naming.lang))
    for reason in decision.reasons:
        if reason.code in PERSONAL and (seen or reason.code not in OF_THE_CHANNEL):
            facts = {name: naming.fact(name, value) for name, value in reason.facts.items()}
            yield naming.say(texts[reason.code]).format(**facts)


def _cared_for(treatment: Treatment, naming: Naming) -> bool:
    """Whether people of the shop take over, to serve."""
    return treatment.kind != "suppress" and naming.policy.journeys[treatment.journey].purpose == "service"


def _seen(favorite: str, naming: Naming) -> JourneyTreatment | None:
    """The catalog's line of a favorite that the customer would really see; None for silence and what works unseen."""
    if favorite == SILENCE:
        return None
    journey, channel, template = favorite.split("/", 2)
    line = next(line for line in naming.lines(journey, channel) if line.template == template)
    return line if naming.seen(line.kind, channel) else None


def _changed(one: Counterfactual, line: JourneyTreatment, naming: Naming) -> str:
    change = one.change
    key = change.what if change.kind == "feature" else change.kind
    facts = {**values(change, naming), **what(change, naming), "then": _then(one.favorite, line, naming)}
    return naming.say(CUSTOMER[key]).format(**facts)


def _then(favorite: str, line: JourneyTreatment, naming: Naming) -> str:
    """What the customer could get instead."""
    key, points = naming.manner(line.channel, line), line.offer.points if line.offer else 0
    if key == "reward" and points < 0:
        key = "reward_points"
    facts = {"journey": naming.journey(favorite.split("/", 2)[0]), "channel": naming.channel(line.channel)}
    return naming.say(CUSTOMER[key]).format(points=plain(-points, naming.lang), **facts)
