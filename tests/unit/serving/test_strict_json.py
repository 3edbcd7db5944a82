"""What strict reading refuses, and that it says where."""

from __future__ import annotations

import time
from contextlib import suppress

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
    "a wide list": (b"[" + b"1," * 6000 + b"1]" + b"[" * 5000, "(body)"),
    "a wide object": (b'{"a":' * 9000, "(body)"),
    "a list of a mebibyte": (b"[" + b"0," * 500_000 + b"0]", "(body)"),
    "a number of a mebibyte": (b'{"a": 0.' + b"1" * 1_000_000 + b"}", "(body)"),
    "1e400": (b'{"a": 1e400}', "(body)"),
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


MEBIBYTE = 1024 * 1024
BOMBS = {
    "depth": b"[" * MEBIBYTE,
    "closed depth": b"[" * (MEBIBYTE // 2) + b"]" * (MEBIBYTE // 2),
    "width": b"[" + b"0," * (MEBIBYTE // 2 - 2) + b"0]",
    "objects": b"[" + b"{}," * (MEBIBYTE // 3 - 2) + b"{}]",
    "names": b"{" + b",".join(b'"%d":0' % number for number in range(90_000)) + b"}",
    "just below the limit": b"[" + b",".join([b"[]"] * 1_990) + b"]",
    "digits": b"9" * MEBIBYTE,
    "fraction": b"0." + b"9" * (MEBIBYTE - 2),
    "exponent": b"1e" + b"9" * (MEBIBYTE - 2),
    "text": b'"' + b"x" * (MEBIBYTE - 2) + b'"',
    "escapes": b'"' + rb"\u00e9" * (MEBIBYTE // 6 - 1) + b'"',
    "surrogates": b'"' + rb"\ud800" * (MEBIBYTE // 6 - 1) + b'"',
    "open text": b'"' + b"x" * (MEBIBYTE - 1),
    "white space": b" " * MEBIBYTE,
    "lines": b"\n" * MEBIBYTE,
}


@pytest.mark.parametrize("bomb", BOMBS, ids=str)
def test_a_mebibyte_of_anything_is_read_or_refused_at_once(bomb):
    took = []
    for _ in range(5):
        began = time.process_time()
        with suppress(Problem):
            strict_json.read(BOMBS[bomb])
        took.append(time.process_time() - began)
    print(f"{bomb}: {sorted(took)[2] * 1000:.1f} ms")
    assert sorted(took)[2] < 0.2  # a busy machine is slower; benchmarks/reliability/hostile.py measures
