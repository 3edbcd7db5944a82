"""The two small lists of rights: who may not be read, and whose hashes keep them out. Both survive crashes and other writers."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arbitration.errors import StateError
from features.home import Home
from features.rights import bar, barred, stamp, unbar
from features.suppression import keyed_hash, secret, suppress, suppressed
from serving import auth

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_nobody_is_barred_in_a_new_home_and_asking_writes_nothing(home: Home) -> None:
    assert barred(home) == frozenset()
    assert suppressed(home) is None
    assert not home.root.exists()


def test_a_customer_is_barred_until_the_last_reason_is_gone(home: Home) -> None:
    bar(home, "anna", "objection")
    bar(home, "anna", "erasure")
    unbar(home, "anna", "erasure")
    assert barred(home) == {"anna"}
    assert barred(home, "erasure") == frozenset()
    unbar(home, "anna", "objection")
    assert barred(home) == frozenset()


def test_the_stamp_changes_with_the_list_and_only_then(home: Home) -> None:
    before = stamp(home)
    bar(home, "anna", "objection")
    after = stamp(home)
    assert after != before
    bar(home, "anna", "objection")
    assert stamp(home) == after
    unbar(home, "anna", "objection")
    assert stamp(home) not in (before, after)


def test_the_list_is_readable_by_its_owner_only(home: Home) -> None:
    bar(home, "anna", "objection")
    assert stat.S_IMODE((home.rights / "barred.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.rights.stat().st_mode) == 0o700


def test_a_damaged_list_stops_every_reader_instead_of_reading_everybody(home: Home) -> None:
    bar(home, "anna", "objection")
    (home.rights / "barred.json").write_text('{"objection": ["an')
    with pytest.raises(StateError, match="restore it from your backup"):
        barred(home)


def test_writers_in_many_processes_lose_nobody(home: Home) -> None:
    code = """
import sys
from pathlib import Path
from features.home import Home
from features.rights import bar, unbar
home, number = Home(Path(sys.argv[1])), sys.argv[2]
for turn in range(25):
    bar(home, f"{number}-{turn}", "objection")
    bar(home, f"{number}-{turn}", "erasure")
    unbar(home, f"{number}-{turn}", "erasure")
"""
    started = [subprocess.Popen([sys.executable, "-c", code, str(home.root), str(n)], cwd=ROOT) for n in range(3)]
    assert [process.wait(timeout=120) for process in started] == [0, 0, 0]
    assert barred(home) == barred(home, "objection") == {f"{n}-{turn}" for n in range(3) for turn in range(25)}
    assert barred(home, "erasure") == frozenset()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(("objection", "erasure")), st.booleans()), max_size=12
    )
)
def test_the_list_is_what_the_calls_say(home: Home, steps) -> None:
    for customer in "abc":
        unbar(home, customer, "objection")
        unbar(home, customer, "erasure")
    expected = set()
    for customer, reason, barring in steps:
        (bar if barring else unbar)(home, customer, reason)
        (expected.add if barring else expected.discard)((customer, reason))
        assert barred(home) == {customer for customer, _ in expected}
        for one in ("objection", "erasure"):
            assert barred(home, one) == {customer for customer, reason in expected if reason == one}


def test_the_suppression_list_recognizes_whom_it_does_not_name(home: Home) -> None:
    suppress(home, ["anna", "pos_card:77"])
    suppress(home, ["ben"])
    listed = suppressed(home)
    assert listed is not None
    assert [listed.holds(name) for name in ("anna", "ben", "pos_card:77", "clara", "77")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    text = (home.rights / "suppressed").read_text()
    assert {len(line) for line in text.split()} == {64}
    assert not any(word in text for word in ("anna", "ben", "pos_card"))


def test_the_secret_is_the_services_own(home: Home) -> None:
    key = secret(home)
    assert key == auth.secret(home, "suppression")
    assert stat.S_IMODE((home.keys / "suppression").stat().st_mode) == 0o600
    assert keyed_hash(key, "anna") != keyed_hash(bytes(32), "anna")


def test_a_secret_that_is_gone_stops_the_import_instead_of_recognizing_nobody(home: Home) -> None:
    suppress(home, ["anna"])
    (home.keys / "suppression").unlink()
    with pytest.raises(StateError, match="is missing, and what was made with it exists"):
        suppressed(home)
    (home.keys / "suppression").write_text("damaged")
    with pytest.raises(StateError, match="does not hold 32 bytes in hex"):
        suppressed(home)


def test_a_home_whose_tables_are_links_has_the_lists_of_the_tables(home: Home, tmp_path: Path) -> None:
    home.tables.mkdir(parents=True)
    bar(home, "anna", "objection")
    other = Home(tmp_path / "other")
    other.root.mkdir()
    other.tables.symlink_to(home.tables)
    assert barred(other) == {"anna"}
    assert json.loads((other.rights / "barred.json").read_text())["objection"] == ["anna"]
