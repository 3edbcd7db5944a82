"""The audit on both stores: what was altered behind the ledger's back is found and named, whatever it was, and nothing else is."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from arbitration.errors import LedgerError
from features.home import Home
from serving.clock import Clock
from serving.ledger import bookkeeping, contacts, requests, retention, schema
from serving.ledger.anchors import anchor, anchor_when_due, anchors_in, begin_anew, path_of, tells_of_entries
from serving.ledger.auditing import LEFT_OUT, SHOP_LANE, end_of, entry_after, lane_of
from serving.ledger.chain import Finding
from serving.ledger.fitting import check_fits
from serving.ledger.rows import Answer
from serving.ledger.schema import METADATA
from serving.ledger.store import Ledger
from serving.ledger.verify import AUDITED, NOT_AUDITED, verify
from tests.contracts.audited import filled
from tests.contracts.conftest import HOUR, KEYRING, NOW, decision, rows_of

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "audit.md").read_text()


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


def test_a_declared_clock_that_begins_anew_breaks_nothing_and_hides_nothing(full, named):
    full.clock.shift += 30 * 24 * HOUR  # the service ran on; what it writes now is far ahead of its next start
    with full.writing("c1") as tx:
        requests.remember(tx, "engine", "/v1/pauses", "p-1", Answer("digest", 200, b"{}"))
    with full.writing() as tx:
        tx.add_policy("v2", b"another")
    again = Ledger(named, KEYRING, Clock(NOW))
    asked = bookkeeping.requests.c.endpoint == "/v1/pauses"
    with again.writing() as tx:
        assert tx.now() < NOW + HOUR
        row = tx.connection.execute(select(bookkeeping.requests).where(asked)).one()._asdict()
        assert tx.remove(bookkeeping.requests, asked) == 1, "the shop's lane, after the customer's"
    assert verify(again.address).holds
    execute(again, f"INSERT INTO requests ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})", **row)
    with again.writing("c1") as tx:
        tx.change(bookkeeping.requests, asked, {"status": 201})
    assert verify(again.address).holds, "the customer's lane, after the shop's"
    with again.writing() as tx:
        tx.change(bookkeeping.requests, asked, {"status": 202})
    assert verify(again.address).holds
    by_lane: dict[int, list[int]] = {}
    for row in rows_of(again, bookkeeping.audit):
        by_lane.setdefault(row.lane, []).append(row.at)
    assert all(moments == sorted(set(moments)) for moments in by_lane.values()), "time does not run back in a lane"
    execute(again, "UPDATE requests SET status = 500 WHERE endpoint = '/v1/pauses'")
    assert (first(again).what, first(again).table) == ("altered", "requests")
    again.close()


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
    anchored = {lane: number for lane, number, _ in found.lanes}
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
            end = end_of(tx.dialect, tx.run, SHOP_LANE)
            entry = entry_after(end, KEYRING.audit, SHOP_LANE, row.at + 1, json.loads(row.entries))
            tx.connection.execute(insert(bookkeeping.audit), entry)
    assert verify(full.address).holds
    assert first(full, path_of(home)).what == "replaced"


def test_without_the_anchors_file_a_lane_that_was_deleted_with_its_customers_is_missed_by_the_notes(full, tmp_path):
    home = Home(tmp_path / "home")
    anchor(full, home)
    path_of(home).unlink()
    assert verify(full.address).holds
    lane = lane_of(rows_of(full, schema.subjects)[0].subject)
    gone = [row.subject for row in rows_of(full, schema.subjects) if lane_of(row.subject) == lane]
    for table in AUDITED:
        if "subject" in table.c:
            for subject in gone:
                execute(full, f"DELETE FROM {table.name} WHERE subject = :subject", subject=subject)
    execute(full, "DELETE FROM audit WHERE lane = :lane", lane=lane)
    found = first(full)
    assert (found.what, found.table, found.lane) == ("cut off", "audit", SHOP_LANE)
    assert json.loads(found.key)[0] == lane


def test_where_anchors_were_due_their_absence_is_told_unless_somebody_said_that_they_begin_anew(full, tmp_path):
    home = Home(tmp_path / "home")
    never = verify(full.address, path_of(home))
    assert not never.holds
    assert never.only_lacks_anchors
    anchor(full, home)
    assert verify(full.address, path_of(home)).holds
    whole = path_of(home).read_bytes()
    path_of(home).unlink()
    assert (first(full, path_of(home)).what, first(full, path_of(home)).table) == ("removed", "anchors.jsonl")
    assert anchor_when_due(full, home), "the service goes on, with a file of its own"
    gone = verify(full.address, path_of(home))
    assert not gone.holds
    assert not gone.only_lacks_anchors
    kept = begin_anew(full, home, "lost with the old disk")
    assert kept is not None
    assert len(kept.read_bytes().splitlines()) == 1
    anchor(full, home)
    again = verify(full.address, path_of(home))
    assert (again.holds, again.begun, again.anchors) == (True, "lost with the old disk", 2)
    path_of(home).with_name("copy.jsonl").write_bytes(whole.replace(b'"at":', b'"at":1'))
    assert first(full, path_of(home).with_name("copy.jsonl")).table == "copy.jsonl"


def test_a_ledger_is_opened_only_where_it_holds_what_the_newest_anchor_names(full, tmp_path):
    home = Home(tmp_path / "home")
    check_fits(full, path_of(home))
    anchor(full, home)
    with full.writing() as tx:
        tx.add_policy("v2", b"another")
    found = anchor(full, home)
    check_fits(full, path_of(home))
    execute(
        full,
        "DELETE FROM audit WHERE lane = :lane AND number >= :number",
        lane=SHOP_LANE,
        number=found.number_of(SHOP_LANE),
    )
    with pytest.raises(LedgerError, match=r"lacks the newest entry of 1 of \d+ lanes.*--begin-anew"):
        check_fits(full, path_of(home))
    with path_of(home).open("ab") as file:
        file.write(b'{"at":1,')
    with pytest.raises(LedgerError, match="lacks the newest entry"):
        check_fits(full, path_of(home))
    with path_of(home).open("ab") as file:
        file.write(b"}\n")
    with pytest.raises(LedgerError, match="no anchor that the key of this home sealed"):
        check_fits(full, path_of(home))
    assert tells_of_entries(path_of(home))
    assert begin_anew(full, home, "restored from the backup of Monday") is not None
    check_fits(full, path_of(home))


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
