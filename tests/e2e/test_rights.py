"""Consents, objection, pause, erasure and access over HTTP: what a person says holds for the very next decision."""

from __future__ import annotations

import json
import shutil
import time
import uuid

import pytest

from catalog.loading import EXAMPLE, load_catalog
from features.home import Home
from serving.auth import create_key
from tests.e2e.service_process import running

ASKED = {"text_id": "newsletter", "text_sha256": "0" * 64, "source": "web_shop", "requested_at": "2018-01-01T10:00:00Z"}


@pytest.fixture(scope="module")
def server(shop_home, tmp_path_factory):
    """A service over files of its own: an erasure rewrites them."""
    home = Home(tmp_path_factory.mktemp("rights") / "home")
    for name in ("tables", "features", "feast", "bundles", "keys"):
        shutil.copytree(shop_home.root / name, home.root / name)
    with running(home, create_key(home, "privacy", "admin"), forked=True) as found:
        yield found


def say(server, path, customer, status=200, **more):
    body = {"id": str(uuid.uuid4()), "source": "crm", "customer": {"id": customer}} | more
    answer = server.http.post(f"/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    assert server.http.post(f"/v1/{path}", json=body).content == answer.content, "the same report, the same bytes"
    return answer.json()


def decided(server, customer):
    answer = server.decide(str(uuid.uuid4()), customer)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def spoken_to(server):
    return advertised_to(server)


def advertised_to(server):
    """Customers whom the service decides to advertise to; every test takes others."""
    journeys = load_catalog(EXAMPLE).journeys
    for number in range(1, 400):
        action = decided(server, str(number)).get("action")
        if action and journeys[action["journey"]].purpose == "marketing":
            yield str(number)


def reasons(answer):
    return {one["reason"] for one in answer["rejected"]}


def why(server, silence):
    """Why somebody of whom nothing is evaluated is left in peace, by the record; what was read of them is nothing."""
    record = server.http.get(f"/v1/decisions/{silence['decision_id']}").json()["record"]
    assert (silence["outcome"], record["context"]["features"], record["attributions"]) == ("silence", {}, [])
    return [one["code"] for one in record["decision"]["reasons"]]


def test_a_withdrawal_without_a_channel_closes_all_of_them_for_the_next_decision(server, spoken_to):
    customer = next(spoken_to)
    told = say(server, "consents", customer, state="withdrawn")
    assert {one["state"] for one in told["consents"]} == {"withdrawn"}
    after = decided(server, customer)
    assert "consent_withdrawn" in reasons(after)


def test_a_request_opens_nothing_until_it_is_confirmed(server):
    grant = {"channel": "sms", "state": "granted", "legal_basis": "consent", "evidence": ASKED}
    asked = say(server, "consents", "9001", **grant)["consents"][0]
    assert asked["missing"] == "confirmation"
    more = {"state": "granted", "confirms": asked["consent_id"], "confirmed_at": "2018-01-01T11:00:00Z"}
    assert "missing" not in say(server, "consents", "9001", **more)["consents"][0]


def test_an_objection_ends_in_silence_for_which_nothing_is_read(server, spoken_to):
    customer = next(spoken_to)
    assert say(server, "objections", customer, state="objected")["released"] == 1
    assert why(server, decided(server, customer)) == ["objection"]
    say(server, "objections", customer, state="lifted")
    assert decided(server, customer)["rejected"], "everything is weighed again"


def test_a_pause_keeps_quiet(server, spoken_to):
    customer = next(spoken_to)
    say(server, "pauses", customer, until="2018-06-01T00:00:00Z", reason="bereavement")
    assert "pause" in reasons(decided(server, customer))


def test_an_older_decision_invites_to_nothing_once_the_customer_objected(server, spoken_to):
    customer = next(spoken_to)
    path = f"/v1/decisions/{decided(server, customer)['decision_id']}/explanation?for=customer"
    assert server.http.get(path).json()["reasons"][0].startswith(("This is about", "There is no message"))
    say(server, "objections", customer, state="objected")
    told = server.http.get(path).json()
    assert told["reasons"][0].startswith(("This was about", "There was no message"))
    assert told["what_would_change_it"] == []
    assert "Your objection stands" in told["objection"]
    assert "Ihr Widerspruch gilt" in server.http.get(f"{path}&lang=de").json()["objection"]


def test_what_is_known_is_told_in_less_than_a_minute(server, spoken_to):
    customer = next(spoken_to)
    began = time.monotonic()
    answer = server.http.post("/v1/exports", json={"customer": {"id": customer}})
    assert answer.status_code == 200
    assert time.monotonic() - began < 60
    told = answer.json()
    assert told["ledger"]["decisions"][0]["answer"]["outcome"] == "act"
    assert told["tables"]["events"]
    assert told["features"]["now"]


def test_an_erasure_is_carried_through_all_files_and_ends_in_gone_and_silence(server, spoken_to):
    customer = next(spoken_to)
    before = decided(server, customer)
    told = say(server, "erasures", customer, 202, reason="consent_withdrawn")
    until = time.monotonic() + 60
    while (state := server.http.get(f"/v1/erasures/{told['erasure_id']}").json())["state"] != "done":
        assert time.monotonic() < until
        time.sleep(0.2)
    assert state["done_at"]
    for path in ("", "/explanation"):
        gone = server.http.get(f"/v1/decisions/{before['decision_id']}{path}")
        assert (gone.status_code, gone.json()["type"]) == (410, "urn:dirigent:problem:erased")
    late = {"id": "late", "source": "crm", "decision_id": before["decision_id"], "type": "opened"}
    assert server.http.post("/v1/outcomes", json=late | {"occurred_at": "2018-01-02T16:00:00Z"}).status_code == 410
    assert why(server, decided(server, customer)) == ["suppression"]
    found = server.http.post("/v1/exports", json={"customer": {"id": customer}}).json()["tables"]
    assert {len(rows) for rows in found.values()} == {0}
    assert server.http.get("/v1/erasures/x-unknown").status_code == 404
    assert json.dumps(customer) not in server.log.read_text()
