"""What strict reading refuses, and that it says where."""

from __future__ import annotations

import pytest

from serving import strict_json
from serving.problems import Problem

REFUSED = {
    "not JSON": (b"{", "(body)"),
    "empty": (b"", "(body)"),
    "trailing text": (b"{} {}", "(body)"),
    "NaN": (b'{"a": NaN}', "(body)"),
    "Infinity": (b'{"a": -Infinity}', "(body)"),
    "a number beyond 64 bits": (b'{"a": 1e999}', "(body)"),
    "a huge whole number": (b'{"a": ' + b"9" * 5000 + b"}", "(body)"),
    "a name twice": (b'{"a": 1, "a": 2}', "a"),
    "a lone surrogate": (rb'{"a": {"b": ["\ud800"]}}', "a.b[0]"),
    "a lone surrogate as name": (rb'{"\udfff": 1}', "(unnamed)"),
    "a deep list": (b"[" * 50 + b"]" * 50, "[0]" * 13),
    "a very deep list": (b"[" * 100_000 + b"]" * 100_000, "(body)"),
    "another encoding": ('{"a": "ä"}'.encode("latin-1"), ""),
    "a byte order mark": (b"\xef\xbb\xbf{}", "(body)"),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refuses_what_other_readers_accept(case):
    body, field = REFUSED[case]
    with pytest.raises(Problem) as caught:
        strict_json.read(body)
    assert caught.value.status == 400
    assert [error.field for error in caught.value.errors] == ([field] if field else [])


def test_reads_plain_json():
    assert strict_json.read('{"a": [1, 2.5, null, true, "ä😀"]}'.encode()) == {"a": [1, 2.5, None, True, "ä😀"]}
