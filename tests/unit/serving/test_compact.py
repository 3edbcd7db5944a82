"""The short form of a decision: nothing is lost, equal decisions give equal bytes, and it is short."""

from __future__ import annotations

import json

import pytest

from arbitration.codec import canonical_json
from arbitration.compact import compact, expand
from arbitration.domain import Decision
from arbitration.errors import DirigentError
from tests.cases.test_cases import FILES, decision_of


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_case_comes_back_as_it_was(file):
    decision = decision_of(json.loads(file.read_text(encoding="utf-8"))["change"])
    again = expand(Decision, compact(decision))
    assert canonical_json(again) == canonical_json(decision), (
        "the numbers that are none are equal to nothing, themselves included"
    )
    assert compact(again) == compact(decision), "the same decision, though its windows are other objects"
    assert len(compact(decision)) < 0.6 * len(canonical_json(decision))


def test_what_says_something_else_is_refused():
    for text in (b"", b"[]", b"[[],[],5]", b"[[],[],{}]", b"[[],[],[1]]"):
        with pytest.raises((ValueError, IndexError, TypeError, DirigentError)):
            expand(Decision, text)
