"""What a candidate is worth: expected long-run incremental margin in the shop's currency, term by term.

    net = tau * M + tau * delta (V+ - V-) + tau * progress - kappa - h_c * W_c - phi * g_c - sum_r lambda_r use_r + lever

Silence is worth 0. Each estimate that is missing is replaced by the policy's prior, evidence tier 0. A treatment that suppresses a
contact is worth that contact with the sign turned: it saves what the contact costs and loses what it brings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import isfinite, nan
from typing import NamedTuple, cast

from arbitration.domain import PARTS, Candidate, Estimate, Estimates, Offer, Treatment, Value
from arbitration.policy import Channel, Economics, Policy

CAUTION = 0.5
"""Standard deviations of the effect by which the ranking number stays below the mean."""
NO_TIMING = Estimate(1.0)
LARGEST = 1e300
"""Money beyond this is no value: sums of a few of them must still be numbers."""
Parts = tuple[float, float, float, float, float, float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Beliefs:
    """The estimates that a treatment's value is made of, priors filled in."""

    effect: Estimate
    propensity: Estimate
    opt_out: Estimate
    reach: Estimate


class Valued(NamedTuple):
    """A candidate with its value and P(engage)."""

    candidate: Candidate
    value: Value
    propensity: Estimate


def ranking(
    candidates: Iterable[Candidate], estimates: Estimates, policy: Policy, *, without: str | None = None
) -> list[Valued]:
    """Best `decided_on` first, earlier window first among equals. `without` names a part that is taken as 0 (sensitivity)."""
    worths: dict[int, Worth] = {}
    valued: list[Valued] = []
    for candidate in candidates:
        treatment = candidate.treatment
        worth = worths.get(id(treatment))
        if worth is None:
            worth = worths[id(treatment)] = Worth(treatment, estimates, policy, without)
        valued.append(Valued(candidate, *worth.at(candidate.window.slot)))
    return sorted(valued, key=_place)


def value_unknown(item: Valued) -> bool:
    """Whether the value cannot be reckoned, because an estimate is no finite number; such a candidate never speaks."""
    value, chance = item.value, item.propensity
    return not (_reckoned(value.low, value.high) and isfinite(chance.mean))


def _reckoned(low: float, high: float) -> bool:
    return low > -LARGEST and high < LARGEST


def _place(item: Valued) -> tuple[bool, float, datetime]:
    """What is no number has no place among numbers, and would keep them from being sorted: it comes last."""
    decided_on = item.value.decided_on
    known = decided_on == decided_on  # noqa: PLR0124 - NaN
    return not known, -decided_on if known else 0.0, item.candidate.window.opens_at


def beliefs(treatment: Treatment, estimates: Estimates, policy: Policy) -> Beliefs:
    """What is believed of the treatment."""
    journey, channel = policy.journeys[treatment.journey], policy.channels[treatment.channel]
    key = treatment.id
    return Beliefs(
        effect=estimates.effect.get(key) or Estimate(journey.effect_prior, journey.effect_prior_sd),
        propensity=estimates.propensity.get(key) or Estimate(policy.economics.propensity_prior),
        opt_out=estimates.opt_out.get(channel.id) or Estimate(channel.opt_out_prior),
        reach=estimates.reach_value.get(channel.id) or Estimate(channel.reach_value_prior),
    )


def timing_of(slot: int, channel: Channel, estimates: Estimates) -> Estimate:
    """The window's relative engagement. It plays no part where the customer is here, or the hour does not matter.

    That a better hour raises purchases as much as engagement is an assumption; only engagement is measured by hour.
    """
    if channel.timing != "scheduled" or not channel.hour_matters:
        return NO_TIMING
    return estimates.timing.get(str(slot)) or NO_TIMING


def margin(tau: float, estimates: Estimates) -> float:
    """Tau * M: incremental purchases times the money one more purchase earns now."""
    return tau * estimates.basket_margin.mean


def future(tau: float, estimates: Estimates) -> float:
    """Tau * delta (V+ - V-): incremental purchases times the value of being a recent buyer (Ascarza 2018: the churn
    model sets the stake, it does not rank).
    """
    return tau * estimates.recency_value.mean


def progress(tau: float, estimates: Estimates) -> float:
    """Tau times the value of coming closer to the next tier; effort grows near the goal (Kivetz, Urminsky & Zheng 2006)."""
    return tau * estimates.tier_progress.mean


def channel_cost(channel: Channel) -> float:
    """First part of kappa: money per contact."""
    return -channel.cost


def incentive_cost(offer: Offer | None, tau: float) -> float:
    """Second part of kappa: the offer, paid to those who buy because of the contact."""
    return 0.0 if offer is None else -offer.face_value * offer.redemption * tau


def subsidy_cost(offer: Offer | None, estimates: Estimates) -> float:
    """Third part of kappa: the same offer, paid to the sure buyers, who would have bought anyway."""
    return 0.0 if offer is None else -offer.face_value * offer.redemption * estimates.base_purchase.mean


def points_cost(offer: Offer | None, tau: float, estimates: Estimates, economics: Economics) -> float:
    """What using the offer changes in the points liability, for all who buy."""
    return 0.0 if offer is None else -points_price(offer, economics) * (estimates.base_purchase.mean + tau)


def points_price(offer: Offer, economics: Economics) -> float:
    """Money per buyer. Granted points become a liability less breakage; redeeming points pays out what was booked but for the
    breakage, which is lost as income (IFRS 15, B39 to B47: material rights and unexercised rights).
    """
    share = 1.0 - economics.breakage if offer.points > 0 else economics.breakage
    return abs(offer.points) * economics.point_value * share * offer.redemption


def opt_out_cost(opt_out: Estimate, reach: Estimate) -> float:
    """h_c * W_c: the risk of losing the channel times what the channel is worth."""
    return -opt_out.mean * reach.mean


def attention_cost(channel: Channel, estimates: Estimates) -> float:
    """Phi * g_c: price of attention times the pressure of this contact."""
    return -estimates.attention_price.mean * channel.pressure


def shadow_cost(treatment: Treatment, policy: Policy) -> float:
    """Sum of lambda_r over the scarce resources of which the contact uses a unit."""
    return 0.0 - total(resource.price for resource in policy.resources.values() if resource.used_by(treatment))


class Worth:
    """The value of one treatment as a function of the send window: only the incremental purchases depend on the hour."""

    def __init__(self, treatment: Treatment, estimates: Estimates, policy: Policy, without: str | None = None) -> None:
        self._offer, self._economics = treatment.offer, policy.economics
        self._channel, self._estimates, self._without = policy.channels[treatment.channel], estimates, without
        self.beliefs = beliefs(treatment, estimates, policy)
        self._sign = -1.0 if treatment.kind == "suppress" else 1.0
        self._fixed = (
            self._sign * opt_out_cost(self.beliefs.opt_out, self.beliefs.reach),
            self._sign * attention_cost(self._channel, estimates),
            self._sign * shadow_cost(treatment, policy) if policy.resources else 0.0,
            policy.journeys[treatment.journey].lever,
        )
        self._cost = self._sign * channel_cost(self._channel)
        self._subsidy = subsidy_cost(self._offer, estimates)
        self._tiers = _tiers(self.beliefs, estimates)
        self._slope = self._slope_of()
        self._known: dict[float, tuple[Value, Estimate]] = {}

    def at(self, slot: int) -> tuple[Value, Estimate]:
        """Value and P(engage) in a window of that hour-of-week slot."""
        factor = timing_of(slot, self._channel, self._estimates).mean
        found = self._known.get(factor)
        if found is None:
            found = self._known[factor] = (self._value(factor), engagement(self.beliefs.propensity, factor))
        return found

    def glance(self, slot: int) -> tuple[float, float, float] | None:
        """`net`, `decided_on` and P(engage) alone, for those who look at many windows; None where the value is unknown."""
        factor = timing_of(slot, self._channel, self._estimates).mean
        _, net, spread = self._sums(factor)
        chance = chance_of(self.beliefs.propensity, factor)
        known = _reckoned(net - spread, net + spread) and isfinite(chance)
        return (net, net - CAUTION * spread, chance) if known else None

    def _value(self, factor: float) -> Value:
        parts, net, spread = self._sums(factor)
        tier, tiers = self._tiers
        return Value(*parts, net, net - spread, net + spread, net - CAUTION * spread, tier, tiers)

    def _sums(self, factor: float) -> tuple[Parts, float, float]:
        """Parts, net and one standard deviation of it: `net` is linear in tau, so its spread follows from one slope."""
        parts = self._parts(self._sign * self.beliefs.effect.mean * factor)
        net = total(parts)
        return parts, net, abs(self.beliefs.effect.sd * factor * self._slope)

    def _parts(self, tau: float) -> Parts:
        """The parts in the order of `PARTS`."""
        offer, estimates = self._offer, self._estimates
        parts = (
            margin(tau, estimates), future(tau, estimates), progress(tau, estimates), self._cost, incentive_cost(offer, tau),
            self._subsidy, points_cost(offer, tau, estimates, self._economics), *self._fixed,
        )  # fmt: skip
        if self._without is None:
            return parts
        kept = (0.0 if name == self._without else part for name, part in zip(PARTS, parts, strict=True))
        return cast(Parts, tuple(kept))

    def _slope_of(self) -> float:
        """Slope d net / d tau: money per incremental purchase. Negative when the offer costs more than a purchase earns; then more
        effect loses more, and the pessimistic side is the other one.
        """
        per_purchase = {
            "margin": self._estimates.basket_margin.mean,
            "future": self._estimates.recency_value.mean,
            "progress": self._estimates.tier_progress.mean,
            "incentive_cost": incentive_cost(self._offer, 1.0),
            "points_cost": 0.0 if self._offer is None else -points_price(self._offer, self._economics),
        }
        return total(money for name, money in per_purchase.items() if name != self._without)


def total(numbers: Iterable[float]) -> float:
    """The sum, one addition after the other: `sum` adds differently from Python 3.12 on, and a decision must not."""
    found = 0.0
    for number in numbers:
        found += number
    return found


def engagement(propensity: Estimate, factor: float) -> Estimate:
    """P(engage): the treatment's propensity times the window's relative engagement."""
    return Estimate(chance_of(propensity, factor), propensity.sd * factor, propensity.source, propensity.tier)


def chance_of(propensity: Estimate, factor: float) -> float:
    """The mean of `engagement`, within [0, 1]; unknown stays unknown."""
    chance = propensity.mean * factor
    return min(1.0, max(0.0, chance)) if isfinite(chance) else nan


def _tiers(used: Beliefs, estimates: Estimates) -> tuple[int, tuple[int, ...]]:
    """The lowest tier among effect, opt-out and money, and the tier of each part in the order of `PARTS`.

    Prices that the shop sets (costs, attention, levers) are no evidence: tier 0, and they do not lower the whole.
    """
    effect, base = used.effect.tier, estimates.base_purchase.tier
    money, stake = estimates.basket_margin.tier, estimates.recency_value.tier
    tiers = (
        min(effect, money), min(effect, stake), min(effect, estimates.tier_progress.tier), 0, effect, base, min(effect, base),
        min(used.opt_out.tier, used.reach.tier), estimates.attention_price.tier, 0, 0,
    )  # fmt: skip
    return min(effect, used.opt_out.tier, money, stake), tiers
