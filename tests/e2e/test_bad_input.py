"""Whatever is sent: a 4xx problem that names the field, never a 5xx, and nothing is written."""

from __future__ import annotations

import json
import sqlite3

import httpx
import pytest

GOOD = {"request_id": "bad-input", "customer": {"id": "1"}}
OUTCOME = {"id": "bad", "source": "t", "decision_id": "d", "type": "opened", "occurred_at": "2018-01-02T16:00:00Z"}
JSON = {"Content-Type": "application/json"}
SECRET = "anna.schmidt@example.com"


def body(**more: object) -> bytes:
    return json.dumps(GOOD | more).encode()


# Each case: path, body, headers, then the status and the field of the answer.
CASES = {
    "malformed JSON": ("/v1/decisions", b'{"request_id": ', JSON, 400, "(body)"),
    "empty body": ("/v1/decisions", b"", JSON, 400, "(body)"),
    "NaN": ("/v1/decisions", body(context={"cart_value": float("nan")}), JSON, 400, "(body)"),
    "Infinity": ("/v1/decisions", b'{"request_id": Infinity}', JSON, 400, "(body)"),
    "an overflowing number": ("/v1/decisions", b'{"context": {"cart_value": 1e999}}', JSON, 400, "(body)"),
    "a name twice": ("/v1/decisions", b'{"mode": "live", "mode": "dry_run"}', JSON, 400, "mode"),
    "a lone surrogate": ("/v1/decisions", rb'{"request_id": "\ud800"}', JSON, 400, "request_id"),
    "a depth bomb": ("/v1/decisions", b'{"context":' + b"[" * 200_000, JSON, 400, "(body)"),
    "binary": ("/v1/decisions", bytes(range(256)), JSON, 400, None),
    "a NUL in an id": ("/v1/decisions", body(customer={"id": "1\x00"}), JSON, 422, "customer.id"),
    "10 MB": ("/v1/decisions", body(decision_point="x" * 10_000_000), JSON, 413, None),
    "text": ("/v1/decisions", body(), {"Content-Type": "text/plain"}, 415, None),
    "no type": ("/v1/decisions", body(), {}, 415, None),
    "a list": ("/v1/decisions", b"[]", JSON, 422, "(body)"),
    "a wrong type": ("/v1/decisions", body(customer={"id": 1}), JSON, 422, "customer.id"),
    "null": ("/v1/decisions", body(customer=None), JSON, 422, "customer"),
    "an unknown field": ("/v1/decisions", body(segment="x"), JSON, 422, "segment"),
    "an unknown field in an object": (
        "/v1/decisions",
        body(customer={"id": "1", "email": "x"}),
        JSON,
        422,
        "customer.email",
    ),
    "an e-mail address as id": ("/v1/decisions", body(customer={"id": SECRET}), JSON, 422, "customer.id"),
    "an unknown journey": ("/v1/decisions", body(triggers=[{"journey": "nope"}]), JSON, 422, "triggers[0].journey"),
    "an unknown channel": ("/v1/decisions", body(channels=["push", "telepathy"]), JSON, 422, "channels[1]"),
    "an unknown feature": ("/v1/decisions", body(context={"shoe_size": 44}), JSON, 422, "context.shoe_size"),
    "another view's feature": ("/v1/decisions", body(context={"recency_days": 4}), JSON, 422, "context.recency_days"),
    "a feature out of range": ("/v1/decisions", body(context={"cart_open": 7}), JSON, 422, "context.cart_open"),
    "a feature of wrong type": ("/v1/decisions", body(context={"cart_value": "much"}), JSON, 422, "context.cart_value"),
    "a fraction of a count": (
        "/v1/decisions",
        body(context={"app_sessions_7d": 1.5}),
        JSON,
        422,
        "context.app_sessions_7d",
    ),
    "true as a number": ("/v1/decisions", body(context={"cart_value": True}), JSON, 422, "context.cart_value"),
    "an unknown mode": ("/v1/decisions", body(mode="now"), JSON, 422, "mode"),
    "an outcome of unknown type": ("/v1/outcomes", json.dumps(OUTCOME | {"type": "seen"}).encode(), JSON, 422, "type"),
    "an outcome without offset": (
        "/v1/outcomes",
        json.dumps(OUTCOME | {"occurred_at": "2018-01-02T16:00:00"}).encode(),
        JSON,
        422,
        "occurred_at",
    ),
    "another currency": (
        "/v1/outcomes",
        json.dumps(OUTCOME | {"value": {"amount": 1.0, "currency": "CHF"}}).encode(),
        JSON,
        422,
        "value.currency",
    ),
    "an unknown path without a type": ("/v1/decision", b"x", {}, 404, None),
    "a wrong method without a type": ("/v1/decisions/d-1", b"x", {}, 405, None),
    "an unknown path": ("/v1/decision", body(), JSON, 404, None),
    "a path of the framework": ("/schema.json", b"{}", JSON, 404, None),
    "a wrong method": ("/v1/decisions/d-1", body(), JSON, 405, None),
}


def rows(server) -> list[int]:
    with sqlite3.connect(server.home.ledger) as ledger:
        tables = ("decisions", "contacts", "outcomes", "consents", "policies")
        return [ledger.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]


def check_problem(answer: httpx.Response, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert {"type", "title", "detail", "instance"} <= set(problem)
    assert SECRET not in answer.text
    return problem


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_input_is_a_problem_that_names_the_field_and_writes_nothing(server, case):
    path, content, headers, status, field = CASES[case]
    before = rows(server)
    problem = check_problem(server.http.post(path, content=content, headers=headers), status)
    if field is not None:
        assert field in [error["field"] for error in problem["errors"]]
    assert rows(server) == before


@pytest.mark.parametrize("key", [None, "wrong", "dgt_" + "A" * 43])
@pytest.mark.parametrize(
    "path",
    ["/v1/decisions", "/v1/outcomes", "/v1/decisions/d-1", "/metrics", "/openapi.json", "/", "/docs.json", "/healthz"],
)
def test_without_a_valid_key_nothing_answers(server, path, key):
    with server.client(key) as stranger:
        check_problem(stranger.post(path, content=b"{}", headers=JSON), 401)
        check_problem(stranger.get(path), 401)


@pytest.mark.parametrize(
    "path", ["/", "/docs.json", "/schema.json", "/healthz", "/static_content/index.css", "/v1/decisions/"]
)
def test_the_frameworks_own_paths_are_closed(server, path):
    check_problem(server.http.get(path), 404)


def test_health_is_open_and_metrics_need_their_role(server, admin):
    with server.client(None) as stranger:
        assert stranger.get("/livez").status_code == stranger.get("/readyz").status_code == 200
    check_problem(server.http.get("/metrics"), 403)
    text = admin.get("/metrics").text
    assert "dirigent_ready 1.0" in text
    assert "dirigent_requests_total" in text


@pytest.mark.parametrize("query", ["lang=fr", "for=boss", "lang=", "lang=de&for=nobody"])
def test_an_unsupported_reader_or_language_is_named(server, query):
    problem = check_problem(server.http.get(f"/v1/decisions/d-1/explanation?{query}"), 400)
    assert problem["errors"][0]["field"] in ("lang", "for")


@pytest.mark.parametrize("name", ["d-1", "%00", "..%2f..%2fetc", "x" * 3000, "%ff"])
def test_an_unknown_decision_is_not_found(server, name):
    check_problem(server.http.get(f"/v1/decisions/{name}"), 404)
    check_problem(server.http.get(f"/v1/decisions/{name}/explanation"), 404)


def test_the_published_document_describes_every_path(server):
    document = server.http.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert {"/v1/decisions", "/v1/outcomes", "/v1/decisions/{decision_id}/explanation"} <= set(document["paths"])
    text = json.dumps(document)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])


def test_the_log_holds_no_key_no_customer_and_no_body(server):
    server.decide("log-check", "very-personal-customer-id")
    server.http.get("/v1/decisions/very-personal-path")
    log = server.log.read_text()
    assert "decided" in log
    for secret in (server.key, SECRET, "very-personal"):
        assert secret not in log
    assert "Traceback" not in log
