"""The audit on both stores: what was altered behind the ledger's back is found and named, whatever it was, and nothing else is."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from arbitration.domain import Consent
from features.home import Home
from serving.clock import Clock
from serving.ledger import bookkeeping, contacts, postponed, requests, retention, rights, schema, volume
from serving.ledger.anchors import anchor, anchor_when_due, anchors_in, path_of
from serving.ledger.auditing import LEFT_OUT, SHOP_LANE, append
from serving.ledger.chain import Finding
from serving.ledger.consents import Evidence, add_consent, add_evidence
from serving.ledger.place import Address, Place
from serving.ledger.postponed import Postponed
from serving.ledger.rows import Answer
from serving.ledger.schema import METADATA
from serving.ledger.store import Ledger
from serving.ledger.verify import AUDITED, NOT_AUDITED, verify
from tests.contracts.conftest import HOUR, KEYRING, NOW, decision, hold, outcome, rows_of

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "audit.md").read_text()


def filled(ledger: Ledger) -> None:
    """Rows of every audited table, of several customers, one of them erased; some changed and some removed again."""
    for number, customer in enumerate(("c1", "c2", "c3"), 1):
        with ledger.writing(customer) as tx:
            tx.add_decision(decision(number, customer=customer))
            tx.add_outcome(outcome(f"o-{number}"))
            proof = Evidence("t-1", "0" * 64, "checkout", NOW - HOUR, NOW)
            name = add_evidence(tx, proof, "email", "consent")
            add_consent(tx, Consent("email", "marketing", "granted", "consent", name, NOW), "shop")
            hold(tx, f"d-{number}")
            postponed.postpone(tx, f"d-{number}", [Postponed("win_back", "cool_down", tx.now() + HOUR)])
            requests.remember(tx, "engine", "/v1/reservations", f"s-{number}", Answer("digest", 201, b"{}"))
    with ledger.writing("c1") as tx:
        contacts.sent(tx, "d-1", 0, "test")
        contacts.note_reaction(tx, "d-1", 0, engaged=True)
        rights.objection_lifted(tx)
    with ledger.writing("c2") as tx:
        rights.objected(tx)
        rights.paused(tx, tx.now() + HOUR)
    with ledger.writing("c3") as tx:
        rights.erase(tx, "x-1", "c3", "consent_withdrawn")
    with ledger.writing() as tx:
        tx.add_policy("v1", b"policy")
        rights.suppress(tx, ["c9"], "by_hand")
        volume.stop(tx, "welcome", by="maria", reason="too many")
        change = {
            "change_id": "g-1",
            "kind": "catalog",
            "to_version": "v1",
            "summary": "[]",
            "effect": "{}",
            "widens": False,
        }
        tx.put(bookkeeping.changes, change | {"proposed_by": "maria", "proposed_at": tx.at, "state": "applied"})
    with ledger.writing() as tx:
        tx.remove(bookkeeping.requests, bookkeeping.requests.c.request_id == "s-1")


@pytest.fixture
def full(ledger):
    filled(ledger)
    return ledger


def execute(ledger: Ledger, sql: str, **values: object) -> int:
    """Write past the ledger, as somebody with a database shell does. Returns how many rows that met."""
    with ledger.engine.connect() as connection:
        return connection.execute(text(sql), values).rowcount


def first(ledger: Ledger, anchors: Path | None = None) -> Finding:
    verdict = verify(ledger.address, anchors)
    assert not verdict.holds
    return verdict.shown[0]


def test_what_was_written_verifies_also_of_a_customer_who_was_erased_and_of_what_was_removed(full):
    verdict = verify(full.address)
    assert verdict.holds, verdict.shown
    assert verdict.entries == len(rows_of(full, bookkeeping.audit)) == 8
    assert verdict.rows == sum(len(rows_of(full, table)) for table in AUDITED)
    full.clock.shift += 500 * 24 * HOUR
    retention.retain(full)
    assert rows_of(full, schema.decisions) == []
    assert verify(full.address).holds


def test_the_first_altered_row_is_named_with_the_entry_that_says_what_it_was_and_how_many_more(full):
    execute(full, "UPDATE contacts SET sent_at = sent_at + 1 WHERE decision_id = 'd-2'")
    execute(full, "UPDATE contacts SET channel = 'sms' WHERE decision_id = 'd-1'")
    found = verify(full.address)
    (name,) = (row.reservation_id for row in rows_of(full) if row.decision_id == "d-1")
    assert found.count == 2
    assert {one.what for one in found.shown} == {"altered"}
    moments = [one.at for one in found.shown]
    assert moments == sorted(moments)
    one = next(one for one in found.shown if one.key == json.dumps([name]))
    entry = next(row for row in rows_of(full, bookkeeping.audit) if (row.lane, row.number) == (one.lane, one.number))
    assert name in entry.entries
    assert one.at == entry.at


@pytest.mark.parametrize("table", AUDITED, ids=lambda table: table.name)
def test_a_deleted_row_and_an_inserted_row_of_every_audited_table_are_named(full, table):
    kept = rows_of(full, table)[0]._asdict()
    keys = [column.name for column in table.primary_key]
    where = " AND ".join(f"{name} = :{name}" for name in keys)
    assert execute(full, f"DELETE FROM {table.name} WHERE {where}", **{name: kept[name] for name in keys}) == 1
    found = first(full)
    assert (found.what, found.table) == ("removed", table.name)
    execute(
        full, f"INSERT INTO {table.name} ({', '.join(kept)}) VALUES ({', '.join(f':{name}' for name in kept)})", **kept
    )
    assert verify(full.address).holds, "put back as it was"
    with full.engine.connect() as connection:  # the audit of another ledger knows nothing of it
        connection.execute(text("DELETE FROM audit"))
    assert {one.what for one in verify(full.address).shown} == {"inserted"}


def test_an_entry_of_the_audit_that_was_altered_removed_inserted_or_moved_is_named(full):
    lane, number = SHOP_LANE, 1
    told = {row.number: row for row in rows_of(full, bookkeeping.audit) if row.lane == lane}
    execute(full, "UPDATE audit SET at = at + 1 WHERE lane = :lane AND number = 1", lane=lane)
    assert (first(full).what, first(full).number) == ("altered", 1)
    execute(full, "UPDATE audit SET at = at - 1 WHERE lane = :lane AND number = 1", lane=lane)
    for at, to in ((1, 9), (2, 1), (9, 2)):
        execute(full, "UPDATE audit SET number = :to WHERE lane = :lane AND number = :at", lane=lane, at=at, to=to)
    assert (first(full).what, verify(full.address).count) == ("altered", 2)
    for at, to in ((1, 9), (2, 1), (9, 2)):
        execute(full, "UPDATE audit SET number = :to WHERE lane = :lane AND number = :at", lane=lane, at=at, to=to)
    assert verify(full.address).holds
    execute(full, "DELETE FROM audit WHERE lane = :lane AND number = :number", lane=lane, number=number)
    assert (first(full).what, first(full).key) == ("removed", f"[{lane},{number}]")
    row = told[1]._asdict()
    execute(full, "INSERT INTO audit VALUES (:lane, :number, :at, :entries, :seal)", **row)
    execute(
        full,
        "INSERT INTO audit VALUES (:lane, 3, :at, :entries, :seal)",
        **{k: row[k] for k in ("lane", "at", "entries", "seal")},
    )
    assert first(full).key == f"[{lane},3]"


def test_a_lane_that_was_cut_short_is_found_by_the_anchor(full, tmp_path):
    home = Home(tmp_path / "home")
    with full.writing() as tx:
        tx.add_policy("v2", b"another")
    found = anchor(full, home)
    assert verify(full.address, path_of(home)).holds
    assert anchors_in(path_of(home), KEYRING.audit) == ([found], None)
    assert oct(path_of(home).stat().st_mode)[-3:] == "600"
    rows = rows_of(full, bookkeeping.audit)
    last = max(row.number for row in rows if row.lane == SHOP_LANE)
    anchored = dict((lane, number) for lane, number, _ in found.lanes)
    assert anchored[SHOP_LANE] == last - 1, "the event of the anchor is told after it"
    execute(full, "DELETE FROM audit WHERE lane = :lane AND number >= :number", lane=SHOP_LANE, number=last - 1)
    execute(full, "DELETE FROM policies WHERE version = 'v2'")
    assert verify(full.address).holds, "nothing in the database says that there was more"
    cut = first(full, path_of(home))
    assert (cut.what, cut.lane, cut.number, cut.at) == ("cut off", SHOP_LANE, last - 1, found.at)


def test_who_owns_the_audit_key_but_not_the_anchors_cannot_write_a_chain_anew(full, tmp_path):
    home = Home(tmp_path / "home")
    anchor(full, home)
    rows = [row for row in rows_of(full, bookkeeping.audit) if row.lane == SHOP_LANE]
    execute(full, "DELETE FROM audit WHERE lane = :lane", lane=SHOP_LANE)
    with full.writing() as tx:
        for row in rows:
            append(tx.connection, KEYRING.audit, SHOP_LANE, row.at + 1, json.loads(row.entries))
    assert verify(full.address).holds
    assert first(full, path_of(home)).what == "replaced"


def test_an_altered_anchor_is_named_and_an_unfinished_last_line_is_none(full, tmp_path):
    home = Home(tmp_path / "home")
    assert anchor_when_due(full, home)
    assert not anchor_when_due(full, home)
    anchor(full, home)
    whole = path_of(home).read_bytes()
    path_of(home).write_bytes(whole + b'{"at":1,')
    assert verify(full.address, path_of(home)).anchors == 2
    anchor(full, home)
    assert verify(full.address, path_of(home)).anchors == 3
    path_of(home).write_bytes(b"\n".join(whole.split(b"\n")[1:]))
    assert first(full, path_of(home)).table == "anchors.jsonl"
    kinds = [row.type for row in rows_of(full, bookkeeping.outbox) if row.type.startswith("dirigent.audit")]
    assert kinds == ["dirigent.audit.anchored.v1"] * 3


def test_it_verifies_while_a_service_writes(ledger):
    filled(ledger)
    ending = threading.Event()

    def write() -> None:
        for number in range(10, 10_000):
            if ending.is_set():
                return
            with ledger.writing(f"c{number % 7}") as tx:
                tx.add_decision(decision(number, customer=f"c{number % 7}"))
                contacts.expire_due(tx)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        counts = []
        for _ in range(8):
            verdict = verify(ledger.address)
            assert verdict.holds, verdict.shown
            counts.append(verdict.rows)
    finally:
        ending.set()
        thread.join()
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_every_table_is_audited_or_the_document_says_why_not():
    assert {table.name for table in AUDITED} | set(NOT_AUDITED) == set(METADATA.tables)
    assert not {table.name for table in AUDITED} & set(NOT_AUDITED)
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", DOCUMENT, re.MULTILINE))
    assert rows == {table.name: "yes" for table in AUDITED} | {name: f"no: {why}" for name, why in NOT_AUDITED.items()}
    for table, columns in LEFT_OUT.items():
        for column in columns:
            assert f"`{table}.{column}`" in DOCUMENT


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
    seed=st.integers(0, 2**32),
)
def test_whatever_is_done_to_the_file_is_found(original, tmp_path, at, how, seed):
    source, anchors = original
    copy, dice = tmp_path / "copy.db", random.Random(seed)
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
    ids = [row[0] for row in file.execute(f"SELECT rowid FROM {table}")]
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
