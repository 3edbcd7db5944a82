"""The short form of a decision: nothing is lost, equal decisions give equal bytes, and it is short."""

from __future__ import annotations

import json

import pytest

from arbitration.codec import canonical_json
from arbitration.domain import Decision
from arbitration.errors import DirigentError
from serving.compact import compact, expand
from tests.cases.test_cases import FILES, decision_of


def by_value(decision):
    """A whole number in a field of numbers comes back as 0.0; what is no number is equal to nothing, itself included."""
    return json.loads(canonical_json(decision), parse_int=float, parse_constant=str)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_case_comes_back_as_it_was(file):
    decision = decision_of(json.loads(file.read_text(encoding="utf-8"))["change"])
    again = expand(Decision, compact(decision))
    assert by_value(again) == by_value(decision)
    assert compact(decision_of(json.loads(file.read_text(encoding="utf-8"))["change"])) == compact(decision)
    assert len(compact(decision)) < 0.8 * len(canonical_json(decision))


def test_what_says_something_else_is_refused():
    for text in (b"", b"[]", b"\x80", b"\xc1", b"\x81", b"\x90" * 5000):
        with pytest.raises(DirigentError):
            expand(Decision, text)
