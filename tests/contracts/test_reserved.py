"""What people and programs see of reservations: one by its name, all of a decision, what waits for a person; the same on both stores."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from serving import reserved
from serving.console.formats import LANGS
from serving.console.page import page_of
from serving.console.rendering import html
from serving.console.reviews import Reader, reviews_page
from serving.ledger.keyring import Erased
from serving.ledger.postponed import Postponed, finish_all, make_due, postpone
from serving.ledger.rights import erase
from serving.records import Record
from tests.contracts.conftest import HOUR
from tests.contracts.reserving import DAY, REVIEWER, Shop, open_policy, refused

PLAN = [("push", timedelta(0)), ("email", DAY)]
TREATMENTS = ["churn_recovery/push/miss_you", "churn_recovery/email/miss_you_favorites"]


@pytest.fixture
def shop(ledger):
    return Shop(ledger, open_policy(push="price"))


def written(shop, work) -> None:
    with shop.ledger.writing("c1") as tx:
        work(tx)


def shown(shop, held) -> dict:
    status, body = reserved.show(shop.runtime, held.id)
    assert status == 200
    return json.loads(body)


def after(shop, decision_id: str) -> reserved.Aftermath:
    with shop.ledger.reading() as reading:
        return reserved.aftermath(reading, decision_id, TREATMENTS)


def page(shop, decision_id: str, lang: str = "en"):
    with shop.ledger.reading() as reading:
        record = Record.from_row(reading.decision(decision_id))
    return page_of(record, shop.policy, lang, after=after(shop, decision_id))


def waiting(shop) -> list[str]:
    return [one["reservation_id"] for one in json.loads(reserved.reviews(shop.runtime)[1])["reservations"]]


def test_a_reservation_is_shown_as_the_last_call_about_it_left_it(shop):
    _, held = shop.decided()
    fresh = shown(shop, held)
    assert (fresh["state"], fresh["review"], fresh["epoch"]) == ("reserved", "required", held.epoch)
    assert "settled_by" not in fresh
    assert shop.review(held, "approved") == shown(shop, held)
    assert (shown(shop, held)["reviewer"], shown(shop, held)["review_reason"]) == ("maria", "looked at the basket")
    assert shop.confirm(held) == shown(shop, held)
    assert refused(reserved.show, shop.runtime, "r-nobody").status == 404


def test_nothing_is_told_of_a_reservation_whose_customer_was_erased(shop):
    decision, held = shop.decided()
    written(shop, lambda tx: erase(tx, "x-1", "c1", "asked"))
    with pytest.raises(Erased):
        reserved.show(shop.runtime, held.id)
    assert waiting(shop) == []
    assert {one.state for one in after(shop, decision).reservations} == {"released"}


def test_what_waits_for_a_person_is_listed_until_it_is_answered_or_over_the_most_urgent_first(shop):
    shop.customer("c2")
    _, later = shop.decided(plan=[("push", 3 * HOUR)])
    _, first = shop.decided(customer="c2")
    assert waiting(shop) == [first.id, later.id]
    found = reserved.waiting(shop.runtime)
    assert [(one.customer_id, one.asked_by) for one in found] == [("c2", "engine"), ("c1", "engine")]
    shop.review(first, "rejected")
    assert waiting(shop) == [later.id]
    shop.later(hours=6)
    assert waiting(shop) == [], "its lease is over: nobody can approve it any more"


def test_a_decision_shows_every_place_and_every_wait_it_set_going(shop):
    decision, held = shop.decided(plan=PLAN)
    shop.review(held, "approved")
    shop.confirm(held)
    shop.report(decision, "delivered")
    written(shop, lambda tx: postpone(tx, decision, [Postponed("win_back", "cool_down", tx.now() + HOUR)]))
    shop.later(days=1)
    shop.step(decision)
    found = after(shop, decision)
    assert [(one.step, one.state, one.treatment) for one in found.reservations] == [
        (0, "confirmed", TREATMENTS[0]),
        (1, "reserved", TREATMENTS[1]),
    ]
    for change, state in ((None, "waiting"), (make_due, "due"), (finish_all, "done")):
        if change is not None:
            written(shop, change)
        assert [(one.journey, one.reason, one.state) for one in after(shop, decision).postponed] == [
            ("win_back", "cool_down", state)
        ]


@pytest.mark.parametrize("lang", LANGS)
def test_the_page_of_a_decision_says_in_words_how_its_places_stand(shop, lang):
    decision, held = shop.decided(plan=PLAN)
    words = {
        "en": ("reserved", "A person must approve it", "Approved by maria: “looked at the basket”", "confirmed"),
        "de": ("reserviert", "Ein Mensch muss zustimmen", "Zugestimmt hat maria: „looked at the basket“", "bestätigt"),
    }[lang]
    line = page(shop, decision, lang).became.places[0]
    assert (line.state, line.code) == (words[0], "reserved")
    assert line.why[0].startswith(words[1])
    assert line.must_review
    shop.review(held, "approved")
    shop.confirm(held)
    told = page(shop, decision, lang)
    assert (told.became.places[0].state, told.became.places[0].must_review) == (words[3], False)
    assert told.became.places[0].why[0] == words[2]
    assert told.plan.steps[0].state == words[3], "the plan shows it, too"
    text = html("decision.html", lang, page=told)
    assert held.id in text
    assert words[2] in text


def test_a_lease_that_is_over_reads_as_expired_before_anybody_swept(shop):
    decision, _ = shop.decided()
    shop.later(days=1)
    line = page(shop, decision).became.places[0]
    assert (line.state, line.why) == ("expired", ("Nobody confirmed it in time; it counts nowhere any more.",))
    assert not line.must_review


def test_the_reason_that_a_sender_gave_is_shown_as_it_is_and_a_gate_speaks_in_its_own_words(shop):
    shop.customer("c2")
    decision, held = shop.decided()
    shop.release(held, reason="sender_down")
    assert page(shop, decision).became.places[0].why == ("Reason given: sender_down",)
    decision, _ = shop.decided(customer="c2")
    shop.withdraw(customer="c2")
    places = page(shop, decision).became.places
    assert [line.why for line in places] == [("Consent was withdrawn.",)]


@pytest.mark.parametrize("lang", LANGS)
def test_the_page_of_reviews_names_the_decision_the_customer_and_the_call(shop, lang):
    decision, held = shop.decided()
    maria = Reader("maria", may_review=True, token="t-1")
    told = reviews_page(reserved.waiting(shop.runtime), shop.policy, lang, maria, simulated=True)
    [row] = told.rows
    assert (row.href, row.customer, row.asked_by) == (f"/ui/decisions/{decision}?lang={lang}", "c1", "engine")
    assert row.reservation == held.id
    text = html("reviews.html", lang, page=told)
    assert held.id in text
    assert "POST /v1/reservations/{id}/review" in text
    assert (text.count("<form"), text.count('value="t-1"')) == (1, 1)
    for reader in (Reader("engine", True, "t"), Reader("ines", False, "t")):  # who asked for it, and who may only read
        looked = reviews_page(reserved.waiting(shop.runtime), shop.policy, lang, reader, simulated=True)
        assert "<form" not in html("reviews.html", lang, page=looked)
    shop.review(held, "approved", REVIEWER)
    empty = reviews_page(reserved.waiting(shop.runtime), shop.policy, lang, maria, simulated=False)
    assert empty.rows == ()
    assert {"en": "Nothing waits for a person.", "de": "Nichts wartet auf einen Menschen."}[lang] in html(
        "reviews.html", lang, page=empty
    )
