"""Explanations: two languages, the same facts, four words for the store, no claim beyond a sign."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from arbitration.associate import WORDS
from arbitration.codec import decode, encode
from arbitration.counterfactual import counterfactuals
from arbitration.domain import (
    SILENCE,
    Attribution,
    Contribution,
    Kind,
)
from arbitration.explain import explain
from arbitration.explanation import Explanation, Lang
from arbitration.naming import Naming
from arbitration.policy import BusinessName, Cap, Policy, Resource
from arbitration.sensitivity import sensitivity
from arbitration.texts import DEGRADED
from arbitration.wording import moment, money, plain, share
from features.registry import VIEWS, business_names
from tests.cases.test_cases import FOLDER, decision_of, merged
from tests.unit.arbitration.situations import LAWS, POLICY, situations
from tests.unit.arbitration.test_decide import Situation
from tests.unit.arbitration.test_decide import decision_of as decided

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


def told_in(lang: Lang, situation: Situation) -> Explanation:
    """Everything that can be said of a decision."""
    context, believed, _, draw = situation
    decision = decided(situation)
    return explain(
        decision,
        POLICY,
        names=business_names(),
        attributions=(ATTRIBUTION,),
        lang=lang,
        features=context.features,
        sensitivity=sensitivity(decision, believed, POLICY),
        counterfactuals=counterfactuals(context, believed, POLICY, decision, draw=draw),
    )


def sentences_of(told: Explanation) -> list[str]:
    """All sentences of an explanation, in order."""
    weighed = told.sensitivity
    return [
        told.headline, told.store_summary, *told.sentences, *(line.sentence for line in told.why_not),
        *((weighed.sentence, *(drop.sentence for drop in weighed.drops)) if weighed else ()),
        *(one.sentence for one in told.counterfactuals),
    ]  # fmt: skip


def figures(sentence: str) -> list[str]:
    """The numbers of a sentence without the way in which the languages write them."""
    return sorted(re.sub(r"\D", "", number) for number in re.findall(r"\d[\d.,:]*", sentence))


@LAWS
@given(situations())
def test_every_decision_can_be_told_in_both_languages(situation: Situation) -> None:
    decision = decided(situation)
    told = [told_in(lang, situation) for lang in ("de", "en")]
    german, english = (sentences_of(one) for one in told)
    assert len(german) == len(english)
    for one, other in zip(german, english, strict=True):
        assert figures(one) == figures(other), (one, other)
        for sentence in (one, other):
            assert sentence.strip()
            assert not re.search(r"[{}]|None|\bnan\b", sentence), sentence
            assert not re.search(r"\b[a-z0-9]+_[a-z0-9_]+\b", sentence), f"an id is shown: {sentence}"
    for said in told:
        assert 1 <= len(said.store_summary.split()) <= WORDS
        assert len(said.sentences) == len(decision.reasons)


@LAWS
@given(situations())
def test_everything_that_did_not_win_says_why_with_its_money_or_its_gate(situation: Situation) -> None:
    decision, told = decided(situation), told_in("en", situation)
    treatments = {item.candidate.treatment.id for item in (*decision.ranked, *decision.rejections)}
    winner, silence = (
        ({decision.winner.candidate.treatment.id}, {SILENCE}) if decision.winner else (set[str](), set[str]())
    )
    lines = [line.treatment for line in told.why_not]
    assert set(lines) == (treatments | silence) - winner
    assert len(lines) == len(set(lines))
    best: dict[str, float] = {SILENCE: 0.0}
    for item in decision.ranked:
        best.setdefault(item.candidate.treatment.id, item.value.decided_on)
    ahead = decision.winner.value.decided_on if decision.winner else 0.0
    for line in told.why_not:
        assert line.sentence.startswith(f"{line.title}: ")
        if line.treatment in best:
            assert line.lost_by == ahead - best[line.treatment]
            assert "USD" in line.sentence
        else:
            assert line.lost_by is None
            assert line.code in {no.code for no in decision.rejections if no.candidate.treatment.id == line.treatment}


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


def line_of(change: dict[str, Any], treatment: str, lang: Lang = "en") -> str:
    """The sentence that says why a treatment did not win."""
    features = merged(json.loads((FOLDER / "base.json").read_text(encoding="utf-8")), change)["context"]["features"]
    policy = decode(Policy, merged(encode(BASE), change.get("policy", {})))
    told = explain(decision_of(change), policy, names=NAMES, attributions=(), lang=lang, features=features)
    return next(line.sentence for line in told.why_not if line.treatment == treatment)


def test_a_rule_is_shown_with_the_customers_own_value() -> None:
    change = {"context": {"features": {"recency_days": 41.5}}}
    rule = "The journey is not relevant now (the rule is: Days since last purchase ≤ 30, here: 41.5)"
    assert line_of(change, "reminder/push/short") == f"reminder, push: {rule}"
    german = "Die Journey ist gerade nicht relevant (die Regel lautet: Tage seit letztem Einkauf ≤ 30, hier: 41,5)"
    assert line_of(change, "reminder/push/short", "de") == f"reminder, push: {german}"


def test_numbers_of_a_rule_follow_the_language_and_unknown_values_are_left_out() -> None:
    naming = Naming(decision_of({}), BASE, NAMES, {"recency_days": 3, "fatigue": None}, "de")
    assert naming.rule("recency_days <= 0.5 and not fatigue > 1 or tier == 'gold'") == (
        "Tage seit letztem Einkauf ≤ 0,5 und nicht Druck > 1 oder tier = 'gold'"
    )
    assert naming.here("recency_days <= 0.5 and fatigue > 1") == "Tage seit letztem Einkauf 3"
    assert naming.here("fatigue > 1") == ""


@pytest.mark.parametrize(
    "file", ["channel_cap__two_pushes_this_week__rejected", "group_cap__siblings_spoke_twice_this_week__rejected"]
)
def test_a_full_cap_is_called_by_its_name(file: str) -> None:
    change = json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8"))["change"]
    decision = decision_of(change)
    no = next(no for no in decision.rejections if no.code.endswith("_cap"))
    named = replace(
        BASE,
        contact_policy=replace(BASE.contact_policy, caps=(Cap(str(no.by), BusinessName("Twice", "Zweimal"), 2, 1),)),
    )
    told = explain(decision, named, names=NAMES, attributions=(), lang="de")
    assert any("die Grenze lautet: Zweimal" in line.sentence for line in told.why_not)


def test_a_scarce_resource_is_called_by_its_name() -> None:
    change = json.loads((FOLDER / "out_of_stock__used_up__rejected.json").read_text(encoding="utf-8"))["change"]
    decision = decision_of(change)
    no = next(no for no in decision.rejections if no.code == "out_of_stock")
    named = replace(BASE, resources={str(no.by): Resource(str(no.by), BusinessName("Mugs", "Tassen"))})
    told = explain(decision, named, names=NAMES, attributions=(), lang="en")
    assert any("(used up: Mugs" in line.sentence for line in told.why_not)


def test_a_reward_that_is_too_dear_names_its_price_and_the_balance() -> None:
    file = "points_short__reward_costs_more_than_the_balance__rejected.json"
    decision = decision_of(json.loads((FOLDER / file).read_text(encoding="utf-8"))["change"])
    told = explain(decision, BASE, names=NAMES, attributions=(), lang="en", features={"points_balance": 7})
    line = next(line for line in told.why_not if line.code == "points_short")
    assert re.search(r"too few points \(points needed: \d+, here: 7\)$", line.sentence)


KINDS: dict[Kind, tuple[str, str, str, str]] = {
    "message": ("“Last call” by push, ", "Last call: push", "„Letzte Chance“ per push, ", "Letzte Chance: push"),
    "module": ("Show “Last call”: push, ", "Show: Last call", "„Letzte Chance“ zeigen: push, ", "Zeigen: Letzte Chance"),
    "reward": (
        "Present the reward of “Last call”: push, ", "Reward: Last call",
        "Prämie zu „Letzte Chance“ überreichen: push, ", "Prämie: Letzte Chance",
    ),
    "route": (
        "Hand over from “Last call” to “invited”, ", "Hand to: invited",
        "Von „Letzte Chance“ an „invited“ übergeben, ", "Weiter an: invited",
    ),
    "suppress": ("Leave out “push” because of “Last call”, ", "Leave out: push", "„push“ wegen „Letzte Chance“ weglassen, ", "Weglassen: push"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_headline_and_store_summary_say_what_is_done(kind: Kind) -> None:
    decision = decision_of({})
    assert decision.winner is not None
    candidate = decision.winner.candidate
    treatment = replace(candidate.treatment, kind=kind, route_to="invited" if kind == "route" else None)
    winner = replace(decision.winner, candidate=replace(candidate, treatment=treatment))
    journey = replace(BASE.journeys["reminder"], name=BusinessName("Last call", "Letzte Chance"))
    named = replace(BASE, journeys={**BASE.journeys, "reminder": journey})
    told = [
        explain(replace(decision, winner=winner), named, names=NAMES, attributions=(), lang=lang)
        for lang in ("en", "de")
    ]
    found = tuple(text for one in told for text in (one.headline, one.store_summary))
    english, store, german, filiale = KINDS[kind]
    assert found[0].startswith(english)
    assert found[2].startswith(german)
    assert (found[1], found[3]) == (store, filiale)


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
    assert (money(-0.0344, "USD", "en"), money(0, "EUR", "de")) == ("−USD 0.034", "0,00 EUR")
    assert (money(0.0004, "USD", "en"), money(2.5, "EUR", "de", signed=True)) == ("USD 0.0004", "+2,50 EUR")
    assert (share(0.1234, "en"), share(0.1234, "de")) == ("12.3%", "12,3 %")
    assert (share(0.99999, "en"), share(1.0, "en"), share(0.0001, "de")) == ("> 99.9%", "100%", "< 0,1 %")
    assert moment(at, "Europe/Berlin", "de") == "Mo, 5. März, 17:04"
    assert moment(at, None, "en") == "Mon 5 Mar, 16:04 UTC"
    assert (plain(3.0, "en"), plain(0.25, "de"), plain(7, "en"), plain("gold", "de")) == ("3", "0,25", "7", "gold")


def test_what_is_missing_is_named_in_words_for_every_view() -> None:
    assert set(DEGRADED) == {"unknown_customer"} | {f"{kind}_{view}" for kind in ("missing", "stale") for view in VIEWS}
    told = explain(
        decision_of({"context": {"degraded": ["stale_channel"]}}), BASE, names=NAMES, attributions=(), lang="en"
    )
    assert "Decided without: a fresh history of the channels." in told.sentences
