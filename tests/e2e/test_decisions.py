"""Decisions, records, explanations and outcomes over HTTP, from the trained models of the example shop."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from arbitration.codec import decode
from arbitration.policy import Policy
from serving.answer_shapes import DecisionAnswer
from serving.ledger.store import Ledger
from serving.opening import keyring_of
from serving.records import Record

HOUSEHOLDS = [str(number) for number in range(1, 120)]


def fresh() -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def acting(server):
    """Households for which the service would act now, found by dry runs."""
    found = [one for one in HOUSEHOLDS if server.decide(fresh(), one, mode="dry_run").json()["outcome"] == "act"]
    assert len(found) >= 8, "the example shop should have something to say to some of its households"
    return iter(found)


def spoken(server, acting):
    """A household, what a dry run said before, and a live decision to speak: the dice now and then choose silence, to learn from it."""
    for household in acting:
        before = server.decide(fresh(), household, mode="dry_run").json()
        response = server.decide(fresh(), household)
        if response.json()["outcome"] == "act":
            return household, before, response
    pytest.fail("silence for all households that are left")


def outcome(server, decision: str, kind: str, **more: object):
    body = {
        "id": fresh(),
        "source": "test",
        "decision_id": decision,
        "type": kind,
        "occurred_at": "2018-01-02T16:00:00Z",
    }
    return server.http.post("/v1/outcomes", json=body | more)


def test_an_answer_is_complete_has_no_nulls_and_adds_up(server, acting):
    _, _, response = spoken(server, acting)
    assert response.status_code == 200
    assert b"null" not in response.content
    answer = response.json()
    DecisionAnswer.model_validate_json(response.content)
    action = answer["action"]
    value = action["expected_value"]
    assert value["net"] == pytest.approx(sum(value["parts"].values()), abs=1e-9)
    assert value["low"] <= value["net"] <= value["high"]
    assert value["currency"] == "USD"
    opens, closes = (datetime.fromisoformat(action["window"][edge]) for edge in ("opens_at", "closes_at"))
    send_at = datetime.fromisoformat(action["send_at"])
    assert opens <= send_at <= closes
    assert datetime.fromisoformat(action["send_at_local"]) == send_at.replace(second=0, microsecond=0)
    assert answer["plan"][0]["treatment"] == action["treatment"]
    assert answer["simulated"] is True
    assert answer["explanation"]["de"] != answer["explanation"]["en"]
    assert len(answer["store_summary"]["en"].split()) <= 4
    assert {"policy", "catalog", "features", "bundle", "models"} <= set(answer["versions"])


def test_who_is_shown_something_is_told_what_it_may_be_about(server):
    for household in HOUSEHOLDS:
        answer = server.decide(fresh(), household, mode="dry_run").json()
        likely = answer.get("action", {}).get("content", {}).get("next_category")
        if likely:
            assert answer["action"]["kind"] in ("message", "module")
            assert likely["category"].isupper()
            assert 0 < likely["probability"] < 1
            assert "next_category" in answer["versions"]["models"]
            return
    pytest.fail("nobody's next category is known")


def test_the_consent_a_contact_rests_on_is_named(server, acting):
    for household in acting:
        answer = server.decide(fresh(), household, mode="dry_run").json()
        if answer["outcome"] == "act" and answer["action"]["channel"] in ("push", "email", "sms"):
            evidence = {one["channel"]: one for one in answer["consent"]}[answer["action"]["channel"]]
            assert evidence["evidence"]
            assert evidence["basis"] in ("consent", "existing_customer_7_3")
            return
    pytest.fail("no household was contacted on a channel that needs consent")


def test_the_same_question_gets_the_same_bytes_and_another_body_is_refused(server, acting):
    request_id, household = fresh(), next(acting)
    first = server.decide(request_id, household)
    spaced = json.dumps({"customer": {"id": household}, "request_id": request_id}, indent=3)
    again = server.http.post("/v1/decisions", content=spaced, headers={"Content-Type": "application/json"})
    assert (first.status_code, first.content) == (again.status_code, again.content)
    other = server.decide(request_id, household, channels=["email"])
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "request_id"


def test_the_same_request_id_of_another_client_is_another_question(server, admin, acting):
    request_id, household = fresh(), next(acting)
    body = {"request_id": request_id, "customer": {"id": household}, "mode": "shadow"}
    ids = {client.post("/v1/decisions", json=body).json()["decision_id"] for client in (server.http, admin)}
    assert len(ids) == 2


def test_a_contact_that_was_decided_counts_at_once(server, acting):
    household = next(acting)
    first = server.decide(fresh(), household).json()
    second = server.decide(fresh(), household).json()
    if first["outcome"] == "act" and second["outcome"] == "act":
        assert second["action"]["journey"] != first["action"]["journey"], "the journey's cool-down was ignored"
    reasons = {(one["candidate"].split("/")[0], one["reason"]) for one in second["rejected"]}
    if first["outcome"] == "act":
        assert reasons & {(first["action"]["journey"], code) for code in ("cool_down", "overall_cap", "channel_cap")}


def test_many_at_once_get_one_answer_per_request_id_and_one_contact_per_journey(server, acting):
    household, request_id = next(acting), fresh()
    with ThreadPoolExecutor(8) as pool:
        same = list(pool.map(lambda _: server.decide(request_id, household), range(8)))
        other = list(pool.map(lambda _: server.decide(fresh(), household).json(), range(8)))
    told = {answer.content for answer in (*same, server.decide(request_id, household)) if answer.status_code == 200}
    early = [answer for answer in same if answer.status_code != 200]
    assert all((it.status_code, it.headers["retry-after"]) == (409, "1") for it in early), "in flight: ask again"
    assert len(told) == 1
    acted = [one["action"]["journey"] for one in (json.loads(told.pop()), *other) if one["outcome"] == "act"]
    assert len(acted) == len(set(acted)), "two requests at once made two contacts of one journey"


def test_a_dry_run_writes_nothing_and_a_shadow_decision_reserves_nothing(server, acting):
    household = next(acting)
    dry = server.decide(fresh(), household, mode="dry_run").json()
    assert server.http.get(f"/v1/decisions/{dry['decision_id']}").status_code == 404
    shadow = server.decide(fresh(), household, mode="shadow").json()
    assert server.http.get(f"/v1/decisions/{shadow['decision_id']}").status_code == 200
    after = server.decide(fresh(), household, mode="dry_run").json()
    assert after["rejected"] == dry["rejected"]


def test_a_stranger_gets_a_decision_that_says_so(server):
    for customer in ({"id": "nobody-knows-me"}, {"alias": {"type": "device", "value": "unheard-of"}}):
        answer = server.http.post("/v1/decisions", json={"request_id": fresh(), "customer": customer})
        assert answer.status_code == 200
        assert answer.json()["outcome"] == "silence"
        assert answer.json()["degraded"] == ["unknown_customer"]


def test_what_the_caller_knows_better_is_used(server):
    situation = {"cart_open": 1, "cart_value": 90.0, "cart_age_hours": 3.0}
    more = {"triggers": [{"journey": "cart_recovery"}], "mode": "dry_run"}
    for household in HOUSEHOLDS[:40]:
        answer = server.decide(fresh(), household, context=situation, **more).json()
        if answer["outcome"] == "act" and answer["action"]["arm"] == "exploit":  # the dice may try another journey
            assert answer["action"]["journey"] == "cart_recovery"
            return
    pytest.fail("an open cart moved nobody")


def test_channels_that_the_caller_cannot_serve_are_not_chosen(server):
    for household in HOUSEHOLDS[:30]:
        answer = server.decide(fresh(), household, channels=["email"], mode="dry_run").json()
        channels = {step["channel"] for step in answer["plan"]} | {one["channel"] for one in answer["alternatives"]}
        assert channels <= {"email", "none"}


def test_a_recorded_decision_is_decided_again_to_the_byte(server, acting):
    ids = [
        server.decide(fresh(), next(acting)).json()["decision_id"],
        server.decide(fresh(), "nobody").json()["decision_id"],
    ]
    ledger = Ledger(server.home.ledger, keyring_of(server.home))
    with ledger.reading() as reading:
        for decision_id in ids:
            row = reading.decision(decision_id)
            record = Record.from_row(row)
            policy = decode(Policy, json.loads(reading.policy(record.decision.policy_version)))
            again = replace(record, decision=record.decide_again(policy))
            assert again.to_parts() == (row.inputs, row.decision)
    ledger.close()


def test_the_record_holds_the_answer_and_what_happened_since(server, acting):
    answer = spoken(server, acting)[2].json()
    outcome(server, answer["decision_id"], "clicked")
    found = server.http.get(f"/v1/decisions/{answer['decision_id']}")
    assert found.status_code == 200
    assert b"null" not in found.content
    assert found.json()["answer"] == answer
    assert [one["type"] for one in found.json()["outcomes"]] == ["clicked"]
    assert found.json()["record"]["context"]["features"]["recency_days"] >= 0


@pytest.fixture(scope="module")
def explained(server, acting):
    """A decision that acts."""
    answers = (server.decide(fresh(), household, mode="shadow").json() for household in acting)
    return next(answer["decision_id"] for answer in answers if answer["outcome"] == "act")


@pytest.mark.parametrize("lang", ["de", "en"])
@pytest.mark.parametrize("reader", ["marketer", "scientist", "associate", "customer"])
def test_four_readers_get_their_explanation_in_two_languages(server, explained, reader, lang):
    found = server.http.get(f"/v1/decisions/{explained}/explanation", params={"lang": lang, "for": reader})
    assert found.status_code == 200, found.text
    told = found.json()
    if reader == "customer":
        assert 1 <= len(told["reasons"]) <= 3
        assert told["objection"]
    elif reader == "associate":
        assert 1 <= len(told["store_summary"].split()) <= 4
    else:
        assert told["contributions"]
        assert told["headline"]
    if reader == "scientist":
        for model in told["attributions"]:
            total = model["base"] + sum(one["margin"] for one in model["contributions"])
            assert total == pytest.approx(model["margin"], abs=1e-6)
        assert sum(told["probabilities"].values()) + told["silence_probability"] == 1


def test_an_outcome_counts_once_and_keeps_its_answer(server, acting):
    decision_id = server.decide(fresh(), next(acting)).json()["decision_id"]
    body = {"id": fresh(), "source": "shop", "decision_id": decision_id, "type": "converted"}
    body |= {"occurred_at": "2018-01-03T10:00:00Z", "value": {"amount": 12.5, "currency": "USD"}}
    first, second = (server.http.post("/v1/outcomes", json=body) for _ in range(2))
    assert (first.status_code, first.content) == (second.status_code, second.content) == (200, first.content)
    assert server.http.post("/v1/outcomes", json=body | {"type": "clicked"}).status_code == 422
    assert len(server.http.get(f"/v1/decisions/{decision_id}").json()["outcomes"]) == 1


def test_an_outcome_of_an_unknown_decision_is_kept_and_said_to_be_unmatched(server):
    answer = outcome(server, "d-unknown", "opened")
    assert answer.status_code == 202
    assert answer.json()["matched"] is False


def test_an_opt_out_closes_the_channel_for_the_very_next_decision(server, acting):
    for household in acting:
        answer = server.decide(fresh(), household).json()
        if answer["outcome"] == "act" and answer["consent"]:
            break
    channel = answer["action"]["channel"]
    before = "2017-01-01T00:00:00Z"  # dates of others are not to be trusted
    assert outcome(server, answer["decision_id"], "unsubscribed", occurred_at=before).status_code == 200
    after = server.decide(fresh(), household, mode="dry_run").json()
    assert channel not in {step["channel"] for step in after["plan"]}
    withdrawn = {one["candidate"].split("/")[1] for one in after["rejected"] if one["reason"] == "consent_withdrawn"}
    assert channel in withdrawn


def test_a_contact_that_was_not_sent_frees_its_place(server, acting):
    household, before, response = spoken(server, acting)
    answer = response.json()
    outcome(server, answer["decision_id"], "not_sent")
    after = server.decide(fresh(), household, mode="dry_run").json()
    assert {(one["candidate"], one["reason"]) for one in after["rejected"]} == {
        (one["candidate"], one["reason"]) for one in before["rejected"]
    }
    outcome(server, answer["decision_id"], "clicked")
    again = server.decide(fresh(), household, mode="dry_run").json()
    assert answer["action"]["journey"] in {one["candidate"].split("/")[0] for one in again["rejected"]}, "it was sent"
    assert again["rejected"] != after["rejected"]


def test_no_send_time_lies_in_local_quiet_hours(server):
    for household in HOUSEHOLDS[:40]:
        answer = server.decide(fresh(), household, mode="dry_run").json()
        for step in answer["plan"]:
            local = datetime.fromisoformat(step["send_at_local"])
            assert local.utcoffset() in (timedelta(hours=-5), timedelta(hours=-4))
            if step["channel"] in ("push", "email", "sms"):
                assert 8 <= local.hour < 21, step
