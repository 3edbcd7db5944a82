"""What a stock and a reader of bulk must keep: uses counted over all customers, and reading that touches nothing."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from arbitration.domain import Contact
from arbitration.errors import LedgerError
from arbitration.policy import BusinessName, Resource
from serving.ledger import engine
from serving.ledger.archive import Archive
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger
from tests.contracts.test_ledger import NOW, decision


@pytest.fixture
def ledger(tmp_path):
    found = Ledger(tmp_path / "ledger.db")
    yield found
    found.close()


def scarce(**changes) -> SimpleNamespace:
    resource = Resource("scarce", BusinessName("Scarce", "Knapp"), limit=10, per_days=7, **changes)
    return SimpleNamespace(resources={"scarce": resource})


@pytest.mark.parametrize(
    ("resource", "left"),
    [
        ({"channel": "push"}, 7),
        ({"journey": "welcome"}, 7),
        ({"offer": "coupon"}, 8),
        ({"channel": "push", "offer": "coupon"}, 9),
        ({"channel": "push", "journey": "welcome"}, 8),
        ({"channel": "sms"}, 10),
        ({}, 6),
    ],
)
def test_a_stock_is_what_all_customers_left_of_it(ledger, resource, left):
    def add(number, contact, offer=None):
        writing.add_contact(f"c{number}", contact, f"d-{number}", 0, offer)

    with ledger.writing() as writing:
        add(1, Contact("welcome", "push", NOW), "coupon")
        add(2, Contact("welcome", "push", NOW + timedelta(hours=20)))  # reserved for later
        add(3, Contact("welcome", "email", NOW - timedelta(days=6)), "coupon")
        add(4, Contact("win_back", "push", NOW, "service"), "other")  # a suppressed advertisement is a use as well
        add(5, Contact("welcome", "push", NOW - timedelta(days=7)), "coupon")  # too long ago
        add(6, Contact("welcome", "push", NOW), "coupon")
        writing.release_contact("d-6", 0)  # never sent
        assert writing.stock(scarce(**resource), NOW) == {"scarce": left}


def test_a_contact_that_came_back_with_the_shops_tables_uses_one_unit(ledger):
    back = "INSERT INTO contacts (customer_id, journey, channel, purpose, sent_at, decision_id, released, origin)"
    with ledger.writing() as writing:
        writing.add_contact("c1", Contact("welcome", "push", NOW), "d-1", 0)
        for decision_id in ("'d-1'", "'d-else'", "NULL"):
            values = f"('c1', 'welcome', 'push', 'marketing', {to_micros(NOW)}, {decision_id}, 0, 'history')"
            writing._connection.exec_driver_sql(f"{back} VALUES {values}")
        assert writing.stock(scarce(channel="push"), NOW) == {"scarce": 7}
        writing.release_contact("d-1", 0)
        assert writing.stock(scarce(channel="push"), NOW) == {"scarce": 7}, "sent, says the shop: it counts"


def test_a_resource_without_a_limit_has_no_stock(ledger):
    priced = Resource("priced", BusinessName("Priced", "Teuer"), channel="push", price=0.1)
    with ledger.reading() as reading:
        assert reading.stock(SimpleNamespace(resources={"priced": priced}), NOW) == {}


@pytest.mark.parametrize("named", ["offer", "journey", "channel"])
def test_uses_are_counted_by_an_index(ledger, named):
    asked = f"SELECT count(*) FROM contacts INDEXED BY contacts_of_{named} WHERE {named} = 'x' AND sent_at > 0"
    with engine.connection_of(ledger.engine, ledger.path) as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}").all()
    assert f"contacts_of_{named} ({named}=? AND sent_at>?)" in plan[0][-1]


@pytest.mark.parametrize("part", ["inputs", "decision"])
def test_a_damaged_record_is_said_so(ledger, part):
    with ledger.writing() as writing:
        writing.add_decision(decision())
        writing._connection.exec_driver_sql(f"UPDATE decisions SET {part} = x'00'")
        with pytest.raises(LedgerError, match="d-1 is damaged"):
            writing.decision("d-1")


def test_reading_alone_creates_nothing_and_writes_nothing(ledger, tmp_path):
    with pytest.raises(LedgerError, match="no ledger"):
        Archive(tmp_path / "none" / "ledger.db")
    assert not (tmp_path / "none").exists()
    with ledger.writing() as writing:
        writing.add_decision(decision())
    with Archive(ledger.path) as archive, ledger.writing() as writing:
        writing.add_decision(decision(2))  # the writer is not in the way, nor the other way round
        assert [one.decision_id for one in archive.kept([1, 2], whole=True)] == ["d-1"]
        with (
            engine.connection_of(archive._engine, archive.path) as connection,
            pytest.raises(OperationalError, match="readonly"),
        ):
            connection.exec_driver_sql("DELETE FROM decisions")


def test_a_ledger_of_another_version_is_not_read(ledger):
    with sqlite3.connect(ledger.path) as connection:
        connection.execute("UPDATE schema_version SET version = 2")
    connection.close()
    with pytest.raises(LedgerError, match="has version 2, this program reads version 3"):
        Archive(ledger.path)
