"""What a home's anchors tell guards the opening of its ledger, in a file and in a database: another, empty one is never taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arbitration.errors import LedgerError
from features.home import Home
from serving.ledger.anchors import anchor, begin_anew
from serving.opening import open_ledger
from serving.settings import Settings
from tests.contracts.conftest import STORES


@pytest.fixture(params=STORES)
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Two places where no ledger lies yet."""
    if request.param == "sqlite":
        return str(tmp_path / "one.db"), str(tmp_path / "other.db")
    postgres = request.getfixturevalue("postgres")
    return postgres.new_database(), postgres.new_database()


def settings(home: Path, place: str) -> Settings:
    return Settings(home=home, ledger=place)


def kept(home: Path, place: str) -> None:
    """A ledger of this home at a place, with something in it and an anchor."""
    found = open_ledger(settings(home, place))
    with found.writing() as tx:
        tx.add_policy("v1", b"one")
    anchor(found, Home(home))
    found.close()


def test_the_ledger_that_was_anchored_opens_and_an_empty_one_in_its_place_does_not(tmp_path, places):
    one, other = places
    home = tmp_path / "home"
    kept(home, one)
    with pytest.raises(LedgerError, match="forgotten") as caught:
        open_ledger(settings(home, other))
    assert "--begin-anew" in caught.value.mend
    with pytest.raises(LedgerError, match="forgotten"):
        open_ledger(settings(home, other))  # what the first refusal may have left there makes it no other ledger
    found = open_ledger(settings(home, one))
    found.close()


def test_who_says_that_it_is_meant_begins_anew(tmp_path, places):
    one, other = places
    home = tmp_path / "home"
    kept(home, one)
    found = open_ledger(settings(home, other), anew=True)
    assert begin_anew(found, Home(home), "the old database is lost") is not None
    found.close()
    kept(home, other)
    with pytest.raises(LedgerError, match="forgotten"):
        open_ledger(settings(home, one))  # the old one lacks what the newest anchor names
