"""Reservations over HTTP, on the real service: reserve by deciding, confirm, give back, and what is answered to a wrong call."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from serving.auth import create_key
from tests.e2e.service_process import Server


@pytest.fixture(scope="module")
def held(server: Server) -> Iterator[dict]:
    """Decisions that act, each of another customer."""
    found = (server.decide(f"reserve-{number}", str(number)).json() for number in range(1, 400))
    return (answer for answer in found if "reservation" in answer)


def post(server: Server, path: str, client: httpx.Client | None = None, **body: object) -> httpx.Response:
    return (client or server.http).post(f"/v1/reservations{path}", json=body)


def test_a_decision_holds_a_place_that_is_confirmed_once(server, held):
    answer = next(held)
    place = answer["reservation"]
    path = f"/{place['id']}/confirm"
    first = post(server, path, epoch=place["epoch"])
    assert first.status_code == 200, first.text
    assert (first.json()["state"], first.json()["decision_id"]) == ("confirmed", answer["decision_id"])
    assert post(server, path, epoch=place["epoch"]).content == first.content
    assert server.http.get(f"/v1/reservations/{place['id']}").content == first.content
    [shown] = server.http.get(f"/v1/decisions/{answer['decision_id']}").json()["reservations"]
    assert shown == first.json() | {"treatment": answer["action"]["treatment"]}
    wrong = post(server, path, epoch=place["epoch"] + 1)
    assert (wrong.status_code, wrong.headers["content-type"]) == (409, "application/problem+json")
    assert wrong.json()["type"].endswith("unknown-epoch")
    back = post(server, f"/{place['id']}/release", epoch=place["epoch"])
    assert (back.status_code, back.json()["reason"]) == (409, "confirm")


def test_what_is_given_back_can_be_decided_again_at_once(server, held):
    answer = next(held)
    place = answer["reservation"]
    with closing(sqlite3.connect(server.home.ledger)) as ledger:
        asked = "SELECT customer_id FROM subjects JOIN contacts USING (subject) WHERE reservation_id = ?"
        customer = ledger.execute(asked, (place["id"],)).fetchone()[0]
    blocked = server.decide("reserve-again", customer).json()
    assert blocked.get("action", {}).get("channel") != answer["action"]["channel"], "its place is taken"
    told = {"epoch": place["epoch"], "reason": "sender_down"}
    first = post(server, f"/{place['id']}/release", **told)
    assert (first.status_code, first.json()["settled_by"]) == (200, "sender_down")
    assert post(server, f"/{place['id']}/release", **told).content == first.content
    late = post(server, f"/{place['id']}/confirm", epoch=place["epoch"])
    assert (late.status_code, late.json()["reason"]) == (409, "sender_down")


def test_wrong_calls_are_told_what_is_wrong(server, held):
    answer = next(held)
    place = answer["reservation"]
    assert post(server, "/r-nobody/confirm", epoch=1).status_code == 404
    assert server.http.get("/v1/reservations/r-nobody").status_code == 404
    for body in ({}, {"epoch": "1"}, {"epoch": 0}, {"epoch": 1, "more": 1}):
        assert post(server, f"/{place['id']}/confirm", **body).status_code == 422, body
    assert post(server, "", request_id="s", decision_id="d-nobody", step=1).status_code == 404
    assert post(server, "", request_id="s", decision_id=answer["decision_id"], step=0).status_code == 422
    early = post(server, "", request_id="s", decision_id=answer["decision_id"], step=1)
    assert early.status_code == (409 if len(answer["plan"]) > 1 else 422), "the first step is not settled"
    with server.client(create_key(server.home, "reviewer", "marketer")) as reviewer:
        verdict = {"verdict": "approved", "reason": "seen"}
        assert post(server, f"/{place['id']}/review", reviewer, **verdict).json()["type"].endswith("no-review")
        assert post(server, f"/{place['id']}/confirm", reviewer, epoch=place["epoch"]).status_code == 403
        wordless = {"verdict": "approved", "reason": "call her at x@y.z"}
        assert post(server, f"/{place['id']}/review", reviewer, **wordless).status_code == 422
    assert post(server, f"/{place['id']}/review", verdict="approved", reason="seen").status_code == 403


def test_a_triggered_journey_that_a_cap_keeps_back_is_postponed(server, held):
    for number, answer in enumerate(held):
        with closing(sqlite3.connect(server.home.ledger)) as ledger:
            asked = "SELECT customer_id FROM subjects JOIN contacts USING (subject) WHERE reservation_id = ?"
            customer = ledger.execute(asked, (answer["reservation"]["id"],)).fetchone()[0]
        told = [{"journey": answer["action"]["journey"]}]
        channels = [answer["action"]["channel"]]
        again = server.decide(f"postponed-{number}", customer, triggers=told, channels=channels).json()
        assert [one["journey"] for one in again["postponed"]] == [answer["action"]["journey"]]
        assert again["postponed"][0]["free_at"] > again["decided_at"]
        with closing(sqlite3.connect(server.home.ledger)) as ledger:
            row = ledger.execute(
                "SELECT state, reason FROM postponed WHERE decision_id = ?", (again["decision_id"],)
            ).fetchone()
        assert row == ("waiting", again["postponed"][0]["reason"])
        shown = server.http.get(f"/v1/decisions/{again['decision_id']}").json()
        assert shown["postponed"] == [one | {"state": "waiting"} for one in again["postponed"]]
        return
    pytest.fail("nobody to ask about")
