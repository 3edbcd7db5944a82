"""Nothing that identifies a person gets out: conspicuous values are sent everywhere, then looked for in all that was written."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import httpx
import pytest

from catalog.loading import EXAMPLE, load_catalog
from serving.access import ENDPOINTS
from serving.auth import create_key
from tests.e2e.canaries import (
    ALIAS,
    ALIAS_TYPE,
    CUSTOMER,
    CUSTOMERS,
    IDS,
    MAY_HOLD_IDS,
    PERSONAL,
    REMARKED,
    cells,
    conspicuous_home,
    hits,
    spoiled,
)
from tests.e2e.forked_process import verb
from tests.e2e.service_process import environment, running

LIMITS_OFF = {"DIRIGENT_RATE_PER_KEY": "100000", "DIRIGENT_RATE_PER_PEER": "100000", "DIRIGENT_LOG_LEVEL": "debug"}
EVERYTHING = (*PERSONAL, *IDS, REMARKED)
NOW, EARLIER = "2018-01-02T15:00:00Z", "2018-01-01T10:00:00Z"
WHO = {"alias": {"type": ALIAS_TYPE, "value": f"{ALIAS}-2"}}
SAID = {"id": f"{CUSTOMER}-r", "source": f"{CUSTOMER}-s", "customer": WHO}
EVIDENCE = {
    "text_id": ALIAS,
    "text_sha256": "0" * 64,
    "source": CUSTOMER,
    "requested_at": EARLIER,
    "confirmed_at": EARLIER,
    "reference": ALIAS,
}
MEANT = {
    "/v1/decisions": {
        "request_id": f"{CUSTOMER}-q", "customer": WHO, "triggers": [{"journey": "welcome", "event_id": ALIAS}],
        "channels": ["email"], "context": {"in_store": 1}, "mode": "shadow",
    },
    "/v1/outcomes": {"id": f"{CUSTOMER}-o", "source": ALIAS, "decision_id": CUSTOMER, "type": "opened", "occurred_at": NOW,
                     "value": {"amount": 1.0, "currency": "USD"}},
    "/v1/reservations": {"request_id": f"{CUSTOMER}-w", "decision_id": CUSTOMER, "step": 1, "context": {"in_store": 1}},
    "/v1/reservations/{reservation_id}/confirm": {"epoch": 1},
    "/v1/reservations/{reservation_id}/release": {"epoch": 1, "reason": "given_back"},
    "/v1/reservations/{reservation_id}/review": {"verdict": "approved", "reason": f"{REMARKED} asked for it"},
    "/v1/consents": SAID | {"channel": "email", "state": "granted", "legal_basis": "consent", "evidence": EVIDENCE},
    "/v1/objections": SAID | {"state": "lifted"},
    "/v1/pauses": SAID | {"until": NOW, "reason": "complaint"},
    "/v1/erasures": SAID | {"reason": "objection"},
    "/v1/exports": {"customer": WHO},
    "/v1/journeys/{journey}/stop": {"reason": f"{REMARKED} of {CUSTOMER} says so"},
    "/v1/journeys/{journey}/resume": {"reason": f"{REMARKED} of {CUSTOMER} says so"},
    "/v1/decisions/{decision_id}/replay": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def server(shop_home, tmp_path_factory):
    home = conspicuous_home(shop_home, tmp_path_factory.mktemp("canaries") / "home")
    with running(home, create_key(home, "admin", "admin"), forked=True, **LIMITS_OFF) as found:
        yield found


@pytest.fixture(scope="module")
def told(server):
    """Every answer to a request that was refused, and what was written for whoever watches, after everything was tried."""
    refused: list[str] = []
    with server.client(server.key) as admin, server.client(None) as stranger:
        for client in (admin, stranger):
            client.event_hooks = {"response": [lambda answer: _keep(answer, refused)]}
        _everywhere(admin, stranger)
        _as_meant(server, admin)
        _wrongly(admin)
        pages = [admin.get(path).text for path in ("/metrics", "/v1/journeys", "/v1/changes", "/openapi.json")]
    return {"refused": refused, "pages": pages}


def _keep(answer: httpx.Response, refused: list[str]) -> None:
    answer.read()
    if answer.status_code >= 400:
        refused.append(f"{answer.request.method} {answer.request.url}\n{answer.headers}\n\n{answer.text}")


def _everywhere(admin: httpx.Client, stranger: httpx.Client) -> None:
    """In addresses, queries, headers and forms of every endpoint, with a key and without."""
    for number, endpoint in enumerate(ENDPOINTS):
        for turn, text in enumerate(EVERYTHING):
            path = "/".join(quote(text, safe="") if "{" in part else part for part in endpoint.path.split("/"))
            headers = {
                "User-Agent": text,
                "Referer": f"http://x/{quote(text)}",
                "X-Customer": text,
                "Accept-Language": text,
            }
            more = {"json": {}} if endpoint.method == "POST" else {}
            for client in (admin, stranger):
                client.request(
                    endpoint.method, path, params={"lang": text, "next": text, text: text}, headers=headers, **more
                )
                if turn != number % len(EVERYTHING):  # every endpoint refuses these alike: one text for each
                    continue
                client.request("PUT", path, headers=headers)
                client.request(
                    endpoint.method, path, headers={"Content-Type": quote(text), "Content-Encoding": quote(text)}
                )
            stranger.get(path, headers={"Authorization": f"Bearer {text}", "Cookie": f"dirigent_session={quote(text)}"})
            stranger.get(f"/ui/{quote(text, safe='')}", params={"next": f"/ui/{text}"})
            stranger.post("/ui/login", data={"key": text, "next": f"/ui/decisions/{text}", text: text})


def _wrongly(admin: httpx.Client) -> None:
    """In every place of every body where it does not belong, and in bodies that are no JSON."""
    for template, body in MEANT.items():
        path = "/".join("unknown" if "{" in part else part for part in template.split("/"))
        for one in spoiled(body, PERSONAL):
            admin.post(path, json=one)
        for text in EVERYTHING:
            for raw in (f'{{"id": "{text}', f'{{"{text}": 1, "{text}": 1}}', f'{{"id": {text}}}', f'["\\ud800{text}"]'):
                admin.post(path, content=raw.encode(), headers={"Content-Type": "application/json"})


def _as_meant(server, admin: httpx.Client) -> None:
    """As ids where ids belong: decisions with all that follows from them, rights, an erasure, the console."""
    journeys = sorted(load_catalog(EXAMPLE).journeys)
    for number in range(1, CUSTOMERS + 1):
        by_card = {"alias": {"type": ALIAS_TYPE, "value": f"{ALIAS}-{number}"}}
        for turn, customer in enumerate(({"id": f"{CUSTOMER}-{number}"}, by_card)):
            asked = {"request_id": f"{CUSTOMER}-{number}-{turn}", "customer": customer}
            asked["triggers"] = [{"journey": journeys[number % len(journeys)], "event_id": f"{ALIAS}-{number}"}]
            decided = admin.post("/v1/decisions", json=asked)
            assert decided.status_code == 200, decided.text
            assert admin.post("/v1/decisions", json=asked | {"mode": "shadow"}).status_code == 422
            _follow(admin, decided.json(), f"{CUSTOMER}-{number}-{turn}", number)
    assert admin.post("/v1/decisions", json=MEANT["/v1/decisions"]).status_code == 200
    for path in ("/v1/outcomes", "/v1/consents", "/v1/objections", "/v1/pauses", "/v1/exports"):
        answer = admin.post(path, json=MEANT[path])
        assert answer.status_code in (200, 202), answer.text
    objected = {"id": "o", "source": ALIAS, "customer": {"id": f"{CUSTOMER}-3"}, "state": "objected"}
    assert admin.post("/v1/objections", json=objected).status_code == 200
    unsaid = {"id": "c", "source": ALIAS, "customer": {"id": f"{CUSTOMER}-4"}, "state": "withdrawn"}
    assert admin.post("/v1/consents", json=unsaid).status_code == 200
    for path in ("stop", "resume"):
        told = admin.post(f"/v1/journeys/welcome/{path}", json=MEANT[f"/v1/journeys/{{journey}}/{path}"])
        assert told.status_code == 200, told.text
    _erase(admin)
    assert admin.get("/ui/decisions").status_code == 200


def _follow(admin: httpx.Client, decided: dict, name: str, number: int) -> None:
    here = f"/v1/decisions/{decided['decision_id']}"
    for reader in ("marketer", "scientist", "associate", "customer"):
        assert admin.get(f"{here}/explanation", params={"for": reader}).status_code == 200
    assert admin.get(here).status_code == admin.get(f"/ui{here[3:]}").status_code == 200
    assert admin.post(f"{here}/replay", json={}).json()["identical"]
    if "reservation" in decided:
        held, verb = decided["reservation"], ("confirm", "release")[number % 2]
        admin.post(f"/v1/reservations/{held['id']}/{verb}", json={"epoch": held["epoch"]})
    if len(decided["plan"]) > 1:
        admin.post("/v1/reservations", json={"request_id": name, "decision_id": decided["decision_id"], "step": 1})
    seen = {
        "id": name,
        "source": CUSTOMER,
        "decision_id": decided["decision_id"],
        "type": "converted",
        "occurred_at": NOW,
    }
    assert admin.post("/v1/outcomes", json=seen).status_code == 200


def _erase(admin: httpx.Client) -> None:
    said = {"id": f"{CUSTOMER}-1", "source": ALIAS, "customer": {"id": f"{CUSTOMER}-1"}, "reason": "objection"}
    erasure = admin.post("/v1/erasures", json=said)
    assert erasure.status_code == 202, erasure.text
    until = time.monotonic() + 120
    while admin.get(f"/v1/erasures/{erasure.json()['erasure_id']}").json()["state"] != "done":
        assert time.monotonic() < until
        time.sleep(0.2)


def run(server, *arguments: str) -> str:
    """One of the program's verbs over the same home: all that it says."""
    done = verb(arguments, environment(server.home, 1) | {"COLUMNS": "200"}, 300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def found_in(texts: list[str], wanted: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(text, one[:600]) for one in texts for text in wanted if text in one]


def test_no_answer_to_a_refused_request_repeats_what_was_sent(told):
    answers = [one.partition("\n")[2] for one in told["refused"]]
    assert len(answers) > 1_000
    assert found_in(answers, EVERYTHING) == []


def test_counters_and_documents_name_nobody(told):
    pages = [page for page in told["pages"] if REMARKED not in page]
    assert found_in(pages, (*PERSONAL, *IDS)) == []


def test_events_verbs_and_every_file_but_those_that_must_name_nobody(server, told, tmp_path):
    file = server.home.root / "events.jsonl"
    said = [
        run(server, *verb)
        for verb in (
            ("sweep", "--once"),
            ("relay", "--once", "--from-start", "--to", f"jsonl:{file}"),
            ("relay", "--status"),
            ("verify",),
            ("privacy", "retain"),
        )
    ]
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert len({event["type"] for event in events}) >= 6
    assert found_in([file.read_text(), *said, server.log.read_text()], EVERYTHING) == []
    leaked = [(path, text) for path, text in hits(server.home.root, IDS) if not path.startswith(MAY_HOLD_IDS)]
    assert leaked == []
    assert [one for one in hits(server.home.root, (REMARKED,)) if not one[0].startswith("ledger.db")] == []
    assert server.log.stat().st_size > 100_000
    assert (server.home.root / "mlflow").is_dir()


def test_no_address_number_or_name_of_a_person_is_anywhere_the_ledger_included(server, told):
    assert list(hits(server.home.root, PERSONAL)) == []
    assert list(cells(server.home, PERSONAL)) == []
    assert list(cells(server.home, (CUSTOMER,))), "the search finds what is there"
    for number in range(2, CUSTOMERS + 1):  # what is sealed in the ledger, opened
        export = server.http.post("/v1/exports", json={"customer": {"id": f"{CUSTOMER}-{number}"}})
        assert export.json()["ledger"]["decisions"]
        assert found_in([export.text], PERSONAL) == []
