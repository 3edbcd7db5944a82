"""What every ledger makes of consents that contradict each other: old links to confirm, and grants that begin later."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import insert

from serving.ledger import schema
from serving.ledger.consents import confirm
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger
from tests.contracts.conftest import NOW, rows_of
from tests.contracts.test_rights import asked, grant, withdraw


def clicked(ledger: Ledger, consent_id: str) -> str | None:
    """The customer follows the link that confirms a request."""
    with ledger.writing("c1") as tx:
        return confirm(tx, consent_id, tx.now())


@pytest.fixture
def waiting(ledger) -> str:
    """A request of the customer that waits for its confirmation."""
    with ledger.writing("c1") as tx:
        return grant(tx, confirmed_at=None)


def test_a_second_click_after_a_withdrawal_grants_nothing(ledger, waiting):
    assert clicked(ledger, waiting) is not None
    assert asked(ledger) == []
    with ledger.writing("c1") as tx:
        withdraw(tx)
    assert clicked(ledger, waiting) is None
    assert asked(ledger)[0] == "consent_withdrawn"


def test_a_first_click_after_a_withdrawal_grants_nothing(ledger, waiting):
    with ledger.writing("c1") as tx:
        withdraw(tx)
    assert clicked(ledger, waiting) is None
    assert asked(ledger)[0] == "consent_withdrawn"


def test_a_request_is_confirmed_once(ledger, waiting):
    assert clicked(ledger, waiting) is not None
    assert clicked(ledger, waiting) is None
    assert len(rows_of(ledger, schema.consents)) == 2


def test_another_request_and_what_was_said_of_other_things_leave_a_request_waiting(ledger, waiting):
    with ledger.writing("c1") as tx:
        later = grant(tx, confirmed_at=None)
        withdraw(tx, channel="email")
        withdraw(tx, brand="other")
    with ledger.writing("c2") as tx:
        withdraw(tx)
    assert clicked(ledger, waiting) is not None
    assert clicked(ledger, later) is None, "the customer said yes already"
    assert asked(ledger) == []


def test_a_withdrawal_of_the_shop_overtakes_a_request_and_its_grants_do_not(ledger, waiting):
    imported(ledger, "granted", NOW)
    with ledger.writing("c1") as tx:
        other = grant(tx, "email", confirmed_at=None)
    assert clicked(ledger, waiting) is not None
    imported(ledger, "withdrawn", NOW, channel="email")
    assert clicked(ledger, other) is None


def imported(ledger: Ledger, state: str, since: datetime, channel: str = "push") -> None:
    """One row as an import of the shop's consents leaves it."""
    row = {"customer_id": "c1", "channel": channel, "purpose": "marketing", "state": state, "legal_basis": "consent"}
    with ledger.writing() as tx:
        tx.connection.execute(insert(schema.shop_consents).values(**row, evidence_id="e", valid_from=to_micros(since)))
