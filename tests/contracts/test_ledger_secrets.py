"""What lies in the ledger says nothing to who holds the database alone, and cannot be moved or altered unnoticed."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from arbitration.errors import InputError, LedgerError, StateError
from features.home import Home
from serving.ledger import auditing, bookkeeping
from serving.ledger.archive import Archive, Kept
from serving.ledger.key_marks import marks_of
from serving.ledger.keyring import Erased, Keyring
from serving.ledger.place import Address, Place
from serving.ledger.schema import METADATA, decisions, imports, subjects
from serving.ledger.store import Ledger
from serving.ledger.verify import verify
from serving.opening import address_of, open_ledger
from serving.settings import Settings
from tests.contracts.conftest import KEYRING, decision, rows_of

PARTS = ("answer", "inputs", "decision")


@pytest.fixture
def filled(ledger):
    with ledger.writing("c1") as tx:
        tx.add_decision(decision(1))
        tx.add_decision(decision(2))
    with ledger.writing("c2") as tx:
        tx.add_decision(decision(3, customer="c2"))
    return ledger


def altered(ledger, which: str, **columns: object) -> None:
    with ledger.writing() as tx:
        tx.connection.execute(update(decisions).where(decisions.c.decision_id == which).values(columns))


def row(ledger, decision_id: str):
    return next(one for one in rows_of(ledger, decisions) if one.decision_id == decision_id)


def test_sealed_parts_cannot_be_read_with_another_master_key(filled):
    filled.keyring = replace(KEYRING, master=Keyring.fresh().master)
    with filled.reading() as reading, pytest.raises(LedgerError, match="sealed with another master key") as caught:
        reading.decision("d-1")
    assert not isinstance(caught.value, Erased)


KEY_FILES = [("master", "ledger_master"), ("audit", "ledger_audit"), ("suppression", "suppression")]


@pytest.mark.parametrize(("key", "file"), KEY_FILES)
def test_who_comes_with_another_homes_key_is_refused_before_anything_is_written(filled, named, key, file):
    other, before = replace(KEYRING, **{key: Keyring.fresh().master}), rows_of(filled, bookkeeping.audit)
    address = Address(filled.place, other)
    for opened in (lambda: Ledger(named, other), lambda: Archive(address), lambda: verify(address)):
        with pytest.raises(StateError, match=f"keys/{file} .*not the key") as caught:
            opened()
        assert "copy the folder keys" in str(caught.value)
    assert rows_of(filled, bookkeeping.audit) == before
    Ledger(named, replace(KEYRING)).close()


def test_a_ledger_without_check_values_gets_those_of_the_first_who_opens_it(filled, named):
    with filled.writing() as tx:
        tx.connection.execute(delete(imports))
    Archive(filled.address).close()
    assert rows_of(filled, imports) == [], "who only reads writes nothing"
    Ledger(named, KEYRING).close()
    assert {row.name: row.fingerprint for row in rows_of(filled, imports)} == marks_of(KEYRING)
    with pytest.raises(StateError, match="not the key"):
        Ledger(named, Keyring.fresh())


def test_of_two_homes_that_make_one_ledger_at_the_same_time_one_is_refused(tmp_path, request, named):
    empty = tmp_path / "new.db" if isinstance(named, Path) else request.getfixturevalue("postgres").new_database()

    def start(keyring: Keyring) -> str:
        try:
            Ledger(empty, keyring).close()
        except StateError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(start, [Keyring.fresh(), Keyring.fresh()]))
    assert told[0] == ""
    assert "not the key" in told[1]


def test_lost_keys_of_a_ledger_are_not_made_anew(filled, named, tmp_path):
    home = Home(tmp_path / "another")
    settings = Settings(home=home.root, ledger=str(named)) if filled.place.path is None else Settings(home=home.root)
    if filled.place.path is not None:
        home.root.mkdir()
        shutil.copyfile(filled.place.path, home.ledger)
    for opened in (open_ledger, address_of):
        with pytest.raises(StateError, match="ledger_master: is missing"):
            opened(settings)
    assert not home.keys.exists()


def test_where_no_ledger_is_keys_are_made_by_who_writes_and_not_by_who_reads(tmp_path, request, named):
    empty = None if isinstance(named, Path) else request.getfixturevalue("postgres").new_database()
    settings = Settings(home=tmp_path / "fresh", ledger=empty)
    with pytest.raises(LedgerError, match="no ledger yet"):
        address_of(settings)
    assert not settings.paths.keys.exists()
    open_ledger(settings).close()
    assert {"ledger_master", "ledger_audit", "suppression"} <= {path.name for path in settings.paths.keys.iterdir()}
    Archive(address_of(settings)).close()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("source", ["d-2", "d-3"])
def test_a_sealed_part_that_was_moved_to_another_decision_is_refused(filled, part, source):
    altered(filled, "d-1", **{part: getattr(row(filled, source), part)})
    with filled.reading() as reading, pytest.raises(LedgerError, match="cannot be opened"):
        reading.decision("d-1")
    with filled.reading() as reading:
        assert reading.decision("d-2") is not None


def test_keys_that_were_swapped_between_customers_open_nothing_and_are_found(filled):
    before = {one.customer_id: one for one in rows_of(filled, subjects)}
    with filled.writing() as tx:
        for name, other in (("c1", "c2"), ("c2", "c1")):
            mine, theirs = subjects.c.subject == before[name].subject, before[other].sealing_key
            tx.connection.execute(update(subjects).where(mine).values(sealing_key=theirs))
    with filled.reading() as reading:
        for name in ("d-1", "d-3"):
            with pytest.raises(LedgerError, match="the key of a customer cannot be opened") as caught:
                reading.decision(name)
            assert not isinstance(caught.value, Erased)
    with pytest.raises(LedgerError, match="the key of a customer"), filled.writing("c1") as tx:
        tx.add_decision(decision(4))
    with Archive(filled.address) as archive:
        assert {found.inputs for found in archive.kept(archive.numbers(), whole=False)} == {None}
    found = verify(filled.address)
    assert {(it.what, it.table, it.key) for it in found.shown} == {
        ("altered", "subjects", auditing.key_of(subjects, {"subject": one.subject})) for one in before.values()
    }


def test_a_key_is_wrapped_for_one_customer_and_a_sealed_record_is_no_key(filled):
    keyring = filled.keyring
    wrapped = keyring.new_key("s-1")
    assert keyring.unwrapped(wrapped, "s-1") != keyring.unwrapped(keyring.new_key("s-1"), "s-1")
    for subject in ("s-2", "", "key"):
        with pytest.raises(LedgerError):
            keyring.unwrapped(wrapped, subject)
    with pytest.raises(LedgerError):
        keyring.unwrapped(keyring.seal(keyring.master, bytes(32), "s-1"), "s-1")


def test_a_row_under_another_id_is_refused(filled):
    altered(filled, "d-1", decision_id="d-9")
    with filled.reading() as reading, pytest.raises(LedgerError, match="cannot be opened"):
        reading.decision("d-9")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("at", [0, 11, 12, -1])
def test_a_flipped_bit_is_noticed(filled, part, at):
    told = bytearray(getattr(row(filled, "d-1"), part))
    told[at] ^= 1
    altered(filled, "d-1", **{part: bytes(told)})
    with filled.reading() as reading, pytest.raises(LedgerError, match="cannot be opened"):
        reading.decision("d-1")


def test_nothing_but_the_row_that_ties_them_names_the_customer(filled):
    for table in METADATA.sorted_tables:
        if table is not subjects and not table.name.startswith("shop_"):
            stored = [value for one in rows_of(filled, table) for value in one]
            assert not [value for value in stored if value == "c1" or (isinstance(value, bytes) and b'"c1"' in value)]
            assert b"inputs" not in b"".join(value for value in stored if isinstance(value, bytes))


def test_without_its_key_a_decision_says_nothing_and_is_no_longer_there_for_bulk(filled):
    with filled.writing() as tx:
        gone = {"customer_id": None, "sealing_key": None}
        tx.connection.execute(update(subjects).where(subjects.c.customer_id == "c1").values(gone))
    with filled.reading() as reading:
        with pytest.raises(Erased):
            reading.decision("d-1")
        assert reading.decision_if_kept("d-1") is None
        assert reading.subject_of("c1") is None
    with Archive(filled.address) as archive:
        assert [one.decision_id for one in archive.kept(archive.numbers(), whole=True)] == ["d-3"]
        with pytest.raises(InputError, match="d-1"):
            archive.numbers_of(["d-1"])


def test_in_bulk_every_part_is_read_and_what_was_altered_is_left_out(filled):
    altered(filled, "d-1", inputs=row(filled, "d-2").inputs)
    with Archive(filled.address) as archive:
        first, second, _ = archive.kept(archive.numbers(), whole=True)
    assert isinstance(first, Kept)
    assert (first.inputs, first.decision, first.answer) == (None, decision().decision, decision().answer.body)
    assert (second.inputs, second.summary, second.columns["customer_id"]) == (
        decision().inputs, decision().summary, "c1",
    )  # fmt: skip


def test_a_password_is_shown_nowhere():
    place = Place.of("postgresql://name:secret@127.0.0.1:5/base")
    assert "secret" in place.url
    assert "secret" not in f"{place} {place!r} {Address(place, KEYRING).place!r} {place.shown}"
