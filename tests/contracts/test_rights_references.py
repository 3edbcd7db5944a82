"""What the shop's references to its own records become when a customer is erased, on both stores."""

from __future__ import annotations

from sqlalchemy import select

from arbitration.domain import Consent
from serving.ledger import rights, schema
from serving.ledger.consents import add_consent
from serving.ledger.schema import METADATA
from tests.contracts.conftest import hold, rows_of
from tests.contracts.test_rights import BRAND, audited


def test_no_reference_to_a_record_of_the_shop_outlives_erasure(ledger):
    table, mark = schema.contacts, "sim-opt-in-email-c1"
    with ledger.writing("c1") as tx:
        hold(tx)
        tx.change(table, table.c.subject == tx.owner, {"evidence_id": mark})
        add_consent(tx, Consent("push", "marketing", "withdrawn", "none", mark, tx.now()), BRAND)
    with ledger.writing("c1") as tx:
        rights.erase(tx, "x-1", "c1", "unlawful")
    with ledger.reading() as reading:
        for one in METADATA.sorted_tables:
            assert mark not in repr(reading.connection.execute(select(one)).all()), one.name
        assert rights.references_left(reading) == 0
    audited(ledger)


def test_references_that_an_earlier_program_left_are_emptied_and_those_of_others_stay(ledger):
    table, marks = schema.contacts, {"c1": "opt-in-c1", "c2": "opt-in-c2"}
    owners = {}
    for number, customer in enumerate(marks):
        with ledger.writing(customer) as tx:
            hold(tx, f"d-{number}")
            owners[customer] = tx.owner
    with ledger.writing("c1") as tx:
        rights.erase(tx, "x-1", "c1", "unlawful")
    with ledger.writing() as tx:
        for customer, mark in marks.items():
            tx.change(table, table.c.subject == owners[customer], {"evidence_id": mark})
    with ledger.reading() as reading:
        assert rights.references_left(reading) == 1
    assert ledger.write(None, rights.drop_references) == 1
    assert ledger.write(None, rights.drop_references) == 0
    assert {row.subject: row.evidence_id for row in rows_of(ledger)} == {owners["c1"]: None, owners["c2"]: "opt-in-c2"}
    audited(ledger)
