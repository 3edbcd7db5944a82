"""The verb that makes, rotates, revokes and lists keys, as it is typed."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from arbitration.errors import InputError
from dirigent.key import app
from features.home import Home
from serving.auth import Keys


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DIRIGENT_HOME", str(tmp_path))
    return Home(tmp_path)


def typed(*words: str) -> str:
    """What the command printed; an error of ours is raised as the program's entry point sees it."""
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_a_key_is_printed_once_and_opens(home):
    key = typed("create", "shop", "--role", "privacy", "--expires-days", "30")
    client = Keys(home).client_of_key(key)
    assert (client.name, client.role) == ("shop", "privacy")


def test_a_second_key_for_a_name_is_refused_with_the_way_out(home):
    key = typed("create", "shop")
    with pytest.raises(InputError, match="already has a key; dirigent key rotate shop"):
        typed("create", "shop")
    assert Keys(home).client_of_key(key) is not None


def test_a_name_that_differs_only_by_case_is_refused(home):
    typed("create", "anna")
    with pytest.raises(InputError, match="Anna: is too much like anna, which has a key"):
        typed("create", "Anna")
    assert "Anna" not in typed("list")


def test_a_rotation_prints_a_new_key_and_keeps_the_old_one_for_the_overlap(home):
    old = typed("create", "shop")
    new = typed("rotate", "shop", "--overlap-hours", "24")
    keys = Keys(home)
    assert keys.client_of_key(old) == keys.client_of_key(new)
    last = typed("rotate", "shop")
    assert [keys.client_of_key(key) is not None for key in (old, new, last)] == [False, False, True]


def test_a_revoked_key_opens_nothing(home):
    key = typed("create", "shop")
    assert typed("revoke", "shop") == "shop has no key any more"
    assert Keys(home).client_of_key(key) is None


def test_the_list_names_clients_and_dates_but_no_key_and_no_hash(home):
    key = typed("create", "shop", "--role", "marketer", "--expires-days", "1")
    typed("create", "engine")
    shown = typed("list")
    for word in ("shop", "marketer", "engine", "orchestrator", "created", "expires", "last rotation", "never"):
        assert word in shown
    kept = (home.keys / "api_keys.json").read_text()
    assert key not in shown + kept
    assert not any(line.split('"')[3] in shown for line in kept.splitlines() if '"hash"' in line)


@pytest.mark.parametrize("words", [("create", "a@b"), ("create", "shop", "--role", "root"), ("revoke", "nobody")])
def test_a_wrong_name_or_role_is_an_error_that_says_so(home, words):
    with pytest.raises(InputError):
        typed(*words)


@pytest.mark.parametrize(
    "words", [("create", "shop", "--expires-days", "0"), ("rotate", "shop", "--overlap-hours", "-1")]
)
def test_a_wrong_length_of_time_is_refused(home, words):
    assert CliRunner().invoke(app, list(words)).exit_code == 2
