"""What is missing at the start is one line and an exit code; what happens while running is a problem, and passes."""

from __future__ import annotations

import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
from contextlib import closing
from datetime import UTC, datetime

import pytest

from features.home import Home
from serving.auth import create_key
from serving.ledger.anchors import anchor
from serving.ledger.rows import Answer, DecisionRow, Summary
from serving.ledger.store import Ledger
from serving.ledger.volume import stop
from serving.opening import keyring_of
from tests.e2e.forked_process import verb
from tests.e2e.service_process import ROOT, SERVE, environment, free_port, private_home, running


@pytest.fixture
def home(shop_home, tmp_path):
    return private_home(shop_home, tmp_path / "home")


def refused(home, port=None, command=("serve",), *, forked: bool = True, **more: str) -> str:
    """The one line with which a verb refuses. Not `forked`, it imports everything anew, as a person's would."""
    variables = environment(home, port or free_port(), **more)
    if forked:
        done = verb(command, variables)
    else:
        done = subprocess.run(
            [*SERVE[:-1], *command], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode in (2, 3), done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("{")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


def test_a_missing_bundle(home):
    (home.root / "bundles").unlink()
    assert "dirigent promote" in refused(home, forked=False)


def test_an_altered_bundle(home, shop_home):
    (home.root / "bundles").unlink()
    shutil.copytree(shop_home.bundles, home.bundles)
    folder = home.bundles / (home.bundles / "current").read_text().strip()
    victim = next(file for file in sorted(folder.iterdir()) if file.name != "manifest.json")
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    assert "altered" in refused(home)


@pytest.mark.parametrize("left", [(), ("registry.db",)])
def test_an_empty_feature_store(home, shop_home, left):
    (home.root / "feast").unlink()
    home.feast.mkdir()
    for name in left:
        shutil.copy2(shop_home.feast / name, home.feast / name)
    assert "dirigent features" in refused(home)


def test_no_customers(home):
    (home.root / "tables").unlink()
    assert "dirigent import" in refused(home)


def test_a_busy_port(home):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert "DIRIGENT_PORT" in refused(home, other.getsockname()[1])


@pytest.mark.parametrize(("option", "text"), [("--port", "99999"), ("--host", "nonsense"), ("--port", "0")])
def test_a_wrong_option(home, option, text):
    assert option in refused(home, command=["serve", option, text])


@pytest.mark.parametrize("command", [["key", "create", "shop"], ["import", "--example"], ["train"]])
def test_a_home_that_is_no_folder(tmp_path, command):
    file = tmp_path / "file"
    file.write_text("")
    line = refused(Home(file), command=command)
    assert str(file) in line
    assert "DIRIGENT_HOME" in line


def test_what_a_verb_writes_is_for_its_owner_alone(tmp_path):
    home = Home(tmp_path / "fresh")
    subprocess.run(
        [*SERVE[:-1], "key", "create", "shop"], cwd=ROOT, env=environment(home, free_port()), check=True, timeout=60
    )
    modes = {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (home.root, *home.root.rglob("*"))}
    assert modes == {0}


def test_a_lost_salt_is_not_replaced_while_decisions_rest_on_it(home):
    (home.keys / "salt").unlink(missing_ok=True)
    ledger = Ledger(home.ledger, keyring_of(home))
    with ledger.writing("1") as writing:
        moment, answer = datetime(2018, 1, 1, tzinfo=UTC), Answer("digest", 200, b"{}")
        silence = Summary(None, None, 0.0, 0.0, {})
        writing.add_decision(DecisionRow("d", "c", "r", "1", moment, "live", answer, "v", silence, b"", b""))
    ledger.close()
    assert "salt: is missing" in refused(home)
    assert not (home.keys / "salt").exists()


def test_an_unknown_setting(home):
    assert "DIRIGENT_PROT" in refused(home, forked=False, DIRIGENT_PROT="1")


def test_a_ledger_that_is_no_ledger(home):
    keyring_of(home)
    home.ledger.write_bytes(b"x" * 5000)
    assert "damaged" in refused(home)


@pytest.mark.parametrize("command", ["serve", "sweep --once", "verify"])
def test_a_home_whose_ledger_was_moved_away_does_not_begin_an_empty_one(home, command):
    ledger = Ledger(home.ledger, keyring_of(home))
    with ledger.writing() as tx:
        stop(tx, "welcome", by="maria", reason="too many")
    anchor(ledger, home)
    ledger.close()
    for file in home.root.glob("ledger.db*"):
        file.rename(home.root / f"{file.name}.away")
    told = refused(home, command=command.split())
    assert "the ledger is gone that anchors.jsonl tells of" in told
    assert "dirigent verify --begin-anew WHY" in told
    assert not home.ledger.exists()


@pytest.mark.parametrize("command", ["serve", "verify"])
def test_an_earlier_programs_ledger_is_named_and_not_its_missing_keys(home, command):
    for name in ("ledger_master", "ledger_audit"):
        (home.keys / name).unlink(missing_ok=True)
    with closing(sqlite3.connect(home.ledger)) as ledger:
        ledger.executescript("CREATE TABLE schema_version (version INTEGER); CREATE TABLE decisions (record TEXT)")
    told = refused(home, command=[command])
    assert "written by an earlier version of this program" in told
    assert "move it away" in told
    assert not (home.keys / "ledger_master").exists()


def test_answers_survive_a_restart_and_a_kill(home):
    key = create_key(home, "orchestrator", "orchestrator")
    with running(home, key) as server:
        first = server.decide("restart-1")
        server.stop(signal.SIGKILL)
    with running(home, key, forked=True) as server:
        again = server.decide("restart-1")
        assert (again.status_code, again.content) == (200, first.content)
        decision_id = first.json()["decision_id"]
        assert server.http.get(f"/v1/decisions/{decision_id}").json()["answer"] == first.json()
        assert server.decide("restart-1", "2").status_code == 422
        locked_ledger_is_a_problem_and_passes(server)
        assert server.stop() == -signal.SIGTERM
        assert "Traceback" not in server.log.read_text()


def locked_ledger_is_a_problem_and_passes(server) -> None:
    other = sqlite3.connect(server.home.ledger, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    answer = server.decide("locked-1")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/problem+json"
    assert "locked" in answer.json()["detail"]
    assert str(server.home.root) not in answer.text
    other.execute("ROLLBACK")
    other.close()
    assert server.decide("locked-1").status_code == 200
