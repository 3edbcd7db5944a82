"""Keys, roles, sessions and secrets on disk."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest

from arbitration.errors import InputError, StateError
from features import suppression
from features.home import Home
from serving.access import ALLOWED
from serving.auth import Keys, create_key, revoke_key, rotate_key, secret, stored_keys


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@contextmanager
def at_later(monkeypatch, **later):
    """The machine's clock, so much later."""
    now = time.time() + timedelta(**later).total_seconds()
    with monkeypatch.context() as patch:
        patch.setattr("serving.auth.time.time", lambda: now)
        yield


def test_a_key_opens_and_only_its_hash_is_kept(home):
    key = create_key(home, "shop", "orchestrator")
    client = Keys(home).client_of_key(key)
    assert client is not None
    assert (client.name, client.role) == ("shop", "orchestrator")
    kept = (home.keys / "api_keys.json").read_text()
    assert key not in kept
    assert len(key) >= 40
    assert {entry["name"] for entry in json.loads(kept)["keys"]} == {"shop"}


@pytest.mark.parametrize("wrong", ["", "dgt_", "x" * 1000, "é", "dgt_" + "a" * 43])
def test_a_wrong_key_opens_nothing(home, wrong):
    create_key(home, "shop", "orchestrator")
    assert Keys(home).client_of_key(wrong) is None


def test_a_new_key_for_a_name_replaces_the_old_one_without_a_restart(home):
    first = create_key(home, "shop", "orchestrator")
    keys = Keys(home)
    assert keys.client_of_key(first) is not None
    second = create_key(home, "shop", "admin")
    assert keys.client_of_key(first) is None
    assert keys.client_of_key(second).role == "admin"


def test_secrets_are_made_once_and_readable_by_the_owner_only(home):
    salt = secret(home, "salt")
    assert len(salt) == 32
    assert secret(home, "salt") == salt != secret(home, "pepper")
    create_key(home, "shop", "admin")
    for path in home.keys.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.parametrize("make", [lambda home: secret(home, "suppression"), suppression.secret])
def test_a_secret_has_its_name_only_when_whole_and_the_folder_reaches_the_disk_after_it(home, monkeypatch, make):
    steps, real_sync, real_link = list[str](), os.fsync, os.link

    def sync(handle):
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        steps.append("folder" if folder else f"file of {os.fstat(handle).st_size}")
        real_sync(handle)

    def link(source, target):
        steps.append("name")
        real_link(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "link", link)
    made = make(home)
    assert steps == ["file of 64", "name", "folder"]
    assert make(home) == made
    assert [path.name for path in home.keys.iterdir()] == ["suppression"]


def test_a_damaged_secret_or_key_file_is_said_so(home):
    secret(home, "salt")
    (home.keys / "salt").write_text("short")
    with pytest.raises(StateError, match="32 bytes"):
        secret(home, "salt")
    create_key(home, "shop", "admin")
    (home.keys / "api_keys.json").write_text("{")
    with pytest.raises(StateError, match="cannot be read"):
        Keys(home).client_of_key("dgt_x")


def test_a_lost_pepper_is_not_replaced_while_keys_rest_on_it(home):
    create_key(home, "shop", "admin")
    (home.keys / "pepper").unlink()
    with pytest.raises(StateError, match=r"pepper: is missing.*backup"):
        Keys(home)
    with pytest.raises(StateError, match="backup"):
        create_key(home, "other", "admin")
    assert not (home.keys / "pepper").exists()


def test_a_session_holds_until_it_is_altered_runs_out_or_its_key_is_replaced(home, monkeypatch):
    create_key(home, "anna", "marketer")
    keys = Keys(home)
    client = keys.client_of_key(create_key(home, "berta", "marketer"))
    cookie = keys.open_session(client)
    assert keys.client_of_session(cookie) == client
    assert keys.client_of_session(cookie.replace("berta", "anna")) is None
    assert keys.client_of_session(cookie[:-1] + ("0" if cookie[-1] != "0" else "1")) is None
    assert keys.client_of_session("") is None
    assert keys.client_of_session("a.b.c") is None
    with at_later(monkeypatch, hours=9):
        assert keys.client_of_session(cookie) is None
    create_key(home, "berta", "marketer")
    assert keys.client_of_session(cookie) is None


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("shop", "root"),
        ("", "admin"),
        ("a@b", "admin"),
        ("a.b", "admin"),
        ("ä", "admin"),
        ("日本", "admin"),
        ("a\n", "admin"),
        ("a" * 65, "admin"),
    ],
)
def test_a_wrong_name_or_role_is_refused(home, name, role):
    with pytest.raises(InputError):
        create_key(home, name, role)


def test_only_orchestrators_and_admins_decide_and_report():
    assert {role for role, acts in ALLOWED.items() if "decide" in acts or "report" in acts} == {"orchestrator", "admin"}


def test_a_key_opens_until_it_runs_out_and_so_do_its_sessions(home, monkeypatch):
    key = create_key(home, "shop", "marketer", lifetime=timedelta(hours=2))
    keys = Keys(home)
    cookie = keys.open_session(keys.client_of_key(key))
    with at_later(monkeypatch, hours=1, minutes=59):
        assert keys.client_of_key(key).name == keys.client_of_session(cookie).name == "shop"
    with at_later(monkeypatch, hours=2):
        assert keys.client_of_key(key) is None
        assert keys.client_of_session(cookie) is None


def test_after_a_rotation_the_old_key_opens_for_the_overlap_and_no_longer(home, monkeypatch):
    old = create_key(home, "shop", "marketer")
    keys = Keys(home)
    cookie = keys.open_session(keys.client_of_key(old))
    new = rotate_key(home, "shop", overlap=timedelta(hours=3))
    assert keys.client_of_key(old) == keys.client_of_key(new) == keys.client_of_session(cookie)
    with at_later(monkeypatch, hours=3):
        assert keys.client_of_key(old) is None
        assert keys.client_of_session(cookie) is None
        assert keys.client_of_key(new).role == "marketer"


def test_a_rotation_without_overlap_ends_the_old_key_at_once(home):
    old = create_key(home, "shop", "admin")
    keys = Keys(home)
    new = rotate_key(home, "shop")
    assert keys.client_of_key(old) is None
    assert keys.client_of_key(new).role == "admin"


def test_an_overlap_never_outlives_the_old_key_and_the_new_one_lives_as_long(home, monkeypatch):
    old = create_key(home, "shop", "admin", lifetime=timedelta(hours=2))
    keys = Keys(home)
    with at_later(monkeypatch, hours=1):
        new = rotate_key(home, "shop", overlap=timedelta(days=1))
    with at_later(monkeypatch, hours=2, minutes=30):
        assert keys.client_of_key(old) is None
        assert keys.client_of_key(new) is not None
    with at_later(monkeypatch, hours=3, minutes=1):
        assert keys.client_of_key(new) is None


def test_a_revoked_key_and_its_session_open_nothing_from_then_on(home):
    key = create_key(home, "shop", "admin")
    keys = Keys(home)
    cookie = keys.open_session(keys.client_of_key(key))
    revoke_key(home, "shop")
    assert keys.client_of_key(key) is None
    assert keys.client_of_session(cookie) is None


def test_two_changes_within_one_tick_of_the_file_systems_clock_are_both_seen(home):
    keys = Keys(home)
    for _ in range(200):
        key = create_key(home, "shop", "admin")
        assert keys.client_of_key(key) is not None
        revoke_key(home, "shop")
        assert keys.client_of_key(key) is None


def test_a_name_without_a_key_cannot_be_rotated_or_revoked(home):
    for change in (rotate_key, revoke_key):
        with pytest.raises(InputError, match=r"nobody: has no key.*dirigent key list"):
            change(home, "nobody")
    assert stored_keys(home) == []


def test_a_fresh_key_replaces_nobodys(home):
    key = create_key(home, "shop", "admin", fresh=True)
    with pytest.raises(InputError, match="already has a key"):
        create_key(home, "shop", "admin", fresh=True)
    assert Keys(home).client_of_key(key) is not None


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(days=-1), timedelta(days=3651)])
def test_a_wrong_lifetime_is_refused(home, lifetime):
    with pytest.raises(InputError, match="lifetime"):
        create_key(home, "shop", "admin", lifetime=lifetime)


def test_processes_that_make_keys_at_the_same_time_lose_none(home):
    code = (
        "import sys; from pathlib import Path; from features.home import Home; from serving.auth import create_key\n"
        "for n in range(10): create_key(Home(Path(sys.argv[1])), f'{sys.argv[2]}-{n}', 'associate')"
    )
    makers = [subprocess.Popen([sys.executable, "-c", code, str(home.root), str(one)]) for one in range(4)]
    assert [maker.wait(60) for maker in makers] == [0] * 4
    assert {key.name for key in stored_keys(home)} == {f"{one}-{n}" for one in range(4) for n in range(10)}
    assert list(home.keys.glob(".new-*")) == []


def test_keys_of_an_earlier_version_still_open(home):
    key = create_key(home, "shop", "admin")
    path = home.keys / "api_keys.json"
    kept = json.loads(path.read_text())["keys"]
    path.write_text(
        json.dumps({"keys": [{name: one[name] for name in ("name", "role", "hash", "created_at")} for one in kept]})
    )
    assert Keys(home).client_of_key(key).name == "shop"
