"""Sensitivity: what decides, checked against values that are summed anew by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from arbitration.codec import decode
from arbitration.domain import PARTS, SILENCE, Decision, Estimates
from arbitration.explanation import Sensitivity
from arbitration.policy import Policy
from arbitration.sensitivity import favorite_of, sensitivity
from tests.cases.test_cases import FOLDER, decision_of, merged
from tests.unit.arbitration.situations import LAWS, POLICY, situations
from tests.unit.arbitration.test_decide import Situation
from tests.unit.arbitration.test_decide import decision_of as decided


def best_without(part: str, decision: Decision, estimates: Estimates) -> dict[str, float]:
    """Treatment id -> cautious value with one part left out; half the spread is per purchase, so it shrinks with the slope."""
    found: dict[str, float] = {SILENCE: 0.0}
    for item in decision.ranked:
        treatment = item.candidate.treatment
        offer, economics = treatment.offer, POLICY.economics
        paid = offer.face_value * offer.redemption if offer else 0.0
        points = 0.0
        if offer:
            kept = 1 - economics.breakage if offer.points > 0 else economics.breakage
            points = abs(offer.points) * economics.point_value * kept * offer.redemption
        slopes = {
            "margin": estimates.basket_margin.mean, "future": estimates.recency_value.mean,
            "progress": estimates.tier_progress.mean, "incentive_cost": -paid, "points_cost": -points,
        }  # fmt: skip
        spread, whole = item.value.net - item.value.decided_on, sum(slopes.values())
        left = whole - slopes.get(part, 0.0)
        if abs(whole) > 1e-9:
            spread *= abs(left / whole)
        elif spread < 1e-9 and part in slopes:
            return {}  # the sd cannot be read back from a spread of nothing
        net = item.value.net - getattr(item.value, part)
        found[treatment.id] = max(found.get(treatment.id, net - spread), net - spread)
    return found


@settings(LAWS, max_examples=40)
@given(situations())
def test_exactly_the_parts_whose_loss_brings_another_favorite_are_named(situation: Situation) -> None:
    context, estimates, _, _ = situation
    decision = decided(situation)
    given_ = sensitivity(decision, estimates, POLICY)
    if not decision.ranked or decision.arm == "holdout":
        assert given_ is None
        return
    assert given_ is not None
    assert given_.favorite == favorite_of(decision.ranked).treatment
    named = {drop.part: drop for drop in given_.drops}
    for part in PARTS:
        worth = best_without(part, decision, estimates)
        if not worth:
            continue
        ahead = {name: value - worth[given_.favorite] for name, value in worth.items() if name != given_.favorite}
        if part in named:
            assert ahead[named[part].favorite] == pytest.approx(max(ahead.values()), abs=1e-6)
            assert named[part].by == pytest.approx(ahead[named[part].favorite], abs=1e-6)
        else:
            assert all(money <= 1e-6 for money in ahead.values())
    assert not context.objected


@LAWS
@given(situations())
def test_the_margin_is_the_money_to_the_best_other_choice(situation: Situation) -> None:
    decision = decided(situation)
    found = sensitivity(decision, situation[1], POLICY)
    if found is None:
        return
    worth = {SILENCE: 0.0}
    for item in decision.ranked:
        worth.setdefault(item.candidate.treatment.id, item.value.decided_on)
    own = worth.pop(found.favorite)
    assert found.margin == own - max(worth.values()) >= 0
    assert worth[found.rival] == max(worth.values())
    assert found.spread >= 0


def weighed(change: dict[str, Any]) -> Sensitivity:
    """The sensitivity of the base case with a change."""
    base = json.loads((FOLDER / "base.json").read_text(encoding="utf-8"))
    told = merged(base, change)
    found = sensitivity(decision_of(change), decode(Estimates, told["estimates"]), decode(Policy, told["policy"]))
    assert found is not None
    return found


def test_the_first_and_the_last_part_are_weighed_too() -> None:
    poor = {"estimates": {"recency_value": {"mean": 0.0}}}
    assert [drop.favorite for drop in weighed(poor).drops if drop.part == "margin"] == [SILENCE]
    worthless = {"basket_margin": {"mean": 0.0}, "recency_value": {"mean": 0.0}}
    pushed = {"policy": {"journeys": {"reminder": {"lever": 5.0}}}, "estimates": worthless}
    lever = next(drop for drop in weighed(pushed).drops if drop.part == "lever")
    assert lever.favorite == SILENCE
    assert lever.by == pytest.approx(5.0 - decision_of(pushed).ranked[0].value.decided_on)


def test_the_favorite_is_not_what_the_dice_drew() -> None:
    assert favorite_of(()).treatment == SILENCE
