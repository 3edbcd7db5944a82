"""Explanations: two languages, the same facts, four words for the store, no claim beyond a sign."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given

from arbitration.codec import decode
from arbitration.domain import Attribution, Contribution
from arbitration.explain import STORE_WORDS, explain
from arbitration.policy import BusinessName, Policy
from arbitration.texts import DEGRADED
from arbitration.wording import moment, money, plain, share
from features.registry import VIEWS, business_names
from tests.unit.arbitration.situations import LAWS, POLICY, situations
from tests.unit.arbitration.test_decide import Situation
from tests.unit.arbitration.test_decide import decision_of as decided
from tests.unit.test_cases import FOLDER, decision_of

BASE = decode(Policy, json.loads((FOLDER / "base.json").read_text(encoding="utf-8"))["policy"])
NAMES = {
    "recency_days": BusinessName("Days since last purchase", "Tage seit letztem Einkauf"),
    "fatigue": BusinessName("Pressure", "Druck"),
}
ATTRIBUTION = Attribution(
    "churn_risk",
    -1.0,
    (Contribution("recency_days", 30.5, 0.2), Contribution("push.fatigue", None, -0.7), Contribution("odd", "x", 0.0)),
    -1.5,
    0.18,
)


@LAWS
@given(situations())
def test_every_decision_can_be_told_in_both_languages(situation: Situation) -> None:
    decision = decided(situation)
    told = [explain(decision, POLICY, names=business_names(), attributions=(), lang=lang) for lang in ("de", "en")]
    for one in told:
        assert len(one.store_summary.split()) <= STORE_WORDS
        assert len(one.sentences) == len(decision.reasons)
        everything = " ".join([one.headline, *one.sentences, *(line.sentence for line in one.why_not)])
        assert not re.search(r"[{}]|None|\bnan\b", everything)
    treatments = {item.candidate.treatment.id for item in (*decision.ranked, *decision.rejections)}
    winner = {decision.winner.candidate.treatment.id} if decision.winner else set()
    for one in told:
        assert [line.treatment for line in one.why_not] == [line.treatment for line in told[0].why_not]
        assert {line.treatment for line in one.why_not} == treatments - winner


def test_a_winner_in_english_and_german() -> None:
    decision = decision_of({})
    english = explain(decision, BASE, names=NAMES, attributions=(), lang="en")
    german = explain(decision, BASE, names=NAMES, attributions=(), lang="de")
    assert english.headline == "“reminder” by push, Tue 2 Jan, 10:30"
    assert german.headline == "„reminder“ per push, Di, 2. Januar, 10:30"
    assert english.store_summary == "reminder: push"
    value = decision.ranked[0].value
    assert f"USD {value.net:.3f}" in english.sentences[0]
    assert f"{value.net:.3f} USD".replace(".", ",") in german.sentences[0]
    lost = next(line for line in english.why_not if line.treatment == "reminder/email/long")
    second = next(item for item in decision.ranked if item.candidate.treatment.id == lost.treatment)
    assert lost.lost_by == pytest.approx(value.decided_on - second.value.decided_on)
    assert lost.sentence.startswith("reminder, email: on the cautious side worth USD 0.0")


def test_silence_says_which_gates_stopped_most_and_what_is_missing() -> None:
    told = explain(decision_of({"context": {"time_zone": None}}), BASE, names=NAMES, attributions=(), lang="en")
    assert told.store_summary == "No contact now"
    assert told.sentences[0] == "No message may be sent now; 7 were considered."
    assert told.sentences[1].startswith("The customer's time zone is unknown")


def test_an_objection_says_that_nothing_was_evaluated() -> None:
    told = explain(decision_of({"context": {"objected": True}}), BASE, names=NAMES, attributions=(), lang="de")
    assert told.store_summary == "Nicht kontaktieren"
    assert told.sentences == ("Die Person hat Werbung widersprochen; nichts wurde ausgewertet.",)
    assert told.why_not == ()


def test_a_gate_names_the_missing_feature_in_business_words() -> None:
    told = explain(
        decision_of({"context": {"features": {"recency_days": None}}}), BASE, names=NAMES, attributions=(), lang="en"
    )
    line = next(line for line in told.why_not if line.treatment == "reminder/push/short")
    assert (line.code, line.lost_by) == ("missing_feature", None)
    assert line.sentence == "reminder, push: Something the rule needs is unknown (missing: Days since last purchase)"


def test_contributions_are_ordered_by_size_and_claim_their_sign_alone() -> None:
    told = explain(decision_of({}), BASE, names=NAMES, attributions=[ATTRIBUTION], lang="en").contributions
    assert [(line.feature, line.direction) for line in told] == [
        ("push.fatigue", "lowers"),
        ("recency_days", "raises"),
        ("odd", "none"),
    ]
    assert told[0].sentence == "Pressure, push (unknown): lowers the risk of no purchase in the next 28 days"
    assert told[1].sentence == "Days since last purchase (30.5): raises the risk of no purchase in the next 28 days"
    german = explain(decision_of({}), BASE, names=NAMES, attributions=[ATTRIBUTION], lang="de").contributions
    assert (
        german[1].sentence
        == "Tage seit letztem Einkauf (30,5): erhöht das Risiko, in den nächsten 28 Tagen nicht zu kaufen"
    )


def test_an_unknown_model_keeps_its_own_name() -> None:
    odd = replace(ATTRIBUTION, model="uplift_v2")
    assert (
        explain(decision_of({}), BASE, names={}, attributions=[odd], lang="en")
        .contributions[0]
        .sentence.endswith("lowers uplift_v2")
    )


def test_money_shares_numbers_and_moments_in_both_languages() -> None:
    at = datetime(2018, 3, 5, 16, 4, tzinfo=UTC)
    assert (money(1234.5, "USD", "en"), money(1234.5, "USD", "de")) == ("USD 1,234.50", "1.234,50 USD")
    assert (money(-0.0344, "USD", "en"), money(0, "EUR", "de")) == ("USD −0.034", "0,00 EUR")
    assert (share(0.1234, "en"), share(0.1234, "de")) == ("12.3 %", "12,3 %")
    assert moment(at, "Europe/Berlin", "de") == "Mo, 5. März, 17:04"
    assert moment(at, None, "en") == "Mon 5 Mar, 16:04 UTC"
    assert (plain(3.0, "en"), plain(0.25, "de"), plain(7, "en"), plain("gold", "de")) == ("3", "0,25", "7", "gold")


def test_what_is_missing_is_named_in_words_for_every_view() -> None:
    assert set(DEGRADED) == {"unknown_customer"} | {f"{kind}_{view}" for kind in ("missing", "stale") for view in VIEWS}
    told = explain(
        decision_of({"context": {"degraded": ["stale_channel"]}}), BASE, names=NAMES, attributions=(), lang="en"
    )
    assert "Decided without: a fresh history of the channels." in told.sentences
