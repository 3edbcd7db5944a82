"""What customers read: their own, in plain words; nothing they would not see, and no second question after a no."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arbitration.customer import concerns, for_customer
from arbitration.domain import Treatment
from arbitration.explanation import Change, Counterfactual
from arbitration.frames import CUSTOMER
from tests.unit.arbitration.situations import LAWS, POLICY, situations
from tests.unit.arbitration.test_counterfactual import base, considered
from tests.unit.arbitration.test_decide import Situation


@settings(LAWS, max_examples=40, suppress_health_check=list(HealthCheck))
@given(situations(), st.sampled_from(["de", "en"]))
def test_the_customer_reads_nothing_of_money_ranks_or_caps(situation: Situation, lang: Any) -> None:
    decision, found = considered(situation)
    told = for_customer(decision, POLICY, found, lang)
    assert 1 <= len(told.reasons) <= 3
    assert len(told.changes) <= 3
    assert told.objection
    everything = " ".join([*told.reasons, *told.changes])
    assert POLICY.economics.currency not in everything
    assert "{" not in everything
    assert not any(concerns(one.change) for one in found if one.change.kind in ("cap", "contact", "lever"))


def test_a_change_that_takes_something_from_the_customer_is_not_suggested_to_them() -> None:
    assert concerns(Change("feature", "points_balance", 3, 500))
    assert not concerns(Change("feature", "points_balance", 800, 499))
    assert not concerns(Change("feature", "support_cases_28d", 0, 1))
    assert not concerns(Change("feature", "cart_value", 3.0, 10.0)), "that would be about money"
    assert concerns(Change("feature", "recency_days", 30.0, 0))


def test_who_said_no_to_a_channel_is_not_asked_again() -> None:
    states = (None, "expired", "denied", "withdrawn", "unproven")
    assert [concerns(Change("consent", "push/marketing", state, "granted")) for state in states] == [
        True,
        True,
        False,
        False,
        False,
    ]
    asked = Counterfactual(Change("consent", "email/marketing", None, "granted"), "welcome/email/welcome_letter", 1.0)
    *_, decision, _ = base({"context": {"consents": []}})
    assert for_customer(decision, POLICY, (asked,), "en").changes != ()
    first = decision.rejections[0]
    refusal = replace(
        first,
        code="consent_denied",
        candidate=replace(first.candidate, treatment=replace(first.candidate.treatment, channel="email")),
    )
    assert for_customer(replace(decision, rejections=(refusal,)), POLICY, (asked,), "en").changes == ()


UNSEEN = (
    "sure_buyer/paid_media/no_advertisement",
    "open_case/handover/to_care",
    "near_next_tier/pos_note/missing_amount",
    "silence",
)


@pytest.mark.parametrize("favorite", UNSEEN)
@pytest.mark.parametrize("lang", ["en", "de"])
def test_what_the_customer_does_not_see_is_not_told_to_them(favorite: str, lang: Any) -> None:
    *_, decision, _ = base({})
    bought = Counterfactual(Change("feature", "recency_days", 30.0, 0.0), favorite, 1.0)
    assert for_customer(decision, POLICY, (bought,), lang).changes == ()
    if favorite == "silence" or decision.winner is None:
        return
    journey, channel, template = favorite.split("/")
    line = next(
        line for line in POLICY.journeys[journey].treatments if (line.channel, line.template) == (channel, template)
    )
    treatment = Treatment(journey, channel, template, line.offer, line.kind, line.route_to)
    winner = replace(decision.winner, candidate=replace(decision.winner.candidate, treatment=treatment))
    reasons = for_customer(replace(decision, winner=winner), POLICY, (), lang).reasons
    neutral = CUSTOMER["care" if journey == "open_case" else "nothing"]
    assert reasons == (neutral.de if lang == "de" else neutral.en,)


def test_a_reward_names_the_points_it_costs() -> None:
    *_, decision, _ = base({})
    opened = Counterfactual(Change("feature", "session_age_hours", 9.0, 0.0), "earn_to_redeem/in_app/reward_card", 1.0)
    assert for_customer(decision, POLICY, (opened,), "en").changes == (
        "If you opened our app now, you could get a reward for 500 points: “Redeem your points”.",
    )
