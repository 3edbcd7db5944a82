"""The next category: estimated where it is known, told where something is shown, and part of no choice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arbitration.codec import decode, encode
from arbitration.decide import decide
from arbitration.domain import Decision, Estimates, LikelyCategory
from arbitration.policy import Policy
from serving.answers import answer_of
from serving.console.page import facts
from serving.console.voice import Voice
from serving.estimates import estimates, moved
from serving.next_category import likeliest, told_category
from tests.unit.arbitration.situations import POLICY
from tests.unit.serving.recorded import spoken_to
from tests.unit.serving.test_estimates import NOW, bundle, context, policy
from training.bundle import Bundle

__all__ = ["bundle", "policy"]
TEA = LikelyCategory("tea", 0.3, "next_category v", 2)


def test_the_likeliest_candidate_is_estimated_and_unknown_without_model_or_history(policy: Policy, bundle: Bundle):
    found = estimates(bundle, policy, context(), NOW).next_category
    assert found is not None
    assert (found.category, found.tier, found.source) == ("tea", 2, f"next_category {bundle.next_category.version}")
    assert 0 < found.probability < 1
    assert likeliest(None, context()) is likeliest(bundle.next_category, context(category_history=None)) is None


def test_estimates_of_records_of_before_are_read(policy: Policy, bundle: Bundle):
    believed = estimates(bundle, policy, context(), NOW)
    plain = encode(believed)
    del plain["next_category"]
    before = decode(Estimates, plain)
    assert before == replace(believed, next_category=None)
    assert decode(Estimates, encode(believed)) == believed


def with_kind(decision: Decision, kind: str) -> Decision:
    winner = decision.winner
    treatment = replace(winner.candidate.treatment, kind=kind)
    return replace(decision, winner=replace(winner, candidate=replace(winner.candidate, treatment=treatment)))


@pytest.mark.parametrize(
    ("kind", "shown"), [("message", True), ("module", True), ("reward", False), ("route", False), ("suppress", False)]
)
def test_it_is_told_where_the_caller_chooses_what_is_shown(kind: str, shown: bool):
    given = spoken_to()[0]
    believed = replace(given.estimates, next_category=TEA)
    assert told_category(with_kind(given.decision, kind), believed) == (TEA if shown else None)
    assert told_category(replace(given.decision, winner=None), believed) is None


def test_the_answer_tells_it_and_nothing_else_changes():
    given = spoken_to()[0]
    knowing = replace(given, estimates=replace(given.estimates, next_category=TEA))
    before, after = (answer_of(one, POLICY).model_dump(exclude_none=True) for one in (given, knowing))
    assert "content" not in before["action"]
    assert after["action"].pop("content") == {"next_category": {"category": "tea", "probability": 0.3}}
    assert before == after


def test_no_choice_depends_on_it(policy: Policy, bundle: Bundle):
    believed = estimates(bundle, policy, context(), NOW)
    assert believed.next_category is not None
    chosen = [
        decide(context(), one, policy, decision_id="d-1", now=NOW, draw=0.5)
        for one in (believed, replace(believed, next_category=None))
    ]
    assert chosen[0] == chosen[1]


def test_what_moved_the_model_is_recorded_where_it_is_told(policy: Policy, bundle: Bundle):
    given, believed = spoken_to()[0], estimates(bundle, policy, context(), NOW)
    (found,) = [one for one in moved(bundle, context(), given.decision, believed) if one.model == "next_category"]
    assert found.base + sum(part.margin for part in found.contributions) == pytest.approx(found.margin, abs=1e-9)
    silent = moved(bundle, context(), replace(given.decision, winner=None), believed)
    assert "next_category" not in {one.model for one in silent}


def test_the_page_says_it_in_both_languages():
    given = spoken_to()[0]
    knowing = replace(given, estimates=replace(given.estimates, next_category=TEA))
    for lang, label in (("en", "Likeliest next category"), ("de", "Wahrscheinlichste nächste Warengruppe")):
        voice = Voice.of(POLICY, lang, None)
        assert label not in {fact.label for fact in facts(given, voice)}
        (fact,) = [fact for fact in facts(knowing, voice) if fact.label == label]
        assert fact.figure == "tea"
        assert "30" in fact.note
