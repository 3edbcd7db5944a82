"""What a candidate is worth: expected long-run incremental margin in the shop's currency, term by term.

    net = tau * M + tau * delta (V+ - V-) - kappa - h_c * W_c - phi * g_c - sum_r lambda_r use_r + lever

Silence is worth 0. Each estimate that is missing is replaced by the policy's prior, evidence tier 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from arbitration.domain import Candidate, Estimate, Estimates, Offer, Treatment, Value
from arbitration.policy import Channel, Policy

NO_PRICES: Mapping[str, float] = MappingProxyType({})
CAUTION = 0.5
"""Standard deviations of the effect by which the ranking number stays below the mean."""


@dataclass(frozen=True, slots=True)
class Beliefs:
    """The estimates that one candidate's value is made of, priors filled in."""

    effect: Estimate
    propensity: Estimate
    timing: Estimate
    opt_out: Estimate
    reach: Estimate


class Valued(NamedTuple):
    """A candidate with its value and P(engage)."""

    candidate: Candidate
    value: Value
    propensity: Estimate


def ranking(candidates: Iterable[Candidate], estimates: Estimates, policy: Policy) -> list[Valued]:
    """Best `decided_on` first, earlier window first among equals."""
    valued: list[Valued] = []
    for candidate in candidates:
        believed = beliefs(candidate, estimates, policy)
        valued.append(Valued(candidate, value_of(candidate, believed, estimates, policy), engagement(believed)))
    return sorted(valued, key=lambda it: (-it.value.decided_on, it.candidate.window.opens_at))


def beliefs(candidate: Candidate, estimates: Estimates, policy: Policy) -> Beliefs:
    """What is believed of the candidate. Timing plays no part where the customer is here, or the hour does not matter.

    That a better hour raises purchases as much as engagement is an assumption; only engagement is measured by hour.
    """
    treatment = candidate.treatment
    journey, channel = policy.journeys[treatment.journey], policy.channels[treatment.channel]
    key = treatment.id
    timed = channel.timing == "scheduled" and channel.hour_matters
    timing = estimates.timing.get(str(candidate.window.slot)) if timed else None
    return Beliefs(
        effect=estimates.effect.get(key) or Estimate(journey.effect_prior, journey.effect_prior_sd),
        propensity=estimates.propensity.get(key) or Estimate(policy.economics.propensity_prior),
        timing=timing or Estimate(1.0),
        opt_out=estimates.opt_out.get(channel.id) or Estimate(channel.opt_out_prior),
        reach=estimates.reach_value.get(channel.id) or Estimate(channel.reach_value_prior),
    )


def margin(tau: float, estimates: Estimates) -> float:
    """Tau * M: incremental purchases times the money one more purchase earns now."""
    return tau * estimates.basket_margin.mean


def future(tau: float, estimates: Estimates) -> float:
    """Tau * delta (V+ - V-): incremental purchases times the value of being a recent buyer (Ascarza 2018: the churn
    model sets the stake, it does not rank).
    """
    return tau * estimates.recency_value.mean


def channel_cost(channel: Channel) -> float:
    """First part of kappa: money per contact."""
    return -channel.cost


def incentive_cost(offer: Offer | None, tau: float, estimates: Estimates) -> float:
    """Second part of kappa: the offer, paid to those who buy because of it and to those who would have bought anyway."""
    if offer is None:
        return 0.0
    return -offer.face_value * offer.redemption * (estimates.base_purchase.mean + tau)


def opt_out_cost(opt_out: Estimate, reach: Estimate) -> float:
    """h_c * W_c: the risk of losing the channel times what the channel is worth."""
    return -opt_out.mean * reach.mean


def attention_cost(channel: Channel, estimates: Estimates) -> float:
    """Phi * g_c: price of attention times the pressure of this contact."""
    return -estimates.attention_price.mean * channel.pressure


def shadow_cost(treatment: Treatment, prices: Mapping[str, float]) -> float:
    """Sum of lambda_r over what the contact uses one unit of: `channel:<id>`, `journey:<id>`, `offer:<id>`."""
    used = [f"channel:{treatment.channel}", f"journey:{treatment.journey}"]
    if treatment.offer is not None:
        used.append(f"offer:{treatment.offer.id}")
    return -sum(prices.get(resource, 0.0) for resource in used)


def value_of(
    candidate: Candidate,
    believed: Beliefs,
    estimates: Estimates,
    policy: Policy,
    prices: Mapping[str, float] = NO_PRICES,
) -> Value:
    """The candidate's value and its parts. `net` is linear in tau, so its bounds follow from one slope."""
    treatment = candidate.treatment
    channel = policy.channels[treatment.channel]
    tau, sd = believed.effect.mean * believed.timing.mean, believed.effect.sd * believed.timing.mean
    parts = (
        margin(tau, estimates),
        future(tau, estimates),
        channel_cost(channel),
        incentive_cost(treatment.offer, tau, estimates),
        opt_out_cost(believed.opt_out, believed.reach),
        attention_cost(channel, estimates),
        shadow_cost(treatment, prices) if prices else 0.0,
        policy.journeys[treatment.journey].lever,
    )
    net = 0.0
    for part in parts:
        net += part
    spread = abs(sd * _slope(treatment.offer, estimates))
    return Value(*parts, net, net - spread, net + spread, net - CAUTION * spread, _tier(believed, estimates))


def engagement(believed: Beliefs) -> Estimate:
    """P(engage) with this candidate: the treatment's propensity times the window's relative engagement, within [0, 1]."""
    base, factor = believed.propensity, believed.timing.mean
    return Estimate(min(1.0, max(0.0, base.mean * factor)), base.sd * factor, base.source, base.tier)


def _slope(offer: Offer | None, estimates: Estimates) -> float:
    """Slope d net / d tau: money per incremental purchase. Negative when the offer costs more than a purchase earns; then more
    effect loses more, and the pessimistic side is the other one.
    """
    paid = offer.face_value * offer.redemption if offer else 0.0
    return estimates.basket_margin.mean + estimates.recency_value.mean - paid


def _tier(believed: Beliefs, estimates: Estimates) -> int:
    """Prices that the shop sets (attention, reachability) are no evidence and do not count."""
    used = (believed.effect, believed.opt_out, estimates.basket_margin, estimates.recency_value)
    return min(estimate.tier for estimate in used)
