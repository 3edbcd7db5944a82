"""The table of access, asked of a running service: every endpoint times every kind of caller."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest

from serving.access import ALLOWED, ENDPOINTS
from serving.auth import create_key, revoke_key, rotate_key
from tests.e2e.service_process import private_home, running

LIMITS_OFF = {"DIRIGENT_RATE_PER_KEY": "100000", "DIRIGENT_RATE_PER_PEER": "100000"}
STRANGERS = ("none", "empty", "bad", "revoked", "expired", "replaced")


@pytest.fixture(scope="module")
def server(shop_home, tmp_path_factory):
    home = private_home(shop_home, tmp_path_factory.mktemp("authorization") / "home")
    with running(home, create_key(home, "first", "admin"), forked=True, **LIMITS_OFF) as found:
        yield found


@pytest.fixture(scope="module")
def keys(server):
    """A key per kind of caller, made while the service runs."""
    made = {role: create_key(server.home, role, role) for role in ALLOWED}
    made |= {"none": None, "empty": "", "bad": "dgt_" + "A" * 43}
    for name in ("revoked", "expired", "replaced"):
        made[name] = create_key(
            server.home, name, "admin", lifetime=timedelta(seconds=1) if name == "expired" else None
        )
    with server.client(made["revoked"]) as client:
        assert client.get("/metrics").status_code == 200
    revoke_key(server.home, "revoked")
    rotate_key(server.home, "replaced")
    time.sleep(1.1)
    return made


def asked(server, key, method, path):
    headers = {} if key is None else {"Authorization": f"Bearer {key}".strip()}
    for part in ("{decision_id}", "{name}", "{id}", "{reservation_id}", "{erasure_id}", "{journey}"):
        path = path.replace(part, "unknown")
    assert "{" not in path, "name the parameter above"
    body = {"json": {}} if method == "POST" and path.startswith("/v1/") else {}
    with server.client(None) as client:
        return client.request(method, path, headers=headers, **body)


def expected(endpoint, caller):
    if endpoint.act is None:
        return None
    if caller in STRANGERS:
        return 401
    return None if endpoint.act in ALLOWED[caller] else 403


def test_every_endpoint_answers_every_caller_as_the_table_says(server, keys):
    wrong, pairs = [], 0
    for endpoint in ENDPOINTS:
        for caller in (*STRANGERS, *ALLOWED):
            answer = asked(server, keys[caller], endpoint.method, endpoint.path)
            refused = answer.status_code if answer.status_code in (401, 403) else None
            # The sign-in shows its form again to a form without a key.
            if (endpoint.method, endpoint.path) == ("POST", "/ui/login"):
                refused = None if answer.status_code == 401 and "<form" in answer.text else answer.status_code
            pairs += 1
            if refused != expected(endpoint, caller) or answer.status_code in (405, 429) or answer.status_code >= 500:
                wrong.append((endpoint, caller, answer.status_code))
    assert wrong == []
    assert pairs == len(ENDPOINTS) * (len(STRANGERS) + len(ALLOWED))
    print(f"{pairs} pairs of endpoint and caller")


def test_the_table_has_every_call_that_the_service_publishes(server):
    paths = server.http.get("/openapi.json").json()["paths"]
    published = {(method.upper(), path) for path, calls in paths.items() for method in calls}
    assert published == {(one.method, one.path) for one in ENDPOINTS if not one.path.startswith("/ui/")}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_open_nothing(server, keys, method):
    for endpoint in ENDPOINTS:
        stranger = asked(server, None, method, endpoint.path).status_code
        assert stranger == (405 if endpoint.act is None else 401), endpoint
        assert asked(server, keys["admin"], method, endpoint.path).status_code == 405, endpoint


def test_a_refused_caller_is_told_what_its_role_may_not_and_nothing_else(server, keys):
    answer = asked(server, keys["associate"], "POST", "/v1/decisions")
    assert json.loads(answer.text)["detail"] == (
        "The role of this key does not allow it to ask for live decisions and hold their reservations."
    )
