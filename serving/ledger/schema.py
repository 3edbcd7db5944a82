"""The ledger's tables. Moments are whole microseconds since 1970 in UTC.

Integers, because importing Feast's SQLite store replaces the process-wide datetime adapter with one of whole seconds.
`origin` tells rows of the shop's tables ("history", replaced when those change) from rows that were written here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

VERSION = 3  # 2: records are compressed; 3: inputs and decision apart, what was best as columns, offers of contacts
METADATA = MetaData()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

schema_version = Table("schema_version", METADATA, Column("version", Integer, primary_key=True))

imports = Table("imports", METADATA, Column("name", String, primary_key=True), Column("fingerprint", String))

customers = Table(
    "customers",
    METADATA,
    Column("customer_id", String, primary_key=True),
    Column("time_zone", String),
    Column("locale", String),
)

aliases = Table(
    "aliases",
    METADATA,
    Column("alias_type", String, primary_key=True),
    Column("alias", String, primary_key=True),
    Column("valid_from", BigInteger, primary_key=True),
    Column("customer_id", String, nullable=False),
)

consents = Table(
    "consents",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("customer_id", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("state", String, nullable=False),
    Column("legal_basis", String, nullable=False),
    Column("evidence_id", String),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger),
    Column("origin", String, nullable=False),
    Index("consents_of_customer", "customer_id"),
)

contacts = Table(
    "contacts",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("customer_id", String, nullable=False),
    Column("journey", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("offer", String),
    Column("sent_at", BigInteger, nullable=False),
    Column("decision_id", String),
    Column("step", Integer),
    Column("released", Boolean, nullable=False, default=False),
    Column("engaged", Boolean),
    Column("origin", String, nullable=False),
    Index("contacts_of_customer", "customer_id", "sent_at"),
    Index("contacts_of_decision", "decision_id", "channel"),
    # One per way to name a scarce resource; the uses of one are counted before every decision.
    Index("contacts_of_offer", "offer", "sent_at"),
    Index("contacts_of_journey", "journey", "sent_at"),
    Index("contacts_of_channel", "channel", "sent_at"),
)

policies = Table(
    "policies", METADATA, Column("version", String, primary_key=True), Column("body", LargeBinary, nullable=False)
)

decisions = Table(
    "decisions",
    METADATA,
    Column("decision_id", String, primary_key=True),
    Column("client", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("body_digest", String, nullable=False),
    Column("customer_id", String, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("mode", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("policy_version", String, nullable=False),
    Column("favorite", String),
    Column("opens_at", BigInteger),
    Column("net", Float, nullable=False),
    Column("decided_on", Float, nullable=False),
    Column("stopped", String, nullable=False),
    Column("inputs", LargeBinary, nullable=False),
    Column("decision", LargeBinary, nullable=False),
    UniqueConstraint("client", "request_id", name="one_answer_per_request"),
    Index("decisions_of_customer", "customer_id", "decided_at"),
)

outcomes = Table(
    "outcomes",
    METADATA,
    Column("source", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("body_digest", String, nullable=False),
    Column("decision_id", String, nullable=False),
    Column("step", Integer, nullable=False),
    Column("type", String, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("value", Float),
    Column("matched", Boolean, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Index("outcomes_of_decision", "decision_id"),
)


def to_micros(moment: datetime) -> int:
    """An aware moment as stored."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """A stored moment, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)
