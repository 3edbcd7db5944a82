"""What the models believe for one context, in the shape the decision reads; priors where a model cannot speak.

Sources, estimate by estimate:

    churn_risk       the churn model; for the lapsed (56 days without a purchase) the measured rate of their band
    base_purchase    the base-purchase model: any purchase in the effect window without a contact
    basket_margin    M = value of the next basket * margin rate, from the basket model (`training.spend`; its model is the mean basket of
                     182 days, shrunk, where nothing was better on held-out data), for who bought in 182 days
    recency_value    delta (V+ - V-) = DELTA * annual margin * (P(stays | just bought) - P(stays | as of now)); annual margin =
                     365/56 * spend of the next 56 days, from the spend model, * margin rate; both chances from the churn
                     model, the first for the same customer with one more purchase, made now
    tier_progress    the catalog's value of the next tier * min(1, mean basket / money missing to it): progress is linear, and one
                     more basket is a larger part of a shorter way (goal gradient: Kivetz, Urminsky & Zheng 2006, Journal of
                     Marketing Research 43(1)); 0 at the top tier and where the way is not known
    attention_price  the money a contact loses later, measured from randomized weekly caps (`training.attention`), shrunk toward the
                     catalog's price; that price where there was no such experiment, or a weak one
    propensity       the channel model, for channels and journeys it has seen
    effect           cell effect * (1 + slope * (propensity / the cell's mean propensity - 1)), ratio within 1/4 and 4, the
                     slope measured: 0 where propensity says nothing about the effect
    timing           the send-time model
    opt_out          the opt-out model, for channels it has seen, where it was better on held-out data than the channels' rates; else
                     the shrunk opt-out rate of the channel
    next_category    the likeliest candidate of the next-category model (`training.categories`); it enters no value
    reach_value      the channel's prior, scaled by the customer's annual margin against the catalog's (basket, base chance)

A view that is missing or stale takes its model with it: the estimate falls back one tier (`arbitration.domain.Estimate`). So does a
model that the bundle does not hold, because the shop had too little to learn it from; with none at all every estimate is a prior.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from arbitration.domain import Attribution, Context, Decision, Estimate, Estimates, Treatment
from arbitration.policy import Policy
from arbitration.propose import treatments
from features.registry import VIEWS
from serving.model_rows import as_number, channel_known, channel_rows, customer_row, gather, spoken, treatment_rows
from serving.next_category import attribution, likeliest
from training.labels import SPEND_DAYS
from training.lapse import lapse_at

if TYPE_CHECKING:
    from training.attention import Attention
    from training.bundle import Bundle
    from training.effects import Effects
    from training.models import Model
    from training.slots import SendTime

DELTA = 0.5
"""The share of the difference between buyers and others that a purchase itself makes; the rest is who they are."""
DAYS_A_YEAR = 365.0
NOW_ZERO = ("recency_days", "gap_ratio")
ONE_MORE = ("frequency_28d", "frequency_56d", "frequency_91d", "frequency_182d", "purchases_total")
REACH_RANGE = (0.1, 5.0)


def estimates(bundle: Bundle | None, policy: Policy, context: Context, now: datetime) -> Estimates:  # noqa: ARG001
    """All estimates of one context; never raises for missing knowledge. `now` is part of the contract: estimates are as of a moment."""
    prior = _priors(policy)
    if bundle is None or not context.known:
        return prior
    seen = views_seen(context)
    annual = _annual(bundle.spend, policy, context) if "customer" in seen else None
    risk, stake = _churn(bundle, context, annual) if "customer" in seen else (None, None)
    everything = {"customer", "timing", "context"} <= seen
    propensity = _propensity(bundle.channel_propensity, policy, context) if everything else {}
    return Estimates(
        churn_risk=risk or prior.churn_risk,
        base_purchase=(_base(bundle.base_purchase, context) if everything else None) or prior.base_purchase,
        basket_margin=(_basket(bundle.next_basket, policy, context) if "customer" in seen else None)
        or prior.basket_margin,
        recency_value=stake or prior.recency_value,
        tier_progress=_tier_progress(policy, context) if "customer" in seen else prior.tier_progress,
        attention_price=_attention(bundle.attention, policy) or prior.attention_price,
        propensity=dict(prior.propensity) | propensity,
        effect=_effects(bundle.effects, policy, prior, propensity),
        timing=_timing(bundle.send_time, context) if "timing" in seen else {},
        opt_out=_opt_out(bundle, context, prior),
        reach_value=_reach(policy, annual, prior),
        next_category=likeliest(bundle.next_category, context),
    )


def attributions(bundle: Bundle | None, context: Context, treatment_id: str | None) -> tuple[Attribution, ...]:
    """What moved the models: churn risk, and the channel model for one treatment; empty where a model could not speak."""
    if bundle is None or not context.known:
        return ()
    seen, found = views_seen(context), []
    churn, channels = bundle.churn_risk, bundle.channel_propensity
    if churn and "customer" in seen and lapse_at(bundle.lapses, _recency(context)) is None:
        found.append(churn.attribute(customer_row(churn, context.features)))
    if channels and treatment_id is not None and {"customer", "timing", "context"} <= seen:
        journey, channel, _ = treatment_id.split("/", 2)
        treatment = Treatment(journey, channel, "")
        if spoken(channels, treatment):
            rows = treatment_rows(channels, context.features, (treatment,))
            found.append(gather(channels.attribute(rows[0]), treatment))
    return tuple(found)


def moved(bundle: Bundle | None, context: Context, decision: Decision, believed: Estimates) -> tuple[Attribution, ...]:
    """All attributions of a decision: of the models that it rests on, and of the next category that it tells."""
    treatment = decision.winner.candidate.treatment.id if decision.winner else None
    return (*attributions(bundle, context, treatment), *attribution(bundle, context, decision, believed))


def views_seen(context: Context) -> set[str]:
    """Views of which at least one value is known; a stale or missing view leaves none behind."""
    known = {name for name, value in context.features.items() if value is not None}
    return {name for name, view in VIEWS.items() if any(feature.name in known for feature in view.features)}


def _priors(policy: Policy) -> Estimates:
    """What the catalog says before any data: evidence tier 0."""
    e = policy.economics
    return Estimates(
        churn_risk=Estimate(e.churn_risk_prior),
        base_purchase=Estimate(e.base_purchase_prior),
        basket_margin=Estimate(e.basket_value_prior * e.margin_rate),
        recency_value=Estimate(e.recency_value_prior),
        attention_price=Estimate(e.attention_price_prior),
        propensity={one.id: Estimate(e.propensity_prior) for one in treatments(policy)},
        effect={
            one.id: Estimate(policy.journeys[one.journey].effect_prior, policy.journeys[one.journey].effect_prior_sd)
            for one in treatments(policy)
        },
        timing={},
        opt_out={channel.id: Estimate(channel.opt_out_prior) for channel in policy.channels.values()},
        reach_value={channel.id: Estimate(channel.reach_value_prior) for channel in policy.channels.values()},
    )


def _basket(model: Model | None, policy: Policy, context: Context) -> Estimate | None:
    """M of the next basket; None without a model or a basket in half a year."""
    if model is None or not _spent(context):
        return None
    value = float(model.predict(customer_row(model, context.features)[None, :])[0])
    return Estimate(value * policy.economics.margin_rate, 0.0, f"{model.name} {model.version}", 2)


def _annual(model: Model | None, policy: Policy, context: Context) -> float | None:
    """The annual margin; None without a model or a basket in half a year."""
    if model is None or not _spent(context):
        return None
    ahead = float(model.predict(customer_row(model, context.features)[None, :])[0])
    return ahead * policy.economics.margin_rate * DAYS_A_YEAR / SPEND_DAYS


def _spent(context: Context) -> bool:
    """Whether the customer has a basket in half a year; models of money saw nobody else."""
    known = (as_number(context.features.get(name)) for name in ("basket_value_182d", "money_182d"))
    return not any(math.isnan(value) for value in known)


def _tier_progress(policy: Policy, context: Context) -> Estimate:
    """What one more purchase brings of the next tier's value. The value is the catalog's: a prior, scaled."""
    missing = as_number(context.features.get("money_to_next_tier"))
    basket = as_number(context.features.get("basket_value_182d"))
    if not (missing > 0 and basket > 0):  # NaN is neither: unknown, or the top tier
        return Estimate(0.0, 0.0, "no way to a next tier is known")
    share = min(1.0, basket / missing)
    return Estimate(policy.economics.tier_value_prior * share, 0.0, "prior scaled by mean basket to next tier")


def _churn(bundle: Bundle, context: Context, annual: float | None) -> tuple[Estimate | None, Estimate | None]:
    """Risk as of now and the stake. Of the lapsed, whom the model never saw, the measured rate of their band speaks: tier 1."""
    model = bundle.churn_risk
    if model is None:
        return None, None
    row = customer_row(model, context.features)
    bought = row.copy()
    for column, name in enumerate(model.features):
        if name in NOW_ZERO:
            bought[column] = 0.0
        elif name in ONE_MORE:
            bought[column] += 1.0
    risk, after = (float(value) for value in model.predict(np.stack([row, bought])))
    estimate = Estimate(risk, 0.0, f"{model.name} {model.version}", 2)
    if lapse := lapse_at(bundle.lapses, _recency(context)):
        estimate = Estimate(lapse.rate, lapse.sd, f"measured, over {lapse.after_days:.0f} days without a purchase", 1)
    if annual is None:
        return estimate, None
    stake = DELTA * annual * max(0.0, estimate.mean - after)
    return estimate, Estimate(stake, 0.0, f"annual margin, {estimate.source}", estimate.tier)


def _base(model: Model | None, context: Context) -> Estimate | None:
    if model is None:
        return None
    chance = float(model.predict(customer_row(model, context.features)[None, :])[0])
    return Estimate(chance, 0.0, f"{model.name} {model.version}", 2)


def _propensity(model: Model | None, policy: Policy, context: Context) -> dict[str, Estimate]:
    """P(engage) of every treatment the model has seen, in one batch."""
    asked = tuple(one for one in treatments(policy) if spoken(model, one)) if model else ()
    if model is None or not asked:
        return {}
    chances = model.predict(treatment_rows(model, context.features, asked))
    source = f"{model.name} {model.version}"
    return {one.id: Estimate(float(chance), 0.0, source, 2) for one, chance in zip(asked, chances, strict=True)}


def _effects(
    effects: Effects | None, policy: Policy, prior: Estimates, propensity: Mapping[str, Estimate]
) -> Mapping[str, Estimate]:
    if effects is None:
        return prior.effect
    found = {}
    for one in treatments(policy):
        chance = propensity.get(one.id)
        measured = effects.effect(one.journey, one.channel, chance.mean if chance else None)
        found[one.id] = measured or prior.effect[one.id]
    return found


def _timing(send_time: SendTime | None, context: Context) -> dict[str, Estimate]:
    """The chance by slot, relative to the customer's mean; without a model no slot is better than another."""
    if send_time is None:
        return {}
    tier = 2 if send_time.weight > 0 else 1
    source = f"send_time {send_time.version}"
    relative = send_time.relative({name: as_number(value) for name, value in context.features.items()})
    return {str(slot): Estimate(float(value), 0.0, source, tier) for slot, value in enumerate(relative)}


def _opt_out(bundle: Bundle, context: Context, prior: Estimates) -> dict[str, Estimate]:
    """The individual hazard per channel where a model of it is in use and the channel's view is known; else the channel's rate."""
    found = dict(prior.opt_out)
    if bundle.effects:
        source = f"effects {bundle.effects.version}"
        found |= {
            channel: Estimate(max(0.0, belief.mean), belief.sd, source, 1)
            for channel, belief in bundle.effects.opt_out.items()
            if channel in prior.opt_out
        }
    model = bundle.opt_out
    if model is None or model.kind == "rates" or not {"customer", "context"} <= views_seen(context):
        return found
    asked = tuple(c for c in found if f"channel={c}" in model.features and channel_known(context.features, c))
    if not asked:
        return found
    chances = model.predict(channel_rows(model, context.features, asked))
    source = f"{model.name} {model.version}"
    return found | {name: Estimate(float(chance), 0.0, source, 2) for name, chance in zip(asked, chances, strict=True)}


def _attention(measured: Attention | None, policy: Policy) -> Estimate | None:
    """Money per unit of pressure."""
    if measured is None:
        return None
    pressure = {channel.id: channel.pressure for channel in policy.channels.values()}
    return measured.price(policy.economics.attention_price_prior, policy.economics.margin_rate, pressure)


def _reach(policy: Policy, annual: float | None, prior: Estimates) -> Mapping[str, Estimate]:
    """A customer worth twice as much a year as the catalog's typical one loses twice as much with a channel, within 1/10 and 5."""
    if annual is None:
        return prior.reach_value
    e = policy.economics
    typical = e.basket_value_prior * e.margin_rate * e.base_purchase_prior * DAYS_A_YEAR / e.effect_window_days
    scale = min(max(annual / typical, REACH_RANGE[0]), REACH_RANGE[1]) if typical > 0 else 1.0
    return {
        name: Estimate(given.mean * scale, 0.0, "prior scaled by annual margin")
        for name, given in prior.reach_value.items()
    }


def _recency(context: Context) -> float:
    return as_number(context.features.get("recency_days"))
