"""The outermost gate in front of a small application."""

from __future__ import annotations

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route

from features.home import Home
from serving.auth import Keys, create_key
from serving.bodies import MAX_BODY
from serving.gate import Gate
from serving.heads import MAX_HEAD, MAX_HEADERS, MAX_URL
from serving.limits import Limits
from serving.login import COOKIE
from serving.metrics import Metrics
from serving.settings import Settings

JSON = {"Content-Type": "application/json"}


async def size(request: Request) -> JSONResponse:
    return JSONResponse({"size": len(await request.body()), "client": request.state.client.name})


async def overload(_: Request) -> JSONResponse:
    return JSONResponse({"error": "Not able to process"}, 504)


async def page(_: Request) -> PlainTextResponse:
    return PlainTextResponse("page")


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def call(home):
    key = create_key(home, "shop", "orchestrator")
    inner = Starlette(
        routes=[
            Route("/v1/decisions", size, methods=["POST"]),
            Route("/v1/changes", overload),
            Route("/livez", page),
            Route("/ui/reviews", page),
            Route("/ui/login", lambda request: RedirectResponse("/ui/reviews", 303)),
        ]
    )
    keys, metrics = Keys(home), Metrics()
    # The clock stands still: on a slow machine it would earn the next request meanwhile.
    limits = Limits(Settings(rate_per_key=20, rate_per_peer=5), clock=lambda: 0.0)
    gate = Gate(inner, lambda: keys, lambda: metrics, lambda: limits)

    def send(method, path, *, authorized=True, headers=None, scheme="http", **more):
        async def go():
            transport = httpx.ASGITransport(gate)
            async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://test") as client:
                own = {"Authorization": f"Bearer {key}"} if authorized else {}
                return await client.request(method, path, headers=own | (headers or {}), **more)

        return anyio.run(go)

    send.session = keys.open_session(keys.client_of_key(key))
    return send


def test_the_body_and_the_client_reach_the_application(call):
    answer = call("POST", "/v1/decisions", headers=JSON, content=b"x" * 1000)
    assert answer.json() == {"size": 1000, "client": "shop"}


@pytest.mark.parametrize(
    "path", ["/v1/decisions", "/", "/docs.json", "/metrics", "/nowhere", "/livez/", "//livez", "/ui"]
)
@pytest.mark.parametrize("header", [None, "Bearer ", "Bearer wrong", "Basic c2hvcDpzaG9w", "dgt_x"])
def test_without_a_key_nothing_answers(call, path, header):
    headers = {"Authorization": header} if header else {}
    answer = call("POST", path, authorized=False, headers=headers | JSON, content=b"{}")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Bearer" in answer.headers["www-authenticate"]


def test_health_is_open(call):
    assert call("GET", "/livez", authorized=False).status_code == 200


@pytest.mark.parametrize("more", [0, 1])
def test_one_mebibyte_is_the_limit(call, more):
    answer = call("POST", "/v1/decisions", headers=JSON, content=b"x" * (MAX_BODY + more))
    assert answer.status_code == (413 if more else 200)


def test_a_body_in_pieces_is_counted_too(call):
    async def pieces():
        for _ in range(20):
            yield b"x" * 100_000

    assert call("POST", "/v1/decisions", headers=JSON, content=pieces()).status_code == 413


def test_a_body_that_says_it_is_huge_is_refused_unread(call):
    answer = call("POST", "/v1/decisions", headers=JSON | {"Content-Length": "99999999999"}, content=b"x")
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "kind", ["text/plain", "", "application/json; charset=latin-1", "application/x-www-form-urlencoded"]
)
def test_only_json_is_accepted(call, kind):
    assert call("POST", "/v1/decisions", headers={"Content-Type": kind}, content=b"{}").status_code == 415


BODIES = {
    "JSON": (JSON, b"{}"),
    "text": ({"Content-Type": "text/plain"}, b"hello"),
    "nothing": ({}, b""),
    "a pickle": ({"Content-Type": "application/x-python-pickle"}, b"x"),
    "compressed": (JSON | {"Content-Encoding": "gzip"}, b"x"),
    "too much": (JSON, b"x" * (MAX_BODY + 1)),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("path", ["/v1/nowhere", "/v1/decisions/", "/v1/journeys/welcome", "/nowhere", "/ui/nowhere"])
def test_a_path_that_is_not_served_is_not_found_whatever_is_sent_there(call, path, body):
    headers, content = BODIES[body]
    answer = call("POST", path, headers=headers, content=content)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["type"] == "urn:dirigent:problem:not-found"


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v1/journeys", "GET, HEAD"),
        ("POST", "/v1/decisions/d-1", "GET, HEAD"),
        ("POST", "/v1/reservations/r-1", "GET, HEAD"),
        ("PUT", "/v1/decisions", "POST"),
        ("DELETE", "/v1/reservations/r-1/confirm", "POST"),
        ("PUT", "/ui/login", "GET, HEAD, POST"),
        ("POST", "/livez", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones_whatever_is_sent(call, method, path, allowed, body):
    headers, content = BODIES[body]
    answer = call(method, path, headers=headers, content=content)
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=UTF-8"])
def test_json_is_accepted_however_it_is_written(call, kind):
    assert call("POST", "/v1/decisions", headers={"Content-Type": kind}, content=b"{}").status_code == 200


def test_what_inner_layers_answer_becomes_a_problem(call):
    answer = call("GET", "/v1/changes")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["type"] == "urn:dirigent:problem:overloaded"


def test_a_page_asks_for_the_key_in_a_form_and_a_session_opens_it(call):
    door = call("GET", "/ui/page", authorized=False)
    assert door.status_code == 401
    assert '<form method="post" action="/ui/login">' in door.text
    assert 'value="/ui/"' in door.text, "a path that is no page of the console is not repeated"
    assert 'value="/ui/decisions"' in call("GET", "/ui/decisions", authorized=False).text
    cookie = {"Cookie": f"{COOKIE}={call.session}"}
    assert call("GET", "/ui/reviews", authorized=False, headers=cookie).text == "page"


def test_a_session_opens_pages_and_their_one_form_and_nothing_else(call):
    cookie = {"Cookie": f"{COOKIE}={call.session}"}
    assert call("POST", "/v1/decisions", authorized=False, headers=cookie | JSON, content=b"{}").status_code == 401
    assert call("POST", "/ui/reviews", authorized=False, headers=cookie).status_code == 401
    assert call("POST", "/ui/reviews/r-1/x", authorized=False, headers=cookie).status_code == 401
    form = call("POST", "/ui/reviews/r-1", authorized=False, headers=cookie)
    assert (form.status_code, form.json()["title"]) == (403, "Not allowed"), "an orchestrator may not review"


def test_a_path_is_never_put_into_the_form_unchecked(call):
    door = call("GET", '/ui/"><script>alert(1)</script>', authorized=False)
    assert "<script>" not in door.text


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "x", "gzip, identity"])
def test_a_compressed_body_is_refused_and_not_unpacked(call, coding):
    answer = call("POST", "/v1/decisions", headers=JSON | {"Content-Encoding": coding}, content=b"{}")
    assert answer.status_code == 415
    assert answer.json()["detail"] == "Send the body without Content-Encoding."


def test_heads_beyond_the_limits_are_refused(call):
    assert call("GET", "/livez", headers={f"x-{number}": "1" for number in range(MAX_HEADERS)}).status_code == 431
    assert call("GET", "/livez", headers={"x-long": "x" * MAX_HEAD}).status_code == 431
    assert call("GET", "/livez?" + "x" * MAX_URL).status_code == 414


def test_a_key_that_asks_too_often_is_told_when_to_come_back(call):
    answers = [call("GET", "/nowhere") for _ in range(45)]
    assert {answer.status_code for answer in answers[:40]} == {404}
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].json()["type"] == "urn:dirigent:problem:rate"


def test_strangers_are_limited_and_neither_keys_nor_health_suffer_from_it(call):
    answers = [call("GET", "/nowhere", authorized=False).status_code for _ in range(15)]
    assert answers[:10] == [401] * 10
    assert answers[-1] == 429
    assert call("GET", "/livez", authorized=False).status_code == 200
    assert call("POST", "/v1/decisions", headers=JSON, content=b"{}").status_code == 200


def test_every_answer_says_to_browsers_what_they_may_not_do(call):
    for answer in (call("GET", "/livez"), call("GET", "/nowhere"), call("GET", "/nowhere", authorized=False)):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers
        assert "strict-transport-security" not in answer.headers
    assert "max-age" in call("GET", "/livez", scheme="https").headers["strict-transport-security"]


def test_a_damaged_file_of_keys_is_unavailability_and_no_open_door(call, home):
    (home.keys / "api_keys.json").write_text("{")
    answer = call("GET", "/nowhere")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert str(home.root) not in answer.text
