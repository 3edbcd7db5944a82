"""JSON and back: what does not fit is refused with its path, and bytes are the same for equal objects."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from arbitration.codec import canonical_json, decode, encode
from arbitration.domain import Consent, Context, CustomerId, Estimate, Offer
from arbitration.errors import InputError
from arbitration.policy import Policy
from tests.unit.arbitration.situations import NOW, POLICY

CONTEXT = Context(CustomerId("c-1"), True, None, "de", {"a": 1, "b": 1.0, "c": True, "d": None, "e": "1"})

CONSENT = Consent("email", "marketing", "granted", "consent", "e", datetime(2020, 1, 1, tzinfo=UTC))


def test_feature_values_keep_their_exact_type() -> None:
    features = decode(Context, json.loads(canonical_json(CONTEXT))).features
    assert {name: type(value) for name, value in features.items()} == {
        "a": int, "b": float, "c": bool, "d": type(None), "e": str,
    }  # fmt: skip


def test_a_policy_survives_the_round_trip() -> None:
    assert decode(Policy, json.loads(canonical_json(POLICY))) == POLICY


def test_a_moment_is_utc_with_microseconds() -> None:
    moment = datetime(2018, 1, 1, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    consent = Consent("email", "marketing", "granted", "consent", None, moment)
    assert encode(consent)["valid_from"] == "2018-01-01T10:00:00.000005Z"
    assert decode(Consent, encode(consent)) == consent


def test_canonical_bytes_do_not_depend_on_order() -> None:
    assert (
        canonical_json({"b": 1, "a": [1.5, "ä"]})
        == canonical_json({"a": (1.5, "ä"), "b": 1})
        == '{"a":[1.5,"ä"],"b":1}'.encode()
    )


def test_a_whole_number_keeps_its_bytes() -> None:
    offer = Offer("coupon", 5)
    assert canonical_json(decode(Offer, encode(offer))) == canonical_json(offer)


def test_foreign_types_have_no_json_form() -> None:
    with pytest.raises(TypeError, match="set"):
        encode({1})
    with pytest.raises(InputError, match="no offset"):
        encode(NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"known": 1}, "Context.known"),
        ({"locale": None}, "Context.locale"),
        ({"nonsense": 1}, "Context.nonsense"),
        ({"features": []}, "Context.features"),
        ({"features": {"a": [1]}}, "Context.features.a"),
        ({"channels": "email"}, "Context.channels"),
        ({"paused_until": "tomorrow"}, "Context.paused_until"),
        ({"paused_until": "2018-01-01T00:00:00"}, "Context.paused_until"),
        ({"contacts": [{"journey": "a", "channel": "b", "sent_at": 3}]}, "Context.contacts[0].sent_at"),
        ({"contacts": [{"journey": "a"}]}, "Context.contacts[0]"),
        ({"contacts": [{"journey": "a", "channel": "b", "sent_at": "2018-01-01T00:00:00Z", "purpose": "fun"}]}, "Context.contacts[0].purpose"),
        ([], "Context"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_path(change: object, where: str) -> None:
    data = {**encode(CONTEXT), **change} if isinstance(change, dict) else change
    with pytest.raises(InputError) as caught:
        decode(Context, data)
    assert caught.value.where == where


def test_moments_are_read_with_any_offset() -> None:
    data = {**encode(CONTEXT), "paused_until": "2018-01-01T02:00:00+02:00"}
    assert decode(Context, data).paused_until == datetime(2018, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_an_estimate_that_is_no_number_can_be_kept_and_read_again(wrong: float) -> None:
    read = decode(Estimate, json.loads(canonical_json(Estimate(wrong, 0.1))))
    assert (repr(read.mean), read.sd) == (repr(wrong), 0.1)


def test_a_feature_that_is_no_number_is_kept_as_unknown() -> None:
    assert encode({"a": float("nan"), "b": 1.5}) == {"a": None, "b": 1.5}


@pytest.mark.parametrize("wrong", [10**400, "NaN", True])
def test_what_is_no_float_is_refused(wrong: object) -> None:
    with pytest.raises(InputError, match=r"Estimate\.mean"):
        decode(Estimate, {"mean": wrong})


@pytest.mark.parametrize("wrong", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+09:00"])
def test_a_moment_outside_of_time_is_refused(wrong: str) -> None:
    with pytest.raises(InputError, match="valid_from"):
        decode(Consent, {**json.loads(canonical_json(CONSENT)), "valid_from": wrong})
