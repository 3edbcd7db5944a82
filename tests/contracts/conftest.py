"""Every ledger that the contracts are checked on: a SQLite file and a PostgreSQL database, and what is written into them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from catalog.loading import EXAMPLE, load_catalog
from serving.clock import Clock
from serving.ledger import contacts, engine, schema
from serving.ledger.keyring import Keyring
from serving.ledger.rows import Answer, DecisionRow, OutcomeRow, Summary
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from tests.empty_ledger import empty_ledger

NOW = datetime(2018, 1, 2, 15, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = load_catalog(EXAMPLE)
KEYRING = Keyring.fresh()
STORES = (pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres))


@pytest.fixture(scope="session")
def empty_database(postgres):
    """The name of a PostgreSQL database with the ledger's tables and nothing in them, to copy."""
    url = postgres.new_database()
    Ledger(url, KEYRING).close()
    return url.rpartition("/")[2]


@pytest.fixture(params=STORES)
def named(request, tmp_path) -> Iterator[Path | str]:
    """Where an empty ledger lies: a file's path, or a URL."""
    if request.param == "sqlite":
        yield empty_ledger(tmp_path / "ledger.db")
        return
    postgres, template = request.getfixturevalue("postgres"), request.getfixturevalue("empty_database")
    url = postgres.new_database(template)
    yield url
    postgres.drop_database(url)


@pytest.fixture
def ledger(named, monkeypatch):
    """An empty ledger of each kind; its shop's clock stands at `NOW` when it opens, and runs."""
    # No promise here is about how long a busy machine takes to let somebody in; tests/integration/test_database_faults.py is.
    monkeypatch.setattr(engine, "_CONNECT_SECONDS", 10)
    found = Ledger(named, KEYRING, Clock(NOW))
    yield found
    found.close()


def decision(number: int = 1, client: str = "shop", customer: str = "c1") -> DecisionRow:
    answer = Answer("digest", 200, b'{"decision_id":"d"}')
    best = Summary("welcome/push/hello", NOW, 1.25, 1.0, {"cool_down": 2, "not_eligible": 1})
    parts = (b'{"inputs":1}', b"\x00decision")
    return DecisionRow(f"d-{number}", client, f"r-{number}", customer, NOW, "live", answer, "v1", best, *parts)


def outcome(outcome_id: str = "o-1") -> OutcomeRow:
    return OutcomeRow("shop", outcome_id, "d-1", 0, "opened", NOW, NOW, 1.5, True, Answer("digest", 200, b"{}"))


def hold(
    tx: Transaction, decision_id: str = "d-1", journey: str = "welcome", channel: str = "push", *,
    at: datetime | None = None, offer: str | None = None, purpose: str = "marketing", step: int = 0,
) -> datetime:  # fmt: skip
    """Reserve one contact of the locked customer, to be sent `at` (now). Returns the end of its lease."""
    at, epoch = at or tx.now(), tx.next_epoch()
    closes_at = max(at, tx.now()) + HOUR
    tx.put(schema.contacts, {
        "reservation_id": f"r-{decision_id}-{step}-{epoch}-{tx.owner}", "subject": tx.owner, "decision_id": decision_id,
        "step": step, "journey": journey, "channel": channel, "purpose": purpose, "offer": offer, "state": "reserved",
        "timing": POLICY.channels[channel].timing if channel in POLICY.channels else "scheduled", "epoch": epoch,
        "sent_at": to_micros(at), "closes_at": to_micros(closes_at), "lease_until": to_micros(closes_at),
        "reserved_at": tx.at,
    })  # fmt: skip
    return closes_at


def send(tx: Transaction, decision_id: str = "d-1", *given, **more) -> None:
    """Reserve one contact and confirm it at once."""
    hold(tx, decision_id, *given, **more)
    contacts.sent(tx, decision_id, more.get("step", 0), "test")


def holding(ledger: Ledger, customer: str = "c1", since: datetime = NOW - HOUR):
    """The contacts that count for a customer by now."""
    with ledger.reading() as reading:
        return reading.standing(customer, since, reading.now(), "brand").contacts


def rows_of(ledger: Ledger, table=schema.contacts):
    """Every row of a table, by primary key."""
    with ledger.reading() as reading:
        return reading.connection.execute(select(table).order_by(*table.primary_key)).all()
