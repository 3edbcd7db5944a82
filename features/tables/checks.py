"""The checks on the way in: one SQL query per rule, each naming the first row that breaks it.

Rows are counted as a person would in the file: the first data row of a CSV is row 2 (row 1 is the header), of Parquet row 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from features.tables.contract import (
    EXPECTED,
    HASHED_NAME,
    ID_PATTERN,
    IDENTIFIER_NAME,
    IDENTIFIER_VALUE,
    NAME_PATTERN,
    SQL_TYPES,
    Column,
    Table,
)
from features.tables.store import quoted

CLOCK_AND_OFFSET = "[0-9]{2}:[0-9]{2}(:[0-9.]+)? ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"


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


def is_identifier(name: str) -> bool:
    """Whether a column's name says that it holds a direct identifier."""
    lowered = name.lower()
    return re.match(IDENTIFIER_NAME, lowered) is not None and re.search(HASHED_NAME, lowered) is None


def broken(column: Column) -> str:
    """An SQL condition that is true for a text value `v` that does not fit the column."""
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
    return condition


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
    for name in present:
        column = table.column(name) or Column(name, required=False)
        rules = [(broken(column), expected(column))]
        if column.required:
            rules.append(("v IS NULL", f"a value ({EXPECTED[column.type]})"))
        if column.type == "json":
            rules.append((f"regexp_matches(lower(v), '{_json_key()}')", "no direct identifiers among the keys"))
        if SQL_TYPES[column.type] == "VARCHAR":
            rules.append((f"regexp_matches(v, '{IDENTIFIER_VALUE}')", "no e-mail address or phone number in any value"))
        for condition, words in rules:
            yield from _first(
                connection, f"SELECT row_number_in_file r, {quoted(name)} v FROM incoming", condition, name, words
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


def _json_key() -> str:
    """A regular expression for text that holds a JSON key which says "direct identifier"."""
    start = IDENTIFIER_NAME.replace("(^|.*[_ -])", '"([^":]*[_ -])?')
    return start.replace("([_ -].*|$)", '([_ -][^":]*)?" *:').replace("^(name|address)$", '"(name|address)" *:')


def _first(
    connection: duckdb.DuckDBPyConnection, source: str, condition: str, column: str, words: str
) -> Iterator[Fault]:
    row, count = connection.execute(f"SELECT min(r), count(*) FROM ({source}) AS checked WHERE {condition}").fetchall()[
        0
    ]
    if count:
        yield Fault(row, column, words, count)
