"""The console's door: the key goes in once by a form, and a cookie that no script can read comes out."""

from __future__ import annotations

import time

import pytest

from serving.auth import create_key, revoke_key, rotate_key
from serving.login import COOKIE


@pytest.fixture
def browser(server):
    with server.client(None) as client:
        yield client


def test_a_right_key_opens_the_page_that_was_asked_for(server, browser):
    decision_id = server.decide("login-1").json()["decision_id"]
    page = f"/ui/decisions/{decision_id}"
    door = browser.get(page)
    assert door.status_code == 401
    assert f'value="{page}"' in door.text
    entered = browser.post("/ui/login", data={"key": server.key, "next": page})
    assert entered.status_code == 303
    assert entered.headers["location"] == page
    cookie = entered.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/ui"} <= {part.strip() for part in cookie.split(";")}
    assert server.key not in cookie
    assert browser.get(page).status_code == 200
    assert browser.post("/v1/decisions", json={}).status_code == 401, "a cookie must open pages only"


@pytest.mark.parametrize("key", ["", "wrong", "<script>"])
def test_a_wrong_key_shows_the_form_again(browser, key):
    answer = browser.post("/ui/login", data={"key": key, "next": "/ui/decisions"})
    assert answer.status_code == 401
    assert 'action="/ui/login"' in answer.text
    assert "set-cookie" not in answer.headers
    assert "<script>" not in answer.text


def test_a_form_that_is_no_form_costs_nothing(browser):
    began = time.perf_counter()
    answer = browser.post("/ui/login", content="key=" + "%41" * 300_000)
    assert answer.status_code == 401
    assert time.perf_counter() - began < 2
    assert browser.post("/ui/login", content="&".join(["key=x"] * 1000)).status_code == 401


@pytest.mark.parametrize("target", ["https://example.org/", "//example.org", "/v1/decisions", "/ui/../v1?x=1"])
def test_the_form_never_leads_out_of_the_console(server, browser, target):
    entered = browser.post("/ui/login", data={"key": server.key, "next": target})
    assert entered.headers["location"] == "/ui/"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_a_form_on_another_site_logs_nobody_in(server, browser, site):
    answer = browser.post("/ui/login", data={"key": server.key}, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_own_form_logs_in(server, browser, site):
    assert browser.post("/ui/login", data={"key": server.key}, headers={"Sec-Fetch-Site": site}).status_code == 303


def test_an_altered_cookie_opens_nothing(server, browser):
    browser.post("/ui/login", data={"key": server.key})
    value = browser.cookies[COOKIE]
    browser.cookies.clear()
    browser.cookies.set(COOKIE, value[:-4] + "0000", path="/ui")
    assert browser.get("/ui/decisions").status_code == 401


@pytest.mark.parametrize("change", [revoke_key, rotate_key])
def test_a_session_ends_with_the_key_that_opened_it(server, browser, change):
    key = create_key(server.home, "leaving", "marketer")
    browser.post("/ui/login", data={"key": key})
    assert browser.get("/ui/decisions").status_code == 200
    change(server.home, "leaving")
    assert browser.get("/ui/decisions").status_code == 401
    assert browser.post("/ui/login", data={"key": key}).status_code == 401


def test_the_door_and_the_pages_let_no_foreign_code_in(server, browser):
    door = browser.get("/ui/login")
    browser.post("/ui/login", data={"key": server.key})
    for page in (door, browser.get("/ui/decisions"), browser.get("/ui/static/console.css")):
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["referrer-policy"] == "no-referrer"
    assert door.headers["cache-control"] == "no-store"
