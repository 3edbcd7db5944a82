"""What every ledger must keep of a person's rights: consents with evidence, withdrawal at once, objection, pause, erasure."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from arbitration.domain import Candidate, Consent, Context, CustomerId, SendWindow, Treatment
from arbitration.gates import consent as gates
from arbitration.gates.case import Case
from serving.ledger import rights, schema
from serving.ledger.bookkeeping import erasures, outbox, postponed, requests
from serving.ledger.consents import Evidence, add_consent, add_evidence, confirm
from serving.ledger.keyring import Erased
from serving.ledger.schema import METADATA, to_micros
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from serving.ledger.verify import verify
from tests.contracts.conftest import HOUR, NOW, POLICY, decision, hold, rows_of

BRAND = "brand"
TEXT = hashlib.sha256(b"I agree").hexdigest()
GATES = (
    gates.objection, gates.suppression, gates.pause, gates.consent_missing, gates.consent_denied,
    gates.consent_withdrawn, gates.consent_expired, gates.consent_evidence_incomplete,
)  # fmt: skip


def proof(**changes) -> Evidence:
    given = {"requested_at": NOW - HOUR, "confirmed_at": NOW - HOUR / 2, "reference": "form-7"} | changes
    return Evidence("newsletter-2018", TEXT, "web_shop", **given)


def grant(tx: Transaction, channel: str = "push", basis: str = "consent", brand: str = BRAND, **changes) -> str:
    given = proof(**changes)
    name = add_evidence(tx, given, channel, basis)
    return add_consent(tx, Consent(channel, "marketing", "granted", basis, name, given.since(tx.now())), brand)


def withdraw(tx: Transaction, channel: str = "push", brand: str = BRAND) -> str:
    return add_consent(tx, Consent(channel, "marketing", "withdrawn", "none", "said", tx.now()), brand)


def refusals(tx: Transaction, customer: str = "c1", channel: str = "push", brand: str = BRAND) -> list[str]:
    """The gates about law that say no to a contact now, by name."""
    now = tx.now()
    standing = tx.standing(customer, now - 24 * HOUR, now, brand)
    context = standing.put_into(Context(CustomerId(customer), True, "Europe/Berlin", "de", {}))
    candidate = Candidate(Treatment("welcome", channel, "hello"), SendWindow(now, now + HOUR, 10))
    return [gate.__name__ for gate in GATES if gate(candidate, Case(context, POLICY, now)) is not None]


def asked(ledger: Ledger, **where) -> list[str]:
    with ledger.writing(where.get("customer", "c1")) as tx:
        return refusals(tx, **where)


def states(ledger: Ledger) -> list[tuple[str, str | None]]:
    return [(row.state, row.settled_by) for row in rows_of(ledger)]


def audited(ledger: Ledger) -> int:
    """Every row is as the audit names it last; returns how many entries the audit has."""
    found = verify(ledger.address)
    assert found.holds, found.shown
    return found.entries


def test_a_grant_with_whole_evidence_opens_its_channel_and_brand_and_no_other(ledger):
    assert asked(ledger) == ["consent_missing"]
    with ledger.writing("c1") as tx:
        grant(tx)
    assert asked(ledger) == []
    assert asked(ledger, channel="email") == ["consent_missing"]
    assert asked(ledger, brand="other") == ["consent_missing"]
    assert asked(ledger, customer="c2") == ["consent_missing"]


@pytest.mark.parametrize("channel", ["email", "sms", "push"])
def test_a_request_that_nobody_confirmed_is_kept_and_is_no_consent(ledger, channel):
    with ledger.writing("c1") as tx:
        name = grant(tx, channel, confirmed_at=None)
    assert asked(ledger, channel=channel) == ["consent_evidence_incomplete"]
    assert [row.missing for row in rows_of(ledger, schema.evidence)] == ["confirmation"]
    with ledger.writing("c2") as tx:
        assert confirm(tx, name, NOW) is None, "another customer cannot confirm it"
    with ledger.writing("c1") as tx:
        assert confirm(tx, name, NOW) is not None
        assert confirm(tx, "c-unknown", NOW) is None
    assert asked(ledger, channel=channel) == []
    bodies = [row.body for row in rows_of(ledger, schema.evidence)]
    assert not any(b"form-7" in bytes(body) for body in bodies), "evidence is sealed"


def test_a_confirmation_that_comes_after_a_withdrawal_in_time_order_is_what_counts(ledger):
    with ledger.writing("c1") as tx:
        waiting = grant(tx, confirmed_at=None)
    with ledger.writing("c1") as tx:
        withdraw(tx)
    with ledger.writing("c1") as tx:
        confirm(tx, waiting, NOW - HOUR / 2)  # clicked before the withdrawal, reported after it
    assert asked(ledger)[0] == "consent_withdrawn"


def test_a_request_that_nobody_confirmed_takes_no_consent_away(ledger):
    with ledger.writing("c1") as tx:
        grant(tx)
    with ledger.writing("c1") as tx:
        grant(tx, requested_at=NOW, confirmed_at=None)
    assert asked(ledger) == []
    with ledger.writing("c1") as tx:
        withdraw(tx)
    with ledger.writing("c1") as tx:
        grant(tx, requested_at=tx.now(), confirmed_at=None)
    assert asked(ledger)[0] == "consent_withdrawn"


def test_a_grant_from_the_future_holds_from_now_and_not_after_the_next_withdrawal(ledger):
    with ledger.writing("c1") as tx:
        grant(tx, confirmed_at=NOW + 24 * HOUR)
    assert asked(ledger) == []
    with ledger.writing("c1") as tx:
        withdraw(tx)
    assert asked(ledger)[0] == "consent_withdrawn"
    assert asked(ledger, channel="email") == ["consent_missing"]


def test_the_existing_customer_rule_needs_all_four_conditions(ledger):
    held = dict.fromkeys(("obtained_with_sale", "own_similar_goods", "informed_each_time", "not_objected"), True)
    for name in held:
        with ledger.writing(f"c-{name}") as tx:
            grant(tx, "email", "existing_customer_7_3", confirmed_at=None, conditions=held | {name: False})
        assert asked(ledger, customer=f"c-{name}", channel="email") == ["consent_evidence_incomplete"]
    with ledger.writing("c1") as tx:
        grant(tx, "email", "existing_customer_7_3", confirmed_at=None, conditions=held)
    assert asked(ledger, channel="email") == []


def test_a_withdrawal_releases_what_is_reserved_on_its_channel_alone(ledger):
    with ledger.writing("c1") as tx:
        hold(tx, "d-1")
        hold(tx, "d-2", channel="onsite", purpose="service")
    with ledger.writing("c1") as tx:
        withdraw(tx)
    assert sorted(states(ledger), key=str) == [("released", "consent_withdrawn"), ("reserved", None)]


def test_an_objection_silences_everything_until_it_is_lifted(ledger):
    with ledger.writing("c1") as tx:
        grant(tx)
        hold(tx, "d-1")
        hold(tx, "d-2", purpose="service")
        for name in ("welcome", "win_back"):
            row = {"decision_id": "d-1", "journey": name, "subject": tx.owner, "reason": "channel_cap"}
            tx.put(postponed, row | {"free_at": tx.at, "state": "waiting" if name == "welcome" else "due"})
    with ledger.writing("c1") as tx:
        assert rights.objected(tx) == 1
    assert "objection" in asked(ledger)
    assert sorted(states(ledger), key=str) == [("released", "objection"), ("reserved", None)]
    assert {row.state for row in rows_of(ledger, postponed)} == {"done"}
    with ledger.reading() as reading:
        assert rights.objectors(reading) == {"c1"}
    with ledger.writing("c1") as tx:
        rights.objection_lifted(tx)
    assert asked(ledger) == []
    audited(ledger)


def test_a_pause_holds_until_its_end_and_frees_what_would_be_sent_before(ledger):
    with ledger.writing("c1") as tx:
        grant(tx)
        hold(tx, "d-1", at=NOW + HOUR)
    with ledger.writing("c2") as tx:
        hold(tx, "d-2", at=NOW + 48 * HOUR)
    with ledger.writing("c1") as tx:
        assert rights.paused(tx, NOW + 24 * HOUR) == 1
    with ledger.writing("c2") as tx:
        assert rights.paused(tx, NOW + 24 * HOUR) == 0
    assert asked(ledger) == ["pause"]
    with ledger.writing("c1") as tx:
        rights.paused(tx, tx.now())
    assert asked(ledger) == []


def shop_rows(tx: Transaction, customer: str = "c1") -> None:
    """What the shop's tables brought of a customer."""
    at, run = to_micros(NOW - HOUR), tx.connection.execute
    run(insert(schema.shop_customers).values(customer_id=customer, time_zone="Europe/Berlin", locale="de"))
    run(insert(schema.shop_aliases).values(alias_type="card", alias="card-7", valid_from=at, customer_id=customer))
    told = {"customer_id": customer, "channel": "push", "purpose": "marketing"}
    run(insert(schema.shop_contacts).values(**told, journey="welcome", sent_at=at))
    told |= {"state": "granted", "legal_basis": "consent", "evidence_id": "e-1", "valid_from": at}
    run(insert(schema.shop_consents).values(**told))


def test_erasing_leaves_anonymous_rows_a_keyed_hash_and_an_audit_that_verifies(ledger):
    with ledger.writing("c1") as tx:
        shop_rows(tx)
        grant(tx)
        hold(tx, "d-1")
        tx.add_decision(decision())
        row = {"client": "crm", "endpoint": "pauses", "request_id": "p-1", "body_digest": "x", "subject": tx.owner}
        tx.put(requests, row | {"status": 200, "answer": b"{}", "answered_at": tx.at})
        owner = tx.owner
    with ledger.writing("c1") as tx:
        rights.erase(tx, "x-1", "c1", "unlawful")
    assert states(ledger) == [("released", "erasure")]
    assert all(
        not rows_of(ledger, schema.METADATA.tables[f"shop_{name}"]) for name in ("customers", "aliases", "consents")
    )
    assert rows_of(ledger, schema.shop_contacts) == rows_of(ledger, requests) == []
    kept = rows_of(ledger, schema.decisions)[0]
    assert (kept.request_id, kept.body_digest, kept.answer, kept.inputs, kept.decision) == ("!d-1", "", b"", b"", b"")
    with ledger.reading() as reading:
        assert reading.subject_of("c1") is None
        assert reading.is_suppressed("c1")
        assert reading.is_suppressed("card:card-7")
        assert not reading.is_suppressed("card-7")
        with pytest.raises(Erased):
            reading.decision("d-1")
        assert rights.unfinished(reading) == {"x-1": "c1"}
        assert rights.erasure(reading, "x-1").files_done_at is None
    with ledger.writing() as tx:
        shop_rows(tx)  # a start copied the shop's tables again before its files were done
        rights.files_done(tx, {"x-1": "c1"})
    with ledger.reading() as reading:
        assert rights.unfinished(reading) == {}
        assert rights.erasure(reading, "x-1").files_done_at is not None
        assert reading.profile("c1") is None
    assert rows_of(ledger, erasures)[0].customer_id is None
    assert rows_of(ledger, outbox)[-1].type == "dirigent.customer.erased.v1"
    assert rows_of(ledger, outbox)[-1].subject == owner
    assert "suppression" in asked(ledger)
    assert audited(ledger) == 3


def test_whoever_names_a_request_like_a_decision_keeps_nobody_from_being_erased(ledger):
    with ledger.writing("c1") as tx:
        tx.add_decision(decision())
    with ledger.writing("c2") as tx:
        tx.add_decision(replace(decision(2, customer="c2"), request_id="d-1"))
    for customer in ("c1", "c2"):
        with ledger.writing(customer) as tx:
            rights.erase(tx, f"x-{customer}", customer, "unlawful")
    assert {row.request_id for row in rows_of(ledger, schema.decisions)} == {"!d-1", "!d-2"}
    audited(ledger)


def test_no_table_says_the_id_in_clear_once_it_is_erased(ledger):
    name = "kunde-x7q-4711"
    with ledger.writing(name) as tx:
        shop_rows(tx, name)
        grant(tx)
        tx.add_decision(decision(customer=name))
    with ledger.writing(name) as tx:
        rights.erase(tx, "x-1", name, "unlawful")
    with ledger.reading() as reading:
        for table in METADATA.sorted_tables:
            for row in reading.connection.execute(select(table)):
                said = repr([bytes(value) if isinstance(value, memoryview) else value for value in row])
                assert name not in said, table.name
                assert name.encode().hex() not in said, table.name


def test_who_was_erased_and_asked_about_again_is_found(ledger):
    with ledger.writing("c1") as tx:
        rights.erase(tx, "x-1", "c1", "unlawful")
    with ledger.writing("c1") as tx:
        tx.add_decision(decision())
    with ledger.reading() as reading:
        assert rights.returned(reading, timedelta(0)) == ["c1"]
        assert rights.returned(reading, HOUR) == []
