"""What only an attacker sends: refused as a problem at once, without growing, and nobody else notices."""

from __future__ import annotations

import gzip
import pickle
import statistics
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from serving.auth import create_key
from serving.connections import HEAD_SECONDS, MAX_CONNECTIONS
from tests.e2e.raw_http import ask, connect, parsed, received, request
from tests.e2e.service_process import private_home, running

LIMITS_OFF = {"DIRIGENT_RATE_PER_KEY": "100000", "DIRIGENT_RATE_PER_PEER": "100000"}
MEBIBYTE = 1024 * 1024
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def server(shop_home, tmp_path_factory):
    home = private_home(shop_home, tmp_path_factory.mktemp("hostile") / "home")
    with running(home, create_key(home, "orchestrator", "orchestrator"), **LIMITS_OFF) as found:
        yield found


def wrapped(value: bytes) -> bytes:
    return b'{"request_id": "h", "customer": {"id": "1"}, "context": {"cart_value": ' + value + b"}}"


# Each case: headers beyond the usual ones, the body, and the status of the answer.
BODIES: dict[str, tuple[tuple[str, ...], bytes, int]] = {
    "a mebibyte of brackets": ((JSON,), b"[" * MEBIBYTE, 400),
    "depth 100,000": ((JSON,), wrapped(b"[" * 100_000 + b"]" * 100_000), 400),
    "depth of objects": ((JSON,), b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
    "a wide list": ((JSON,), b"[" + b"0," * 500_000 + b"0]", 400),
    "a wide object": ((JSON,), b"{" + b",".join(b'"%d":0' % one for one in range(90_000)) + b"}", 400),
    "wide as far as it is read": ((JSON,), b"{" + b",".join(b'"a%d":0' % one for one in range(1_990)) + b"}", 422),
    "1e400": ((JSON,), wrapped(b"1e400"), 400),
    "NaN": ((JSON,), wrapped(b"NaN"), 400),
    "a lone surrogate": ((JSON,), rb'{"request_id": "\ud800", "customer": {"id": "1"}}', 400),
    "many lone surrogates": ((JSON,), b'"' + rb"\udc00" * 170_000 + b'"', 400),
    "a name twice": ((JSON,), b'{"request_id": "a", "request_id": "b", "customer": {"id": "1"}}', 400),
    "a whole number of a mebibyte": ((JSON,), b"9" * MEBIBYTE, 400),
    "a fraction of a mebibyte": ((JSON,), wrapped(b"0." + b"9" * 1_000_000), 400),
    "an id of a mebibyte": ((JSON,), b'{"request_id": "' + b"x" * 1_000_000 + b'", "customer": {"id": "1"}}', 422),
    "a mebibyte of lines": ((JSON,), b"\n" * MEBIBYTE, 400),
    "one byte too much": ((JSON,), b" " * (MEBIBYTE + 1), 413),
    "a gzip bomb": ((JSON, "Content-Encoding: gzip"), gzip.compress(b"0" * 50 * MEBIBYTE), 415),
    "a pickle": (("Content-Type: application/x-python-pickle",), pickle.dumps({"request_id": "x"}), 415),
    "a pickle for BentoML": (("Content-Type: application/vnd.bentoml+pickle",), pickle.dumps([1]), 415),
    "a pickle that says it is JSON": ((JSON,), pickle.dumps({"request_id": "x"}), 400),
    "a form": (("Content-Type: multipart/form-data; boundary=x",), b"--x\r\n\r\n\r\n--x--", 415),
    "two media types": (("Content-Type: application/json, text/html",), b"{}", 415),
    "UTF-16": ((JSON,), '{"request_id": "x"}'.encode("utf-16"), 400),
    "65 headers": ((JSON, *(f"X-{one}: 1" for one in range(65))), b"{}", 431),
    "a header of 40 KiB": ((JSON, "X: " + "x" * 40_000), b"{}", 431),
    "10,000 headers": ((JSON, *(f"X-{one}: 1" for one in range(10_000))), b"{}", 431),
}
RAW: dict[str, tuple[bytes, int]] = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, 400),
    "a line without end": (b"GET /" + b"a" * 200_000, 414),
    "an address of 10 KiB": (b"GET /v1/" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a header without end": (b"GET /livez HTTP/1.1\r\nX: " + b"a" * 400_000, 431),
    "headers without end": (b"GET /livez HTTP/1.1\r\n" + b"X: 1\r\n" * 50_000, 431),
    "a length and chunks": (
        b"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two lengths": (b"POST /v1/decisions HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400),
    "a negative length": (b"POST /v1/decisions HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    "a length beyond numbers": (b"POST /v1/decisions HTTP/1.1\r\nContent-Length: " + b"9" * 50 + b"\r\n\r\n", 400),
    "a broken chunk": (b"POST /ui/login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "a NUL in a header": (b"GET /livez HTTP/1.1\r\nX: a\x00b\r\n\r\n", 400),
    "a folded header": (b"GET /livez HTTP/1.1\r\nX: a\r\n b\r\nConnection: close\r\n\r\n", 400),
    "an unknown method": (b"DECIDE /v1/decisions HTTP/1.1\r\n\r\n", 400),
    "HTTP 9": (b"GET /livez HTTP/9.9\r\n\r\n", 400),
}


def post(key: str, headers: tuple[str, ...], body: bytes) -> bytes:
    return request("POST", "/v1/decisions", key, *headers, body=body)


@pytest.mark.parametrize("case", BODIES, ids=str)
def test_a_hostile_request_is_a_problem_in_a_few_milliseconds(server, case):
    headers, body, status = BODIES[case]
    took = []
    for _ in range(5):
        began = time.perf_counter()
        answer = ask(server.port, post(server.key, headers, body))
        took.append(time.perf_counter() - began)
        assert answer.status == status, answer
        answer.problem()
        assert answer.headers["x-content-type-options"] == "nosniff"
    print(f"{case}: {statistics.median(took) * 1000:.1f} ms at the median of 5")
    assert statistics.median(took) < 1, took


@pytest.mark.parametrize("case", RAW, ids=str)
def test_what_is_hardly_http_is_a_problem_too(server, case):
    sent, status = RAW[case]
    answer = ask(server.port, sent, 5)
    assert answer.status == status, answer
    answer.problem()
    assert answer.headers["connection"] == "close"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../../etc/passwd",
        "/ui/static/../pages.py",
        "/ui/static/..%2f..%2fpages.py",
        "/ui/static/%2e%2e/pages.py",
        "/ui/static//etc/passwd",
        "/v1/decisions/%00",
        "/v1/decisions/..;/explanation",
        "//v1/decisions",
        "/v1/decisions%0d%0aX-Injected:1",
    ],
)
def test_a_path_leads_nowhere_but_to_what_is_served(server, path):
    answer = ask(server.port, request("GET", path, server.key))
    assert answer.status == 404
    answer.problem()
    assert "x-injected" not in answer.headers


def test_a_body_in_tiny_pieces_is_refused_before_it_costs_much(server):
    head = (
        f"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n{JSON}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()
    assert ask(server.port, head + b"1\r\n[\r\n" * 100_000, 5).problem()["status"] == 400


def test_requests_stuffed_into_one_line_are_answered_or_the_line_is_cut(server):
    one = f"GET /v1/decisions/d-1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n\r\n".encode()
    with connect(server.port, 5) as line:
        line.sendall(one * 5)
        time.sleep(0.5)
        line.sendall(b"garbage\r\n\r\n")
        found = received(line)
    assert found.count(b"HTTP/1.1 404") == 5
    assert found.count(b"HTTP/1.1 400") == 1
    with connect(server.port, 5) as line, suppress(OSError):
        line.sendall(one * 2_000)
        assert received(line).count(b"HTTP/1.1 404") < 2_000
    assert server.http.get("/livez").status_code == 200


def test_hundreds_of_hostile_requests_leave_memory_as_it_was(server):
    def resident() -> float:
        pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096 / MEBIBYTE

    mixed = [post(server.key, headers, body) for headers, body, _ in BODIES.values()]
    for sent in mixed:
        ask(server.port, sent)
    before = resident()
    for turn in range(500):
        ask(server.port, mixed[turn % len(mixed)])
    grown = resident() - before
    print(f"memory grew by {grown:.1f} MB over 500 hostile requests")
    assert grown < 20


def test_silent_lines_are_cut_and_others_are_served_meanwhile(server):
    with ExitStack() as held:
        lines = []
        for number in range(MAX_CONNECTIONS + 90):
            line = held.enter_context(connect(server.port))
            with suppress(OSError):
                line.sendall(b"POST /v1/decisions HTTP/1.1\r\nX-Slow: " if number % 2 else b"")
            lines.append(line)
        began = time.monotonic()
        took = []
        while time.monotonic() - began < HEAD_SECONDS - 2:
            asked = time.monotonic()
            with server.client(server.key) as fresh:
                assert fresh.get("/v1/decisions/d-1").status_code == 404
            took.append(time.monotonic() - asked)
            for line in lines[-19::2]:  # one more byte now and then does not buy more time
                with suppress(OSError):
                    line.sendall(b"x")
            time.sleep(0.2)
        print(f"{len(took)} others, slowest {max(took) * 1000:.0f} ms, while {len(lines)} lines were held open")
        assert max(took) < 5
        answers = [received(line) for line in lines]
        assert time.monotonic() - began < HEAD_SECONDS + 10
    late = [parsed(answer) for answer in answers if answer]
    assert {answer.status for answer in late} == {408}
    assert all(answer.problem()["type"].endswith(":slow") for answer in late)


def test_a_body_that_trickles_is_cut(server):
    head = (
        f"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n{JSON}\r\n"
        "Content-Length: 1000\r\n\r\n"
    ).encode()
    began = time.monotonic()
    with connect(server.port) as line:
        line.sendall(head)
        drip = threading.Thread(target=dripped, args=(line,))
        drip.start()
        answer = parsed(received(line))
        drip.join()
    assert answer.problem()["type"] == "urn:dirigent:problem:slow"
    assert time.monotonic() - began < 18


def dripped(line) -> None:
    with suppress(OSError):
        for _ in range(20):
            line.sendall(b" ")
            time.sleep(1)


def test_after_all_that_the_service_decides_and_has_logged_no_fault(server):
    assert server.decide("after-the-flood").status_code == 200
    log = server.log.read_text()
    assert "Traceback" not in log
    assert '"event": "fault"' not in log
    assert server.key not in log
