"""The explanation as four readers get it, from real decisions over the example catalog."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from arbitration.codec import canonical_json
from arbitration.domain import PARTS, Contact
from arbitration.explanation import Lang
from serving.answers import answer_of
from serving.openapi import LANGUAGES, READERS
from serving.reading import tell
from serving.records import Record
from serving.weighing import UNWEIGHED, weigh
from tests.unit.serving.test_console_page import NOW, POLICY, consent, record


def told(given: Record, reader: str, lang: Lang = "en") -> dict[str, Any]:
    """What a reader gets, as plain JSON."""
    found: dict[str, Any] = json.loads(canonical_json(tell(given, POLICY, reader, lang, weigh(given, POLICY))))
    return found


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("changes", [{}, {"objected": True}, {"holdout": True}, {"consents": ()}, {"effect": 0.0001}])
def test_every_reader_gets_something_in_every_language(changes, reader, lang):
    assert told(record(**changes), reader, lang)


def test_marketers_read_what_decides_and_what_would_change_it():
    found = told(record(consents=()), "marketer")
    assert found["sensitivity"]["sentence"].startswith("On the cautious side")
    kinds = {one["change"]["kind"] for one in found["counterfactuals"]}
    assert {"consent", "lever"} <= kinds
    assert all(one["sentence"] for one in found["counterfactuals"])
    assert [line for line in found["why_not"] if line["lost_by"] is None and not line["code"]] == []


def test_scientists_read_every_number():
    given = record()
    found = told(given, "scientist")
    best = given.decision.ranked[0]
    assert found["values"][best.candidate.id]["net"] == best.value.net
    assert sum(found["probabilities"].values()) + found["silence_probability"] == 1
    assert found["sensitivity"]["margin"] > 0


def test_the_associate_reads_what_to_do_and_what_was_said_last():
    contacts = (
        Contact("post_purchase", "push", NOW - timedelta(days=9)),
        Contact("post_purchase", "in_app", NOW + timedelta(days=2)),
    )
    found = told(record(contacts=contacts), "associate")
    assert len(found["store_summary"].split()) <= 4
    assert found["next_best_action"]["journey"] == "churn_recovery"
    assert found["next_best_action"]["text"].startswith("“We miss you” by ")
    assert found["last_contact"] == {"summary": "Thank you: Push", "sent_at": "2017-12-24T15:30:00Z"}
    assert found["tier"] == 1


def test_the_associate_learns_nothing_of_who_objected_but_that():
    contacts = (Contact("post_purchase", "push", NOW - timedelta(days=9)),)
    given = record(contacts=contacts, objected=True)
    found = told(replace(given, context=replace(given.context, features={})), "associate")
    assert {name: value for name, value in found.items() if value is not None} == {
        "store_summary": "Do not contact", "next_best_action": {"text": "Nothing is to be said: do not contact"},
    }  # fmt: skip


def test_with_silence_the_associate_is_told_to_say_nothing():
    for lang, text in (("en", "Nothing is to be said now"), ("de", "Jetzt nichts ansprechen")):
        assert told(record(effect=0.0001), "associate", lang)["next_best_action"] == {"text": text}


def test_the_customer_reads_three_reasons_at_most_what_would_change_it_and_how_to_object():
    found = told(record(consents=()), "customer")
    assert 1 <= len(found["reasons"]) <= 3
    assert (
        "If you allowed us to use E-mail, you could get “We miss you” from us by E-mail."
        in found["what_would_change_it"]
    )
    assert "object" in found["objection"]
    assert "USD" not in json.dumps(found)


@pytest.mark.parametrize("stands", ["objection", "suppression"])
def test_who_objected_since_reads_the_past_that_it_stands_and_no_invitation(stands):
    for lang, past, sure, inviting in (
        ("en", "This was about: ", "stands: ", "you could"),
        ("de", "Hier ging es um: ", "gilt: ", "könnten Sie"),
    ):
        for changes in ({}, {"consents": ()}, {"holdout": True}, {"known": False, "features": {}}):
            given = record(**changes)
            found = tell(given, POLICY, "customer", lang, weigh(given, POLICY), stands=stands)
            assert found["what_would_change_it"] == []
            assert sure in found["objection"]
            assert inviting not in json.dumps(found, ensure_ascii=False)
            assert 1 <= len(found["reasons"]) <= 3
        assert tell(record(), POLICY, "customer", lang, UNWEIGHED, stands=stands)["reasons"][0].startswith(past)


def test_the_customer_is_spoken_to_and_not_about():
    for lang, word in (("en", "customer"), ("de", "Person")):
        for changes in ({}, {"objected": True}, {"holdout": True}, {"known": False, "features": {}}):
            assert word not in json.dumps(told(record(**changes), "customer", lang), ensure_ascii=False)


@pytest.mark.parametrize("changes", [{"objected": True}, {"suppressed": True}])
def test_nothing_is_weighed_for_who_must_not_be_evaluated(changes):
    given = record(**changes)
    assert weigh(given, POLICY) == UNWEIGHED
    assert told(given, "marketer")["sensitivity"] is None
    assert told(given, "customer")["what_would_change_it"] == []


def test_models_of_another_bundle_are_not_asked():
    given = record(consents=(consent("email"),))
    foreign = SimpleNamespace(digest="sha256:other")
    assert weigh(given, POLICY, foreign) == weigh(given, POLICY)


def test_each_part_of_the_answer_has_its_evidence_tier_and_the_action_its_kind():
    given = record()
    action = answer_of(given, POLICY).action
    assert action.kind == "message"
    assert tuple(action.expected_value.tiers) == tuple(action.expected_value.parts) == PARTS
    assert action.expected_value.tiers == dict(zip(PARTS, given.decision.winner.value.tiers, strict=True))
