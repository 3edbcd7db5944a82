"""Which requests fit, and how the ones that do not are refused: by field, never with the value."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.journeys import StopRequest
from serving.problems import Problem
from serving.schemas import DecisionRequest, OutcomeReport, parse
from serving.schemas_reservations import ReviewRequest
from serving.schemas_rights import EvidenceGiven

GOOD = {"request_id": "r-1", "customer": {"id": "1"}}
OUTCOME = {
    "id": "o-1",
    "source": "shop",
    "decision_id": "d-1",
    "type": "opened",
    "occurred_at": "2018-01-02T15:00:00Z",
}
SECRET = "anna@example.com"
WRONG = {
    "no request_id": ({"customer": {"id": "1"}}, "request_id"),
    "an unknown field": (GOOD | {"segment": 1}, "segment"),
    "an unknown field that is an address": (GOOD | {SECRET: 1}, "(unnamed)"),
    "an e-mail address as customer": (GOOD | {"customer": {"id": SECRET}}, "customer.id"),
    "a phone number as customer": (GOOD | {"customer": {"id": "+49 170 1234567"}}, "customer.id"),
    "neither id nor alias": (GOOD | {"customer": {}}, "customer"),
    "id and alias": (GOOD | {"customer": {"id": "1", "alias": {"type": "device", "value": "x"}}}, "customer"),
    "a number as id": (GOOD | {"customer": {"id": 1}}, "customer.id"),
    "null as id": (GOOD | {"request_id": None}, "request_id"),
    "an unknown mode": (GOOD | {"mode": "test"}, "mode"),
    "two results": (GOOD | {"max_results": 2}, "max_results"),
    "true as number of results": (GOOD | {"max_results": True}, "max_results"),
    "a moment without offset": (
        GOOD | {"triggers": [{"journey": "welcome", "occurred_at": "2018-01-01T00:00:00"}]},
        "triggers[0].occurred_at",
    ),
    "a moment as number": (
        GOOD | {"triggers": [{"journey": "welcome", "occurred_at": 1514764800}]},
        "triggers[0].occurred_at",
    ),
    "a moment at the end of time": (
        GOOD | {"triggers": [{"journey": "welcome", "expires_at": "9999-12-31T23:59:59-12:00"}]},
        "triggers[0].expires_at",
    ),
    "a list in the context": (GOOD | {"context": {"cart_value": [1]}}, "context.cart_value"),
    "too many channels": (GOOD | {"channels": ["push"] * 51}, "channels"),
    "a list instead of an object": ([GOOD], "(body)"),
}


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_a_wrong_decision_request_names_the_field_and_not_the_value(case):
    body, field = WRONG[case]
    with pytest.raises(Problem) as caught:
        parse(DecisionRequest, json.dumps(body).encode())
    assert caught.value.status == 422
    assert field in {error.field for error in caught.value.errors}
    assert SECRET not in caught.value.response("urn:x").body.decode()


def test_a_field_that_fits_none_of_several_types_is_named_once():
    with pytest.raises(Problem) as caught:
        parse(DecisionRequest, json.dumps(GOOD | {"context": {"cart_value": [1]}}).encode())
    (error,) = caught.value.errors
    assert error.field == "context.cart_value"
    assert "number" in error.expected
    assert "string" in error.expected
    assert caught.value.detail == "Correct: context.cart_value."


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "seen"}, "type"),
        ({"step": -1}, "step"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"value": {"amount": "12", "currency": "USD"}}, "value.amount"),
        ({"value": {"amount": 12.0, "currency": "dollars"}}, "value.currency"),
        ({"value": {"amount": 1e300, "currency": "USD"}}, "value.amount"),
    ],
)
def test_a_wrong_outcome_names_the_field(change, field):
    with pytest.raises(Problem) as caught:
        parse(OutcomeReport, json.dumps(OUTCOME | change).encode())
    assert [error.field for error in caught.value.errors] == [field]


@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        (DecisionRequest, {"customer": {"id": "1"}}, "a value; it is required"),
        (DecisionRequest, GOOD | {"request_id": SECRET}, "a pseudonymous id or name: letters, digits, and . _ : -"),
        (OutcomeReport, OUTCOME | {"value": {"amount": 1, "currency": "usd"}}, "three capital letters, such as USD"),
        (StopRequest, {"reason": SECRET}, "a sentence of 3 to 300 characters without @ + < >"),
        (ReviewRequest, {"verdict": "approved", "reason": "ok"}, "a sentence of 3 to 300 characters without @ + < >"),
        (EvidenceGiven, {"text_id": "t", "text_sha256": "A" * 64, "source": "s", "requested_at": OUTCOME["occurred_at"]},
         "64 hexadecimal digits in lower case"),
    ],
)  # fmt: skip
def test_what_was_expected_fits_the_field(model, body, expected):
    with pytest.raises(Problem) as caught:
        parse(model, json.dumps(body).encode())
    (error,) = caught.value.errors
    assert error.expected.startswith(expected)


def test_a_full_request_fits():
    body = GOOD | {
        "decision_point": "app_home",
        "triggers": [{"journey": "cart_recovery", "event_id": "e1", "occurred_at": "2018-01-02T15:00:00-05:00"}],
        "channels": ["push", "email"],
        "context": {"cart_value": 80, "cart_open": 1},
        "mode": "dry_run",
        "max_results": 1,
    }
    request, plain = parse(DecisionRequest, json.dumps(body).encode())
    assert plain == body
    assert request.triggers[0].occurred_at is not None
    assert request.mode == "dry_run"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_value_is_read_or_refused_and_nothing_else(value):
    body = json.dumps(value).encode()
    with pytest.raises(Problem) as caught:
        parse(DecisionRequest, body)
    assert caught.value.status in (400, 422)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_and_nothing_else(body):
    with pytest.raises(Problem):
        parse(OutcomeReport, body)
