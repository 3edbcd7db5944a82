"""The ledger's tables. Moments are whole microseconds since 1970 in UTC.

Integers, because importing Feast's SQLite store replaces the process-wide datetime adapter with one of whole seconds.

Tables named `shop_*` are copies of the shop's own tables, keyed by `customer_id` and replaced when those change. All others are
written here alone and name a customer by a random pseudonym, the `subject`: where the row of `subjects` that ties the two
together is emptied, nobody can tell whose they were. Columns of sealed bytes can be read only with that row's key.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

METADATA = MetaData()
STATES = ("reserved", "confirmed", "released", "expired")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers only INTEGER columns by itself

imports = Table("imports", METADATA, Column("name", String, primary_key=True), Column("fingerprint", String))

shop_customers = Table(
    "shop_customers",
    METADATA,
    Column("customer_id", String, primary_key=True),
    Column("time_zone", String),
    Column("locale", String),
)

shop_aliases = Table(
    "shop_aliases",
    METADATA,
    Column("alias_type", String, primary_key=True),
    Column("alias", String, primary_key=True),
    Column("valid_from", BigInteger, primary_key=True),
    Column("customer_id", String, nullable=False),
    Index("shop_aliases_of_customer", "customer_id"),
)

shop_consents = Table(
    "shop_consents",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("customer_id", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("state", String, nullable=False),
    Column("legal_basis", String, nullable=False),
    Column("evidence_id", String),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger),
    Index("shop_consents_of_customer", "customer_id"),
)

shop_contacts = Table(
    "shop_contacts",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("customer_id", String, nullable=False),
    Column("journey", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("offer", String),
    Column("sent_at", BigInteger, nullable=False),
    Column("decision_id", String),
    Column("engaged", Boolean),
    Index("shop_contacts_of_customer", "customer_id", "sent_at"),
    # One per way to name a scarce resource; the uses of one are counted before every decision.
    Index("shop_contacts_of_offer", "offer", "sent_at"),
    Index("shop_contacts_of_journey", "journey", "sent_at"),
    Index("shop_contacts_of_channel", "channel", "sent_at"),
)

subjects = Table(
    "subjects",
    METADATA,
    Column("subject", String, primary_key=True),
    Column("customer_id", String, unique=True),  # NULL once erased
    Column("sealing_key", LargeBinary),  # wrapped; NULL once erased
    Column("version", BigInteger, nullable=False),  # rises with every write about the customer
    Column("epoch", BigInteger, nullable=False),  # rises with every reservation
    Column("last_at", BigInteger, nullable=False),  # time never runs backwards for a customer
    Column("objected_at", BigInteger),
    Column("paused_until", BigInteger),
    Column("erased_at", BigInteger),
)

suppressions = Table(
    "suppressions",
    METADATA,
    Column("hash", String, primary_key=True),  # keyed hash of a customer_id or of `alias_type:alias`
    Column("reason", String, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
)

evidence = Table(
    "evidence",
    METADATA,
    Column("evidence_id", String, primary_key=True),
    Column("subject", String, nullable=False),
    Column("missing", String),  # what keeps it from being proof; NULL: nothing
    Column("requested_at", BigInteger),
    Column("confirmed_at", BigInteger),
    Column(
        "body", LargeBinary, nullable=False
    ),  # sealed: text id and hash, source, the shop's own reference, conditions
    Column("recorded_at", BigInteger, nullable=False),
    Index("evidence_of_subject", "subject"),
)

consents = Table(
    "consents",
    METADATA,
    Column("consent_id", String, primary_key=True),
    Column("subject", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("brand", String, nullable=False),
    Column("state", String, nullable=False),
    Column("legal_basis", String, nullable=False),
    Column("evidence_id", String),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger),
    Column("recorded_at", BigInteger, nullable=False),
    Index("consents_of_subject", "subject"),
    CheckConstraint("state IN ('granted', 'denied', 'withdrawn')", name="a_consent_has_a_state"),
)

contacts = Table(
    "contacts",
    METADATA,
    Column("reservation_id", String, primary_key=True),
    Column("subject", String, nullable=False),
    Column("decision_id", String, nullable=False),
    Column("step", Integer, nullable=False),
    Column("journey", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("timing", String, nullable=False),
    Column("offer", String),
    Column("sent_at", BigInteger, nullable=False),  # as planned, or when it was confirmed later than planned
    Column("closes_at", BigInteger, nullable=False),  # the end of the send window
    Column("state", String, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("reserved_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Column("settled_by", String),  # why it is no longer reserved, as a code
    Column("engaged", Boolean),
    Column("evidence_id", String),  # what proves that the contact was allowed; NULL where no consent is needed
    Column("review", String),  # NULL: none needed; required, approved, rejected
    Column("reviewer", String),
    Column("review_reason", String),
    Index("contacts_of_subject", "subject", "sent_at"),
    Index("contacts_of_decision", "decision_id", "step"),
    Index("contacts_of_offer", "offer", "sent_at"),
    Index("contacts_of_journey", "journey", "sent_at"),
    Index("contacts_of_channel", "channel", "sent_at"),
    Index("contacts_on_lease", "lease_until", sqlite_where=text("state = 'reserved'"), postgresql_where=text("state = 'reserved'")),
    # The second line of defense behind the gates: one live winner per customer and timing, one live contact per step.
    Index(
        "one_live_winner", "subject", "timing", unique=True,
        sqlite_where=text("state = 'reserved' AND purpose = 'marketing'"),
        postgresql_where=text("state = 'reserved' AND purpose = 'marketing'"),
    ),
    Index(
        "one_contact_per_step", "decision_id", "step", unique=True,
        sqlite_where=text("state IN ('reserved', 'confirmed')"),
        postgresql_where=text("state IN ('reserved', 'confirmed')"),
    ),
    UniqueConstraint("subject", "epoch", name="one_reservation_per_epoch"),
    CheckConstraint("state IN ('reserved', 'confirmed', 'released', 'expired')", name="a_contact_has_a_state"),
    CheckConstraint("(state = 'reserved') = (settled_at IS NULL)", name="what_is_settled_has_a_moment"),
    CheckConstraint("lease_until > reserved_at AND closes_at > reserved_at", name="a_lease_has_a_length"),
)  # fmt: skip

policies = Table(
    "policies", METADATA, Column("version", String, primary_key=True), Column("body", LargeBinary, nullable=False)
)

decisions = Table(
    "decisions",
    METADATA,
    Column("number", NUMBER, primary_key=True),  # the order of writing
    Column("decision_id", String, nullable=False, unique=True),
    Column("client", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("body_digest", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("mode", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", LargeBinary, nullable=False),  # sealed
    Column("policy_version", String, nullable=False),
    Column("favorite", String),
    Column("opens_at", BigInteger),
    Column("net", Float, nullable=False),
    Column("decided_on", Float, nullable=False),
    Column("stopped", String, nullable=False),
    Column("inputs", LargeBinary, nullable=False),  # sealed
    Column("decision", LargeBinary, nullable=False),  # sealed
    UniqueConstraint("client", "request_id", name="one_answer_per_request"),
    Index("decisions_of_subject", "subject", "decided_at"),
    Index("decisions_in_time", "decided_at"),
    info={"key": ("decision_id",)},  # what names a row, where that is not the primary key
)

outcomes = Table(
    "outcomes",
    METADATA,
    Column("source", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("body_digest", String, nullable=False),
    Column("subject", String),  # NULL: its decision is not known here
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
    Index("outcomes_of_subject", "subject"),
)


def to_micros(moment: datetime) -> int:
    """An aware moment as stored."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """A stored moment, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)
