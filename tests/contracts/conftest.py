"""Every ledger that the contracts are checked on: a SQLite file and a PostgreSQL database, and what is written into them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from arbitration.domain import Candidate, SendWindow, Treatment
from arbitration.situation import Offer
from catalog.loading import EXAMPLE, load_catalog
from serving.clock import Clock
from serving.ledger import contacts, schema
from serving.ledger.keyring import Keyring
from serving.ledger.rows import Answer, DecisionRow, OutcomeRow, Reservation, Summary
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction

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
def named(request, tmp_path) -> Path | str:
    """Where an empty ledger lies: a file's path, or a URL."""
    if request.param == "sqlite":
        return tmp_path / "ledger.db"
    postgres, template = request.getfixturevalue("postgres"), request.getfixturevalue("empty_database")
    return postgres.new_database(template)


@pytest.fixture
def ledger(named):
    """An empty ledger of each kind; its shop's clock stands at `NOW` when it opens, and runs."""
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
) -> Reservation:  # fmt: skip
    """Reserve one contact of the locked customer; `at`: when it is to be sent (now)."""
    at = at or tx.now()
    benefit = Offer(offer, 5.0) if offer else None
    candidate = Candidate(Treatment(journey, channel, "hello", benefit), SendWindow(at, at + HOUR, 10))
    return contacts.reserve(
        tx, candidate, POLICY, decision_id=decision_id, step=step, send_at=at, purpose=purpose, evidence_id=None
    )


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
