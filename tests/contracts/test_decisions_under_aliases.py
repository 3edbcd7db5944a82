"""Decisions for one person under two names, as the service makes them on both stores: what one name was told counts for the other."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select

from arbitration.domain import SILENCE
from serving.decisions import decide_for
from serving.ledger import rights, schema
from serving.ledger.schema import to_micros
from tests.contracts.conftest import rows_of
from tests.contracts.reserving import ENGINE, Shop, refused
from tests.contracts.test_decisions_at_once import ask, before_the_first_write, chosen, eager, give, models

__all__ = ["models"]
COOKIE = "cookie:abc"


@pytest.fixture
def shop(ledger, models) -> Shop:
    """A shop that knows a customer, and somebody by a cookie whom it has not told apart from others yet."""
    policy = eager("churn_recovery")
    found = Shop(ledger, policy)
    for name in ("k0", COOKIE):
        found.customer(name)
    give(found, models, policy)
    return found


def mapped(shop: Shop, fingerprint: str = "new") -> None:
    """The shop's tables say that the cookie is the customer's, as an import leaves it."""
    row = {"alias_type": "cookie", "alias": "abc", "valid_from": 0, "customer_id": "k0"}
    with shop.ledger.writing() as tx:
        tx.connection.execute(insert(schema.shop_aliases).values(row))
        tx.connection.execute(delete(schema.imports).where(schema.imports.c.name == "shop_aliases"))
        tx.connection.execute(insert(schema.imports).values(name="shop_aliases", fingerprint=fingerprint))


def ask_by_cookie(shop: Shop, number: int = 0) -> dict:
    body = {"request_id": f"cookie-{number}", "customer": {"alias": {"type": "cookie", "value": "abc"}}}
    status, answer = decide_for(shop.runtime, ENGINE, json.dumps(body).encode())
    assert status == 200
    return json.loads(answer)


def decided_for(shop: Shop) -> list[str]:
    """Whose the decisions are, in order of writing."""
    owner = schema.decisions.c.subject == schema.subjects.c.subject
    asked = select(schema.subjects.c.customer_id).join_from(schema.decisions, schema.subjects, owner)
    with shop.ledger.reading() as reading:
        return list(reading.connection.execute(asked.order_by(schema.decisions.c.number)).scalars())


def test_what_was_reserved_under_the_alias_holds_the_customers_place(shop):
    assert chosen(ask_by_cookie(shop))[0] == "churn_recovery"
    mapped(shop)
    assert chosen(ask(shop, "k0"))[0] == SILENCE
    assert chosen(ask_by_cookie(shop, 1))[0] == SILENCE
    assert decided_for(shop) == [COOKIE, "k0", "k0"]
    assert len(rows_of(shop.ledger)) == 1


def test_an_alias_that_gets_its_customer_while_it_is_decided_about_is_decided_as_that_customer(shop, monkeypatch):
    assert chosen(ask(shop, "k0"))[0] == "churn_recovery"
    write, deeds = shop.ledger.write, [lambda: mapped(shop)]

    def later(customer, work, *after):
        if customer == COOKIE and deeds:
            deeds.pop()()
        return write(customer, work, *after)

    monkeypatch.setattr(shop.ledger, "write", later)
    assert chosen(ask_by_cookie(shop))[0] == SILENCE
    assert not deeds
    assert decided_for(shop) == ["k0", "k0"]


def test_who_is_spoken_to_under_the_alias_between_the_look_and_the_lock_is_left_alone(shop):
    with shop.ledger.writing(COOKIE) as tx:
        tx.emit("dirigent.right.changed.v1", {"right": "pause", "state": "ended"})
    mapped(shop)
    before_the_first_write(shop, lambda write: write(COOKIE, spoken))
    assert chosen(ask(shop, "k0"))[0] == SILENCE


def spoken(tx) -> None:
    """A step of an earlier decision under the alias takes its place."""
    row = {
        "reservation_id": "r-1", "subject": tx.owner, "decision_id": "d-1", "step": 1, "journey": "churn_recovery", "channel": "push",
        "purpose": "marketing", "timing": "scheduled", "state": "reserved", "epoch": tx.next_epoch(), "sent_at": tx.at,
        "closes_at": tx.at + 10**9, "lease_until": tx.at + 10**9, "reserved_at": tx.at,
    }  # fmt: skip
    tx.put(schema.contacts, row)


def test_of_requests_at_once_under_two_names_one_speaks_and_the_place_is_taken_once(shop):
    with shop.ledger.writing(COOKIE) as tx:
        tx.set_subject(paused_until=to_micros(tx.now()))
    mapped(shop)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, shop, ("k0", COOKIE)[number % 2], number) for number in range(8)]
        answers = [one.result() for one in asked]
    assert sum(chosen(answer)[0] != SILENCE for answer in answers) == 1
    assert len(rows_of(shop.ledger)) == 1
    assert set(decided_for(shop)) == {"k0", COOKIE}


def test_a_reservation_under_the_alias_is_not_confirmed_against_the_customers_objection(shop):
    _, held = shop.decided([("push", timedelta(0))], customer=COOKIE)
    mapped(shop)
    shop.ledger.write("k0", rights.objected)
    assert refused(shop.confirm, held).more["reason"] == "objection"
