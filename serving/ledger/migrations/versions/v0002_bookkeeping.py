"""What the ledger remembers of requests, rights and changes, its audit, and the events it sends out."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Integer, LargeBinary, String, Text, text

revision = "0002"
down_revision = "0001"
NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers only INTEGER columns by itself


def upgrade() -> None:
    """Make them."""
    for make in (_requests, _postponed, _erasures, _stops, _changes, _audit, _outbox, _deliveries, _leases, _volumes):
        make()


def _requests() -> None:
    op.create_table(
        "requests",
        Column("client", String, primary_key=True),
        Column("endpoint", String, primary_key=True),
        Column("request_id", String, primary_key=True),
        Column("body_digest", String, nullable=False),
        Column("subject", String),
        Column("status", Integer, nullable=False),
        Column("answer", LargeBinary, nullable=False),
        Column("answered_at", BigInteger, nullable=False),
    )
    op.create_index("requests_in_time", "requests", ["answered_at"])


def _postponed() -> None:
    op.create_table(
        "postponed",
        Column("decision_id", String, primary_key=True),
        Column("journey", String, primary_key=True),
        Column("subject", String, nullable=False),
        Column("reason", String, nullable=False),
        Column("free_at", BigInteger, nullable=False),
        Column("state", String, nullable=False),
        CheckConstraint("state IN ('waiting', 'due', 'done')", name="a_postponed_journey_has_a_state"),
    )
    op.create_index("postponed_of_subject", "postponed", ["subject"])
    op.create_index("postponed_until", "postponed", ["free_at"], **_only("state = 'waiting'"))


def _erasures() -> None:
    op.create_table(
        "erasures",
        Column("erasure_id", String, primary_key=True),
        Column("subject", String),
        Column("customer_id", String),
        Column("reason", String, nullable=False),
        Column("requested_at", BigInteger, nullable=False),
        Column("ledger_done_at", BigInteger),
        Column("files_done_at", BigInteger),
    )


def _stops() -> None:
    op.create_table(
        "stops",
        Column("stop_id", String, primary_key=True),
        Column("journey", String, nullable=False),
        Column("began_at", BigInteger, nullable=False),
        Column("began_by", String, nullable=False),
        Column("reason", String, nullable=False),
        Column("automatic", Boolean, nullable=False),
        Column("ended_at", BigInteger),
        Column("ended_by", String),
        Column("end_reason", String),
    )
    op.create_index("one_stop_per_journey", "stops", ["journey"], unique=True, **_only("ended_at IS NULL"))


def _changes() -> None:
    op.create_table(
        "changes",
        Column("change_id", String, primary_key=True),
        Column("kind", String, nullable=False),
        Column("from_version", String),
        Column("to_version", String, nullable=False),
        Column("summary", Text, nullable=False),
        Column("effect", Text, nullable=False),
        Column("widens", Boolean, nullable=False),
        Column("proposed_by", String, nullable=False),
        Column("proposed_at", BigInteger, nullable=False),
        Column("state", String, nullable=False),
        Column("decided_by", String),
        Column("decided_at", BigInteger),
        Column("reason", String),
        Column("applied_at", BigInteger),
        CheckConstraint("state IN ('proposed', 'approved', 'rejected', 'applied')", name="a_change_has_a_state"),
    )
    op.create_index("changes_to_version", "changes", ["to_version"])


def _audit() -> None:
    op.create_table(
        "audit",
        Column("lane", Integer, primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("at", BigInteger, nullable=False),
        Column("entries", Text, nullable=False),
        Column("seal", String, nullable=False),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        Column("number", NUMBER, primary_key=True),
        Column("event_id", String, nullable=False, unique=True),
        Column("subject", String, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("place", Integer, nullable=False),
        Column("type", String, nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("data", Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_of_subject", "outbox", ["subject", "version", "place"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        Column("sink", String, primary_key=True),
        Column("number", BigInteger, primary_key=True),
        Column("attempts", Integer, nullable=False),
        Column("next_at", BigInteger),
        Column("delivered_at", BigInteger),
        Column("error", String),
    )
    op.create_index("deliveries_waiting", "deliveries", ["sink", "number"], **_only("delivered_at IS NULL"))


def _leases() -> None:
    op.create_table(
        "leases",
        Column("name", String, primary_key=True),
        Column("holder", String, nullable=False),
        Column("until", BigInteger, nullable=False),
    )


def _volumes() -> None:
    op.create_table(
        "volumes",
        Column("journey", String, primary_key=True),
        Column("hour", BigInteger, primary_key=True),
        Column("contacts", Integer, nullable=False),
    )


def _only(condition: str) -> dict[str, Any]:
    """An index over the rows that fit."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}
