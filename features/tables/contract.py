"""The data contract: what a shop brings, table by table, column by column.

Times carry an offset and are stored in UTC. A person is known by a pseudonymous customer_id only; direct identifiers
(e-mail, phone, name, address) are refused wherever they appear. `simulated` marks rows no real customer caused.

A purchase may say what was bought: `properties.categories` is an object, product category -> money, the kinds of goods by the
shop's own names (at most 64 characters, money at least 0). From it the next category is predicted; without it that model is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["id", "alias", "text", "moment", "number", "integer", "boolean", "json", "time_zone", "currency"]

# What a customer may be called, here and over HTTP: a pseudonym, so neither an address, a phone number nor a name fits.
ID_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"
NAME_PATTERN = "^[a-z][a-z0-9_]{0,63}$"
LONGEST_NAME = 64
"""Characters of a product category's name."""

SQL_TYPES: dict[ColumnType, str] = {
    "id": "VARCHAR",
    "alias": "VARCHAR",
    "text": "VARCHAR",
    "moment": "TIMESTAMPTZ",
    "number": "DOUBLE",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "json": "VARCHAR",
    "time_zone": "VARCHAR",
    "currency": "VARCHAR",
}
EXPECTED: dict[ColumnType, str] = {
    "id": "a pseudonymous id of letters, digits and . _ : -, at most 128",
    "alias": "a lower-case name of letters, digits and _, at most 64",
    "text": "text",
    "moment": "a time with an offset, such as 2017-09-30T18:00:00-04:00",
    "number": "a finite number",
    "integer": "a whole number",
    "boolean": "true or false",
    "json": "a JSON object",
    "time_zone": "an IANA time zone, such as Europe/Berlin",
    "currency": "a three-letter currency code, such as EUR",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `allowed` lists the only values it may hold, `low`/`high` bound numbers, `refers_to` names the table that must know it."""

    name: str
    type: ColumnType = "text"
    required: bool = True
    allowed: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    refers_to: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `key` is unique; `open` tables accept further columns as text attributes."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    open: bool = False

    def column(self, name: str) -> Column | None:
        """The column of that name, if the contract knows it."""
        return next((column for column in self.columns if column.name == name), None)


OUTCOME_TYPES = (
    "delivered",
    "bounced",
    "opened",
    "clicked",
    "converted",
    "dismissed",
    "unsubscribed",
    "complained",
    "not_sent",
)
CONSENT_STATES = ("granted", "denied", "withdrawn")
LEGAL_BASES = ("consent", "existing_customer_7_3", "contract", "none")
_customer = Column("customer_id", "id", refers_to="customers")
_simulated = Column("simulated", "boolean", required=False)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "customers",
            (
                Column("customer_id", "id"),
                Column("created_at", "moment"),
                Column("time_zone", "time_zone"),
                Column("locale"),
                Column("tier", required=False),
                Column("birth_year", "integer", required=False, low=1900, high=2100),
            ),
            key=("customer_id",),
            open=True,
        ),
        Table(
            "events",
            (
                Column("event_id"),
                _customer,
                Column("occurred_at", "moment"),
                Column("type"),
                Column("channel", required=False),
                Column("value", "number", required=False),
                Column("currency", "currency", required=False),
                Column("properties", "json", required=False),
                _simulated,
            ),
            key=("event_id",),
        ),
        Table(
            "contacts",
            (
                Column("contact_id"),
                _customer,
                Column("journey"),
                Column("channel"),
                Column("treatment", required=False),
                Column("offer", required=False),
                Column("sent_at", "moment"),
                Column("probability", "number", required=False, low=0.0, high=1.0),
                Column("arm", required=False),
                Column("cost", "number", required=False, low=0.0),
                Column("decision_id", required=False),
                Column("censored", "boolean", required=False),
                _simulated,
            ),
            key=("contact_id",),
        ),
        Table(
            "outcomes",
            (
                Column("outcome_id"),
                Column("contact_id", refers_to="contacts"),
                Column("type", allowed=OUTCOME_TYPES),
                Column("occurred_at", "moment"),
                Column("value", "number", required=False),
                Column("machine_open", "boolean", required=False),
                _simulated,
            ),
            key=("outcome_id",),
        ),
        Table(
            "consents",
            (
                _customer,
                Column("channel"),
                Column("purpose", allowed=("marketing", "service")),
                Column("state", allowed=CONSENT_STATES),
                Column("legal_basis", allowed=LEGAL_BASES),
                Column("evidence_id", required=False),
                Column("valid_from", "moment"),
                Column("valid_to", "moment", required=False),
                _simulated,
            ),
            key=("customer_id", "channel", "purpose", "valid_from"),
        ),
        Table(
            "identities",
            (Column("alias_type", "alias"), Column("alias", "id"), _customer, Column("valid_from", "moment")),
            key=("alias_type", "alias", "valid_from"),
        ),
    )
}
