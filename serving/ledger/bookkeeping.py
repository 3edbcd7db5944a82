"""The ledger's other tables: what it remembers of requests, rights, changes, its audit and the events it sends out."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from serving.ledger.schema import METADATA, NUMBER

requests = Table(
    "requests",
    METADATA,
    Column("client", String, primary_key=True),
    Column("endpoint", String, primary_key=True),
    Column("request_id", String, primary_key=True),
    Column("body_digest", String, nullable=False),
    Column("subject", String),
    Column("status", Integer, nullable=False),
    Column("answer", LargeBinary, nullable=False),  # holds no customer id
    Column("answered_at", BigInteger, nullable=False),
    Index("requests_in_time", "answered_at"),
)

postponed = Table(
    "postponed",
    METADATA,
    Column("decision_id", String, primary_key=True),
    Column("journey", String, primary_key=True),
    Column("subject", String, nullable=False),
    Column("reason", String, nullable=False),  # the gate that said not now
    Column("free_at", BigInteger, nullable=False),
    Column("state", String, nullable=False),  # waiting, due (told through the outbox), done (another decision came first)
    Index("postponed_until", "free_at", sqlite_where=text("state = 'waiting'"), postgresql_where=text("state = 'waiting'")),
    Index("postponed_of_subject", "subject"),
    CheckConstraint("state IN ('waiting', 'due', 'done')", name="a_postponed_journey_has_a_state"),
)  # fmt: skip

erasures = Table(
    "erasures",
    METADATA,
    Column("erasure_id", String, primary_key=True),
    Column("subject", String),
    Column("customer_id", String),  # until every file is done, then NULL
    Column("reason", String, nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    Column("ledger_done_at", BigInteger),
    Column("files_done_at", BigInteger),
)

stops = Table(
    "stops",
    METADATA,
    Column("stop_id", String, primary_key=True),
    Column("journey", String, nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("began_by", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("automatic", Boolean, nullable=False),
    Column("ended_at", BigInteger),
    Column("ended_by", String),
    Column("end_reason", String),
    Index(
        "one_stop_per_journey", "journey", unique=True,
        sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL"),
    ),
)  # fmt: skip

changes = Table(
    "changes",
    METADATA,
    Column("change_id", String, primary_key=True),
    Column("kind", String, nullable=False),  # catalog, models
    Column("from_version", String),
    Column("to_version", String, nullable=False),
    Column("summary", Text, nullable=False),  # JSON: what changed, with places
    Column("effect", Text, nullable=False),  # JSON: the counted effect on the audience
    Column("widens", Boolean, nullable=False),
    Column("proposed_by", String, nullable=False),
    Column("proposed_at", BigInteger, nullable=False),
    Column("state", String, nullable=False),  # proposed, approved, rejected, applied
    Column("decided_by", String),
    Column("decided_at", BigInteger),
    Column("reason", String),
    Column("applied_at", BigInteger),
    Index("changes_to_version", "to_version"),
    CheckConstraint("state IN ('proposed', 'approved', 'rejected', 'applied')", name="a_change_has_a_state"),
)

audit = Table(
    "audit",
    METADATA,
    Column("lane", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),  # 1, 2, 3, … without a gap in each lane
    Column("at", BigInteger, nullable=False),
    Column(
        "entries", Text, nullable=False
    ),  # JSON: [[table, key, digest of the row as it is now, or null if removed], …]
    Column("seal", String, nullable=False),  # HMAC over the seal before, lane, number, at and entries
)

outbox = Table(
    "outbox",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("event_id", String, nullable=False, unique=True),
    Column("subject", String, nullable=False),  # a pseudonym; "shop" where no customer is concerned
    Column("version", BigInteger, nullable=False),  # the subject's version: the order of one customer's events
    Column("place", Integer, nullable=False),  # order within one transaction
    Column("type", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("data", Text, nullable=False),  # JSON without any customer id
    Index("outbox_of_subject", "subject", "version", "place"),
    sqlite_autoincrement=True,  # numbers are not used again when retention has emptied the table
)

deliveries = Table(
    "deliveries",
    METADATA,
    Column("sink", String, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger),  # NULL: delivered
    Column("delivered_at", BigInteger),
    Column("error", String),
    # What is still to be told, without looking through all that was.
    Index(
        "deliveries_waiting", "sink", "number",
        sqlite_where=text("delivered_at IS NULL"), postgresql_where=text("delivered_at IS NULL"),
    ),
)  # fmt: skip

leases = Table(
    "leases",
    METADATA,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("until", BigInteger, nullable=False),
)

volumes = Table(
    "volumes",
    METADATA,
    Column("journey", String, primary_key=True),
    Column("hour", BigInteger, primary_key=True),  # whole hours since 1970
    Column("contacts", Integer, nullable=False),
)
