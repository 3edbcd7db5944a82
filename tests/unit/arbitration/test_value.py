"""The objective term by term, on numbers that can be checked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from arbitration.domain import PARTS, Candidate, Estimate, Estimates, Offer, SendWindow, Treatment, Value
from arbitration.policy import BusinessName, Policy, Resource
from arbitration.value import Worth, beliefs, engagement, points_price, ranking, shadow_cost, value_unknown
from tests.unit.arbitration.situations import NOW, POLICY

EMAIL = Treatment("churn_recovery", "email", "miss_you_favorites")
COUPON = Treatment("churn_recovery", "direct_mail", "miss_you_coupon", Offer("coupon_2", 2.0, 0.4))
WINDOW = SendWindow(NOW, NOW + timedelta(hours=1), 7)
EFFECT = Estimate(0.04, 0.02, "effect", 1)
ECONOMICS = replace(POLICY.economics, point_value=0.01, breakage=0.2)
PLAIN = replace(POLICY, economics=ECONOMICS, resources={})
ESTIMATES = Estimates(
    Estimate(0.3),
    Estimate(0.25, 0, "m", 2),
    Estimate(10.0, 0, "m", 2),
    Estimate(5.0, 0, "m", 1),
    Estimate(0.1, 0, "m", 1),
    propensity={EMAIL.id: Estimate(0.5, 0.1, "channel_propensity", 2)},
    effect={EMAIL.id: EFFECT, COUPON.id: EFFECT},
    timing={"7": Estimate(1.5, 0.0, "send_time", 2)},
    opt_out={"email": Estimate(0.01, 0.0, "cells", 1)},
    reach_value={"email": Estimate(8.0, 0.0, "cells", 1)},
)


def worth(treatment: Treatment, policy: Policy = PLAIN, estimates: Estimates = ESTIMATES) -> Value:
    (item,) = ranking([Candidate(treatment, WINDOW)], estimates, policy)
    return item.value


def test_every_part_of_an_email() -> None:
    value = worth(EMAIL, estimates=replace(ESTIMATES, tier_progress=Estimate(2.0, 0, "m", 2)))
    assert value.margin == pytest.approx(0.04 * 1.5 * 10)
    assert value.future == pytest.approx(0.04 * 1.5 * 5)
    assert value.progress == pytest.approx(0.04 * 1.5 * 2)
    assert value.channel_cost == -POLICY.channels["email"].cost
    assert value.incentive_cost == value.subsidy_cost == value.points_cost == 0
    assert value.opt_out_cost == pytest.approx(-0.01 * 8)
    assert value.attention_cost == pytest.approx(-0.1 * 1.0)
    assert value.shadow_cost == value.lever == 0
    assert value.net == pytest.approx(0.6 + 0.3 + 0.12 - 0.002 - 0.08 - 0.1)
    assert value.high - value.net == pytest.approx(0.02 * 1.5 * 17)
    assert value.net - value.low == pytest.approx(0.02 * 1.5 * 17)
    assert value.net - value.decided_on == pytest.approx(0.02 * 1.5 * 17 / 2)
    assert value.tier == 1
    assert dict(zip(PARTS, value.tiers, strict=True)) == {
        "margin": 1, "future": 1, "progress": 1, "channel_cost": 0, "incentive_cost": 1, "subsidy_cost": 2, "points_cost": 1,
        "opt_out_cost": 1, "attention_cost": 1, "shadow_cost": 0, "lever": 0,
    }  # fmt: skip


def test_an_offer_is_paid_to_sure_buyers_too_and_that_is_said() -> None:
    value = worth(COUPON)  # a letter has no hour: its effect is not timed
    assert value.incentive_cost == pytest.approx(-2.0 * 0.4 * 0.04)
    assert value.subsidy_cost == pytest.approx(-2.0 * 0.4 * 0.25)


def test_granted_points_become_a_liability_less_breakage_and_redeemed_ones_cost_the_breakage() -> None:
    granted, redeemed = Offer("double", 0.0, 1.0, points=300), Offer("reward", 0.0, 0.5, points=-500)
    assert points_price(granted, ECONOMICS) == pytest.approx(300 * 0.01 * 0.8)
    assert points_price(redeemed, ECONOMICS) == pytest.approx(500 * 0.01 * 0.2 * 0.5)
    value = worth(replace(COUPON, offer=redeemed))
    assert value.points_cost == pytest.approx(-0.5 * (0.25 + 0.04))


def test_when_a_purchase_costs_more_than_it_earns_caution_lies_on_the_other_side() -> None:
    value = worth(replace(COUPON, offer=Offer("coupon_30", 30.0)))
    assert value.low < value.decided_on < value.net < value.high
    assert value.net - value.decided_on == pytest.approx(0.02 * (30 - 15) / 2)


def test_a_suppressed_contact_is_worth_the_contact_with_the_sign_turned() -> None:
    contact, kept = worth(EMAIL), worth(replace(EMAIL, kind="suppress"))
    assert [getattr(kept, part) for part in PARTS] == [-getattr(contact, part) for part in PARTS]
    assert kept.net == pytest.approx(-contact.net)
    assert kept.decided_on == pytest.approx(kept.net - (contact.net - contact.decided_on)), "caution lowers both"


def test_shadow_prices_count_every_resource_a_contact_uses() -> None:
    name = BusinessName("x", "x")
    scarce = {
        "letters": Resource("letters", name, channel="direct_mail", price=0.2),
        "journey": Resource("journey", name, journey="churn_recovery", price=0.05),
        "coupons": Resource("coupons", name, offer="coupon_2", price=0.5),
        "texts": Resource("texts", name, channel="sms", price=9.0),
        "letters with other coupons": Resource("other", name, channel="direct_mail", offer="coupon_3", price=9.0),
    }
    priced = replace(PLAIN, resources=scarce)
    assert shadow_cost(COUPON, priced) == pytest.approx(-0.75)
    assert worth(COUPON).net - worth(COUPON, priced).net == pytest.approx(0.75)


def test_a_part_left_out_is_zero_and_gone_from_the_spread() -> None:
    (whole,) = ranking([Candidate(EMAIL, WINDOW)], ESTIMATES, PLAIN)
    (less,) = ranking([Candidate(EMAIL, WINDOW)], ESTIMATES, PLAIN, without="margin")
    assert less.value.margin == 0
    assert less.value.net == pytest.approx(whole.value.net - whole.value.margin)
    assert less.value.high - less.value.net == pytest.approx(0.02 * 1.5 * 5)


def test_what_no_model_knows_comes_from_the_policy() -> None:
    believed = beliefs(EMAIL, Estimates(*[Estimate(1.0)] * 5), POLICY)
    journey, channel = POLICY.journeys["churn_recovery"], POLICY.channels["email"]
    assert believed.effect == Estimate(journey.effect_prior, journey.effect_prior_sd, "prior", 0)
    assert believed.propensity.mean == POLICY.economics.propensity_prior
    assert (believed.opt_out.mean, believed.reach.mean) == (channel.opt_out_prior, channel.reach_value_prior)


def test_timing_plays_no_part_where_the_customer_is_present() -> None:
    card = Treatment("welcome", "in_app", "welcome_card")
    at_seven, at_eight = (Worth(card, ESTIMATES, PLAIN).at(slot) for slot in (7, 8))
    assert at_seven == at_eight
    assert Worth(EMAIL, ESTIMATES, PLAIN).at(7) != Worth(EMAIL, ESTIMATES, PLAIN).at(8)


def test_timing_moves_reach_but_never_above_certainty() -> None:
    propensity = Estimate(0.5, 0.1, "channel_propensity", 2)
    assert engagement(propensity, 1.5) == Estimate(0.75, pytest.approx(0.15), "channel_propensity", 2)
    assert engagement(propensity, 3.0).mean == 1.0


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf"), 1e308])
def test_a_value_that_cannot_be_reckoned_is_told(wrong: float) -> None:
    huge = {EMAIL.id: Estimate(wrong, 1.0)}
    for estimates in (replace(ESTIMATES, effect=huge), replace(ESTIMATES, basket_margin=Estimate(wrong * 10))):
        (item,) = ranking([Candidate(EMAIL, WINDOW)], estimates, PLAIN)
        assert value_unknown(item)
    (item,) = ranking([Candidate(EMAIL, WINDOW)], ESTIMATES, PLAIN)
    assert not value_unknown(item)


def test_an_unknown_chance_stays_unknown() -> None:
    (item,) = ranking(
        [Candidate(EMAIL, WINDOW)], replace(ESTIMATES, propensity={EMAIL.id: Estimate(float("nan"))}), PLAIN
    )
    assert value_unknown(item)


def test_a_lever_is_added_as_it_stands() -> None:
    journey = replace(POLICY.journeys["churn_recovery"], lever=0.25)
    pulled = replace(PLAIN, journeys={**POLICY.journeys, "churn_recovery": journey})
    assert worth(EMAIL, pulled).lever == 0.25
    assert worth(EMAIL, pulled).net == pytest.approx(worth(EMAIL).net + 0.25)
