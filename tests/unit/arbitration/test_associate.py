"""What associates read: what to do in four words and in one sentence, with no name cut, and never the opposite of what is done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from arbitration.associate import WORDS, contact_summary, next_best_action
from arbitration.domain import (
    Contact,
    Decision,
    Reason,
    Treatment,
)
from arbitration.explain import explain
from arbitration.explanation import Lang
from arbitration.naming import Naming
from arbitration.policy import JourneyTreatment
from tests.cases.test_cases import decision_of
from tests.unit.arbitration.situations import POLICY
from tests.unit.arbitration.test_explain import ATTRIBUTION


def won_by(line: JourneyTreatment, journey: str) -> Decision:
    """A decision that a line of the catalog won."""
    decision = decision_of({})
    assert decision.winner is not None
    treatment = Treatment(journey, line.channel, line.template, line.offer, line.kind, line.route_to)
    winner = replace(decision.winner, candidate=replace(decision.winner.candidate, treatment=treatment))
    return replace(decision, winner=winner, ranked=(winner,), rejections=(), reasons=())


LINES = [(journey.id, line) for journey in POLICY.journeys.values() for line in journey.treatments]


@pytest.mark.parametrize(
    ("journey", "line"), LINES, ids=lambda it: it if isinstance(it, str) else f"{it.channel}-{it.template}"
)
@pytest.mark.parametrize("lang", ["en", "de"])
def test_no_name_is_cut_for_the_store(journey: str, line: JourneyTreatment, lang: Lang) -> None:
    decision = won_by(line, journey)
    said = explain(decision, POLICY, names={}, attributions=(), lang=lang).store_summary
    naming = Naming(decision, POLICY, {}, {}, lang)
    assert 1 <= len(said.split()) <= WORDS
    whole = {naming.journey(journey), naming.channel(line.channel), naming.journey(line.route_to or "")}
    assert said.split(": ")[-1] in whole or said == naming.frame(f"brief_{line.kind}")


NEXT = {
    ("near_next_tier", "pos_note"): (
        "Mention “Almost there”: reach the next tier with the next basket", "„Fast geschafft“ ansprechen: nächste Stufe mit dem nächsten Einkauf",
    ),
    ("reward_expiry", "receipt"): (
        "Offer the reward of “Points expire” (500 points): use points before they lapse",
        "Prämie zu „Punkte verfallen“ anbieten (500 Punkte): Punkte vor dem Verfall nutzen",
    ),
    ("tier_upgrade", "home_tile"): ("Show “Next tier”: reach the next tier", "„Nächste Stufe“ zeigen: nächste Stufe erreichen"),
    ("open_case", "handover"): ("Hand over to “Care”: care before selling", "An „Betreuung“ übergeben: erst helfen, dann verkaufen"),
}  # fmt: skip


@pytest.mark.parametrize(("journey", "channel"), NEXT)
def test_the_associate_is_told_what_to_do_toward_the_goal(journey: str, channel: str) -> None:
    line = next(line for name, line in LINES if name == journey and line.channel == channel)
    decision = won_by(line, journey)
    found = tuple(next_best_action("headline", decision, POLICY, lang) for lang in ("en", "de"))
    assert found == NEXT[journey, channel]


def test_a_suppression_never_reads_as_what_it_prevents() -> None:
    line = next(line for name, line in LINES if name == "sure_buyer")
    decision = won_by(line, "sure_buyer")
    assert decision.winner is not None
    naming = Naming(decision, POLICY, {}, {}, "en")
    treatment = decision.winner.candidate.treatment
    assert naming.choice(treatment.id) == "leaving out “Paid advertising”"
    assert naming.title(treatment) == "Buys anyway, leave out “Paid advertising”"
    needless = replace(decision, reasons=(Reason("no_consent_needed", {"channel": "paid_media"}),))
    told = explain(needless, POLICY, names={}, attributions=(ATTRIBUTION,), lang="en")
    assert told.sentences == ("Nothing is shown, so no opt-in is needed.",)
    propensity = replace(ATTRIBUTION, model="channel_propensity")
    assert explain(needless, POLICY, names={}, attributions=(propensity,), lang="en").contributions == ()


def test_the_last_contact_is_journey_and_channel_or_one_of_them_whole() -> None:
    contact, decision = Contact("near_next_tier", "pos_note", datetime(2018, 1, 1, tzinfo=UTC)), decision_of({})
    for journey, channel, said in (
        ("near_next_tier", "pos_note", "Almost there"), ("near_next_tier", "push", "Almost there: Push"),
        ("mailing_b", "direct_mail", "Letter"), ("mailing_b", "old_channel", "A message"),
    ):  # fmt: skip
        assert contact_summary(replace(contact, journey=journey, channel=channel), POLICY, "en", decision) == said
