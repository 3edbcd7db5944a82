"""Keys, roles, sessions and secrets on disk."""

from __future__ import annotations

import json
import stat

import pytest

from arbitration.errors import InputError, StateError
from features.home import Home
from serving.auth import ALLOWED, Keys, create_key, secret


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


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


def test_a_damaged_secret_or_key_file_is_said_so(home):
    secret(home, "salt")
    (home.keys / "salt").write_text("short")
    with pytest.raises(StateError, match="32 bytes"):
        secret(home, "salt")
    create_key(home, "shop", "admin")
    (home.keys / "api_keys.json").write_text("{")
    with pytest.raises(StateError, match="cannot be read"):
        Keys(home).client_of_key("x")


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
    with monkeypatch.context() as later:
        now = __import__("time").time()
        later.setattr("serving.auth.time.time", lambda: now + 9 * 3600)
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
