"""Doubts about settings: quiet hours that are hardly any, groups of one, exploration above the promise, names that mislead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from arbitration.policy import Channel, Journey, Policy
from catalog.caps import useless_caps
from catalog.rules import did_you_mean
from catalog.sources import Finding, Sources

FEWEST_OPEN_HOURS = 4
MOST_EXPLORATION = 0.04
"""The promise: at most four of a hundred decisions are not the favorite."""
MOST_WORDS = 4
"""What an associate can take in at a glance."""


def policy_doubts(policy: Policy, sources: Sources) -> Iterator[Finding]:
    """Every doubt about what is set once for all, and about names."""
    yield from _of_caps(policy, sources)
    yield from _of_quiet_hours(policy, sources)
    yield from _of_exploration(policy, sources)
    yield from _of_groups(policy, sources)
    yield from _of_equal_names("journeys", policy.journeys, sources)
    yield from _of_equal_names("channels", policy.channels, sources)
    yield from _of_long_names(policy, sources)


def _of_caps(policy: Policy, sources: Sources) -> Iterator[Finding]:
    for at, other in useless_caps(policy):
        cap, place = policy.contact_policy.caps[at], ("contact_policy", "caps", at)
        if other is None:
            what = f"cap '{cap.id}' never stops anything: no marketing treatment is on its channels for its journeys"
        else:
            what = f"cap '{cap.id}' is never reached: '{other.id}' always stops first"
        yield sources.finding(what, place, "remove it, or correct one of the two" if other else "remove or correct it")


def _of_quiet_hours(policy: Policy, sources: Sources) -> Iterator[Finding]:
    begin, end = policy.contact_policy.quiet_from, policy.contact_policy.quiet_to
    place, mend = ("contact_policy", "quiet_to"), "write, for example, quiet_from: 21 and quiet_to: 8"
    opened = (begin - end) % 24
    if begin == end:
        what = f"there are no quiet hours, because they begin and end at {begin}:00: messages go out at night"
        yield sources.finding(what, place, mend)
    elif opened < FEWEST_OPEN_HOURS:
        what = f"quiet hours leave {opened} of 24 hours, from {end}:00 to {begin}:00"
        yield sources.finding(what, place, mend)


def _of_exploration(policy: Policy, sources: Sources) -> Iterator[Finding]:
    share = policy.selection.exploration
    if share > MOST_EXPLORATION:
        what = f"up to {share:.1%} of decisions are not the favorite, {MOST_EXPLORATION:.0%} is what is promised"
        yield sources.finding(what, ("selection", "exploration"), f"write {MOST_EXPLORATION:g} or less")


def _of_groups(policy: Policy, sources: Sources) -> Iterator[Finding]:
    """A group of one journey excludes nothing: probably the name of another group is misspelled."""
    groups = [journey.exclusive_group for journey in policy.journeys.values() if journey.exclusive_group]
    sizes = Counter(groups)
    for journey in policy.journeys.values():
        group = journey.exclusive_group
        if group and sizes[group] == 1:
            what = f"'{journey.id}' is alone in its exclusive_group '{group}'"
            mend = did_you_mean(group, [name for name in sizes if name != group])
            yield sources.finding(what, ("journeys", journey.id, "exclusive_group"), mend)


def _of_equal_names(
    part: str, things: Mapping[str, Journey] | Mapping[str, Channel], sources: Sources
) -> Iterator[Finding]:
    for language in ("en", "de"):
        first: dict[str, str] = {}
        for key, thing in things.items():
            name: str = getattr(thing.name, language)
            known = first.setdefault(name.strip().casefold(), key)
            if known != key:
                what = f"'{key}' and '{known}' have the same name '{name}'"
                yield sources.finding(what, (part, key, "name", language), "give one of them another name")


def _of_long_names(policy: Policy, sources: Sources) -> Iterator[Finding]:
    for journey in policy.journeys.values():
        for language in ("en", "de"):
            name: str = getattr(journey.name, language)
            if (words := len(name.split())) > MOST_WORDS:
                what = f"'{name}' has {words} words, the associate sees {MOST_WORDS} at most"
                yield sources.finding(what, ("journeys", journey.id, "name", language), "use a shorter name")
