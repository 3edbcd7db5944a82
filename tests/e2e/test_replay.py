"""Replay as its callers see it: over HTTP and on the command line, while the service runs and after its catalog has changed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from arbitration.domain import Decision
from catalog.loading import EXAMPLE, load_catalog
from features.home import Home
from scripts.environment import CONSOLE_SCRIPT
from serving.auth import create_key
from serving.compact import compact, expand, plain
from serving.ledger.changes import Proposal, propose
from serving.ledger.store import Ledger
from serving.opening import keyring_of
from serving.replay_many import CHECKED_AT_ONCE
from tests.e2e.forked_process import verb
from tests.e2e.service_process import ROOT, environment, private_home, running
from tests.e2e.tampering import alter, copy_of

HOUSEHOLDS = range(1, 41)


def replay(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    return verb(["replay", *arguments], environment(home, 1))


def another_catalog(folder: Path) -> Path:
    """The example with longer quiet hours."""
    shutil.copytree(EXAMPLE, folder)
    file = folder / "contact_policy.yaml"
    file.write_text(file.read_text().replace("quiet_from: 21", "quiet_from: 18"))
    return folder


def agree(home: Home, catalog: Path) -> None:
    """The change to longer quiet hours, as `dirigent change propose` records it: it widens nothing."""
    ledger = Ledger(home.ledger, keyring_of(home))
    versions = load_catalog(EXAMPLE).version, load_catalog(catalog).version
    ledger.write(None, lambda tx: propose(tx, Proposal("catalog", *versions), "shop"))
    ledger.close()


@pytest.fixture(scope="module")
def decided(shop_home, tmp_path_factory):
    """A home in which one service decided, was restarted with another catalog, and decided again; the service still runs."""
    root = tmp_path_factory.mktemp("replay")
    home = private_home(shop_home, root / "home")
    key = create_key(home, "shop", "orchestrator")
    with running(home, key, forked=True) as server:
        first = [server.decide(f"a-{number}", str(number)).json() for number in HOUSEHOLDS]
    catalog = another_catalog(root / "catalog")
    agree(home, catalog)
    with running(home, key, forked=True, DIRIGENT_CATALOG=str(catalog)) as server:
        second = [server.decide(f"b-{number}", str(number)).json() for number in HOUSEHOLDS]
        assert {one["versions"]["policy"] for one in first}.isdisjoint(one["versions"]["policy"] for one in second)
        yield server, first, second


def test_every_decision_replays_identically_beside_the_service_and_after_another_catalog(decided):
    server, _, _ = decided
    done = replay(server.home, "--all", "--check")
    assert done.returncode == 0, done.stderr
    assert f"{2 * len(HOUSEHOLDS)} of {2 * len(HOUSEHOLDS)} recorded decisions are identical" in done.stdout


def test_the_console_script_as_installed_replays_on_several_processes(decided, tmp_path):
    server, first, _ = decided
    script = tmp_path / "dirigent"
    script.write_text(CONSOLE_SCRIPT.format(python=sys.executable))
    assert 2 * len(first) > CHECKED_AT_ONCE, "one process would do"
    own = environment(server.home, 1, PYTHONPATH=str(ROOT))
    done = subprocess.run(
        [sys.executable, str(script), "replay", "--all", "--check"],
        cwd=tmp_path, env=own, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"✓ {2 * len(first)} of {2 * len(first)} recorded" in done.stdout


def test_the_image_has_the_same_console_script():
    script = CONSOLE_SCRIPT.format(python="/opt/dirigent/bin/python").replace("\n", "\\n")
    assert f"printf '{script}' > /opt/dirigent/bin/dirigent" in (ROOT / "Dockerfile").read_text()


def test_a_record_of_an_earlier_version_is_said_to_be_unproven_and_alone_it_proves_nothing(decided, tmp_path):
    server, first, _ = decided
    home = copy_of(server.home, tmp_path / "earlier")
    alter(home, first[0]["decision_id"], "inputs", lambda part: compact(plain(part) | {"version": 1}))
    alone = replay(home, first[0]["decision_id"], "--check")
    assert (alone.returncode, "✓" in alone.stdout) == (1, False)
    assert "1 are unproven: it was written as version 1 of the record" in alone.stdout
    among = replay(home, "--all", "--check")
    assert (among.returncode, "✓" in among.stdout) == (0, False)
    assert "79 of 80" in among.stdout
    compared = replay(home, first[0]["decision_id"], "--policy", str(EXAMPLE))
    assert "1 of 1 recorded decisions were left out" in compared.stdout


def test_where_nothing_is_chosen_nothing_is_proven(decided, tmp_path):
    server, _, _ = decided
    done = replay(server.home, "--since", "2100-01-01T00:00:00Z", "--check")
    assert (done.returncode, "✓" in done.stdout) == (1, False)
    assert "No recorded decision lies in this span of time: nothing was checked" in done.stdout
    home = Home(tmp_path / "new")
    Ledger(home.ledger, keyring_of(home)).close()
    done = replay(home, "--all", "--check")
    assert done.returncode == 0
    assert "The ledger holds no decision yet: nothing was checked" in done.stdout


def test_settings_that_replay_cannot_show_are_named(decided, tmp_path):
    server, _, _ = decided
    folder = tmp_path / "catalog"
    shutil.copytree(EXAMPLE, folder)
    for file in folder.glob("*.yaml"):
        file.write_text(re.sub(r"margin_rate: [0-9.]+", "margin_rate: 0.011", file.read_text()))
    told = json.loads(replay(server.home, "--all", "--policy", str(folder), "--json").stdout)
    assert told["not_visible"] == ["margin_rate"]
    shown = replay(server.home, "--all", "--policy", str(folder)).stdout
    assert "not visible here: margin_rate; use dirigent catalog diff" in shown
    assert "holdout" in shown


def test_the_service_replays_one_decision(decided):
    server, first, second = decided
    for answer in (first[0], second[0]):
        path = f"/v1/decisions/{answer['decision_id']}/replay"
        found = server.http.post(path, content=b"", headers={"Content-Type": "application/json"})
        assert found.status_code == 200
        assert found.json() == {"decision_id": answer["decision_id"], "identical": True}
        assert server.http.post(path, json={}).json() == found.json()


def test_a_wrong_request_for_a_replay_is_refused(decided):
    server, first, _ = decided
    assert server.http.post("/v1/decisions/d-unknown/replay", json={}).status_code == 404
    wrong = server.http.post(f"/v1/decisions/{first[0]['decision_id']}/replay", json={"policy": {}})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "policy")
    with server.client(None) as stranger:
        assert stranger.post(f"/v1/decisions/{first[0]['decision_id']}/replay", json={}).status_code == 401


def test_the_record_keeps_its_shape(decided):
    server, first, _ = decided
    record = server.http.get(f"/v1/decisions/{first[0]['decision_id']}").json()["record"]
    assert {"context", "estimates", "decision", "draw", "now", "request", "version"} <= set(record)
    assert record["decision"]["decision_id"] == first[0]["decision_id"]


def test_a_tampered_decision_is_found_by_both_and_named(decided, tmp_path):
    server, first, _ = decided
    home = copy_of(server.home, tmp_path / "tampered")
    alter(
        home, first[3]["decision_id"], "decision",
        lambda part: compact(replace(expand(Decision, part), probability=0.125)),
    )  # fmt: skip
    done = replay(home, "--all", "--check")
    assert done.returncode == 1
    assert f"{first[3]['decision_id']}: differs first at probability" in done.stdout
    assert "79 of 80 recorded decisions are identical" in done.stdout
    told = json.loads(replay(home, first[3]["decision_id"], "--json").stdout)
    assert told["different"] == [{"decision_id": first[3]["decision_id"], "first_difference": "probability"}]


def test_another_policy_shows_its_blast_radius(decided, tmp_path):
    server, first, _ = decided
    candidate = tmp_path / "rarely.yaml"
    rarely = "{id: rarely, name: {en: Rarely, de: Selten}, limit: 1, window_hours: 1344}"
    candidate.write_text(f"contact_policy: {{caps: [{rarely}], quiet_from: 21, quiet_to: 8}}\n")
    told = json.loads(replay(server.home, "--all", "--policy", str(candidate), "--json").stdout)
    assert told["records"] == 2 * len(HOUSEHOLDS)
    assert told["silence_gained"] > 0
    assert told["net_after"] < told["net_before"]
    assert told["examples"][0]["decision_id"] in {one["decision_id"] for one in first}
    shown = replay(server.home, "--all", "--policy", str(candidate)).stdout
    assert f"{told['changed']} of {told['records']} decisions change" in shown
    assert "simulated" in shown
    same = json.loads(replay(server.home, "--until", "2100-01-01T00:00:00Z", "--policy", str(EXAMPLE), "--json").stdout)
    assert {one["decision_id"] for one in same["examples"]}.isdisjoint(one["decision_id"] for one in first)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which decisions"),
        (["--all", "d-1"], "which decisions"),
        (["--all", "--check", "--policy", "x.yaml"], "either --check or --policy"),
        (["d-unknown"], "there is no decision 'd-unknown'"),
        (["--all", "--since", "2018-01-02T10:00:00Z"], "leave out --all, or --since and --until"),
        (["--since", "2018-01-03T10:00:00Z", "--until", "2018-01-02T10:00:00Z"], "ends before it begins"),
        (["--since", "yesterday"], "--since: not a time"),
        (["--since", "2018-01-02T10:00:00"], "without an offset"),
        (["--all", "--policy", "nowhere.yaml"], "there is no catalog here"),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_2(decided, arguments, said):
    server, _, _ = decided
    done = replay(server.home, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_candidate_is_named_with_its_file_and_line(decided, tmp_path):
    server, _, _ = decided
    candidate = tmp_path / "candidate.yaml"
    candidate.write_text("contact_policy:\n  caps: []\n  quiet_from: 30\n  quiet_to: 8\n")
    done = replay(server.home, "--all", "--policy", str(candidate))
    assert done.returncode == 2
    assert f"{candidate}:3:" in done.stderr


def test_without_a_ledger_there_is_nothing_to_replay_and_nothing_is_made(tmp_path):
    done = replay(Home(tmp_path / "empty"), "--all")
    assert done.returncode == 3
    assert "there is no ledger yet" in done.stderr
    assert not (tmp_path / "empty").exists()


def test_replay_needs_neither_models_nor_the_feature_store():
    program = "import sys, serving.replay_many, dirigent.blast; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"feast", "mlflow", "lightgbm", "bentoml", "pandas", "duckdb"} & set(loaded.stdout.split())
