"""Estimates of a bundle that lacks models: the catalog's priors for these, and the other models as before."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from arbitration.policy import Policy
from serving.estimates import attributions, estimates
from tests.unit.serving.test_estimates import NOW, PUSH, bundle, context, policy
from training.attention import Attention
from training.bundle import Bundle

__all__ = ["bundle", "policy"]

FROM_MODEL = {
    "churn_risk": ("churn_risk", "recency_value"), "next_basket": ("basket_margin",), "spend": ("recency_value", "reach_value"),
    "channel_propensity": ("propensity",), "base_purchase": ("base_purchase",), "send_time": ("timing",),
    "next_category": ("next_category",), "opt_out": (), "effects": ("effect",), "attention": ("attention_price",),
}  # fmt: skip


@pytest.mark.parametrize("name", FROM_MODEL)
def test_without_one_model_the_catalogs_prior_speaks_and_the_other_models_go_on(
    policy: Policy, bundle: Bundle, name: str
):
    caps = Attention(2.0, 0.1, 400.0, 3000, 36_000, {"email": 0.5, "push": 0.5}, version="v")
    whole = replace(bundle, attention=caps)
    without_one: Bundle = replace(whole, **{name: None})
    complete, found, prior = (estimates(one, policy, context(), NOW) for one in (whole, without_one, None))
    for field in fields(prior):
        if field.name in FROM_MODEL[name]:
            assert getattr(found, field.name) == getattr(prior, field.name) != getattr(complete, field.name)
        elif field.name not in ("effect", "opt_out"):
            assert getattr(found, field.name) == getattr(complete, field.name)
    assert name not in without_one.versions
    assert {*without_one.versions, name} == set(bundle.versions)
    assert len(attributions(without_one, context(), PUSH)) == 2 - (name in ("churn_risk", "channel_propensity"))


def test_effects_without_propensity_are_those_of_the_cell_and_opt_outs_without_their_model_the_rates(
    policy: Policy, bundle: Bundle
):
    cell = estimates(replace(bundle, channel_propensity=None), policy, context(), NOW).effect[PUSH]
    assert (cell.mean, cell.tier) == (0.04, 1)
    measured = estimates(replace(bundle, opt_out=None), policy, context(), NOW).opt_out["email"]
    assert (measured.mean, measured.tier) == (0.002, 1)
    alone = estimates(replace(bundle, effects=None), policy, context(), NOW).opt_out
    assert (alone["email"].tier, alone["push"].tier) == (2, 0)
    neither = estimates(replace(bundle, effects=None, opt_out=None), policy, context(), NOW).opt_out
    assert neither == estimates(None, policy, context(), NOW).opt_out


def test_a_bundle_without_any_model_believes_what_the_catalog_says(policy: Policy, bundle: Bundle):
    empty: Bundle = replace(bundle, **dict.fromkeys(FROM_MODEL))
    found, prior = estimates(empty, policy, context(), NOW), estimates(None, policy, context(), NOW)
    assert replace(found, tier_progress=prior.tier_progress) == prior
    assert found.tier_progress.tier == 0  # the catalog's value, scaled by features alone
    assert empty.versions == {}
    assert attributions(empty, context(), PUSH) == ()
