"""Sensitivity and counterfactuals in words, for people who set decisions up; `customer.py` has the customer's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from arbitration.domain import FeatureValue
from arbitration.explanation import Change, Counterfactual, Drop, Sensitivity
from arbitration.frames import CHANGES, PARTS_NAMED
from arbitration.naming import Naming
from arbitration.thresholds import EVENTS, PURCHASE
from arbitration.wording import plain


def weighed(given: Sensitivity | None, naming: Naming) -> Sensitivity | None:
    """The sensitivity with its sentences."""
    if given is None:
        return None
    drops = tuple(replace(drop, sentence=_drop(drop, naming)) for drop in given.drops)
    money = {"margin": naming.money(given.margin), "spread": naming.money(given.spread)}
    ahead = naming.say(CHANGES["ahead"]).format(
        choice=naming.choice(given.favorite), rival=naming.choice(given.rival), **money
    )
    return replace(given, drops=drops, sentence=capital(ahead))


def changed(given: Iterable[Counterfactual], naming: Naming) -> tuple[Counterfactual, ...]:
    """The counterfactuals with their sentences."""
    return tuple(replace(one, sentence=_changed(one, naming)) for one in given)


def capital(sentence: str) -> str:
    """The sentence with a capital at its beginning."""
    return sentence[:1].upper() + sentence[1:]


def _drop(drop: Drop, naming: Naming) -> str:
    key = "drop" if drop.by > 0 else "drop_even"
    facts = {"part": naming.say(PARTS_NAMED[drop.part]), "choice": naming.choice(drop.favorite)}
    return naming.say(CHANGES[key]).format(by=naming.money(drop.by), **facts)


def _changed(one: Counterfactual, naming: Naming) -> str:
    change = one.change
    facts = {"choice": naming.choice(one.favorite), **values(change, naming), **what(change, naming)}
    told = naming.say(CHANGES[_manner(change, naming)]).format(**facts)
    return f"{told} {naming.say(CHANGES['held'])}" if one.held else told


def _manner(change: Change, naming: Naming) -> str:
    """Which text says the change: a purchase is more than its feature, and what no catalog names stays unnamed."""
    if change.kind == "feature" and change.what == PURCHASE and change.after == EVENTS[PURCHASE]:
        return "purchase"
    unnamed = change.kind == "contact" and change.what.partition("/")[0] not in naming.policy.journeys
    return "contact_unnamed" if unnamed else change.kind


def values(change: Change, naming: Naming) -> dict[str, str]:
    """Before and after as people read them."""

    def shown(value: FeatureValue) -> str:
        if change.kind in ("time", "contact") and isinstance(value, str):
            return naming.moment(value)
        if change.kind == "lever" and isinstance(value, (int, float)):
            return naming.price(value)
        return naming.value(change.what, value) if change.kind == "feature" else plain(value, naming.lang)

    return {"before": shown(change.before), "after": shown(change.after)}


def what(change: Change, naming: Naming) -> Mapping[str, str]:
    """What is changed, by its name."""
    first, _, second = change.what.partition("/")
    if change.kind == "consent":
        return {"channel": naming.channel(first), "purpose": naming.frame(second)}
    if change.kind == "contact":
        return {"journey": naming.journey(first), "channel": naming.channel(second)}
    return {
        "feature": naming.feature(change.what),
        "cap": naming.cap(change.what),
        "journey": naming.journey(change.what),
    }
