"""What is kept too long goes, the audit still verifies, and every contact that stays was allowed."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select

from arbitration.codec import canonical_json, canonical_text, encode
from arbitration.domain import Consent, Context, CustomerId
from serving.ledger import contacts, retention, rights, schema
from serving.ledger.bookkeeping import deliveries, outbox, requests
from serving.ledger.evidence_gaps import evidence_gaps
from serving.ledger.requests import remember
from serving.ledger.retention import Retention, retain
from serving.ledger.rows import Answer
from serving.ledger.store import Ledger
from tests.contracts.conftest import HOUR, NOW, POLICY, decision, hold, outcome, rows_of, send
from tests.contracts.test_rights import audited, grant, shop_rows, withdraw

NOTHING = dict.fromkeys(
    (
        "outcomes", "contacts", "decisions", "replaced consents", "evidence of nothing", "answers", "postponed journeys",
        "delivered events",
    ),
    0,
)  # fmt: skip


def later(ledger, days: float) -> None:
    ledger.clock.shift += timedelta(days=days)


def filled(ledger) -> None:
    """One of everything that grows old."""
    with ledger.writing("c1") as tx:
        grant(tx, requested_at=tx.now(), confirmed_at=tx.now())
        tx.add_decision(decision())
        tx.add_outcome(outcome())
        send(tx)
        hold(tx, "d-2", at=NOW + 500 * 24 * HOUR, purpose="service")
        remember(tx, "crm", "pauses", "p-1", Answer("digest", 200, b"{}"))
    with ledger.writing("c1") as tx:
        withdraw(tx)


def test_what_is_young_stays_and_counting_changes_nothing(ledger):
    filled(ledger)
    assert retain(ledger) == NOTHING
    later(ledger, 401)
    assert retain(ledger, dry_run=True) == NOTHING | {"outcomes": 1, "contacts": 1, "decisions": 1, "answers": 1}
    assert len(rows_of(ledger, schema.decisions)) == 1


def test_what_is_old_goes_and_the_audit_verifies(ledger):
    filled(ledger)
    later(ledger, 401)
    said: list[str] = []
    gone = retain(ledger, progress=said.append)
    assert gone == NOTHING | {"outcomes": 1, "contacts": 1, "decisions": 1, "answers": 1}
    assert "decisions, 1" in said
    assert rows_of(ledger, schema.decisions) == rows_of(ledger, schema.outcomes) == rows_of(ledger, requests) == []
    assert [row.state for row in rows_of(ledger)] == ["reserved"], "a place that is held stays"
    assert len(rows_of(ledger, schema.consents)) == 2, "who asks may see for three years what was replaced"
    assert audited(ledger) > 2
    assert retain(ledger) == NOTHING


def test_replaced_consents_go_with_their_evidence_and_the_last_word_stays(ledger):
    filled(ledger)
    later(ledger, 1101)
    gone = retain(ledger)
    assert (gone["replaced consents"], gone["evidence of nothing"]) == (1, 1)
    assert [row.state for row in rows_of(ledger, schema.consents)] == ["withdrawn"]
    audited(ledger)


def test_events_go_only_once_every_sink_has_them(ledger):
    filled(ledger)
    numbers = [row.number for row in rows_of(ledger, outbox)]
    with ledger.writing() as tx:
        for number in numbers[:2]:
            for sink in ("file", "web"):
                waits = {"next_at": 1} if (number, sink) == (numbers[1], "web") else {"delivered_at": tx.at}
                row = {"sink": sink, "number": number, "attempts": 1} | waits
                tx.connection.execute(insert(deliveries).values(row))
    later(ledger, 31)
    assert retain(ledger, dry_run=True)["delivered events"] == 1
    assert retain(ledger)["delivered events"] == 1
    assert [row.number for row in rows_of(ledger, outbox)] == numbers[1:]
    assert len(rows_of(ledger, deliveries)) == 2


def test_what_is_old_is_looked_for_while_others_may_write(ledger, monkeypatch):
    filled(ledger)
    later(ledger, 401)
    seen, real = list[str](), Ledger.reading

    @contextmanager
    def reading(self):
        with real(self) as found:
            with self.writing("c2") as tx:  # nobody holds the ledger
                tx.set_subject(paused_until=None)
            seen.append("looked")
            yield found

    monkeypatch.setattr(Ledger, "reading", reading)
    assert retain(ledger) == NOTHING | {"outcomes": 1, "contacts": 1, "decisions": 1, "answers": 1}
    monkeypatch.undo()
    assert len(seen) == 1 + len(NOTHING) + 4, "once for each kind, and once more where something went"
    audited(ledger)


def test_what_became_young_between_the_look_and_the_lock_stays(ledger, monkeypatch):
    filled(ledger)
    later(ledger, 401)
    real = Ledger.write

    def write(self, customer, work):
        monkeypatch.setattr(Ledger, "write", real)
        with self.writing() as tx:
            tx.change(schema.outcomes, schema.outcomes.c.id == "o-1", {"received_at": tx.at})
        return real(self, customer, work)

    monkeypatch.setattr(Ledger, "write", write)
    assert retain(ledger)["outcomes"] == 0
    assert len(rows_of(ledger, schema.outcomes)) == 1
    audited(ledger)


def test_nothing_can_be_kept_for_less_than_a_repeated_call_needs():
    with pytest.raises(ValueError, match="more than a day"):
        Retention(answers=1)


def test_decisions_are_kept_as_long_as_the_contacts_that_rest_on_them():
    with pytest.raises(ValueError, match="decisions are kept for 90 days and contacts for 400: keep decisions as long"):
        Retention(decisions=90)
    assert Retention(decisions=90, contacts=90).decisions == 90


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_decision_stays_until_the_last_contact_that_it_led_to_has_gone(ledger, dry_run):
    with ledger.writing("c1") as tx:
        tx.add_decision(decision())
        send(tx, at=NOW + 10 * 24 * HOUR)
        tx.add_decision(decision(2))
    later(ledger, 401)
    assert retain(ledger, dry_run=dry_run) == NOTHING | {"decisions": 1}
    later(ledger, 10)
    assert retain(ledger, dry_run=dry_run) == NOTHING | {"contacts": 1, "decisions": 1 + dry_run}


def test_many_rows_go_in_many_small_transactions_and_are_looked_up_seldom(ledger, monkeypatch):
    monkeypatch.setattr(retention, "_AT_ONCE", 3)
    monkeypatch.setattr(retention, "_LOOKED_UP", 9)
    with ledger.writing("c1") as tx:
        for number in range(20):
            tx.add_decision(decision(number))
    later(ledger, 401)
    said: list[str] = []
    assert retain(ledger, progress=said.append)["decisions"] == 20
    assert [it for it in said if it.startswith("decisions")] == [f"decisions, {n}" for n in (3, 6, 9, 12, 15, 18, 20)]
    audited(ledger)


def test_looking_goes_through_one_table_at_most_once_and_asks_the_others_by_index(ledger):
    """SQLite says so in its plan. PostgreSQL is kept from going through a table wherever it has an index for it."""
    kept, now = Retention(), NOW + timedelta(days=2000)
    looks = [(rule.table, rule.which) for rule in retention.rules_of(kept, now)]
    with ledger.reading() as reading:
        connection = reading.connection
        for table, which in [*looks, (outbox, retention._delivered(now))]:
            asked = select(table.primary_key.columns[0]).where(which)
            text = str(asked.compile(ledger.engine, compile_kwargs={"literal_binds": True}))
            if ledger.place.is_sqlite:
                plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
                through = re.findall(r"^SCAN (\w+)", "\n".join(plan), re.MULTILINE)
            else:
                for way in ("seqscan", "hashjoin", "mergejoin", "material"):
                    connection.exec_driver_sql(f"SET enable_{way} = off")
                plan = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {text}")]
                through = re.findall(r"Seq Scan on (\w+)", "\n".join(plan))
            others = [name for name in through if name not in (table.name, "told")]
            assert others == [], (table.name, plan)
            assert through.count(table.name) <= 1, (table.name, plan)


def contact(tx, evidence_id: str | None, channel: str = "push", decision_id: str = "d-1") -> None:
    """Reserve one contact on the strength of some evidence."""
    hold(tx, decision_id, channel=channel)
    tx.change(schema.contacts, schema.contacts.c.decision_id == decision_id, {"evidence_id": evidence_id})


def gaps(ledger) -> list[str]:
    with ledger.reading() as reading:
        return [gap.missing for gap in evidence_gaps(reading)]


def newest_evidence(ledger) -> str:
    return str(rows_of(ledger, schema.evidence)[-1].evidence_id)


def test_a_contact_with_evidence_that_held_is_no_gap(ledger):
    with ledger.writing("c1") as tx:
        grant(tx, requested_at=tx.now(), confirmed_at=tx.now())
    with ledger.writing("c1") as tx:
        contact(tx, newest_evidence(ledger))
        contacts.sent(tx, "d-1", 0, "test")
    assert gaps(ledger) == []
    with ledger.writing("c1") as tx:
        withdraw(tx)
    assert gaps(ledger) == [], "a withdrawal does not reach back"


@pytest.mark.parametrize(("by", "found"), [("outcome", ["the consent had been taken back by then"]), ("confirm", [])])
def test_a_message_reported_only_after_a_withdrawal_is_a_gap_and_one_confirmed_before_is_none(ledger, by, found):
    with ledger.writing("c1") as tx:
        grant(tx, requested_at=tx.now(), confirmed_at=tx.now())
    with ledger.writing("c1") as tx:
        contact(tx, newest_evidence(ledger))
        if by == "confirm":
            contacts.sent(tx, "d-1", 0, by)
    with ledger.writing("c1") as tx:
        withdraw(tx)
    assert gaps(ledger) == [], "what is reserved no longer is no contact"
    with ledger.writing("c1") as tx:
        contacts.sent(tx, "d-1", 0, "outcome")
    assert gaps(ledger) == found


@pytest.mark.parametrize("missing", ["none", "unknown", "unconfirmed", "channel", "expired", "withdrawn"])
def test_a_contact_that_nothing_proves_is_named(ledger, missing):
    with ledger.writing("c1") as tx:
        confirmed = None if missing == "unconfirmed" else tx.now()
        grant(tx, "email" if missing == "channel" else "push", requested_at=tx.now(), confirmed_at=confirmed)
        if missing == "expired":
            tx.change(schema.consents, schema.consents.c.subject == tx.owner, {"valid_to": tx.at - 1})
    if missing == "withdrawn":
        with ledger.writing("c1") as tx:
            withdraw(tx)
    named = {"none": None, "unknown": "e-unknown"}.get(missing, newest_evidence(ledger))
    with ledger.writing("c1") as tx:
        contact(tx, named)
    assert len(gaps(ledger)) == 1


def test_a_channel_that_needs_no_consent_is_no_gap_by_the_policy_that_decided(ledger):
    free = next(name for name, channel in POLICY.channels.items() if not channel.needs_consent)
    with ledger.writing("c1") as tx:
        tx.add_policy(POLICY.version, canonical_json(POLICY))
        tx.add_decision(replace(decision(), policy_version=POLICY.version))
        contact(tx, None, free)
    assert gaps(ledger) == []
    with ledger.writing("c2") as tx:
        tx.add_decision(replace(decision(2, customer="c2"), policy_version=POLICY.version))
        contact(tx, None, "push", "d-2")
    assert gaps(ledger) == ["the contact names no evidence"]


def test_evidence_of_the_shop_counts_also_after_its_tables_were_replaced(ledger):
    given = Consent("push", "marketing", "granted", "consent", "e-1", NOW - HOUR)
    context = Context(CustomerId("c1"), True, "Europe/Berlin", "de", {}, consents=(given,))
    with ledger.writing("c1") as tx:
        shop_rows(tx)
        tx.add_decision(replace(decision(), inputs=canonical_text({"context": encode(context)})))
        contact(tx, "e-1")
    assert gaps(ledger) == []
    with ledger.writing() as tx:
        tx.connection.execute(delete(schema.shop_consents))
    assert gaps(ledger) == [], "the decision's record keeps what it rested on"
    with ledger.writing("c1") as tx:
        rights.erase(tx, "x-1", "c1", "unlawful")
    assert gaps(ledger) == []
