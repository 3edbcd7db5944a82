"""Doubts about money: journeys that cannot win, levers that decide alone, offers that cost more than they bring or twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from arbitration.domain import Estimate, Estimates, Offer
from arbitration.policy import Journey, Policy
from arbitration.propose import treatments_of
from arbitration.value import Worth, points_price
from catalog.sources import Finding, Place, Sources

LARGEST_EFFECT = 0.2
"""More than one further purchase per five contacts is beyond what contacts of a shop have been seen to do."""
OUTLYING = 4.0
FEWEST_OTHERS = 3


def money_doubts(policy: Policy, sources: Sources) -> Iterator[Finding]:
    """Every doubt about what journeys are worth, under the catalog's priors."""
    for journey in policy.journeys.values():
        yield from _of_worth(journey, policy, sources)
        yield from _of_lever(journey, policy, sources)
        yield from _of_offers(journey, policy, sources)
        yield from _of_effect(journey, policy, sources)
    yield from _of_one_offer_at_two_prices(policy, sources)


def _of_worth(journey: Journey, policy: Policy, sources: Sources) -> Iterator[Finding]:
    """Journeys that cannot win even for a customer one basket away from the next tier."""
    best = max(high for _, high in _worth(journey, policy, policy.economics.tier_value_prior))
    if best <= 0:
        what = (
            f"'{journey.id}' can never win: its best treatment is worth {best:+.3f} {policy.economics.currency} at best"
        )
        place = ("journeys", journey.id, "effect_prior")
        yield sources.finding(what, place, "see effect_prior, the channels' costs and the offers")


def _of_lever(journey: Journey, policy: Policy, sources: Sources) -> Iterator[Finding]:
    """Levers larger than what they move, for a customer who is far from the next tier, as most are."""
    lever, currency = journey.lever, policy.economics.currency
    moved = max(net for net, _ in _worth(journey, policy, 0.0)) - lever
    place = ("journeys", journey.id, "lever")
    if lever > max(moved, 0.0):
        what = f"the lever adds {lever:.3f} {currency} to the {moved:.3f} that '{journey.id}' is worth without it"
        yield sources.finding(what, place, "use a smaller lever: this one decides alone")
    elif lever < 0 < moved < -lever:
        what = f"the lever takes {-lever:.3f} {currency} from the {moved:.3f} that '{journey.id}' is worth without it"
        yield sources.finding(what, place, "use a lever closer to 0: with this one it hardly ever speaks")


def _of_offers(journey: Journey, policy: Policy, sources: Sources) -> Iterator[Finding]:
    """Offers larger than what a purchase earns, and offers that the shop pays for in money and in points."""
    economics = policy.economics
    earned = economics.basket_value_prior * economics.margin_rate
    for offer, place in _offers(journey):
        granted = points_price(replace(offer, redemption=1.0), economics) if offer.points > 0 else 0.0
        cost = offer.face_value + granted
        if cost > earned:
            what = f"'{offer.id}' costs {cost:.2f} {economics.currency} when used, a purchase earns {earned:.2f}"
            yield sources.finding(what, place, "use a smaller offer")
        if offer.points < 0 < offer.face_value:
            what = (
                f"'{offer.id}' is paid twice: with {-offer.points} points, and with {offer.face_value:.2f} "
                f"{economics.currency} that the shop is charged on top"
            )
            yield sources.finding(what, place, "write 'face_value: 0.0' if the points pay for it")


def _of_one_offer_at_two_prices(policy: Policy, sources: Sources) -> Iterator[Finding]:
    first: dict[str, tuple[Offer, str]] = {}
    for journey in policy.journeys.values():
        for offer, place in _offers(journey):
            known, where = first.setdefault(offer.id, (offer, journey.id))
            if (known.face_value, known.points) != (offer.face_value, offer.points):
                what = f"'{offer.id}' is {_priced(offer, policy)} here and {_priced(known, policy)} in '{where}'"
                yield sources.finding(what, place, "write the same for one offer, or use two ids")


def _priced(offer: Offer, policy: Policy) -> str:
    return f"{offer.face_value:.2f} {policy.economics.currency} with {offer.points} points"


def _offers(journey: Journey) -> Iterator[tuple[Offer, Place]]:
    for at, line in enumerate(journey.treatments):
        if line.offer is not None:
            yield line.offer, ("journeys", journey.id, "treatments", at, "offer")


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


def _worth(journey: Journey, policy: Policy, tier_progress: float) -> list[tuple[float, float]]:
    """Net and the upper end of it, of each treatment, from the catalog's priors."""
    e = policy.economics
    believed = Estimates(
        churn_risk=Estimate(e.churn_risk_prior),
        base_purchase=Estimate(e.base_purchase_prior),
        basket_margin=Estimate(e.basket_value_prior * e.margin_rate),
        recency_value=Estimate(e.recency_value_prior),
        attention_price=Estimate(e.attention_price_prior),
        tier_progress=Estimate(tier_progress),
    )
    values = [Worth(treatment, believed, policy).at(0)[0] for treatment in treatments_of(journey)]
    return [(value.net, value.high) for value in values]
