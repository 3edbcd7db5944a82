"""Tables and migrations agree, new ledgers are made once, and a ledger of another program is refused in words that help."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Table, inspect

from arbitration.errors import LedgerError
from serving.ledger import bookkeeping
from serving.ledger.archive import Archive
from serving.ledger.engine import connection_of, open_engine, transaction
from serving.ledger.migrate import HEAD, VERSION_TABLE
from serving.ledger.place import Address, Place
from serving.ledger.schema import METADATA
from serving.ledger.store import Ledger
from tests.contracts.conftest import KEYRING, STORES, decision

STEPS = Path(__file__).resolve().parents[2] / "serving" / "ledger" / "migrations"


@pytest.fixture(params=STORES)
def nothing(request, tmp_path):
    """Where nothing lies yet: no file, or a database without tables."""
    if request.param == "sqlite":
        return tmp_path / "ledger.db"
    return request.getfixturevalue("postgres").new_database()


def execute(named, *statements: str) -> None:
    place = Place.of(named)
    engine = open_engine(place)
    with transaction(engine, place) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def tables_of(engine, place) -> dict[str, object]:
    """What a database says of its tables: columns, checks, unique constraints and indexes with their conditions."""
    with connection_of(engine, place) as connection:
        seen = inspect(connection)
        return {
            name: (
                [(it["name"], str(it["type"]), it["nullable"]) for it in seen.get_columns(name)],
                seen.get_pk_constraint(name)["constrained_columns"],
                {it["name"]: plain(it["sqltext"]) for it in seen.get_check_constraints(name)},
                sorted(tuple(it["column_names"]) for it in seen.get_unique_constraints(name)),
                {it["name"]: (it["column_names"], bool(it["unique"]), condition(it)) for it in seen.get_indexes(name)},
            )
            for name in seen.get_table_names()
            if name != VERSION_TABLE
        }


def plain(sql: str) -> str:
    return re.sub(r"\s+", " ", str(sql))


def condition(index) -> str:
    options = index.get("dialect_options", {})
    return plain(options.get("sqlite_where", options.get("postgresql_where", "")))


def test_the_migrations_make_the_tables_that_the_program_reads(ledger, tmp_path, request):
    with connection_of(ledger.engine, ledger.place) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, METADATA) == [], (
            "write a new migration: see serving/ledger/migrations/versions"
        )
    named = tmp_path / "other.db" if ledger.place.is_sqlite else request.getfixturevalue("postgres").new_database()
    place = Place.of(named)
    engine = open_engine(place)
    with transaction(engine, place) as connection:
        METADATA.create_all(connection)
    made, meant = tables_of(ledger.engine, ledger.place), tables_of(engine, place)
    engine.dispose()
    assert set(made) == set(meant) == set(METADATA.tables)
    for name, told in meant.items():
        assert made[name] == told, name
    assert len(made["contacts"][2]) >= 3, "checks are not compared, so this test could not fail"
    assert "reserved" in made["contacts"][4]["one_live_winner"][2]


def test_the_last_step_is_the_version_that_the_program_reads():
    config = Config()
    config.set_main_option("script_location", str(STEPS))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [HEAD]
    steps = [step.revision for step in script.walk_revisions()]
    assert steps == sorted(steps, reverse=True) == [f"{number:04}" for number in range(len(steps), 0, -1)]


def test_a_ledger_is_made_once_by_all_who_start_together(nothing):
    def start(_: int) -> None:
        Ledger(nothing, KEYRING).close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    ledger = Ledger(nothing, KEYRING)
    with ledger.writing("c1") as tx:
        tx.add_decision(decision())
    ledger.close()


def test_a_ledger_that_is_up_to_date_is_opened_without_alembic(tmp_path):
    program = f"""
import sys
from pathlib import Path
from serving.ledger.keyring import Keyring
from serving.ledger.store import Ledger
Ledger(Path({str(tmp_path / "ledger.db")!r}), Keyring(b"m" * 32, b"a" * 32, b"s" * 32)).close()
print("alembic" in sys.modules)
"""
    run = [sys.executable, "-c", program]
    printed = [subprocess.run(run, capture_output=True, text=True, check=True, cwd=STEPS.parents[2]) for _ in range(2)]
    assert [done.stdout.strip() for done in printed] == ["True", "False"]
    assert [done.stderr for done in printed] == ["", ""]


def test_an_older_ledger_gets_the_steps_that_it_lacks(nothing):
    Ledger(nothing, KEYRING).close()
    later = [table.name for table in vars(bookkeeping).values() if isinstance(table, Table)]
    execute(nothing, *(f"DROP TABLE {name}" for name in later), f"UPDATE {VERSION_TABLE} SET version_num = '0001'")
    place = Place.of(nothing)
    with pytest.raises(LedgerError, match=f"has version 0001, this program reads version {HEAD}.*start the service"):
        Archive(Address(place, KEYRING))
    ledger = Ledger(nothing, KEYRING)
    assert set(tables_of(ledger.engine, place)) == set(METADATA.tables)
    ledger.close()
    Archive(Address(place, KEYRING)).close()


@pytest.mark.parametrize("version", ["9999", "abc"])
def test_a_ledger_of_a_newer_program_is_refused_and_left_as_it_is(nothing, version):
    ledger = Ledger(nothing, KEYRING)
    with ledger.writing("c1") as tx:
        tx.add_decision(decision())
    ledger.close()
    execute(nothing, f"UPDATE {VERSION_TABLE} SET version_num = '{version}'")
    for opened in (lambda: Ledger(nothing, KEYRING), lambda: Archive(Address(Place.of(nothing), KEYRING))):
        with pytest.raises(LedgerError, match=f"has version {version}, this program reads version {HEAD}") as caught:
            opened()
        assert "start the program that wrote it" in str(caught.value)
    execute(nothing, f"UPDATE {VERSION_TABLE} SET version_num = '{HEAD}'")
    again = Ledger(nothing, KEYRING)
    with again.reading() as reading:
        assert reading.decision("d-1") == decision()
    again.close()


def test_a_ledger_of_the_layout_before_the_first_step_is_refused(nothing):
    execute(nothing, "CREATE TABLE schema_version (version INTEGER)", "INSERT INTO schema_version VALUES (3)")
    with pytest.raises(LedgerError, match=f"has version 3 of an earlier layout, this program reads version {HEAD}"):
        Ledger(nothing, KEYRING)


def test_tables_of_ours_without_a_version_are_not_touched(nothing):
    execute(nothing, "CREATE TABLE contacts (name TEXT)")
    with pytest.raises(LedgerError, match="has version none"):
        Ledger(nothing, KEYRING)


def test_reading_alone_makes_no_ledger(nothing):
    with pytest.raises(LedgerError, match="no ledger yet"):
        Archive(Address(Place.of(nothing), KEYRING))
    assert not isinstance(nothing, Path) or not nothing.exists()
