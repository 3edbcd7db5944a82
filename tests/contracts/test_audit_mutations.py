"""Whatever is done to a ledger's file behind its back is found, and the command line says so."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from arbitration.errors import InputError, LedgerError, StateError
from dirigent.main import app
from features.home import Home
from serving.clock import Clock
from serving.ledger import bookkeeping, rights
from serving.ledger.anchors import anchor, path_of
from serving.ledger.auditing import LEFT_OUT
from serving.ledger.place import Address, Place
from serving.ledger.store import Ledger
from serving.ledger.verify import AUDITED, verify
from serving.opening import keyring_of, open_ledger
from serving.settings import Settings
from tests.contracts.audited import filled
from tests.contracts.conftest import KEYRING, NOW, decision


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> tuple[Path, Path]:
    """A closed ledger file, and an older copy of it."""
    folder = tmp_path_factory.mktemp("original")
    found = Ledger(folder / "ledger.db", KEYRING, Clock(NOW))
    filled(found)
    with closing(sqlite3.connect(folder / "ledger.db")) as now, closing(sqlite3.connect(folder / "older.db")) as older:
        now.backup(older)
    with found.writing("c1") as tx:
        tx.add_decision(decision(50))
    anchor(found, Home(folder))
    found.close()
    with closing(sqlite3.connect(folder / "ledger.db")) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder / "ledger.db", folder / "anchors.jsonl"


TOLD = [
    (table, column)
    for table in (*AUDITED, bookkeeping.audit)
    for column in table.columns
    if column.name not in LEFT_OUT.get(table.name, ())
]


def altered(value: object, dice: random.Random) -> object:
    """Another value of the same kind, or of another."""
    if dice.random() < 0.2:
        return None if value is not None else "x"
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:] if value else b"\x00"
    if isinstance(value, int | float):
        return value + dice.choice((1, -1, 1000))
    return f"{value}x" if isinstance(value, str) else dice.choice((1, "x", b"x"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, len(TOLD) - 1),
    how=st.sampled_from(("alter", "delete", "insert", "swap")),
    dice=st.randoms(use_true_random=False),
)
def test_whatever_is_done_to_the_file_is_found(original, tmp_path, at, how, dice):
    source, anchors = original
    copy = tmp_path / "copy.db"
    shutil.copyfile(source, copy)
    table, column = TOLD[at]
    with closing(sqlite3.connect(copy)) as file:
        before = dump(file)
        file.execute("PRAGMA ignore_check_constraints = ON")
        try:
            mutate(file, table.name, column.name, how, dice)
        except sqlite3.IntegrityError:  # the database itself refuses it
            file.rollback()
        file.commit()
        changed = {name for name, rows in dump(file).items() if rows != before[name]}
    verdict = verify(Address(Place.of(copy), KEYRING), anchors)
    assert verdict.holds == (not changed), (table.name, column.name, how)
    if changed:
        assert table.name in {one.table for one in verdict.shown}


def dump(file: sqlite3.Connection) -> dict[str, list]:
    tables = (*AUDITED, bookkeeping.audit)
    return {
        table.name: file.execute(f"SELECT {', '.join(told(table))} FROM {table.name} ORDER BY 1, 2").fetchall()
        for table in tables
    }


def told(table) -> list[str]:
    return [one.name for one in table.columns if one.name not in LEFT_OUT.get(table.name, ())]


def mutate(file: sqlite3.Connection, table: str, column: str, how: str, dice: random.Random) -> None:
    ids = [row[0] for row in file.execute(f"SELECT rowid FROM {table} ORDER BY rowid")]
    if (table, how) == ("audit", "delete"):
        ids.pop()  # the anchor's own entry: only the next anchor would tell that it is missing
    one, other = dice.choice(ids), dice.choice(ids)
    (value,) = file.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (one,)).fetchone()
    if how == "delete":
        file.execute(f"DELETE FROM {table} WHERE rowid = ?", (one,))
    elif how == "alter":
        file.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (altered(value, dice), one))
    elif how == "swap":
        (second,) = file.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (other,)).fetchone()
        file.execute(f"UPDATE {table} SET {column} = NULL WHERE rowid = ?", (other,)) if value is None else None
        file.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, other))
        file.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (second, one))
    else:
        row = dict(
            zip(
                [it[0] for it in file.execute(f"SELECT * FROM {table}").description],
                file.execute(f"SELECT * FROM {table} WHERE rowid = ?", (one,)).fetchone(),
                strict=True,
            )
        )
        keys = [it[1] for it in file.execute(f"PRAGMA table_info({table})") if it[5]]
        row |= {key: (row[key] + 1000 if isinstance(row[key], int) else f"{row[key]}-new") for key in keys}
        if table == "decisions":
            row |= {"decision_id": "d-new", "request_id": "r-new"}
        file.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def test_an_older_copy_of_the_whole_file_is_found_by_the_anchors(original):
    source, anchors = original
    older = Address(Place.of(source.with_name("older.db")), KEYRING)
    assert verify(older).holds
    assert {one.what for one in verify(older, anchors).shown} == {"cut off"}


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    """A home with a ledger of its own, as the command line finds it."""
    found = Home(tmp_path / "home")
    monkeypatch.setenv("DIRIGENT_HOME", str(found.root))
    ledger = Ledger(found.ledger, keyring_of(found), Clock(NOW))
    filled(ledger)
    ledger.close()
    return found


def called(*words: str):
    return CliRunner().invoke(app, ["verify", *words])


def test_the_verb_says_that_it_holds_and_writes_an_anchor(home):
    found = called("--anchor")
    assert found.exit_code == 0, found.output
    assert "the ledger is as it was written: 8 audit entries" in found.output
    assert json.loads(called("--json").output)["anchors"] == 1
    copied = home.root / "copied.jsonl"
    path_of(home).rename(copied)
    assert json.loads(called("--json").output)["anchors"] == 0
    assert json.loads(called("--json", "--anchors", str(copied)).output)["anchors"] == 1


def test_the_verb_gives_no_tick_where_no_anchor_tells_the_end_and_says_what_to_do(home):
    found = called()
    assert found.exit_code == 1
    assert "✓" not in found.output
    assert "dirigent verify --anchor" in found.output
    found = called("--anchor")
    assert found.exit_code == 0
    assert "✓" in found.output
    assert "its first anchor is written now" in found.output
    assert ", 1 anchor\n" in called().output
    for left in (b"", None):
        path_of(home).write_bytes(left) if left is not None else path_of(home).unlink()
        found = called("--anchor")
        assert found.exit_code == 1
        assert "the audit notes anchors from before its first line" in " ".join(found.output.split())


def test_a_ledger_that_is_gone_emptied_or_older_is_refused_until_somebody_says_that_it_begins_anew(home):
    named = Settings(home=home.root)
    with closing(sqlite3.connect(home.ledger)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    older = home.ledger.read_bytes()
    ledger = open_ledger(named)
    with ledger.writing("c1") as tx:
        rights.objected(tx)
    anchor(ledger, home)
    ledger.close()
    for file in home.root.glob("ledger.db*"):
        file.unlink()
    with pytest.raises(LedgerError, match=r"anchors\.jsonl tells of.*--begin-anew"):
        open_ledger(named)
    assert not home.ledger.exists(), "none is made"
    with pytest.raises(LedgerError, match="DIRIGENT_LEDGER"):
        app(["verify"], standalone_mode=False)
    Ledger(home.ledger, keyring_of(home), Clock(NOW)).close()
    with pytest.raises(LedgerError, match="is not the ledger that was anchored last"):
        open_ledger(named)
    for file in home.root.glob("ledger.db*"):
        file.unlink()
    home.ledger.write_bytes(older)
    with pytest.raises(LedgerError, match="an older copy"):
        open_ledger(named)
    with pytest.raises(InputError, match="must say why"):
        app(["verify", "--begin-anew", " "], standalone_mode=False)
    found = called("--begin-anew", "the disk was lost")
    assert found.exit_code == 0, found.output
    assert "say nothing of what was before: the disk was lost" in found.output
    assert len(list(home.root.glob("anchors-until-*.jsonl"))) == 1
    open_ledger(named).close()
    assert json.loads(called("--json").output)["begun"] == "the disk was lost"


def test_the_verb_names_the_first_altered_row_and_ends_with_1(home):
    with closing(sqlite3.connect(home.ledger)) as file:
        file.execute("UPDATE decisions SET client = 'other'")
        file.commit()
    found = called()
    assert found.exit_code == 1
    assert re.search(
        r'decisions \["d-1"\] was altered; see audit entry \d+ of lane \d+, 2018-01-02 15:00:00 UTC', found.output
    )
    assert "and 2 more" in found.output
    told = called("--json", "--anchor")
    assert told.exit_code == 1
    assert json.loads(told.output)["shown"][0]["table"] == "decisions"
    assert not path_of(home).exists(), "what does not hold is not anchored"


def test_without_its_keys_or_without_a_ledger_nothing_is_said_of_it(home):
    shutil.rmtree(home.keys)
    with pytest.raises(StateError, match="ledger_master"):
        app(["verify"], standalone_mode=False)
    assert not home.keys.exists() or not list(home.keys.iterdir())
    for file in home.root.glob("ledger.db*"):
        file.unlink()
    with pytest.raises(LedgerError, match="there is no ledger yet"):
        app(["verify"], standalone_mode=False)
