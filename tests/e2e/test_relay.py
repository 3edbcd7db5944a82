"""`dirigent relay` as an operator runs it: what a real service decides arrives in a file and at a webhook, without any customer id."""

from __future__ import annotations

import json
import re
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest

from features.home import Home
from serving.auth import create_key, secret
from tests.contracts.relaying import Receiver, receiver
from tests.e2e.forked_process import verb
from tests.e2e.service_process import ROOT, environment, private_home, running

VERB = [sys.executable, "-c", "from dirigent.main import run; run()", "relay"]


def relay(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    return verb(["relay", *arguments], environment(home, 1) | {"COLUMNS": "200"})


@pytest.fixture(scope="module")
def decided(shop_home, tmp_path_factory) -> Home:
    """A home whose service has decided and heard an outcome, and has ended."""
    found = private_home(shop_home, tmp_path_factory.mktemp("relay") / "home")
    with running(found, create_key(found, "orchestrator", "orchestrator"), forked=True) as server:
        decided = [
            server.decide(f"r-{number}", customer).json() for number, customer in enumerate(("1", "2", "1", "3"))
        ]
        told = {"id": "o-1", "source": "test", "decision_id": decided[0]["decision_id"], "step": 0, "type": "converted",
                "occurred_at": decided[0]["decided_at"]}  # fmt: skip
        assert server.http.post("/v1/outcomes", json=told).status_code == 200
    return found


@pytest.fixture
def home(decided, tmp_path) -> Home:
    """A copy of it."""
    return Home(shutil.copytree(decided.root, tmp_path / "home", symlinks=True))


def test_what_was_decided_arrives_in_a_file_and_at_a_webhook(home):
    file = home.root / "events" / "outbox.jsonl"
    done = relay(home, "--once", "--from-start")
    assert done.returncode == 0, done.stderr
    assert str(file) in done.stdout
    events = [json.loads(line) for line in file.read_text().splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds.count("dirigent.decision.made.v1") == 4
    assert kinds.count("dirigent.outcome.recorded.v1") == 1
    assert len({event["subject"] for event in events} - {"shop"}) == 3, "what concerns no customer names the shop"
    assert not {event["subject"] for event in events} & {"1", "2", "3"}
    assert {event["source"] for event in events} == {"urn:dirigent:shop"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = relay(home, "--once", "--from-start")
    assert (again.returncode, "--from-start changes nothing" in again.stdout) == (0, True)
    assert "new sink" in relay(home, "--once", "--to", f"jsonl:{home.root / 'late.jsonl'}").stdout
    assert len(file.read_text().splitlines()) == len(events), "nothing is told twice without need"
    signed = type("Signed", (Receiver,), {"fails": False, "secret": secret(home, "webhook")})
    with receiver(signed) as (url, got):
        assert relay(home, "--once", "--from-start", "--to", url).returncode == 0
        assert sorted(event["id"] for event in got) == sorted(event["id"] for event in events)
    shown = relay(home, "--status").stdout
    assert f"{url}: 0 pending" in shown


def test_what_cannot_be_told_is_reported_and_a_wrong_sink_is_refused(home):
    with receiver() as (url, _):
        pass
    done = relay(home, "--once", "--from-start", "--to", url)
    assert done.returncode == 1
    shown = relay(home, "--status").stdout
    assert re.search(r"[1-5] failing, 0 of them ten times or more: no connection \(ConnectError\)", shown)
    forgotten = relay(home, "--forget", url)
    assert forgotten.returncode == 0, forgotten.stderr
    assert re.search(r"forgotten; [1-9]\d* events were not told to it", forgotten.stdout)
    assert relay(home, "--forget", url).returncode == 2, "nobody knows it any more"
    assert url not in relay(home, "--status").stdout
    refused = relay(home, "--to", "ftp://somewhere")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_until_it_is_told_to_end(home, number):
    file = home.root / "events" / "outbox.jsonl"
    variables = environment(home, 1)
    with subprocess.Popen([*VERB, "--from-start"], cwd=ROOT, env=variables, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while not (file.exists() and file.stat().st_size) and time.monotonic() < until:
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(20) == 0
    assert file.stat().st_size
    assert "another process" not in relay(home, "--once").stdout, "it gave its lease back"
