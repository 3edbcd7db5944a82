"""The recorder writes what the checker reads, from several threads and up to the moment of a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.history.lines import rows_of
from tests.history.recorder import Recorder
from tests.history.seen import Seen

ROOT = Path(__file__).resolve().parents[2]
KILLED = """
import os, signal, sys
from tests.history.recorder import Recorder
recorder = Recorder(sys.argv[1], "p1")
recorder.answer(recorder.ask("object", customer="anna"), status=200)
recorder.ask("erase", customer="anna")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_calls_carry_who_what_and_when(tmp_path):
    with Recorder(tmp_path / "p.jsonl", "p1") as recorder:
        call = recorder.ask("confirm", reservation_id="r1", epoch=3)
        recorder.answer(call, status=200)
        recorder.unknown(recorder.ask("release", reservation_id="r2"))
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [(it["client"], it["call"], it["kind"], it["phase"]) for it in lines] == [
        ("p1", 1, "confirm", "ask"), ("p1", 1, "confirm", "answer"), ("p1", 2, "release", "ask"), ("p1", 2, "release", "unknown"),
    ]  # fmt: skip
    assert sorted(it["at"] for it in lines) == [it["at"] for it in lines]
    assert lines[0]["epoch"] == 3


def test_threads_share_a_recorder(tmp_path):
    def calls() -> None:
        for number in range(200):
            recorder.answer(recorder.ask("object", customer=f"c{number}"), status=200)

    with Recorder(tmp_path / "p.jsonl", "p1") as recorder:
        threads = [threading.Thread(target=calls) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    seen = Seen.of([rows_of(tmp_path / "p.jsonl", 1, torn=True)])
    assert seen.calls == 800
    assert all(wish.done for wishes in seen.wishes.values() for wish in wishes)


def test_what_was_written_survives_a_kill(tmp_path):
    path = tmp_path / "p.jsonl"
    done = subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    wishes = Seen.of([rows_of(path, 1, torn=True)]).wishes["anna"]
    assert [(wish.kind, wish.done) for wish in wishes] == [("object", True), ("erase", False)]


def test_a_restarted_client_takes_a_file_of_its_own(tmp_path):
    Recorder(tmp_path / "p.jsonl", "p1").close()
    with pytest.raises(FileExistsError):
        Recorder(tmp_path / "p.jsonl", "p1")


def test_a_call_is_answered_once(tmp_path):
    with Recorder(tmp_path / "p.jsonl", "p1") as recorder:
        call = recorder.ask("object", customer="anna")
        recorder.answer(call, status=200)
        with pytest.raises(KeyError):
            recorder.answer(call, status=200)
