"""The objective term by term, on numbers that can be checked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from arbitration.domain import Candidate, Estimate, Estimates, Offer, SendWindow, Treatment
from arbitration.value import Beliefs, beliefs, engagement, ranking, shadow_cost, value_of
from tests.unit.arbitration.situations import NOW, POLICY

EMAIL = Treatment("churn_recovery", "email", "miss_you_favorites")
COUPON = Treatment("churn_recovery", "direct_mail", "miss_you_coupon", Offer("coupon_2", 2.0, 0.4))
WINDOW = SendWindow(NOW, NOW + timedelta(hours=1), 7)
BELIEVED = Beliefs(
    effect=Estimate(0.04, 0.02, "effect", 1),
    propensity=Estimate(0.5, 0.1, "channel_propensity", 2),
    timing=Estimate(1.5, 0.0, "send_time", 2),
    opt_out=Estimate(0.01, 0.0, "cells", 1),
    reach=Estimate(8.0, 0.0, "cells", 1),
)
ESTIMATES = Estimates(
    Estimate(0.3), Estimate(0.25), Estimate(10.0, 0, "m", 2), Estimate(5.0, 0, "m", 1), Estimate(0.1, 0, "m", 1)
)


def test_every_part_of_an_email() -> None:
    value = value_of(Candidate(EMAIL, WINDOW), BELIEVED, ESTIMATES, POLICY)
    assert value.margin == pytest.approx(0.04 * 1.5 * 10)
    assert value.future == pytest.approx(0.04 * 1.5 * 5)
    assert value.channel_cost == -POLICY.channels["email"].cost
    assert value.incentive_cost == 0
    assert value.opt_out_cost == pytest.approx(-0.01 * 8)
    assert value.attention_cost == pytest.approx(-0.1 * 1.0)
    assert value.shadow_cost == value.lever == 0
    assert value.net == pytest.approx(0.6 + 0.3 - 0.002 - 0.08 - 0.1)
    assert value.high - value.net == pytest.approx(0.02 * 1.5 * 15)
    assert value.net - value.low == pytest.approx(0.02 * 1.5 * 15)
    assert value.net - value.decided_on == pytest.approx(0.02 * 1.5 * 15 / 2)
    assert value.tier == 1


def test_an_offer_is_paid_to_sure_buyers_too() -> None:
    value = value_of(Candidate(COUPON, WINDOW), BELIEVED, ESTIMATES, POLICY)
    assert value.incentive_cost == pytest.approx(-2.0 * 0.4 * (0.25 + 0.06))


def test_when_a_purchase_costs_more_than_it_earns_caution_lies_on_the_other_side() -> None:
    dear = replace(COUPON, offer=Offer("coupon_30", 30.0))
    value = value_of(Candidate(dear, WINDOW), BELIEVED, ESTIMATES, POLICY)
    assert value.low < value.decided_on < value.net < value.high
    assert value.net - value.decided_on == pytest.approx(0.02 * 1.5 * (30 - 15) / 2)


def test_shadow_prices_count_every_resource_a_contact_uses() -> None:
    prices = {"channel:direct_mail": 0.2, "journey:churn_recovery": 0.05, "offer:coupon_2": 0.5, "channel:sms": 9.0}
    assert shadow_cost(COUPON, prices) == pytest.approx(-0.75)
    with_prices = value_of(Candidate(COUPON, WINDOW), BELIEVED, ESTIMATES, POLICY, prices)
    without = value_of(Candidate(COUPON, WINDOW), BELIEVED, ESTIMATES, POLICY)
    assert without.net - with_prices.net == pytest.approx(0.75)


def test_what_no_model_knows_comes_from_the_policy() -> None:
    believed = beliefs(Candidate(EMAIL, WINDOW), ESTIMATES, POLICY)
    journey, channel = POLICY.journeys["churn_recovery"], POLICY.channels["email"]
    assert believed.effect == Estimate(journey.effect_prior, journey.effect_prior_sd, "prior", 0)
    assert believed.propensity.mean == POLICY.economics.propensity_prior
    assert (believed.opt_out.mean, believed.reach.mean) == (channel.opt_out_prior, channel.reach_value_prior)
    assert believed.timing == Estimate(1.0)


def test_what_a_model_knows_wins_over_the_prior() -> None:
    known = replace(ESTIMATES, effect={EMAIL.id: BELIEVED.effect}, timing={"7": BELIEVED.timing})
    believed = beliefs(Candidate(EMAIL, WINDOW), known, POLICY)
    assert (believed.effect, believed.timing) == (BELIEVED.effect, BELIEVED.timing)


def test_timing_plays_no_part_where_the_customer_is_present() -> None:
    card = Treatment("welcome", "in_app", "welcome_card")
    assert beliefs(Candidate(card, WINDOW), replace(ESTIMATES, timing={"7": BELIEVED.timing}), POLICY).timing.mean == 1


def test_timing_moves_reach_but_never_above_certainty() -> None:
    assert engagement(BELIEVED) == Estimate(0.75, pytest.approx(0.15), "channel_propensity", 2)
    assert engagement(replace(BELIEVED, timing=Estimate(3.0))).mean == 1.0


def test_a_lever_is_added_as_it_stands() -> None:
    journey = replace(POLICY.journeys["churn_recovery"], lever=0.25)
    pulled = replace(POLICY, journeys={**POLICY.journeys, "churn_recovery": journey})
    (plain,) = ranking([Candidate(EMAIL, WINDOW)], ESTIMATES, POLICY)
    (levered,) = ranking([Candidate(EMAIL, WINDOW)], ESTIMATES, pulled)
    assert levered.value.lever == 0.25
    assert levered.value.net == pytest.approx(plain.value.net + 0.25)
