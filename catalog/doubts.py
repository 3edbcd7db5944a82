"""What a catalog says correctly but hardly means: journeys that never speak, caps that never stop, money that cannot come back.

Each doubt is certain under the catalog's own numbers (ranges of features, priors, economics); models may know better later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from arbitration.domain import Estimate, Estimates, Treatment, Value
from arbitration.policy import Journey, Policy
from arbitration.propose import treatments_of
from arbitration.value import Worth, points_price
from catalog.caps import useless_caps
from catalog.ranges import Span, can_hold, feature_ranges
from catalog.rules import feature_kinds
from catalog.sources import Finding, Sources

RULES = ("eligible", "applicable", "suitable")
LARGEST_EFFECT = 0.2
"""More than one further purchase per five contacts is beyond what contacts of a shop have been seen to do."""
OUTLYING = 4.0
FEWEST_OTHERS = 3


def doubts(policy: Policy, sources: Sources) -> list[Finding]:
    """Every doubt about a catalog that loads, in the order of files and lines."""
    ranges = feature_ranges(feature_kinds(policy.channels))
    found = [*_of_caps(policy, sources)]
    for journey in policy.journeys.values():
        found += _of_rules(journey, ranges, sources)
        found += _of_channels(journey, policy, ranges, sources)
        found += _of_points(journey, ranges, sources)
        found += _of_money(journey, policy, sources)
        found += _of_effect(journey, policy, sources)
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


def _of_caps(policy: Policy, sources: Sources) -> Iterator[Finding]:
    for at, other in useless_caps(policy):
        cap, place = policy.contact_policy.caps[at], ("contact_policy", "caps", at)
        if other is None:
            what = f"cap '{cap.id}' never stops anything: no marketing treatment is on its channels for its journeys"
        else:
            what = f"cap '{cap.id}' is never reached: '{other.id}' always stops first"
        yield sources.finding(what, place, "remove it, or correct one of the two" if other else "remove or correct it")


def _of_money(journey: Journey, policy: Policy, sources: Sources) -> Iterator[Finding]:
    """Journeys that cannot win, levers larger than what they move, offers larger than what a purchase earns."""
    place, currency = ("journeys", journey.id), policy.economics.currency
    values = [_value(treatment, policy) for treatment in treatments_of(journey)]
    if max(value.high for value in values) <= 0:
        what = f"'{journey.id}' can never win: its best treatment is worth {max(value.high for value in values):+.3f} {currency} at best"
        mend = "see effect_prior, the channels' costs and the offers"
        yield sources.finding(what, (*place, "effect_prior"), mend)
    moved = max(value.net for value in values) - journey.lever
    if journey.lever and abs(journey.lever) > moved:
        what = f"the lever of {journey.lever:+.3f} {currency} is more than the {moved:+.3f} that '{journey.id}' is worth without it"
        yield sources.finding(what, (*place, "lever"), "use a smaller lever: this one decides alone")
    earned = policy.economics.basket_value_prior * policy.economics.margin_rate
    for at, line in enumerate(journey.treatments):
        if line.offer is None:
            continue
        used = replace(line.offer, redemption=1.0)
        granted = points_price(used, policy.economics) if used.points > 0 else 0.0
        cost = line.offer.face_value + granted
        if cost > earned:
            what = f"'{line.offer.id}' costs {cost:.2f} {currency} when used, a purchase earns {earned:.2f}"
            yield sources.finding(what, (*place, "treatments", at, "offer"), "use a smaller offer")


def _of_effect(journey: Journey, policy: Policy, sources: Sources) -> Iterator[Finding]:
    others = [one.effect_prior for one in policy.journeys.values() if one.id != journey.id]
    usual = median(others) if len(others) >= FEWEST_OTHERS else None
    prior, place = journey.effect_prior, ("journeys", journey.id, "effect_prior")
    mend = "one further purchase per contact is 1.0; a usual effect is 0.01 to 0.05"
    if prior > LARGEST_EFFECT:
        yield sources.finding(f"an effect of {prior:g} purchases per contact has never been seen", place, mend)
    elif usual is not None and usual > 0 and prior > OUTLYING * usual:
        what = f"an effect of {prior:g} is {prior / usual:.1f} times that of the other journeys"
        yield sources.finding(what, place, mend)


def _value(treatment: Treatment, policy: Policy) -> Value:
    """The treatment's value from the catalog's priors, for a customer one basket away from the next tier."""
    e = policy.economics
    believed = Estimates(
        churn_risk=Estimate(e.churn_risk_prior),
        base_purchase=Estimate(e.base_purchase_prior),
        basket_margin=Estimate(e.basket_value_prior * e.margin_rate),
        recency_value=Estimate(e.recency_value_prior),
        attention_price=Estimate(e.attention_price_prior),
        tier_progress=Estimate(e.tier_value_prior),
    )
    return Worth(treatment, believed, policy).at(0)[0]
