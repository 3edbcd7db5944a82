"""The tables of roles and endpoints: complete, shown as they are in the document, and what the router serves."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from serving.access import ACTS, ALLOWED, ENDPOINTS, OPEN, URGENT, Act, Role, act_of, endpoint_of, methods_of
from serving.app import application
from serving.console.pages import routes as console_routes
from serving.openapi import document

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "access.md").read_text()


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def test_every_role_and_every_act_stands_in_the_tables():
    assert tuple(ALLOWED) == get_args(Role)
    assert tuple(ACTS) == get_args(Act)
    assert set().union(*ALLOWED.values()) == set(ACTS)
    assert set(ACTS) >= URGENT


@pytest.mark.parametrize("role", ALLOWED)
def test_the_document_shows_what_each_role_may(role):
    assert row("role", *ACTS) in DOCUMENT
    assert row(role, *("yes" if act in ALLOWED[role] else "no" for act in ACTS)) in DOCUMENT


def test_the_document_shows_every_act_and_every_endpoint_and_no_other():
    lines = DOCUMENT.splitlines()
    for act, words in ACTS.items():
        assert row(act, words) in lines
    shown = [line for line in lines if line.startswith(("| GET", "| POST"))]
    assert shown == [row(one.method, f"`{one.path}`", one.act or "open") for one in ENDPOINTS]


def test_every_route_has_a_row_and_every_row_a_route():
    served = {
        (method, route.path)
        for route in application(console_routes()).routes
        for method in (route.methods or ()) - {"HEAD"}
    }
    assert served == {(one.method, one.path) for one in ENDPOINTS}


def test_the_published_document_and_the_table_name_the_same_calls():
    published = {(method.upper(), path) for path, calls in document()["paths"].items() for method in calls}
    assert published == {(one.method, one.path) for one in ENDPOINTS if not one.path.startswith("/ui/")}


def test_no_pair_of_method_and_path_stands_twice():
    assert len({(one.method, one.path) for one in ENDPOINTS}) == len(ENDPOINTS)


def test_only_health_and_the_sign_in_are_open():
    assert {"/livez", "/readyz", "/ui/login"} == OPEN


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_a_request_is_found_by_its_path(endpoint):
    path = endpoint.path.replace("{decision_id}", "d-1").replace("{name}", "x.css")
    assert endpoint_of(endpoint.method, path) == endpoint
    assert endpoint_of("DELETE", path) is None
    assert endpoint_of(endpoint.method, path + "/more/of/it") is None


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_a_path_names_every_method_that_it_answers_to(endpoint):
    same = {one.method for one in ENDPOINTS if one.path == endpoint.path}
    assert methods_of(endpoint.path) == tuple(sorted(same | ({"HEAD"} if "GET" in same else set())))
    assert methods_of(endpoint.path + "/more/of/it") == ()


def test_a_question_about_the_head_is_a_question():
    assert endpoint_of("HEAD", "/metrics") == endpoint_of("GET", "/metrics")


def test_a_route_without_a_row_cannot_be_made():
    with pytest.raises(KeyError):
        act_of("POST", "/v1/everything")
