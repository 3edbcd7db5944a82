"""Estimates: models where they can speak, the catalog's priors where they cannot, and money that follows the customer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from arbitration.domain import Context, CustomerId, FeatureValue
from arbitration.policy import Policy
from arbitration.propose import treatments
from catalog.loading import load_catalog
from features.registry import VIEWS
from serving.estimates import attributions, estimates
from tests.unit.training.pairs import LIKELY, text
from training.attention import Attention
from training.bundle import Bundle
from training.calibration import Calibration
from training.effects import Belief, Beliefs, Effects, Slope
from training.lapse import Lapse
from training.models import Coefficients, LinearModel
from training.references import Shrinkage, ShrunkMean
from training.slots import BLOCKS, SLOTS, Curve, SendTime
from training.slots import FEATURES as SLOT_FEATURES

NOW = datetime(2017, 10, 1, 12, tzinfo=UTC)
CATALOG = Path(__file__).resolve().parents[3] / "catalog" / "example"
PUSH, LETTER = "win_back/email/come_back_coupon", "win_back/direct_mail/come_back_letter"


def linear(name: str, weights: dict[str, float], intercept: float) -> LinearModel:
    count = len(weights)
    coefficients = Coefficients((0.0,) * count, (0.0,) * count, (1.0,) * count, tuple(weights.values()), intercept)
    return LinearModel(name, tuple(weights), coefficients, Calibration(1.0, 0.0))


def beliefs(mean: float) -> Beliefs:
    return Beliefs(
        {"win_back/email": Belief(mean, mean / 4, 900)},
        {"win_back": Belief(mean / 2, mean / 4, 900)},
        Belief(mean, mean, 900),
        spread=mean / 2,
    )


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_catalog(CATALOG)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    curve = Curve((0.1,) * SLOTS, (1 / SLOTS,) * SLOTS, (1 / BLOCKS,) * BLOCKS, (1 / 7,) * 7)
    own = linear("send_time", dict.fromkeys(SLOT_FEATURES, 0.5), 0.0)
    return Bundle(
        digest="d" * 64,
        churn_risk=linear("churn_risk", {"recency_days": 0.8, "frequency_28d": -0.5}, -2.5),
        next_basket=ShrunkMean("next_basket", ("basket_value_182d", "frequency_182d"), Shrinkage(1.0, 25.0, 2.0)),
        spend=ShrunkMean("spend", ("money_182d",), Shrinkage(56 / 182, 100.0, 0.0)),
        channel_propensity=linear(
            "channel_propensity",
            {"journey=win_back": 0.2, "journey=welcome": 0.6, "channel=email": -0.2, "channel=push": 0.1, "recency_days": -0.1, "contacts_28d": -0.3},
            -2.0,
        ),
        base_purchase=linear("base_purchase", {"frequency_28d": 1.0}, -1.0),
        send_time=SendTime(curve, own, 1.0),
        opt_out=linear("opt_out", {"channel=email": -1.0, "fatigue": 0.5, "recency_days": 0.1}, -6.0),
        effects=Effects(beliefs(0.04), beliefs(0.1), {"email": Belief(0.002, 0.001, 900)}, 14, "e" * 12, Slope(0.6, 0.7, 0.2)),
        attention=Attention(), next_category=LIKELY,
        metrics={}, data_window={"from": "2017-05-01", "to": "2017-09-01"}, created_at="2017-09-02", inputs="",
    )  # fmt: skip


def features(**changed: FeatureValue) -> dict[str, FeatureValue]:
    base: dict[str, FeatureValue] = {
        "recency_days": 20.0, "gap_ratio": 3.0, "frequency_28d": 2, "frequency_91d": 9, "frequency_182d": 18, "money_182d": 910.0, "basket_value_182d": 40.0,
        "category_history": text({"tea": (5.0, 40.0, 1, 4, 3, 10.0, 20.0)}, money=(10.0, 100.0), baskets=8, recency=2.0),
        "activity_count_182d": 30, "activity_block_4": 1.0, "app_sessions_7d": 2, "email.contacts_28d": 1, "push.contacts_28d": 4,
    }  # fmt: skip
    return base | changed


def context(known: bool = True, **changed: FeatureValue) -> Context:
    return Context(CustomerId("c1"), known, "America/New_York", "en", features(**changed))


def without(view: str) -> Context:
    gone = {feature.name for feature in VIEWS[view].features}
    return replace(
        context(), features={name: value for name, value in features().items() if name.split(".")[-1] not in gone}
    )


def test_every_treatment_and_channel_is_estimated_with_and_without_models(policy: Policy, bundle: Bundle):
    for given in (None, bundle):
        found = estimates(given, policy, context(), NOW)
        names = {one.id for one in treatments(policy)}
        assert set(found.propensity) == set(found.effect) == names
        assert set(found.opt_out) == set(found.reach_value) == set(policy.channels)


def test_without_a_bundle_or_for_a_stranger_the_catalog_speaks(policy: Policy, bundle: Bundle):
    prior = estimates(None, policy, context(), NOW)
    assert prior == estimates(bundle, policy, context(known=False), NOW)
    assert prior.churn_risk.mean == policy.economics.churn_risk_prior
    assert prior.effect[PUSH].mean == policy.journeys["win_back"].effect_prior
    assert {one.tier for one in (prior.churn_risk, *prior.effect.values(), *prior.propensity.values())} == {0}
    assert attributions(None, context(), PUSH) == attributions(bundle, context(known=False), PUSH) == ()


def test_money_follows_the_basket_and_the_churn_model_sets_the_stake(policy: Policy, bundle: Bundle):
    found = estimates(bundle, policy, context(), NOW)
    rate = policy.economics.margin_rate
    assert found.basket_margin.mean == pytest.approx((18 * 40.0 + 2 * 25.0) / 20 * rate)
    assert found.basket_margin.source == f"next_basket {bundle.next_basket.version}"
    now, after = bundle.churn_risk.predict(np.array([[20.0, 2.0], [0.0, 3.0]]))
    assert found.churn_risk.mean == pytest.approx(now)
    assert found.recency_value.mean == pytest.approx(0.5 * 910.0 * rate * 365 / 182 * (now - after))
    safe = estimates(bundle, policy, context(recency_days=0.1), NOW)
    assert safe.recency_value.mean < found.recency_value.mean


def test_a_stake_is_never_negative(policy: Policy, bundle: Bundle):
    odd = replace(bundle, churn_risk=linear("churn_risk", {"recency_days": -0.8}, 0.0))
    assert estimates(odd, policy, context(), NOW).recency_value.mean == 0.0


def test_of_the_lapsed_the_measured_rate_of_their_band_speaks(policy: Policy, bundle: Bundle):
    measured = replace(bundle, lapses=(Lapse(56.0, 0.6, 0.02, 900), Lapse(84.0, 0.7, 0.03, 400)))
    assert estimates(measured, policy, context(), NOW).churn_risk.tier == 2
    found = estimates(measured, policy, context(recency_days=90.0), NOW)
    assert (found.churn_risk.mean, found.churn_risk.sd, found.churn_risk.tier) == (0.7, 0.03, 1)
    assert (found.recency_value.tier, found.recency_value.mean > 0) == (1, True)
    assert [one.model for one in attributions(measured, context(recency_days=90.0), None)] == []
    assert [one.model for one in attributions(measured, context(recency_days=56.0), None)] == ["churn_risk"]


def test_the_individual_effect_follows_relative_propensity_by_the_measured_slope(policy: Policy, bundle: Bundle):
    found = estimates(bundle, policy, context(), NOW)
    chance = found.propensity[PUSH].mean
    beyond = min(max(chance / 0.1, 0.25), 4.0) - 1
    assert found.effect[PUSH].mean == pytest.approx(0.04 * (1 + 0.6 * beyond))
    assert found.effect[PUSH].sd == pytest.approx(np.hypot(0.01 * (1 + 0.6 * beyond), 0.04 * beyond * 0.2))
    assert (found.propensity[PUSH].tier, found.effect[PUSH].tier) == (2, 2)


def test_where_propensity_says_nothing_about_the_effect_the_cell_speaks(policy: Policy, bundle: Bundle):
    flat = replace(bundle, effects=replace(bundle.effects, slope=Slope(0.0, 0.1, 0.2)))
    found = estimates(flat, policy, context(), NOW)
    assert (found.effect[PUSH].mean, found.effect[PUSH].sd, found.effect[PUSH].tier) == (0.04, 0.01, 1)
    assert found.propensity[PUSH].tier == 2


def test_a_channel_that_was_never_tried_gets_prior_propensity_and_its_journeys_effect(policy: Policy, bundle: Bundle):
    found = estimates(bundle, policy, context(), NOW)
    assert found.propensity[LETTER].mean == policy.economics.propensity_prior
    assert (found.effect[LETTER].mean, found.effect[LETTER].tier) == (0.02, 1)
    assert found.effect[LETTER].sd == pytest.approx(
        np.hypot(0.01, 0.02)
    )  # its journey's doubt and the spread between cells
    untried = next(one.id for one in treatments(policy) if one.journey == "tier_upgrade")
    assert found.effect[untried].tier == 0


def test_each_channel_reads_its_own_history(policy: Policy, bundle: Bundle):
    ids = {one.channel: one.id for one in treatments(policy) if one.journey == "welcome"}
    few, many = (
        estimates(bundle, policy, context(**{"push.contacts_28d": count}), NOW).propensity for count in (0, 40)
    )
    assert many[ids["push"]].mean < few[ids["push"]].mean
    assert many[ids["email"]] == few[ids["email"]]


def test_the_batch_equals_the_model_row_by_row(policy: Policy, bundle: Bundle):
    found = estimates(bundle, policy, context(), NOW)
    row = np.array([[1.0, 0.0, 1.0, 0.0, 20.0, 1.0]])
    assert found.propensity[PUSH].mean == pytest.approx(bundle.channel_propensity.predict(row)[0], abs=1e-12)


@pytest.mark.parametrize(
    ("view", "falls_back", "stays"),
    [
        ("customer", ("churn_risk", "base_purchase", "basket_margin", "recency_value"), ()),
        ("timing", ("base_purchase",), ("churn_risk", "basket_margin", "recency_value")),
        ("context", ("base_purchase",), ("churn_risk", "basket_margin", "recency_value")),
    ],
)
def test_a_missing_view_takes_its_models_to_the_prior(policy, bundle, view, falls_back, stays):
    prior, found = estimates(None, policy, context(), NOW), estimates(bundle, policy, without(view), NOW)
    assert {name for name in falls_back if getattr(found, name) != getattr(prior, name)} == set()
    assert {name for name in stays if getattr(found, name).tier < 2} == set()
    assert found.propensity == prior.propensity
    assert found.effect[PUSH].tier == 1
    assert (found.timing == {}) == (view == "timing")


def test_timing_is_relative_and_favors_the_customers_own_hours(policy: Policy, bundle: Bundle):
    timing = estimates(bundle, policy, context(), NOW).timing
    assert set(timing) == {str(slot) for slot in range(SLOTS)}
    assert np.mean([one.mean for one in timing.values()]) == pytest.approx(1.0)
    assert timing["4"].mean > timing["2"].mean


@pytest.mark.parametrize(
    ("missing", "share", "tier"), [(400.0, 0.1, 0), (80.0, 0.5, 0), (20.0, 1.0, 0), (0.0, 0.0, 0), (None, 0.0, 0)]
)
def test_one_more_basket_is_a_larger_part_of_a_shorter_way_to_the_next_tier(
    policy: Policy, bundle: Bundle, missing: float | None, share: float, tier: int
):
    found = estimates(bundle, policy, context(money_to_next_tier=missing), NOW).tier_progress
    assert found.mean == pytest.approx(policy.economics.tier_value_prior * share)
    assert found.tier == tier
    assert "next tier" in found.source


def test_without_a_basket_or_a_model_no_way_to_the_next_tier_is_known(policy: Policy, bundle: Bundle):
    assert (
        estimates(bundle, policy, context(money_to_next_tier=40.0, basket_value_182d=None), NOW).tier_progress.mean == 0
    )
    assert estimates(None, policy, context(money_to_next_tier=40.0), NOW).tier_progress.mean == 0
    assert policy.economics.tier_value_prior > 0


def test_a_reachable_big_spender_is_worth_more_than_a_small_one_within_bounds(policy: Policy, bundle: Bundle):
    small, big, huge = (
        estimates(bundle, policy, context(money_182d=m), NOW).reach_value["email"].mean for m in (1.0, 910.0, 1e7)
    )
    assert small < big < huge
    prior = policy.channels["email"].reach_value_prior
    assert (small, huge) == (pytest.approx(0.1 * prior), pytest.approx(5.0 * prior))


def test_attributions_add_up_and_name_journey_channel_and_the_channels_own_features(policy: Policy, bundle: Bundle):
    churn, channel = attributions(bundle, context(), PUSH)
    for found in (churn, channel):
        assert found.base + sum(part.margin for part in found.contributions) == pytest.approx(found.margin, abs=1e-6)
    parts = {part.feature: part.value for part in channel.contributions}
    assert parts["journey"] == "win_back"
    assert parts["channel"] == "email"
    assert parts["email.contacts_28d"] == 1.0
    assert not any("=" in name for name in parts)
    assert attributions(bundle, context(), None) == (churn,)
    assert attributions(bundle, context(), LETTER) == (churn,)


def test_an_opt_out_is_individual_where_the_model_is_in_use_and_knows_the_channel(policy: Policy, bundle: Bundle):
    found = estimates(bundle, policy, context(**{"email.fatigue": 2.0}), NOW).opt_out
    assert found["email"].tier == 2
    assert found["email"].source == f"opt_out {bundle.opt_out.version}"
    assert found["email"].mean == pytest.approx(bundle.opt_out.predict(np.array([[1.0, 2.0, 20.0]]))[0])
    calm = estimates(bundle, policy, context(**{"email.fatigue": 0.0}), NOW).opt_out
    assert calm["email"].mean < found["email"].mean
    assert found["push"].tier == 0  # the model has not seen it, and no rate was measured


def test_an_opt_out_falls_back_to_the_rate_of_the_channel(policy: Policy, bundle: Bundle):
    rate = bundle.effects.opt_out["email"].mean
    rates_alone = replace(bundle, opt_out=replace(bundle.opt_out, kind="rates"))
    for found in (
        estimates(bundle, policy, without("channel"), NOW),
        estimates(bundle, policy, without("context"), NOW),
        estimates(rates_alone, policy, context(), NOW),
    ):
        assert (found.opt_out["email"].mean, found.opt_out["email"].tier) == (rate, 1)


def test_a_year_is_reckoned_from_the_spend_model(policy: Policy, bundle: Bundle):
    half = replace(bundle, spend=replace(bundle.spend, shrinkage=Shrinkage(0.5 * 56 / 182, 100.0, 0.0)))
    once, more = (estimates(one, policy, context(), NOW) for one in (half, bundle))
    assert more.recency_value.mean == pytest.approx(2 * once.recency_value.mean)
    assert more.reach_value["email"].mean == pytest.approx(2 * once.reach_value["email"].mean)


def test_without_the_customers_view_money_is_the_catalogs(policy: Policy, bundle: Bundle):
    found, prior = estimates(bundle, policy, without("customer"), NOW), estimates(None, policy, context(), NOW)
    assert found.basket_margin == prior.basket_margin
    assert found.recency_value == prior.recency_value


def test_attention_costs_what_was_measured_near_the_catalogs_price(policy: Policy, bundle: Bundle):
    prior = estimates(bundle, policy, context(), NOW).attention_price
    assert (prior.mean, prior.tier, prior.source) == (policy.economics.attention_price_prior, 0, "prior")
    caps = Attention(2.0, 0.1, 400.0, 3000, 36_000, {"email": 0.5, "push": 0.5}, version="v")
    found = estimates(replace(bundle, attention=caps), policy, context(), NOW).attention_price
    units = (policy.channels["email"].pressure + policy.channels["push"].pressure) / 2
    assert found.mean == pytest.approx(2.0 * policy.economics.margin_rate / units, rel=0.05)
    assert (found.tier, found.source) == (1, "attention v")
    assert estimates(replace(bundle, attention=caps), policy, context(known=False), NOW).attention_price == prior
