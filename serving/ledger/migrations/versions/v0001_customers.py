"""The shop's rows, customers, consents, contacts, decisions and outcomes."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)

revision = "0001"
down_revision = None
NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers only INTEGER columns by itself


def upgrade() -> None:
    """Make them."""
    for make in (
        _imports,
        _shop_customers,
        _shop_aliases,
        _shop_consents,
        _shop_contacts,
        _subjects,
        _suppressions,
        _evidence,
        _consents,
        _contacts,
        _contacts_found_by,
        _policies,
        _decisions,
        _outcomes,
    ):
        make()


def _imports() -> None:
    op.create_table(
        "imports",
        Column("name", String, primary_key=True),
        Column("fingerprint", String),
    )


def _shop_customers() -> None:
    op.create_table(
        "shop_customers",
        Column("customer_id", String, primary_key=True),
        Column("time_zone", String),
        Column("locale", String),
    )


def _shop_aliases() -> None:
    op.create_table(
        "shop_aliases",
        Column("alias_type", String, primary_key=True),
        Column("alias", String, primary_key=True),
        Column("valid_from", BigInteger, primary_key=True),
        Column("customer_id", String, nullable=False),
    )
    op.create_index("shop_aliases_of_customer", "shop_aliases", ["customer_id"])


def _shop_consents() -> None:
    op.create_table(
        "shop_consents",
        Column("number", NUMBER, primary_key=True),
        Column("customer_id", String, nullable=False),
        Column("channel", String, nullable=False),
        Column("purpose", String, nullable=False),
        Column("state", String, nullable=False),
        Column("legal_basis", String, nullable=False),
        Column("evidence_id", String),
        Column("valid_from", BigInteger, nullable=False),
        Column("valid_to", BigInteger),
    )
    op.create_index("shop_consents_of_customer", "shop_consents", ["customer_id"])


def _shop_contacts() -> None:
    op.create_table(
        "shop_contacts",
        Column("number", NUMBER, primary_key=True),
        Column("customer_id", String, nullable=False),
        Column("journey", String, nullable=False),
        Column("channel", String, nullable=False),
        Column("purpose", String, nullable=False),
        Column("offer", String),
        Column("sent_at", BigInteger, nullable=False),
        Column("decision_id", String),
        Column("engaged", Boolean),
    )
    op.create_index("shop_contacts_of_channel", "shop_contacts", ["channel", "sent_at"])
    op.create_index("shop_contacts_of_customer", "shop_contacts", ["customer_id", "sent_at"])
    op.create_index("shop_contacts_of_journey", "shop_contacts", ["journey", "sent_at"])
    op.create_index("shop_contacts_of_offer", "shop_contacts", ["offer", "sent_at"])


def _subjects() -> None:
    op.create_table(
        "subjects",
        Column("subject", String, primary_key=True),
        Column("customer_id", String, unique=True),
        Column("sealing_key", LargeBinary),
        Column("version", BigInteger, nullable=False),
        Column("epoch", BigInteger, nullable=False),
        Column("last_at", BigInteger, nullable=False),
        Column("objected_at", BigInteger),
        Column("paused_until", BigInteger),
        Column("erased_at", BigInteger),
    )


def _suppressions() -> None:
    op.create_table(
        "suppressions",
        Column("hash", String, primary_key=True),
        Column("reason", String, nullable=False),
        Column("recorded_at", BigInteger, nullable=False),
    )


def _evidence() -> None:
    op.create_table(
        "evidence",
        Column("evidence_id", String, primary_key=True),
        Column("subject", String, nullable=False),
        Column("missing", String),
        Column("requested_at", BigInteger),
        Column("confirmed_at", BigInteger),
        Column("body", LargeBinary, nullable=False),
        Column("recorded_at", BigInteger, nullable=False),
    )
    op.create_index("evidence_of_subject", "evidence", ["subject"])


def _consents() -> None:
    op.create_table(
        "consents",
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
        CheckConstraint("state IN ('granted', 'denied', 'withdrawn')", name="a_consent_has_a_state"),
    )
    op.create_index("consents_of_subject", "consents", ["subject"])


def _contacts() -> None:
    op.create_table(
        "contacts",
        Column("reservation_id", String, primary_key=True),
        Column("subject", String, nullable=False),
        Column("decision_id", String, nullable=False),
        Column("step", Integer, nullable=False),
        Column("journey", String, nullable=False),
        Column("channel", String, nullable=False),
        Column("purpose", String, nullable=False),
        Column("timing", String, nullable=False),
        Column("offer", String),
        Column("sent_at", BigInteger, nullable=False),
        Column("closes_at", BigInteger, nullable=False),
        Column("state", String, nullable=False),
        Column("epoch", BigInteger, nullable=False),
        Column("lease_until", BigInteger, nullable=False),
        Column("reserved_at", BigInteger, nullable=False),
        Column("settled_at", BigInteger),
        Column("settled_by", String),
        Column("engaged", Boolean),
        Column("evidence_id", String),
        Column("review", String),
        Column("reviewer", String),
        Column("review_reason", String),
        CheckConstraint("state IN ('reserved', 'confirmed', 'released', 'expired')", name="a_contact_has_a_state"),
        CheckConstraint("lease_until > reserved_at AND closes_at > reserved_at", name="a_lease_has_a_length"),
        CheckConstraint("(state = 'reserved') = (settled_at IS NULL)", name="what_is_settled_has_a_moment"),
        UniqueConstraint("subject", "epoch", name="one_reservation_per_epoch"),
    )


def _contacts_found_by() -> None:
    op.create_index("contacts_of_channel", "contacts", ["channel", "sent_at"])
    op.create_index("contacts_of_decision", "contacts", ["decision_id", "step"])
    op.create_index("contacts_of_journey", "contacts", ["journey", "sent_at"])
    op.create_index("contacts_of_offer", "contacts", ["offer", "sent_at"])
    op.create_index("contacts_of_subject", "contacts", ["subject", "sent_at"])
    op.create_index("contacts_on_lease", "contacts", ["lease_until"], **_only("state = 'reserved'"))
    op.create_index(
        "one_contact_per_step",
        "contacts",
        ["decision_id", "step"],
        unique=True,
        **_only("state IN ('reserved', 'confirmed')"),
    )
    op.create_index(
        "one_live_winner",
        "contacts",
        ["subject", "timing"],
        unique=True,
        **_only("state = 'reserved' AND purpose = 'marketing'"),
    )


def _policies() -> None:
    op.create_table(
        "policies",
        Column("version", String, primary_key=True),
        Column("body", LargeBinary, nullable=False),
    )


def _decisions() -> None:
    op.create_table(
        "decisions",
        Column("number", NUMBER, primary_key=True),
        Column("decision_id", String, nullable=False, unique=True),
        Column("client", String, nullable=False),
        Column("request_id", String, nullable=False),
        Column("body_digest", String, nullable=False),
        Column("subject", String, nullable=False),
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
    )
    op.create_index("decisions_in_time", "decisions", ["decided_at"])
    op.create_index("decisions_of_subject", "decisions", ["subject", "decided_at"])


def _outcomes() -> None:
    op.create_table(
        "outcomes",
        Column("source", String, primary_key=True),
        Column("id", String, primary_key=True),
        Column("body_digest", String, nullable=False),
        Column("subject", String),
        Column("decision_id", String, nullable=False),
        Column("step", Integer, nullable=False),
        Column("type", String, nullable=False),
        Column("occurred_at", BigInteger, nullable=False),
        Column("received_at", BigInteger, nullable=False),
        Column("value", Float),
        Column("matched", Boolean, nullable=False),
        Column("status", Integer, nullable=False),
        Column("answer", LargeBinary, nullable=False),
    )
    op.create_index("outcomes_of_decision", "outcomes", ["decision_id"])
    op.create_index("outcomes_of_subject", "outcomes", ["subject"])


def _only(condition: str) -> dict[str, Any]:
    """An index over the rows that fit."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}
