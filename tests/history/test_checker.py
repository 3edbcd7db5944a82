"""The checker accepts a history that is right, and finds each thing that may be wrong in it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.history.checker import judge_rows
from tests.history.small import ANNA, HOUR, R1, R2, R3, T0, Small

ROOT = Path(__file__).resolve().parents[2]
Break = Callable[[Small], object]
TAKEN = {"customer": "anna", "channel": "push", "purpose": "marketing"}
NEWER = R2 | {"epoch": 9, "reservation_id": "r9"}
LATE = {"reserved_at": T0 + 26 * HOUR, "settled_at": T0 + 28 * HOUR, "settled_order": 20, "lease_until": T0 + 29 * HOUR}
OK = {"status": 200}


def confirmed(day: int, **changed: object) -> dict[str, object]:
    """A contact that was confirmed at once; each day its own epoch and order."""
    at, order = T0 + day * 24 * HOUR, 100 + 2 * day
    row = {"table": "contacts", "state": "confirmed", "reserved_at": at, "settled_at": at, "lease_until": at + HOUR}
    row |= {
        "send_at": at,
        "reserved_order": order,
        "settled_order": order + 1,
        "epoch": order,
        "reservation_id": f"x{day}",
    }
    return ANNA | R2 | row | changed


BROKEN: dict[str, tuple[str, Break]] = {
    "I1 two reservations overlap": ("I1", lambda it: it.row("contacts", reservation_id="r2").update(LATE)),
    "I1 a reservation stands twice": ("I1", lambda it: it.again("contacts", {"reservation_id": "r3"}, reservation_id="r8", epoch=8)),
    "I1 the clock stood still": ("I1", lambda it: it.row("contacts", reservation_id="r2").update(
        settled_order=20, settled_at=T0 + 26 * HOUR + 1, lease_until=T0 + 28 * HOUR)),
    "I1 the clock was set back": ("I1", lambda it: it.row("contacts", reservation_id="r3").update(reserved_at=T0 + 26 * HOUR)),
    "I2 sliding day": ("I2", lambda it: it.row("contacts", reservation_id="r3").update(send_at=T0 + 24 * HOUR)),
    "I2 sent at another moment": ("I2", lambda it: it.row("contacts", reservation_id="r1").update(sent_at=T0 + 20 * HOUR)),
    "I2 the shop's own contact counts": ("I2", lambda it: it.row("contacts", origin="history").update(send_at=T0 - HOUR)),
    "I2 reserve of the week": ("I2", lambda it: it.dump.extend(confirmed(0, channel=f"c{n}", reservation_id=f"x{n}") for n in range(4))),
    "I2 month of a journey": ("I2", lambda it: it.dump.extend(confirmed(-1 - 2 * n, channel=f"c{n}") for n in range(9))),
    "I2 limit none": ("I2", lambda it: it.row("caps", id="goal").update(limit=0)),
    "I2 service used what was left": (
        "I2",
        lambda it: it.dump.extend(
            confirmed(0, purpose="service", channel=f"c{n}", reservation_id=f"x{n}", reserved_at=T0 - 9) for n in range(5)
        ),
    ),
    "I3 decided after withdrawal": ("I3", lambda it: it.line(400).update(channel="sms")),
    "I3 reserved after withdrawal": ("I3", lambda it: it.call(1, "withdraw", 531, 539, TAKEN, OK)),
    "I3 confirmed after withdrawal": ("I3", lambda it: it.call(1, "withdraw", 290, 299, TAKEN, OK)),
    "I3 a grant that ended before lifts nothing": ("I3", lambda it: (
        it.call(1, "grant", 501, 511, TAKEN, OK), it.call(1, "withdraw", 531, 539, TAKEN, OK))),
    "I3 after a withdrawal of every channel": ("I3", lambda it: it.call(1, "withdraw", 531, 539, TAKEN | {"channel": "*"}, OK)),
    "I3 after objection": ("I3", lambda it: it.call(1, "object", 531, 539, {"customer": "anna"}, OK)),
    "I3 after erasure": ("I3", lambda it: it.call(1, "erase", 531, 539, {"customer": "anna"}, OK)),
    "I3 in a pause": ("I3", lambda it: it.call(1, "pause", 531, 539, {"customer": "anna", "until": T0 + 32 * HOUR}, OK)),
    "I3 ledger: reserved behind withdrawal": ("I3", lambda it: it.row("consents", order=6).update(channel="sms")),
    "I3 ledger: reserved behind a withdrawal of every channel": ("I3", lambda it: it.again("consents", {"order": 6}, channel="*")),
    "I3 ledger: confirmed behind withdrawal": ("I3", lambda it: it.again("consents", {"order": 6}, channel="push", order=2)),
    "I3 ledger: a grant from before lifts nothing": ("I3", lambda it: (
        it.row("consents", order=6).update(channel="push"), it.again("consents", {"order": 1}, channel="push", order=8))),
    "I3 ledger: the shop's own withdrawal": ("I3", lambda it: it.row("consents", order=6).update(channel="sms", order=0)),
    "I3 ledger: behind objection": ("I3", lambda it: it.row("rights", kind="objection").update(order=8)),
    "I3 ledger: behind pause": ("I3", lambda it: it.row("rights", kind="pause").update(order=8)),
    "I3 ledger: behind erasure": ("I3", lambda it: it.row("rights", kind="erasure").update(subject="s1", order=8)),
    "I4 two answers": ("I4", lambda it: it.line(250).update(sha="zz")),
    "I4 two statuses": ("I4", lambda it: it.line(250).update(status=201)),
    "I4 the other body is accepted": ("I4", lambda it: it.line(270).update(status=200, sha="zz")),
    "I4 the other body is not refused as reused": ("I4", lambda it: it.line(270).update(status=404)),
    "I4 refused after it was answered": ("I4", lambda it: it.line(250).update(status=409)),
    "I4 nothing was in flight": ("I4", lambda it: it.line(150).update(at=99) or it.line(110).update(at=90)),
    "I4 in flight for ever": ("I4", lambda it: it.line(250).update(status=409, retry_after=1)),
    "I4 reserve has two answers": ("I4", lambda it: it.call(
        1, "reserve", 800, 810, it.line(540) | {"client": "p1", "at": 800, "call": 40}, {"call": 40, "status": 201, "sha": "zz"})),
    "I5 outcome stands twice": ("I5", lambda it: it.again("outcomes", {"id": "o1"})),
    "I5 outcome stands twice with another step": ("I5", lambda it: it.again("outcomes", {"id": "o1"}, step=2)),
    "I5 two answers to one outcome": ("I5", lambda it: it.line(335).update(sha="zz")),
    "I5 the other body is taken": ("I5", lambda it: it.line(321).update(body="other")),
    "I5 an unknown decision counts": ("I5", lambda it: it.row("outcomes", id="o2").update(matched=True)),
    "I5 a known decision does not count": ("I5", lambda it: it.row("outcomes", id="o1").update(matched=False)),
    "I5 counted twice": ("I5", lambda it: it.row("contacts", reservation_id="r1").update(outcomes=2)),
    "I6 decision lost": ("I6", lambda it: it.drop("decisions", decision_id="d1")),
    "I6 reservation lost": ("I6", lambda it: it.drop("contacts", reservation_id="r3")),
    "I6 confirmation lost": ("I6", lambda it: it.row("contacts", reservation_id="r1").update(state="expired")),
    "I6 release lost": ("I6", lambda it: it.row("contacts", reservation_id="r2").update(state="confirmed")),
    "I6 outcome lost": ("I6", lambda it: it.drop("outcomes", id="o2")),
    "I6 withdrawal lost": ("I6", lambda it: it.drop("consents", state="withdrawn")),
    "I6 evidence of a grant lost": ("I6", lambda it: it.row("consents", order=1).update(evidence="other")),
    "I6 withdrawal overwritten": ("I6", lambda it: it.row("consents", order=1).update(order=12)),
    "I6 objection lost": ("I6", lambda it: it.drop("rights", kind="objection")),
    "I6 pause lost": ("I6", lambda it: it.row("rights", kind="pause").update(until=T0)),
    "I6 erasure lost": ("I6", lambda it: it.row("rights", kind="erasure").update(id="e9")),
    "I7 answer differs": ("I7", lambda it: it.row("decisions", decision_id="d1").update(answer_sha256="zz")),
    "I7 status differs": ("I7", lambda it: it.row("decisions", decision_id="d1").update(status=201)),
    "I7 body differs": ("I7", lambda it: it.row("decisions", decision_id="d1").update(body_digest="zz")),
    "I7 customer differs": ("I7", lambda it: it.row("decisions", decision_id="d1").update(customer="bert")),
    "I7 epoch differs": ("I7", lambda it: it.row("contacts", reservation_id="r3").update(epoch=4)),
    "I7 time differs": ("I7", lambda it: it.row("contacts", reservation_id="r3").update(send_at=T0 + 32 * HOUR)),
    "I7 nobody asked": ("I7", lambda it: it.again("decisions", {"decision_id": "d1"}, decision_id="d7", request_id="q7", order=40)),
    "I7 one request, two decisions": ("I7", lambda it: it.again("decisions", {"decision_id": "d1"}, decision_id="d7", order=40)),
    "I7 two decisions, one number": ("I7", lambda it: it.row("decisions", decision_id="d1").update(order=7)),
    "I7 reservation stands twice": ("I7", lambda it: it.again("contacts", {"reservation_id": "r2"})),
    "I7 reservation without decision": ("I7", lambda it: it.row("contacts", reservation_id="r3").update(decision_id="d5")),
    "I7 settled without a moment": ("I7", lambda it: it.row("contacts", reservation_id="r3").update(state="expired")),
    "I7 outcome differs": ("I7", lambda it: it.row("outcomes", id="o1").update(type="clicked")),
    "I7 outcome of nobody": ("I7", lambda it: it.again("outcomes", {"id": "o1"}, id="o7", step=3)),
    "I7 audit altered": ("I7", lambda it: it.row("verify").update(exit=1)),
    "I7 audit not verified": ("I7", lambda it: it.drop("verify")),
    "I8 newer epoch handed out": ("I8", lambda it: it.call(
        1, "decide", 280, 290, {"customer": "anna", "request_id": "q8", "body": "b8"}, {"status": 200, "sha": "a8"} | NEWER)),
    "I8 wrong epoch": ("I8", lambda it: it.line(300).update(epoch=0)),
    "I8 released before": ("I8", lambda it: it.call(1, "release", 280, 290, {"reservation_id": "r1", "epoch": 1}, OK)),
    "I8 epoch falls": ("I8", lambda it: it.row("contacts", reservation_id="r3").update(epoch=1)),
    "I8 epoch twice": ("I8", lambda it: it.row("contacts", reservation_id="r3").update(epoch=2)),
    "I8 after the lease": ("I8", lambda it: it.row("contacts", reservation_id="r1").update(lease_until=T0 + 8)),
    "I8 behind a newer one": ("I8", lambda it: it.row("contacts", reservation_id="r1").update(settled_order=20)),
}  # fmt: skip

RIGHT: dict[str, Break] = {
    "as it is": lambda _: None,
    "exactly a day apart": lambda it: it.row("contacts", reservation_id="r1").update(sent_at=T0 + 6 * HOUR),
    "a withdrawal that overlaps the decision": lambda it: (
        it.call(1, "withdraw", 505, 515, TAKEN | {"channel": "sms"}, OK),
        it.again("consents", {"order": 6}, channel="sms", order=8),
    ),
    "a grant of unknown fate may have lifted it": lambda it: (
        it.line(400).update(channel="sms"), it.row("consents", order=6).update(channel="sms", order=1),
        it.again("consents", {"order": 1}, channel="sms", order=6, valid_from=T0 + 2 * HOUR),
        it.call(1, "grant", 420, None, TAKEN | {"channel": "sms"}, {}),
    ),
    "grants lift a withdrawal of every channel one by one": lambda it: [
        it.again("consents", {"order": 6}, channel="*", order=5),
        *(
            it.again("consents", {"order": 1}, channel=held["channel"], order=6, valid_from=T0 + 2 * HOUR)
            for held in (R2, R3)
        ),
    ],
    "an answer given again after a withdrawal": lambda it: (
        it.call(1, "withdraw", 311, 312, TAKEN, OK), it.again("consents", {"order": 6}, channel="push", order=3),
        it.call(1, "grant", 313, 314, TAKEN, OK), it.again("consents", {"order": 1}, channel="push", order=4, valid_from=T0 + HOUR),
        it.again("consents", {"order": 6}, channel="push", order=30), it.call(1, "withdraw", 780, 781, TAKEN, OK),
        it.call(1, "decide", 790, 791, it.line(100) | {"client": "p1", "at": 790, "call": 50}, {"call": 50, "status": 200, "sha": "a1"} | R1),
    ),
    "in flight behind a call of unknown fate": lambda it: it.call(
        0, "decide", 765, 770, {"customer": "anna", "caller": "shop", "request_id": "q9", "body": "b2"}, {"status": 409, "retry_after": 1}),
    "a passing refusal": lambda it: it.line(250).update(status=503),
    "a confirmation given again": lambda it: it.call(1, "confirm", 600, 610, {"reservation_id": "r1", "epoch": 1}, OK),
    "service messages beyond the cap": lambda it: it.dump.extend(
        confirmed(2, purpose="service", epoch=50 + n, reserved_order=50 + n, reservation_id=f"x{n}") for n in range(9)
    ),
    "a service message in between": lambda it: it.dump.append(confirmed(1, purpose="service", epoch=50)),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_accepted(name):
    history = Small()
    RIGHT[name](history)
    assert judge_rows(history.dump, history.histories) == []


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_found(name):
    invariant, broken = BROKEN[name]
    history = Small()
    broken(history)
    assert invariant in {finding.invariant for finding in judge_rows(history.dump, history.histories)}


def test_every_invariant_is_broken_in_several_ways():
    ways = [invariant for invariant, _ in BROKEN.values()]
    assert all(ways.count(f"I{number}") >= 3 for number in range(1, 9))


def run(tmp_path: Path, history: Small, *, torn: str = "") -> subprocess.CompletedProcess[str]:
    """The command on the history as files."""
    files = {"dump.jsonl": history.dump, "p0.jsonl": history.histories[0], "p1.jsonl": history.histories[1]}
    for name, rows in files.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / name).write_text(text + (torn if name == "p0.jsonl" else ""))
    command = [sys.executable, "-S", "-m", "tests.history.checker", str(tmp_path / "dump.jsonl"), str(tmp_path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command_needs_no_library_and_says_what_it_judged(tmp_path):
    done = run(tmp_path, Small(), torn='{"client": "p0", "cal')
    assert (done.returncode, done.stderr) == (0, "")
    assert "17 calls in 2 histories judged: 0 findings" in done.stdout


def test_the_command_names_the_lines_of_a_finding(tmp_path):
    history = Small()
    history.row("contacts", reservation_id="r3").update(epoch=2)
    done = run(tmp_path, history)
    assert done.returncode == 1
    assert "I8 anna: epoch 2 was handed out after 2 [dump.jsonl:10, dump.jsonl:11]" in done.stdout


@pytest.mark.parametrize(
    "torn", ["[]\n", "{\n", '{"phase": "ask"}\n', '{"phase": "ask", "call": 99, "kind": "dance", "at": 1}\n']
)
def test_the_command_refuses_what_is_no_history(tmp_path, torn):
    done = run(tmp_path, Small(), torn=torn)
    assert done.returncode == 2
    assert "line" in done.stderr or "p0.jsonl:" in done.stderr
