"""One winner at a time: what a reservation keeps from being chosen, what it does not, and how that is told; stopped journeys."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arbitration.codec import decode, encode
from arbitration.counterfactual import counterfactuals
from arbitration.decide import decide
from arbitration.domain import Consent, Contact, Context, CustomerId, Decision, Estimate
from arbitration.explain import explain
from arbitration.explanation import Change, Lang
from arbitration.policy import JourneyTreatment, Policy
from arbitration.propose import treatments
from tests.unit.arbitration.pairwise import BELIEFS, channel, journey, policy

NOW = datetime(2018, 5, 15, 8, 30, tzinfo=UTC)  # half past ten in Berlin
LEASE = timedelta(minutes=2)
SHOP = policy(
    [channel("mail", wait_hours=24), channel("text"), channel("tile", timing="immediate", needs_consent=False)],
    [
        journey("care", JourneyTreatment("tile", "a"), JourneyTreatment("mail", "b"), JourneyTreatment("text", "c")),
        journey("other", JourneyTreatment("mail", "d"), effect_prior=0.05),
        journey("receipt", JourneyTreatment("mail", "e"), purpose="service"),
    ],
)


def customer(*contacts: Contact, **more: Any) -> Context:
    given = NOW - timedelta(days=90)
    consents = [
        Consent(name, purpose, "granted", "consent", "text-7", given)
        for name in ("mail", "text")
        for purpose in ("marketing", "service")
    ]
    return Context(CustomerId("c"), True, "Europe/Berlin", "en", {}, tuple(consents), contacts, **more)


def ask(context: Context, rules: Policy = SHOP, now: datetime = NOW) -> Decision:
    return decide(context, BELIEFS, rules, decision_id="d", now=now, draw=0.0)


def passed(decision: Decision) -> set[str]:
    return {it.candidate.treatment.id for it in decision.ranked}


def reserved(where: str, purpose: Any = "marketing", name: str = "past", lease: timedelta = LEASE) -> Contact:
    return Contact(name, where, NOW + timedelta(hours=1), purpose, live_until=NOW + lease)


MESSAGES, TILE, SERVICE = {"care/mail/b", "care/text/c", "other/mail/d"}, {"care/tile/a"}, {"receipt/mail/e"}


@pytest.mark.parametrize(
    ("contacts", "may_speak"),
    [
        ([], MESSAGES | TILE | SERVICE),
        ([reserved("mail")], TILE | SERVICE),
        ([reserved("fax")], TILE | SERVICE),  # no longer in the catalog
        ([reserved("tile")], MESSAGES | SERVICE),
        ([reserved("tile"), reserved("text")], SERVICE),
        ([reserved("mail", "service")], MESSAGES | TILE | SERVICE),
        ([reserved("mail", lease=timedelta(0))], MESSAGES | TILE | SERVICE),
        ([replace(reserved("mail"), live_until=None)], MESSAGES | TILE | SERVICE),
    ],
)
def test_marketing_of_one_timing_waits_for_what_is_reserved(contacts: list[Contact], may_speak: set[str]) -> None:
    decision = ask(customer(*contacts))
    assert passed(decision) == may_speak
    assert {it.code for it in decision.rejections if it.candidate.treatment.id not in may_speak} <= {"live_winner"}


def test_the_last_reservation_says_when_to_ask_again() -> None:
    first, last = reserved("mail", name="a"), reserved("text", name="b", lease=2 * LEASE)
    rules = replace(SHOP, journeys={"other": SHOP.journeys["other"]})
    decision = ask(customer(last, first), rules)
    assert {(it.code, it.by, it.free_at) for it in decision.rejections} == {("live_winner", "b", NOW + 2 * LEASE)}
    assert decision.valid_until == NOW + 2 * LEASE
    assert passed(ask(customer(last, first), rules, NOW + 2 * LEASE)) == {"other/mail/d"}


def test_steps_of_a_plan_are_not_live_but_what_is_reserved_now_keeps_messages_out_of_it() -> None:
    rules = replace(SHOP, journeys={"care": SHOP.journeys["care"]})

    def planned(*contacts: Contact, best: str) -> list[str]:
        believed = replace(BELIEFS, effect={f"care/{best}": Estimate(0.3, 0.01)})
        plan = decide(customer(*contacts), believed, rules, decision_id="d", now=NOW, draw=0.0).plan
        return [it.candidate.treatment.channel for it in plan.steps]

    assert planned(best="mail/b") == ["mail", "text"]
    assert planned(reserved("tile"), best="mail/b") == ["mail", "text"]
    assert len(planned(best="tile/a")) == 3
    assert planned(reserved("text"), best="tile/a") == ["tile"]


def test_without_the_reservation_something_else_comes_first_and_that_is_shown() -> None:
    rules = replace(SHOP, journeys={"other": SHOP.journeys["other"]})
    context = customer(reserved("text"))
    found = counterfactuals(context, BELIEFS, rules, ask(context, rules), draw=0.0)
    without = Change("contact", "past/text", encode(NOW + timedelta(hours=1)), None)
    assert {one.change: one.favorite for one in found}[without] == "other/mail/d"


@pytest.mark.parametrize(
    ("lang", "waits", "stopped"),
    [
        ("en", "Another contact is reserved for the customer (because of care, ask again from Tue 15 May, 10:32)", "The journey is stopped"),
        ("de", "Für die Person ist ein anderer Kontakt vorgemerkt (wegen care, wieder fragen ab Di, 15. Mai, 10:32)", "Die Journey ist angehalten"),
    ],
)  # fmt: skip
def test_both_are_told_in_plain_words(lang: Lang, waits: str, stopped: str) -> None:
    decision = ask(customer(reserved("text", name="care"), stopped=("care",)))
    told = explain(decision, SHOP, names={}, attributions=(), lang=lang).why_not
    said = {one.treatment: one.sentence for one in told}
    assert said["other/mail/d"].endswith(f": {waits}")
    assert said["care/tile/a"].endswith(f": {stopped}")


def test_a_stopped_journey_speaks_nowhere_whatever_its_purpose() -> None:
    assert passed(ask(customer(stopped=("care", "receipt", "nobody")))) == {"other/mail/d"}
    no = next(it for it in ask(customer(stopped=("receipt",))).rejections)
    assert (no.stage, no.code, no.by, no.free_at) == ("contact_policy", "journey_stopped", "receipt", None)


def test_what_a_treatment_does_to_the_customer_is_carried_to_the_candidate() -> None:
    line = JourneyTreatment("mail", "f", consequence="price")
    dearer = replace(SHOP, journeys={"other": replace(SHOP.journeys["other"], treatments=(line,))})
    assert [it.consequence for it in treatments(dearer)] == ["price"]
    winner = ask(customer(), dearer).winner
    assert winner is not None
    assert winner.candidate.treatment.consequence == "price"
    assert {it.consequence for it in treatments(SHOP)} == {"none"}


NEW = {"live_until", "stopped", "reserve", "hourly_plan", "stop_factor", "consequence"}


def test_what_was_written_before_these_fields_is_read_as_it_was_meant() -> None:
    def older(plain: Any) -> Any:
        if isinstance(plain, dict):
            return {key: older(value) for key, value in plain.items() if key not in NEW}
        return [older(one) for one in plain] if isinstance(plain, list) else plain

    sent = replace(reserved("mail"), live_until=None)
    for thing in (customer(sent), SHOP, ask(customer(sent))):
        written = encode(thing)
        assert older(written) != written
        assert decode(type(thing), json.loads(json.dumps(older(written)))) == thing
