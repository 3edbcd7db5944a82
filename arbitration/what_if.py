"""Sensitivity and counterfactuals in words: in full for people who set decisions up, and in plain words for the customer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from arbitration.domain import SILENCE, FeatureValue
from arbitration.explanation import Change, Counterfactual, Drop, Sensitivity
from arbitration.frames import CHANGES, CUSTOMER, PARTS_NAMED
from arbitration.naming import Naming
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


def personal(given: Iterable[Counterfactual], naming: Naming) -> tuple[str, ...]:
    """What would change the decision, for the customer: their own consent, time and behavior, nothing else."""
    return tuple(dict.fromkeys(_personal(one, naming) for one in given if _concerns(one.change)))


def capital(sentence: str) -> str:
    """The sentence with a capital at its beginning."""
    return sentence[:1].upper() + sentence[1:]


def _drop(drop: Drop, naming: Naming) -> str:
    key = "drop" if drop.by > 0 else "drop_even"
    facts = {"part": naming.say(PARTS_NAMED[drop.part]), "choice": naming.choice(drop.favorite)}
    return naming.say(CHANGES[key]).format(by=naming.money(drop.by), **facts)


def _changed(one: Counterfactual, naming: Naming) -> str:
    change = one.change
    facts = {"choice": naming.choice(one.favorite), **_values(change, naming), **_what(change, naming)}
    told = naming.say(CHANGES[change.kind]).format(**facts)
    return f"{told} {naming.say(CHANGES['held'])}" if one.held else told


def _values(change: Change, naming: Naming) -> dict[str, str]:
    """Before and after as people read them."""

    def shown(value: FeatureValue) -> str:
        if change.kind in ("time", "contact") and isinstance(value, str):
            return naming.moment(value)
        if change.kind == "lever" and isinstance(value, (int, float)):
            return naming.money(value)
        return plain(value, naming.lang)

    return {"before": shown(change.before), "after": shown(change.after)}


def _what(change: Change, naming: Naming) -> Mapping[str, str]:
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


def _concerns(change: Change) -> bool:
    """Whether the change is the customer's own and can be said to them."""
    if change.kind != "feature":
        return change.kind in ("consent", "time")
    return change.what in CUSTOMER and change.after != 0 or change.what.endswith(("_days", "_hours"))


def _personal(one: Counterfactual, naming: Naming) -> str:
    change = one.change
    key = change.what if change.kind == "feature" else change.kind
    facts = {**_values(change, naming), **_what(change, naming), "then": _then(one.favorite, naming)}
    return naming.say(CUSTOMER[key]).format(**facts)


def _then(favorite: str, naming: Naming) -> str:
    if favorite == SILENCE:
        return naming.say(CUSTOMER["silence"])
    journey, channel, template = favorite.split("/", 2)
    line = next(line for line in naming.lines(journey, channel) if line.template == template)
    facts = {"journey": journey, "channel": channel, "route_to": line.route_to or ""}
    told = {name: naming.fact(name, value) for name, value in facts.items()}
    return naming.say(CUSTOMER[line.kind]).format(**told)
