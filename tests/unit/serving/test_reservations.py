"""Requests about reservations, the body of a refusal, and in which window a later step may go out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitration.domain import Candidate, Consent, Contact, Context, CustomerId, PlanStep, Rejection, SendWindow
from arbitration.gates import GATES, rejection
from arbitration.gates.case import Case
from arbitration.plan import STOP_IF
from arbitration.propose import FIRST_WITHIN, treatments_of
from catalog.loading import EXAMPLE, load_catalog
from serving.problems import Problem
from serving.reservations import ASKED_AGAIN, Refused
from serving.schemas import parse
from serving.schemas_reservations import ConfirmRequest, ReleaseRequest, ReviewRequest, StepRequest
from serving.steps import admissible

NOW = datetime(2018, 1, 2, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
LOADED = load_catalog(EXAMPLE)
CHURN = replace(LOADED.journeys["churn_recovery"], eligible="True", applicable="True", suitable="True")
POLICY = replace(
    LOADED,
    journeys=LOADED.journeys | {"churn_recovery": CHURN},
    channels={name: replace(one, held="False") for name, one in LOADED.channels.items()},
)
EMAIL = next(one for one in treatments_of(CHURN) if one.channel == "email")


def case(now=NOW, policy=POLICY, **more) -> Case:
    consents = (Consent("email", "marketing", "granted", "consent", "v", NOW - 90 * 24 * HOUR),)
    known = {"known": True, "time_zone": "America/New_York", "locale": "en", "features": {}, "consents": consents}
    return Case(Context(CustomerId("c1"), **(known | more)), policy, now)


def step(opens_at=NOW, closes_at=NOW + 4 * HOUR, expires_at=NOW + 72 * HOUR, treatment=EMAIL) -> PlanStep:
    window = SendWindow(opens_at, closes_at, 8)
    return PlanStep(Candidate(treatment, window), opens_at, 48, "not_engaged", STOP_IF, expires_at, 1.0)


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (ConfirmRequest, {"epoch": 0}, "epoch"),
        (ConfirmRequest, {"epoch": True}, "epoch"),
        (ReleaseRequest, {"epoch": 1, "reason": "Sender down!"}, "reason"),
        (ReviewRequest, {"verdict": "maybe", "reason": "because"}, "verdict"),
        (ReviewRequest, {"verdict": "approved"}, "reason"),
        (ReviewRequest, {"verdict": "approved", "reason": "ask mia@shop.example"}, "reason"),
        (StepRequest, {"request_id": "r", "decision_id": "d", "step": 0}, "step"),
        (StepRequest, {"request_id": "r", "decision_id": "d", "step": 1, "customer": "c1"}, "customer"),
    ],
)
def test_a_wrong_field_is_named(model, body, field):
    with pytest.raises(Problem) as caught:
        parse(model, json.dumps(body).encode())
    assert caught.value.status == 422
    assert [error.field for error in caught.value.errors] == [field]


def test_a_refusal_says_why_and_leaves_out_what_it_does_not_know():
    told = Refused("not-admitted", "No.", stage="contact_policy", reason="channel_cap", free_at=NOW)
    response = told.response("i-1")
    body = json.loads(bytes(response.body))
    assert (response.status_code, response.media_type) == (409, "application/problem+json")
    assert (body["reason"], body["stage"], body["free_at"]) == (
        "channel_cap",
        "contact_policy",
        "2018-01-02T15:00:00.000Z",
    )
    assert set(json.loads(bytes(Refused("x", "No.").response("i").body))) == {
        "type",
        "title",
        "status",
        "detail",
        "instance",
    }


def test_law_consent_and_contact_policy_are_asked_again_and_the_winner_does_not_stand_in_its_own_way():
    asked = {gate.code for gate in ASKED_AGAIN}
    assert {"objection", "suppression", "pause", "consent_withdrawn", "journey_stopped", "overall_cap"} <= asked
    assert {gate.code for gate in GATES if gate.stage in ("consent", "contact_policy")} - asked == {
        "live_winner",
        "channel_held",
    }


def test_the_window_of_the_plan_is_used_while_it_is_open():
    found = admissible(step(NOW + HOUR, NOW + 4 * HOUR), case())
    assert isinstance(found, Candidate)
    assert (found.window.opens_at, found.window.closes_at) == (NOW + HOUR, NOW + 4 * HOUR)
    found = admissible(step(NOW - HOUR, NOW + HOUR), case())
    assert isinstance(found, Candidate)
    assert (found.window.opens_at, found.window.closes_at) == (NOW, NOW + HOUR), "what is left of it"


def test_when_it_is_over_or_barred_the_next_admissible_window_is_taken():
    night = datetime(2018, 1, 3, 3, 30, tzinfo=UTC)  # half past ten in the evening in New York
    found = admissible(step(NOW, NOW + HOUR), case(night))
    assert isinstance(found, Candidate)
    assert found.window.opens_at == datetime(2018, 1, 3, 13, tzinfo=UTC), "eight in the morning"
    sent = (Contact("post_purchase", "push", NOW - 23 * HOUR, engaged=False),)
    found = admissible(step(), case(contacts=sent))
    assert isinstance(found, Candidate)
    assert found.window.opens_at >= NOW + HOUR, "the day's one message is over then"


def test_what_is_nowhere_admissible_is_told_with_the_gate_that_came_last_and_when_it_is_free():
    sent = tuple(Contact("post_purchase", "email", NOW - hours * HOUR, engaged=False) for hours in (30, 60))
    no = admissible(step(), case(contacts=sent))
    assert isinstance(no, Rejection)
    assert (no.stage, no.code, no.free_at) == ("contact_policy", "channel_cap", NOW + (7 * 24 - 60) * HOUR)
    assert admissible(step(), case(objected=True)).code == "objection"
    assert admissible(step(), case(time_zone=None)).code == "unknown_time_zone"
    assert admissible(step(), case(holdout=True)).code == "holdout"
    assert admissible(step(expires_at=NOW + 72 * HOUR), case(NOW + 72 * HOUR)).code == "plan_expired"


def test_a_treatment_that_left_the_catalog_is_not_sent():
    without = replace(CHURN, treatments=tuple(line for line in CHURN.treatments if line.channel != "email"))
    no = admissible(step(), case(policy=replace(POLICY, journeys=POLICY.journeys | {"churn_recovery": without})))
    assert (no.code, no.missing) == ("unknown_journey", EMAIL.id)


@given(
    asked=st.integers(-48 * 60, 96 * 60),
    opens=st.integers(0, 47),
    contacts=st.lists(st.tuples(st.sampled_from(["push", "email", "sms"]), st.integers(1, 200)), max_size=4),
)
def test_what_is_admitted_passed_every_gate_in_its_own_window_in_time(asked, opens, contacts):
    now, planned = NOW + timedelta(minutes=asked), step(NOW + opens * HOUR, NOW + (opens + 4) * HOUR)
    sent = tuple(Contact("post_purchase", name, now - hours * HOUR, engaged=False) for name, hours in contacts)
    found = admissible(planned, case(now, contacts=sent))
    if isinstance(found, Rejection):
        return
    window = found.window
    assert rejection(found, case(now, contacts=sent)) is None
    assert max(now, planned.send_at) <= window.opens_at < max(now, planned.send_at) + FIRST_WITHIN
    assert window.closes_at <= planned.expires_at
