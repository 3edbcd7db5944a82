"""The console's pages, made from real decisions over the example catalog and served by a small application."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from arbitration.decide import decide
from arbitration.domain import Attribution, Consent, Context, Contribution, CustomerId, Estimate, Estimates
from catalog.loading import EXAMPLE, load_catalog
from serving.answers import answer_of
from serving.console.formats import LANGS, Lang
from serving.console.listing import Answered, Portion, list_page
from serving.console.page import headline, page_of
from serving.console.rendering import html
from serving.console.rivals import fates_of
from serving.console.texts import Words
from serving.console.voice import Voice
from serving.records import Record
from serving.weighing import weigh

POLICY = load_catalog(EXAMPLE)
NOW = datetime(2018, 1, 2, 15, 30, tzinfo=UTC)
SINCE = datetime(2017, 3, 1, tzinfo=UTC)
FEATURES = {
    "recency_days": 21.4, "gap_ratio": 2.9, "gap_mean_days": 7.4, "purchases_total": 41, "frequency_28d": 1, "frequency_182d": 20,
    "money_28d": 31.2, "money_182d": 812.5, "basket_value_182d": 40.6, "trend_frequency": 0.42, "discount_share_182d": 0.18,
    "coupon_share_182d": 0.05, "weekend_share_182d": 0.35, "tenure_days": 371.0, "support_cases_28d": 0, "contacts_all_7d": 0,
    "tier_level": 1, "money_to_next_tier": 187.5, "points_balance": 812.0, "points_expiring_30d": 0.0, "reward_value": 8.0,
    "cart_open": 0, "session_age_hours": 300.0, "in_store": 0, "active_weeks_91d": 9, "returns_182d": 0, "reward_expires_days": 61.0,
    "push.click_rate_91d": 0.25, "channel": "push",
}  # fmt: skip
MARGINS = {
    "gap_ratio": 0.92, "recency_days": 0.61, "trend_frequency": 0.28, "frequency_28d": 0.22, "active_weeks_91d": -0.31,
    "tenure_days": -0.12, "money_182d": -0.2, "weekend_share_182d": 0.05, "discount_share_182d": 0.03,
    "basket_value_182d": -0.021, "returns_182d": 0.004,
}  # fmt: skip


def consent(channel: str) -> Consent:
    return Consent(channel, "marketing", "granted", "consent", f"text-7/{channel}/2017", SINCE)


def attribution(model: str, base: float, margins: dict[str, float]) -> Attribution:
    margin = base + math.fsum(margins.values())
    parts = tuple(Contribution(name, FEATURES.get(name), margin) for name, margin in margins.items())
    return Attribution(model, base, parts, margin, 1 / (1 + math.exp(-(0.9 * margin - 0.1))))


def context(**changes: object) -> Context:
    known = Context(
        CustomerId("household-1042"), known=True, time_zone="America/New_York", locale="en", features=FEATURES,
        consents=(consent("push"), consent("email")),
    )  # fmt: skip
    return replace(known, **changes)  # type: ignore[arg-type]


def record(draw: float = 0.5, effect: float = 0.035, simulated: bool = True, **changes: object) -> Record:
    estimates = Estimates(
        Estimate(0.31, 0.0, "churn_risk", 2), Estimate(0.42, 0.0, "base_purchase", 2), Estimate(9.2, 0.0, "features", 2),
        Estimate(4.0), Estimate(0.05),
        effect={f"churn_recovery/{channel}": Estimate(effect, 0.01, "cells", 1) for channel in ("push/miss_you", "email/miss_you_favorites")},
    )  # fmt: skip
    given = context(**changes)
    decision = decide(given, estimates, POLICY, decision_id="d-1042", now=NOW, draw=draw)
    attributions = (
        attribution("churn_risk", -2.1, MARGINS),
        attribution("channel_propensity", -2.4, {"channel": 0.31, "push.click_rate_91d": -0.2, "recency_days": -0.04}),
    )
    return Record(
        client="shop", request={"request_id": "r-1"}, mode="live", now=NOW, draw=draw, context=given, estimates=estimates,
        attributions=attributions, bundle="sha256:" + "ab" * 32, models={"churn_risk": "linear-0a1b2c", "channel_propensity": "tree-3d4e5f"},
        features="sha256:0123456789abcdef", simulated=simulated, decision=decision,
    )  # fmt: skip


class Reader(HTMLParser):
    """The page's visible text, and every attribute by name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.attributes, self.tags = "", list[tuple[str, str]](), list[str]()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text += " ".join(data.replace("\N{NO-BREAK SPACE}", " ").split()) + " "

    def all(self, name):
        return [value for key, value in self.attributes if key == name]


def read(given: Record, lang: Lang = "en") -> Reader:
    return Reader(html("decision.html", lang, page=page_of(given, POLICY, lang, weigh(given, POLICY))))


def test_the_headline_says_what_is_sent_by_which_channel_and_when_on_the_customers_clock():
    assert page_of(record(), POLICY, "en").headline == "Send “We miss you” by Push on Tuesday, 2 January 2018, 10:30."
    assert (
        page_of(record(), POLICY, "de").headline
        == "„Wir vermissen dich“ am Dienstag, 2. Januar 2018, 10:30 Uhr per Push senden."
    )


def test_the_figures_tell_value_range_and_how_the_choice_was_drawn():
    given = record()
    text, value = read(given).text, given.decision.winner.value
    assert f"USD {value.net:.3f} likely USD {value.low:.3f} to USD {value.high:.3f}" in text
    assert f"Best value drawn with a probability of {given.decision.probability:.1%}" in text


@pytest.mark.parametrize(
    ("changes", "arm"),
    [
        ({"draw": 0.97}, "Tried in order to learn"),
        ({"draw": 0.9999}, "Silence for comparison"),
        ({"holdout": True}, "Control group"),
        ({"objected": True}, "There was no choice"),
        ({"effect": 0.0001}, "Nothing was worth sending"),
    ],
)
def test_every_way_of_choosing_is_named(changes, arm):
    page = page_of(record(**changes), POLICY, "en")
    assert page.facts[1].figure == arm
    assert (page.headline == "Send nothing now.") == (changes != {"draw": 0.97})


def test_silence_still_shows_what_the_best_contact_would_have_been_worth():
    given = record(effect=0.0001)
    page = page_of(given, POLICY, "en")
    assert page.worth is not None
    assert page.worth.bars[-1].amount == given.decision.ranked[0].value.net
    assert page.worth_note.startswith("Silence was chosen.")
    assert not page.permissions
    assert not page.plan.steps


def test_every_candidate_but_the_winner_is_accounted_for_once():
    for given in (record(), record(draw=0.97), record(holdout=True), record(consents=())):
        decision, page = given.decision, page_of(given, POLICY, "en")
        shown = sum(rival.candidates for group in page.rivals.groups for rival in group.rivals)
        assert shown == len(decision.ranked) + len(decision.rejections) - (decision.winner is not None)
        for group in page.rivals.groups:
            for rival in group.rivals:
                assert not rival.counts or sum(count.times for count in rival.counts) == rival.candidates


def test_silence_is_among_what_was_not_chosen_with_the_money_it_lost_by():
    given = record()
    rows = next(group for group in page_of(given, POLICY, "en").rivals.groups if group.key == "selection").rivals
    assert rows[-1].journey == "Silence"
    silence = next(row for row in rows if row.journey == "Silence")
    assert f"{given.decision.winner.value.decided_on:.3f} less" in silence.sentence
    assert silence.candidates == 0


def test_a_refused_treatment_stands_under_the_stage_that_refused_it():
    groups = {group.key: group for group in page_of(record(), POLICY, "en").rivals.groups}
    refused = {(rival.journey, rival.channel): rival for rival in groups["consent"].rivals}
    assert "no consent" in refused["We miss you", "SMS"].sentence
    assert ("We miss you", "E-mail") not in refused
    assert any(rival.journey == "Welcome" for rival in groups["eligibility"].rivals)


def test_the_plan_names_each_step_with_its_permission():
    given = record()
    page = page_of(given, POLICY, "en")
    assert [step.channel for step in page.plan.steps] == ["Push", "E-mail"]
    assert [line.evidence for line in page.permissions] == ["text-7/push/2017", "text-7/email/2017"]
    assert page.plan.steps[0].wait == "Then wait at least 24 h for a reaction."
    assert page.plan.steps[-1].wait == ""
    assert page.plan.rules[1] == "It stops if the customer buys, unsubscribes, complains or withdraws consent."


def test_values_of_features_carry_their_unit():
    text, german = read(record()).text, read(record(), "de").text
    for shown in ("21.4 days", "1 purchase ", "USD 812.50", "35%", "Click rate, Push 25%", "Channel Push"):
        assert shown in text
    for shown in ("21,4 Tage", "1 Einkauf ", "812,50 USD", "35 %", "Klickrate, Push 25 %", "Kanal Push"):
        assert shown in german


@pytest.mark.parametrize("lang", LANGS)
def test_what_is_simulated_is_said_and_only_then(lang):
    words = Words(lang)
    assert words("simulated") in read(record(), lang).text
    assert words("simulated") not in read(record(simulated=False), lang).text


def test_what_was_missing_is_said_in_words():
    given = record(known=False, features={}, degraded=("unknown_customer", "stale_channel", "missing_timing"))
    assert page_of(given, POLICY, "en").degraded == (
        "nothing is known of this customer yet", "data too old for: contacts and reactions", "no data for: times of activity",
    )  # fmt: skip


def test_an_unknown_time_zone_shows_utc_and_says_so():
    text = read(record(time_zone=None)).text
    assert "The time zone is unknown; all times in UTC." in text
    assert "Tue 2 Jan, 15:30" in text


def test_text_from_outside_is_escaped_and_nothing_is_inline():
    page = html(
        "decision.html", "en", page=page_of(record(customer_id=CustomerId("<script>alert(1)</script>")), POLICY, "en")
    )
    assert "<script" not in page
    reader = Reader(page)
    assert "<script>alert(1)</script>" in reader.text
    assert not [name for name, _ in reader.attributes if name == "style" or name.startswith("on")]
    assert not {"script", "style", "iframe", "link rel=preload"} & set(reader.tags)
    assert all(link.startswith(("/ui/", "#")) for name in ("href", "src") for link in reader.all(name))


def test_tables_have_scoped_headers_and_pictures_have_names():
    reader = read(record())
    assert len(reader.all("scope")) == reader.tags.count("th")
    assert reader.tags.count("title") == 1 + reader.all("role").count("img")
    ids = reader.all("id")
    assert len(ids) == len(set(ids))
    named = {one for value in reader.all("aria-labelledby") for one in value.split()}
    assert named <= set(ids)


@pytest.mark.parametrize("lang", LANGS)
def test_the_page_says_how_sure_it_is_and_what_would_change_it(lang):
    given, words = record(), Words(lang)
    weighed = weigh(given, POLICY)
    page = page_of(given, POLICY, lang, weighed)
    assert page.distance is not None
    assert weighed.counterfactuals
    assert len(page.alterations) == len(weighed.counterfactuals)
    text = " ".join(read(given, lang).text.split())
    for shown in (words("sure_title"), words("changes_title"), page.distance.sentence, page.distance.title):
        assert shown.replace("\N{NO-BREAK SPACE}", " ") in text
    for line in page.alterations:
        assert f"{line.label} {line.sentence}" in text


def test_nothing_is_weighed_for_who_objected():
    given = record(objected=True)
    page = page_of(given, POLICY, "en", weigh(given, POLICY))
    assert page.distance is None
    assert page.alterations == ()
    assert Words("en")("sure_none") in read(given).text


def test_each_part_says_what_it_rests_on():
    given = record()
    page = page_of(given, POLICY, "en")
    evidence = {bar.key: bar.evidence for bar in page.worth.bars}
    words = Words("en")
    assert evidence["margin"] == words("evidence_1")
    assert evidence["channel_cost"] == evidence["attention_cost"] == words("evidence_0")


@pytest.mark.parametrize(
    ("kind", "english", "german"),
    [
        ("module", "Show “We miss you” on Tuesday", "„Wir vermissen dich“ am Dienstag"),
        ("reward", "Present the reward of “We miss you” on", "Prämie zu „Wir vermissen dich“ am"),
        ("route", "Hand over from “We miss you” to “Come back” on", "Von „Wir vermissen dich“ an „Komm zurück“ am"),
        ("suppress", "Leave out “Push” on", "„Push“ am Dienstag"),
    ],
)
def test_the_headline_fits_what_is_done(kind, english, german):
    winner = record().decision.winner
    treatment = replace(winner.candidate.treatment, kind=kind, route_to="win_back")
    chosen = replace(winner, candidate=replace(winner.candidate, treatment=treatment))
    for lang, start in (("en", english), ("de", german)):
        assert headline(chosen, Voice.of(POLICY, lang, "America/New_York")).startswith(start)


def test_fates_count_every_candidate():
    decision = record().decision
    assert (
        sum(fate.total() for fate in fates_of(decision).values()) == len(decision.ranked) + len(decision.rejections) - 1
    )


def test_what_is_left_out_or_handed_over_never_reads_as_if_it_were_shown():
    features = FEATURES | {"gap_ratio": 0.5, "recency_days": 3.5, "frequency_28d": 6}
    given = record(features=features, channels=("paid_media",), consents=())
    assert given.decision.winner.candidate.treatment.kind == "suppress"
    page, text = page_of(given, POLICY, "en", weigh(given, POLICY)), read(given).text
    assert page.headline == "Leave out “Paid advertising” now, because of “Buys anyway”."
    assert "purchases fewer per 100 advertisements left out" in page.effect_note
    assert "reaction" not in text.lower().replace("contacts, reactions, consents", "").split("what follows")[0]
    assert [step.channel for step in page.plan.steps] == ["Leave out “Paid advertising”"]
    answer = answer_of(given, POLICY).model_dump(mode="json", exclude_none=True)
    (row,) = list_page(Portion((Answered("c-1", answer),)), POLICY, "de").rows
    assert row.channel == "„Bezahlte Werbung“ weglassen"
