"""A ledger of an earlier program is told apart before its keys are asked for, which that program did not have; on both stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from arbitration.errors import LedgerError
from serving.ledger.engine import open_engine, transaction
from serving.ledger.layout import check_layout
from serving.ledger.place import Place
from serving.opening import address_of, open_ledger
from serving.settings import Settings

EARLIER = ("CREATE TABLE schema_version (version INTEGER)", "CREATE TABLE decisions (decision_id TEXT, record TEXT)")


@pytest.fixture
def nothing(named, request) -> Path | str:
    """Where not even the tables of a ledger are: a file that does not exist, or a new database."""
    return (
        named.with_name("nothing.db") if isinstance(named, Path) else request.getfixturevalue("postgres").new_database()
    )


def made(named: Path | str, *statements: str) -> None:
    place = Place.of(named)
    engine = open_engine(place)
    with transaction(engine, place) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.mark.parametrize("statements", [EARLIER, EARLIER[:1], EARLIER[1:]])
def test_an_earlier_programs_ledger_is_named_before_its_missing_keys(nothing, tmp_path, statements):
    made(nothing, *statements)
    settings = Settings(home=tmp_path / "home", ledger=str(nothing))
    for opened in (open_ledger, address_of):
        with pytest.raises(LedgerError, match="written by an earlier version of this program") as caught:
            opened(settings)
        assert "move it away" in str(caught.value)
    assert not settings.paths.keys.exists()


def test_tables_of_others_in_the_same_place_are_no_earlier_ledger(nothing, tmp_path):
    made(nothing, "CREATE TABLE invoices (number INTEGER)")
    check_layout(Place.of(nothing))
    check_layout(Place.of(tmp_path / "nowhere.db"))
    assert not (tmp_path / "nowhere.db").exists()
