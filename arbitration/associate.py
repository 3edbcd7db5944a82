"""What an associate reads about a decision: what to do now, in at most four words and as one sentence, and what was said last."""

from __future__ import annotations

from collections.abc import Iterable

from arbitration.domain import Contact, Decision, FeatureValue, Treatment
from arbitration.explanation import Lang
from arbitration.naming import STAFF, Naming
from arbitration.policy import Policy

WORDS = 4
NEVER = frozenset({"objection", "suppression"})
"""Reasons because of which nothing was evaluated."""


def store_summary(naming: Naming) -> str:
    """At most four words: what is done, and with what if that fits. No name is ever cut."""
    winner = naming.decision.winner
    if winner is None:
        return naming.frame("store_never" if _never(naming.decision) else "store_silence")
    treatment = winner.candidate.treatment
    journey, channel = naming.journey(treatment.journey), naming.channel(treatment.channel)
    named = {"route": naming.journey(treatment.route_to or ""), "suppress": channel}.get(treatment.kind, journey)
    words = [naming.frame(f"store_{treatment.kind}", words=named)]
    if treatment.kind == "message":
        words = [f"{journey}: {channel}", journey, channel]
    elif treatment.kind in ("module", "reward"):
        words.append(journey)
    return _first_that_fits(words, naming.frame(f"brief_{treatment.kind}"))


def contact_summary(contact: Contact, policy: Policy, lang: Lang, decision: Decision) -> str:
    """A contact in at most four words: journey and channel; of a journey that the catalog does not know the channel alone."""
    naming = Naming(decision, policy, {}, {}, lang)
    channel, otherwise = naming.channel(contact.channel), naming.frame("brief_message")
    if contact.channel not in policy.channels:
        channel = otherwise
    if contact.journey not in policy.journeys:
        return _first_that_fits([channel], otherwise)
    journey = naming.journey(contact.journey)
    return _first_that_fits([f"{journey}: {channel}", journey, channel], otherwise)


def next_best_action(headline: str, decision: Decision, policy: Policy, lang: Lang) -> str:
    """What the associate should do, toward the journey's goal; the headline where the message goes out without them."""
    naming = Naming(decision, policy, {}, {}, lang)
    if decision.winner is None:
        return naming.frame("next_never" if _never(decision) else "next_silence")
    treatment = decision.winner.candidate.treatment
    key = _manner(treatment)
    if key is None or treatment.journey not in policy.journeys:
        return headline
    facts: dict[str, FeatureValue] = {
        "journey": treatment.journey, "route_to": treatment.route_to, "points": -treatment.offer.points if treatment.offer else None,
    }  # fmt: skip
    return naming.frame(key, goal=naming.say(policy.journeys[treatment.journey].goal), **facts)


def _manner(treatment: Treatment) -> str | None:
    if treatment.kind == "reward":
        return "next_points" if treatment.offer and treatment.offer.points < 0 else "next_reward"
    if treatment.kind == "message":
        return "next_staff" if treatment.channel in STAFF else None
    return f"next_{treatment.kind}"


def _never(decision: Decision) -> bool:
    return decision.reasons[0].code in NEVER


def _first_that_fits(texts: Iterable[str], otherwise: str) -> str:
    return next((text for text in texts if 0 < len(text.split()) <= WORDS), otherwise)
