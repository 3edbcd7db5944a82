"""What was said under an alias holds for the customer whom the shop names by it later."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert

from arbitration.domain import Consent
from serving.ledger import rights, schema
from serving.ledger.consents import add_consent
from serving.ledger.schema import to_micros
from tests.contracts.conftest import HOUR, NOW


def mapped(ledger, customer: str = "C1") -> None:
    """The shop says whose the cookie is."""
    alias = {"alias_type": "cookie", "alias": "abc", "valid_from": to_micros(NOW - HOUR), "customer_id": customer}
    with ledger.writing() as tx:
        tx.connection.execute(insert(schema.shop_aliases).values(alias))


def standing(ledger):
    with ledger.reading() as reading:
        return reading.standing("C1", NOW - HOUR, reading.now(), "shop")


def test_an_objection_under_an_alias_holds_for_the_customer_it_turns_out_to_be(ledger):
    with ledger.writing("cookie:abc") as tx:
        rights.objected(tx)
    assert not standing(ledger).objected
    mapped(ledger)
    assert standing(ledger).objected
    with ledger.writing("C1") as tx:  # also once something was written about the customer
        tx.emit("dirigent.right.changed.v1", {"right": "pause", "state": "ended"})
    assert standing(ledger).objected


def test_a_pause_under_an_alias_holds_and_the_longer_one_counts(ledger):
    with ledger.writing("cookie:abc") as tx:
        rights.paused(tx, tx.now() + timedelta(days=3))
        longer = tx.now() + timedelta(days=3)
    with ledger.writing("C1") as tx:
        rights.paused(tx, tx.now() + timedelta(days=1))
    mapped(ledger)
    assert standing(ledger).paused_until == longer


def test_a_no_under_an_alias_holds_and_a_yes_opens_nothing(ledger):
    with ledger.writing("cookie:abc") as tx:
        add_consent(tx, Consent("push", "marketing", "withdrawn", "none", "outcome:x:1", tx.now()), "shop")
        add_consent(tx, Consent("email", "marketing", "granted", "consent", "e", tx.now()), "shop")
    mapped(ledger)
    assert [(one.channel, one.state) for one in standing(ledger).consents] == [("push", "withdrawn")]
