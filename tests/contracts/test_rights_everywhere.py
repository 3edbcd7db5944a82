"""A no for every channel holds also on those that nobody knew when it was said, until a later yes for one of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import insert

from arbitration.domain import EVERY_CHANNEL, Candidate, Consent, Context, CustomerId, SendWindow, Treatment
from arbitration.gates.case import Case
from serving.ledger import schema
from serving.ledger.consents import add_consent, add_evidence, confirm
from serving.ledger.evidence_gaps import evidence_gaps
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from tests.contracts.conftest import HOUR, NOW, POLICY, hold
from tests.contracts.test_rights import BRAND, GATES, grant, proof, states

LATER = "kiosk"
"""A channel that the catalog gets only afterwards, in two kinds."""


def catalog(*, needs_consent: bool):
    channel = replace(POLICY.channels["push"], id=LATER, needs_consent=needs_consent)
    return replace(POLICY, channels={**POLICY.channels, LATER: channel})


def close(tx: Transaction, state: str = "withdrawn", brand: str = BRAND) -> str:
    return add_consent(tx, Consent(EVERY_CHANNEL, "marketing", state, "none", "said", tx.now()), brand)


def verdict(
    ledger: Ledger, customer: str = "c1", channel: str = LATER, *, needs_consent: bool = True, brand: str = BRAND
) -> str | None:
    """The first gate about law that says no to a contact on a channel now; None: all let it pass."""
    with ledger.writing(customer) as tx:
        now = tx.now()
        standing = tx.standing(customer, now - 24 * HOUR, now, brand)
    context = standing.put_into(Context(CustomerId(customer), True, "Europe/Berlin", "de", {}))
    candidate = Candidate(Treatment("welcome", channel, "hello"), SendWindow(now, now + HOUR, 10))
    case = Case(context, catalog(needs_consent=needs_consent), now)
    return next((gate.__name__ for gate in GATES if gate(candidate, case) is not None), None)


def imported(ledger: Ledger, state: str, since: datetime, channel: str = LATER) -> None:
    """One row as an import of the shop's consents leaves it."""
    row = {"customer_id": "c1", "channel": channel, "purpose": "marketing", "state": state, "legal_basis": "consent"}
    with ledger.writing() as tx:
        tx.connection.execute(insert(schema.shop_consents).values(**row, evidence_id="e", valid_from=to_micros(since)))


@pytest.mark.parametrize("state", ["withdrawn", "denied"])
@pytest.mark.parametrize("needs_consent", [True, False])
def test_a_channel_that_the_catalog_gets_afterwards_is_closed(ledger, state, needs_consent):
    assert verdict(ledger, needs_consent=needs_consent) == ("consent_missing" if needs_consent else None)
    with ledger.writing("c1") as tx:
        close(tx, state)
    assert verdict(ledger, needs_consent=needs_consent) == f"consent_{state}"
    assert verdict(ledger, "c2", needs_consent=False) is None
    assert verdict(ledger, needs_consent=False, brand="other") is None


def test_an_older_yes_that_the_shop_brings_afterwards_opens_nothing(ledger):
    with ledger.writing("c1") as tx:
        close(tx)
    imported(ledger, "granted", NOW - HOUR)
    assert verdict(ledger) == "consent_withdrawn"


def test_a_yes_of_the_shop_that_begins_later_waits_for_its_beginning(ledger):
    with ledger.writing("c1") as tx:
        close(tx)
    imported(ledger, "granted", NOW + 5 * HOUR)
    assert verdict(ledger) == "consent_withdrawn"
    ledger.clock.shift += 6 * HOUR
    assert verdict(ledger) is None


def test_a_later_yes_for_one_channel_opens_that_one_alone(ledger):
    with ledger.writing("c1") as tx:
        grant(tx, "push")
        grant(tx, "email")
        close(tx)
    with ledger.writing("c1") as tx:
        grant(tx, LATER, confirmed_at=tx.now())
        grant(tx, "email", requested_at=tx.now(), confirmed_at=tx.now())
    assert [verdict(ledger, channel=it) for it in (LATER, "email", "push")] == [None, None, "consent_withdrawn"]
    with ledger.writing("c1") as tx:
        close(tx)
    assert [verdict(ledger, channel=it) for it in (LATER, "email")] == ["consent_withdrawn"] * 2


def test_a_yes_for_every_channel_is_none(ledger):
    imported(ledger, "granted", NOW - HOUR, EVERY_CHANNEL)
    assert verdict(ledger) == "consent_missing"
    imported(ledger, "withdrawn", NOW - HOUR / 2, EVERY_CHANNEL)
    assert verdict(ledger, needs_consent=False) == "consent_withdrawn"


def test_a_request_from_before_and_one_that_nobody_confirmed_open_nothing(ledger):
    with ledger.writing("c1") as tx:
        before = grant(tx, "push", confirmed_at=None)
    with ledger.writing("c1") as tx:
        close(tx)
    with ledger.writing("c1") as tx:
        assert confirm(tx, before, tx.now()) is None
    with ledger.writing("c1") as tx:
        waiting = grant(tx, "push", requested_at=tx.now(), confirmed_at=None)
    assert verdict(ledger, channel="push") == "consent_withdrawn"
    with ledger.writing("c1") as tx:
        assert confirm(tx, waiting, tx.now()) is not None
    assert verdict(ledger, channel="push") is None


def test_what_is_reserved_on_any_channel_is_released_and_service_stays(ledger):
    with ledger.writing("c1") as tx:
        hold(tx, "d-1", channel=LATER)
        hold(tx, "d-2", channel="onsite", purpose="service")
    with ledger.writing("c1") as tx:
        close(tx)
    assert sorted(states(ledger), key=str) == [("released", "consent_withdrawn"), ("reserved", None)]


def test_a_no_for_every_channel_under_an_alias_holds_for_the_customer(ledger):
    with ledger.writing("cookie:abc") as tx:
        close(tx)
    alias = {"alias_type": "cookie", "alias": "abc", "valid_from": to_micros(NOW - HOUR), "customer_id": "c1"}
    with ledger.writing() as tx:
        tx.connection.execute(insert(schema.shop_aliases).values(alias))
    assert verdict(ledger, needs_consent=False) == "consent_withdrawn"


def test_a_contact_made_in_spite_of_it_is_a_gap(ledger):
    with ledger.writing("c1") as tx:
        given = proof(requested_at=tx.now(), confirmed_at=tx.now())
        name = add_evidence(tx, given, LATER, "consent")
        add_consent(tx, Consent(LATER, "marketing", "granted", "consent", name, tx.now()), BRAND)
    with ledger.writing("c1") as tx:
        close(tx)
    with ledger.writing("c1") as tx:
        hold(tx, "d-1", channel=LATER)
        tx.change(schema.contacts, schema.contacts.c.subject == tx.owner, {"evidence_id": name})
    with ledger.reading() as reading:
        assert [gap.missing for gap in evidence_gaps(reading)] == ["the consent had been taken back by then"]
