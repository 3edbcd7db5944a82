"""What a stock and a reader of bulk must keep: uses counted over all customers, and reading that touches nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError

from arbitration.errors import LedgerError
from arbitration.policy import BusinessName, Resource
from serving.ledger import contacts, engine, stock
from serving.ledger.archive import Archive
from serving.ledger.place import Address, Place
from serving.ledger.schema import decisions, shop_contacts, to_micros
from tests.contracts.conftest import KEYRING, NOW, decision, hold, rows_of, send


def scarce(**changes) -> tuple[Resource, ...]:
    resource = Resource("scarce", BusinessName("Scarce", "Knapp"), limit=10, per_days=7, **changes)
    return (resource,)


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
    def add(number, offer=None, **more):
        with ledger.writing(f"c{number}") as tx:
            send(tx, f"d-{number}", offer=offer, **more)

    add(1, "coupon", at=NOW)
    add(2, at=NOW + timedelta(hours=20))  # planned for later
    add(3, "coupon", channel="email", at=NOW - timedelta(days=6))
    add(4, "other", journey="win_back", purpose="service")  # a suppressed advertisement is a use as well
    add(5, "coupon", at=NOW - timedelta(days=7, hours=1))  # too long ago
    with ledger.writing("c6") as tx:
        hold(tx, "d-6", offer="coupon")
        contacts.not_sent(tx, "d-6", 0, "not_sent")
        assert tx.stock(scarce(**resource), tx.now()) == {"scarce": left}


def test_what_is_reserved_is_used_until_its_lease_ends(ledger):
    with ledger.writing("c1") as tx:
        ends = hold(tx)
        assert tx.stock(scarce(channel="push"), ends - timedelta(microseconds=1)) == {"scarce": 9}
        assert tx.stock(scarce(channel="push"), ends) == {"scarce": 10}


def test_a_contact_that_came_back_with_the_shops_tables_uses_one_unit(ledger):
    with ledger.writing("c1") as tx:
        send(tx)
        for decision_id in ("d-1", "d-else", None):
            tx.connection.execute(insert(shop_contacts).values(
                customer_id="c1", journey="welcome", channel="push", purpose="marketing", sent_at=to_micros(NOW),
                decision_id=decision_id,
            ))  # fmt: skip
        assert tx.stock(scarce(channel="push"), tx.now()) == {"scarce": 7}
        contacts.not_sent(tx, "d-1", 0, "not_sent")
        assert tx.stock(scarce(channel="push"), tx.now()) == {"scarce": 7}, "sent, says the shop: it counts"


def test_a_resource_without_a_limit_has_no_stock(ledger):
    priced = Resource("priced", BusinessName("Priced", "Teuer"), channel="push", price=0.1)
    with ledger.reading() as reading:
        assert reading.stock((priced,), NOW) == {}


def test_of_many_customers_at_once_not_one_more_gets_a_unit_than_there_are(ledger):
    together, resources = threading.Barrier(8), scarce(channel="push")

    def write(number: int) -> list[bool]:
        def work(tx, name) -> bool:
            if tx.stock(resources, tx.now())["scarce"] <= 0:
                return False
            stock.claim(tx.connection, resources, tx.now())
            hold(tx, name)
            return True

        together.wait(10)
        names = [f"{number}-{at}" for at in range(3)]
        return [ledger.write(f"c{name}", lambda tx, name=name: work(tx, f"d-{name}")) for name in names]

    with ThreadPoolExecutor(8) as pool:
        got = [one for many in pool.map(write, range(8)) for one in many]
    assert got.count(True) == len(rows_of(ledger)) == 10


def test_a_claim_of_several_resources_and_of_none_takes_nothing_where_one_is_used_up(ledger):
    priced = Resource("priced", BusinessName("Priced", "Teuer"), channel="push", price=0.1)
    empty = Resource("empty", BusinessName("Empty", "Leer"), channel="push", limit=0, per_days=7)
    with ledger.writing("c1") as tx:
        stock.claim(tx.connection, (), tx.now())
        stock.claim(tx.connection, (*scarce(channel="push"), priced), tx.now())
        with pytest.raises(stock.SoldOut, match="ask again"):
            stock.claim(tx.connection, (*scarce(channel="push"), empty), tx.now())


@pytest.mark.parametrize("named_by", ["offer", "journey", "channel"])
@pytest.mark.parametrize("table", ["contacts", "shop_contacts"])
def test_uses_are_counted_by_an_index(ledger, named_by, table):
    asked = f"SELECT count(*) FROM {table} WHERE {named_by} = 'x' AND sent_at > 0"
    with engine.connection_of(ledger.engine, ledger.place) as connection:
        if ledger.place.is_sqlite:
            asked = asked.replace(" WHERE", f" INDEXED BY {table}_of_{named_by} WHERE")
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}").all()[0][-1]
            assert f"{table}_of_{named_by} ({named_by}=? AND sent_at>?)" in plan
        else:
            connection.exec_driver_sql("SET enable_seqscan = off")
            plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {asked}").scalars())
            connection.exec_driver_sql("RESET enable_seqscan")
            assert f"{table}_of_{named_by}" in plan


@pytest.mark.parametrize("part", ["inputs", "decision"])
def test_a_damaged_record_is_said_so(ledger, part):
    with ledger.writing("c1") as tx:
        tx.add_decision(decision())
        (name, key) = (f"d-1.{part}", tx.key)
        tx.change(decisions, decisions.c.decision_id == "d-1", {part: KEYRING.seal(key, b"no zip", name)})
        with pytest.raises(LedgerError, match="d-1 is damaged"):
            tx.decision("d-1")


def test_reading_alone_creates_nothing_and_writes_nothing(ledger, tmp_path):
    with pytest.raises(LedgerError, match="no ledger"):
        Archive(Address(Place.of(tmp_path / "none" / "ledger.db"), KEYRING))
    assert not (tmp_path / "none").exists()
    with ledger.writing("c1") as tx:
        tx.add_decision(decision())
    with Archive(ledger.address) as archive:
        with ledger.writing("c1") as tx:
            tx.add_decision(decision(2))  # the writer is not in the way, nor the other way round
            assert [one.decision_id for one in archive.kept(archive.numbers(), whole=True)] == ["d-1"]
        with archive._engine.connect() as connection, pytest.raises(DBAPIError, match=r"read-?only"):
            connection.exec_driver_sql("DELETE FROM decisions")
    assert len(rows_of(ledger, decisions)) == 2
