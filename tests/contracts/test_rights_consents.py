"""What every ledger makes of consents that contradict each other: old links to confirm, and grants that begin later."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import insert

from arbitration.domain import Consent
from serving.ledger import schema
from serving.ledger.consents import add_consent, confirm
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger
from tests.contracts.conftest import HOUR, NOW, rows_of
from tests.contracts.test_rights import BRAND, asked, grant, withdraw


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


@pytest.mark.parametrize("state", ["withdrawn", "denied"])
def test_a_grant_of_the_shop_that_begins_later_opens_nothing_that_was_closed_here_before(ledger, state):
    with ledger.writing("c1") as tx:
        add_consent(tx, Consent("push", "marketing", state, "none", "said", tx.now()), BRAND)
    imported(ledger, "granted", NOW + 5 * HOUR)
    assert held(ledger, NOW + HOUR) == [state]
    assert held(ledger, NOW + 6 * HOUR) == [state, "granted"]


def test_a_grant_of_the_shop_that_begins_later_stands_where_nothing_was_closed_here(ledger):
    imported(ledger, "granted", NOW + 5 * HOUR)
    imported(ledger, "withdrawn", NOW + 6 * HOUR)
    with ledger.writing("c1") as tx:
        withdraw(tx, channel="email")
    assert held(ledger, NOW + HOUR) == ["granted", "withdrawn"]


def test_what_the_shop_closes_later_stays_beside_what_was_closed_here(ledger):
    with ledger.writing("c1") as tx:
        withdraw(tx)
    imported(ledger, "withdrawn", NOW + 5 * HOUR)
    assert held(ledger, NOW + HOUR) == ["withdrawn", "withdrawn"]


def held(ledger: Ledger, now: datetime) -> list[str]:
    """What holds for push, oldest first."""
    with ledger.reading() as reading:
        return [one.state for one in reading.standing("c1", now, now, BRAND).consents if one.channel == "push"]


def imported(ledger: Ledger, state: str, since: datetime, channel: str = "push") -> None:
    """One row as an import of the shop's consents leaves it."""
    row = {"customer_id": "c1", "channel": channel, "purpose": "marketing", "state": state, "legal_basis": "consent"}
    with ledger.writing() as tx:
        tx.connection.execute(insert(schema.shop_consents).values(**row, evidence_id="e", valid_from=to_micros(since)))
