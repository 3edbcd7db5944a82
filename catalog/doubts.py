"""What a catalog says correctly but hardly means: journeys that never speak, caps that never stop, money that cannot come back.

Each doubt is certain under the catalog's own numbers (ranges of features, priors, economics); models may know better later. Here
stand the doubts about rules; those about money and about settings have modules of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from arbitration.policy import Journey, Policy
from catalog.money_doubts import money_doubts
from catalog.policy_doubts import policy_doubts
from catalog.ranges import Span, can_hold, feature_ranges
from catalog.rules import feature_kinds
from catalog.sources import Finding, Sources

RULES = ("eligible", "applicable", "suitable")


def doubts(policy: Policy, sources: Sources) -> list[Finding]:
    """Every doubt about a catalog that loads, in the order of files and lines."""
    ranges = feature_ranges(feature_kinds(policy.channels))
    found = [
        *policy_doubts(policy, sources),
        *money_doubts(policy, sources),
        *_of_shut_channels(policy, ranges, sources),
    ]
    for journey in policy.journeys.values():
        found += _of_rules(journey, ranges, sources)
        found += _of_channels(journey, policy, ranges, sources)
        found += _of_points(journey, ranges, sources)
    return sorted(found, key=lambda doubt: doubt.order)


def _of_rules(journey: Journey, ranges: dict[str, Span], sources: Sources) -> Iterator[Finding]:
    """The first rule with which the journey's rules can no longer hold together."""
    rules: list[tuple[str, bool]] = []
    for name in RULES:
        rules.append((getattr(journey, name), True))
        if not can_hold(rules, ranges):
            alone = not can_hold(rules[-1:], ranges)
            why = f"{name} can never hold" if alone else f"{name} can never hold together with the rules before it"
            place = ("journeys", journey.id, name)
            yield sources.finding(f"'{journey.id}' can never speak: {why}", place, "correct one of the rules")
            return


def _of_channels(journey: Journey, policy: Policy, ranges: dict[str, Span], sources: Sources) -> Iterator[Finding]:
    """Channels that are closed or held whenever the journey's rules hold, at the first treatment; a later step of a plan might
    still use a channel that is held now.
    """
    rules = [(getattr(journey, name), True) for name in RULES]
    if not can_hold(rules, ranges):
        return
    channels = [line.channel for line in journey.treatments]
    for name in dict.fromkeys(channels):
        channel, place = policy.channels[name], ("journeys", journey.id, "treatments", channels.index(name), "channel")
        vouched = channel.timing == "immediate"  # a caller who names the channel opens it
        if not vouched and not can_hold([*rules, (channel.available, True)], ranges):
            mend = "use another channel, or correct the channel's 'available'"
            yield sources.finding(f"'{name}' is never available when '{journey.id}' speaks", place, mend)
        if not can_hold([*rules, (channel.held, False)], ranges):
            mend = "use another channel, or correct the channel's 'held'"
            yield sources.finding(f"'{name}' is always held when '{journey.id}' speaks", place, mend)


def _of_points(journey: Journey, ranges: dict[str, Span], sources: Sources) -> Iterator[Finding]:
    """Rewards that nobody can pay for whom the journey's rules hold."""
    rules = [(getattr(journey, name), True) for name in RULES]
    for at, line in enumerate(journey.treatments):
        if line.offer is None or line.offer.points >= 0 or not can_hold(rules, ranges):
            continue
        if not can_hold([*rules, (f"points_balance >= {-line.offer.points}", True)], ranges):
            what = f"nobody for whom '{journey.id}' speaks holds the {-line.offer.points} points of '{line.offer.id}'"
            place = ("journeys", journey.id, "treatments", at, "offer")
            yield sources.finding(what, place, "lower the points or correct the rules")


def _of_shut_channels(policy: Policy, ranges: dict[str, Span], sources: Sources) -> Iterator[Finding]:
    """Channels that are held whenever they are available."""
    for channel in policy.channels.values():
        opened, free = (channel.available, True), (channel.held, False)
        if can_hold([opened], ranges) and can_hold([free], ranges) and not can_hold([opened, free], ranges):
            what = f"'{channel.id}' can never be used: whenever 'available' holds, so does 'held'"
            yield sources.finding(what, ("channels", channel.id, "held"), "correct one of the two rules")
