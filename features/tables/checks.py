"""The checks on the way in: one SQL query per rule, each naming the first row that breaks it.

Rows are counted as a person would in the file: the first data row of a CSV is row 2 (row 1 is the header), of Parquet row 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from features.tables.contract import EXPECTED, ID_PATTERN, LONGEST_NAME, NAME_PATTERN, SQL_TYPES, Column, Table
from features.tables.identifiers import (
    HASH_WORDS,
    clear_alias_type,
    holds_identifier,
    holds_identifier_key,
    identifying_alias_type,
    is_about_identifier,
    is_identifier,
    not_hashed,
    plain_json,
)
from features.tables.store import quoted

CLOCK_AND_OFFSET = "[0-9]{2}:[0-9]{2}(:[0-9.]+)? ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"

MOST_MONEY = 1e12
CATEGORIES = f"in `categories` an object: names of at most {LONGEST_NAME} characters -> money, at least 0"
_NAMED = "json_extract(CASE WHEN json_valid(v) THEN v END, '$.categories')"
NO_CATEGORIES = (
    f"json_type({_NAMED}) <> 'OBJECT'"
    f" OR len([x FOR x IN json_extract({_NAMED}, '$.*') IF json_type(x) NOT IN ('DOUBLE', 'UBIGINT', 'BIGINT')"
    f" OR NOT coalesce(try_cast(x AS DOUBLE) BETWEEN 0 AND {MOST_MONEY}, false)]) > 0"
    f" OR len([k FOR k IN json_keys({_NAMED}) IF trim(k) = '' OR length(k) > {LONGEST_NAME}]) > 0"
)
"""An SQL condition on an event's properties `v`: what they say of categories does not fit the contract."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken rule: where it is broken first, how often, and what was expected. The value itself is never quoted."""

    row: int | None
    column: str
    expected: str
    count: int = 1


def header_faults(table: Table, present: dict[str, str]) -> Iterator[Fault]:
    """Columns that are missing, unknown, or direct identifiers. `present` maps column name to its type in the file."""
    for name, sql_type in present.items():
        if is_identifier(name):
            yield Fault(None, name, "no direct identifiers (e-mail, phone, name, address): drop this column or hash it")
        elif table.column(name) is None and not table.open:
            known = ", ".join(column.name for column in table.columns)
            yield Fault(None, name, f"only the columns {known}")
        elif sql_type == "TIMESTAMP" and (column := table.column(name)) and column.type == "moment":
            yield Fault(None, name, "a time type with a time zone (Parquet: isAdjustedToUTC), not a naive timestamp")
    for column in table.columns:
        if column.required and column.name not in present:
            yield Fault(None, column.name, f"this column ({EXPECTED[column.type]})")


def broken(column: Column) -> str:
    """An SQL condition that is true for a text value `v` that does not fit the column; nothing at all always fits."""
    sql_type = SQL_TYPES[column.type]
    rules = {
        "id": f"NOT regexp_matches(v, '{ID_PATTERN}')",
        "alias": f"NOT regexp_matches(v, '{NAME_PATTERN}')",
        "text": "trim(v) = ''",
        "moment": f"NOT regexp_matches(v, '{CLOCK_AND_OFFSET}') OR try_cast(v AS {sql_type}) IS NULL"
        f" OR year(try_cast(v AS {sql_type})) NOT BETWEEN 1900 AND 2100",
        "number": "try_cast(v AS DOUBLE) IS NULL OR NOT isfinite(try_cast(v AS DOUBLE))",
        "integer": "try_cast(v AS BIGINT) IS NULL OR try_cast(v AS DOUBLE) <> try_cast(v AS BIGINT)",
        "boolean": "lower(v) NOT IN ('true', 'false', '0', '1')",
        "json": "NOT json_valid(v) OR json_type(CASE WHEN json_valid(v) THEN v END) <> 'OBJECT'",
        "time_zone": "v NOT IN (SELECT name FROM pg_timezone_names())",
        "currency": "NOT regexp_matches(v, '^[A-Z]{3}$')",
    }
    condition = rules[column.type]
    if column.allowed:
        condition += " OR v NOT IN (" + ", ".join(f"'{value}'" for value in column.allowed) + ")"
    if column.low is not None:
        condition += f" OR try_cast(v AS DOUBLE) < {column.low}"
    if column.high is not None:
        condition += f" OR try_cast(v AS DOUBLE) > {column.high}"
    return f"v IS NOT NULL AND ({condition})"


def expected(column: Column) -> str:
    """The column's rule in words."""
    words = "one of " + ", ".join(column.allowed) if column.allowed else EXPECTED[column.type]
    if column.low is not None:
        words += f", at least {column.low:g}"
    if column.high is not None:
        words += f", at most {column.high:g}"
    return words


def value_faults(connection: duckdb.DuckDBPyConnection, table: Table, present: dict[str, str]) -> Iterator[Fault]:
    """Values of the relation `incoming` (text columns plus `row_number_in_file`) that do not fit the contract."""
    columns = {name: table.column(name) or Column(name, required=False) for name in present}
    named = _identifiers(connection, [name for name, column in columns.items() if _is_text(column)])
    for name, column in columns.items():
        rules = [(broken(column), expected(column))]
        if column.required:
            rules.append(("v IS NULL", f"a value ({EXPECTED[column.type]})"))
        rules += _identifier_rules(column)
        if (table.name, name) == ("events", "properties"):
            rules.append((NO_CATEGORIES, CATEGORIES))
        for condition, words in rules:
            yield from _first(
                connection, f"SELECT row_number_in_file r, {quoted(name)} v FROM incoming", condition, name, words
            )
        if name in named:
            yield Fault(named[name][0], name, "no e-mail address or phone number in any value", named[name][1])


def _is_text(column: Column) -> bool:
    return column.type != "json" and SQL_TYPES[column.type] == "VARCHAR"


def _identifiers(connection: duckdb.DuckDBPyConnection, columns: list[str]) -> dict[str, tuple[int, int]]:
    """First row and count of values that are direct identifiers, by column: all in one query, for the pattern takes long to prepare."""
    names = ", ".join(quoted(name) for name in columns)
    values = f"(SELECT row_number_in_file r, {names} FROM incoming) UNPIVOT (v FOR name IN ({names}))"
    found = f"SELECT name, min(r), count(*) FROM {values} WHERE {holds_identifier('v')} GROUP BY name"
    return {name: (row, count) for name, row, count in connection.execute(found).fetchall()}


def _identifier_rules(column: Column) -> Iterator[tuple[str, str]]:
    """More conditions on a text value `v` that are true where it is a direct identifier, each with what was expected instead."""
    if column.type == "json":
        yield holds_identifier_key("v"), "no direct identifiers among the keys"
        yield holds_identifier(plain_json("v")), "no e-mail address or phone number in any value"
    if column.type == "alias":
        yield clear_alias_type("v"), "no direct identifiers (e-mail, phone, name, address): hash them, as in email_hash"
    if is_about_identifier(column.name):  # the header was let through, so the name says that it holds hashes
        yield not_hashed(f"'{column.name.replace(chr(39), chr(39) * 2)}'", "v"), HASH_WORDS


def hash_faults(connection: duckdb.DuckDBPyConnection, present: dict[str, str]) -> Iterator[Fault]:
    """Aliases of `incoming` whose type says "hash of an identifier" and that are none, such as a clear phone number."""
    if {"alias_type", "alias"} <= present.keys():
        source = "SELECT row_number_in_file r, alias_type t, alias v FROM incoming"
        yield from _first(
            connection, source, f"{identifying_alias_type('t')} AND {not_hashed('t', 'v')}", "alias", HASH_WORDS
        )


def key_faults(connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[Fault]:
    """Rows of `incoming` that repeat a key."""
    keys = ", ".join(quoted(name) for name in table.key)
    source = f"SELECT row_number_in_file r, row_number() OVER (PARTITION BY {keys} ORDER BY row_number_in_file) v FROM incoming"
    yield from _first(connection, source, "v > 1", ", ".join(table.key), "a key that appears once")


def reference_faults(connection: duckdb.DuckDBPyConnection, table: Table, parents: dict[str, str]) -> Iterator[Fault]:
    """Rows of `incoming` that name something their parent table does not hold. `parents` maps table to its relation's name."""
    for column in table.columns:
        if column.refers_to and column.refers_to in parents:
            source = f"SELECT row_number_in_file r, {quoted(column.name)} v FROM incoming"
            condition = f"v NOT IN (SELECT {quoted(column.name)} FROM {parents[column.refers_to]})"
            yield from _first(
                connection, source, condition, column.name, f"a {column.name} that {column.refers_to} holds"
            )


def _first(
    connection: duckdb.DuckDBPyConnection, source: str, condition: str, column: str, words: str
) -> Iterator[Fault]:
    row, count = connection.execute(f"SELECT min(r), count(*) FROM ({source}) AS checked WHERE {condition}").fetchall()[
        0
    ]
    if count:
        yield Fault(row, column, words, count)
