"""Statements that every decision needs, compiled once and handed to the driver: SQLAlchemy takes longer for one than SQLite to carry it out.

Several at once are one round trip in PostgreSQL (its pipeline mode), which is most of what a statement costs there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

import psycopg
from sqlalchemy import Connection, Dialect, Select, Table, bindparam, insert, update
from sqlalchemy.dialects import sqlite

_SQLITE = sqlite.dialect(paramstyle="named")  # both drivers then take values by name
Step = tuple[str, Mapping[str, Any]]
"""A statement in the dialect of the connection that it is for, and its values by name."""
NOTHING: Mapping[str, Any] = {}


def run(connection: Connection, *steps: Step) -> list[Any]:
    """Carry statements out in order; the driver's cursor of each. Raises the driver's errors: `connection_of` explains them."""
    driver: Any = connection.connection.dbapi_connection
    if isinstance(driver, sqlite3.Connection):
        return [_heard(connection, driver, *step) for step in steps]
    if len(steps) == 1:
        return [driver.execute(*steps[0])]
    try:
        with driver.pipeline():
            return [driver.execute(*step) for step in steps]
    except psycopg.Error as error:
        # psycopg now takes statements for prepared that stood behind the one that failed, and were never looked at.
        connection.invalidate(error)
        raise


def first(connection: Connection, asked: Select[Any], **values: Any) -> Any:
    """The first row of a question that is kept as a constant, None without one; its columns come as the driver gives them."""
    return row_of(asked, run(connection, question(connection.dialect, asked, values))[0])


def rows_of(connection: Connection, asked: Any, **values: Any) -> list[Any]:
    """All rows that answer a question that is kept as a constant."""
    made = _shape(asked)
    return [made(row) for row in run(connection, question(connection.dialect, asked, values))[0].fetchall()]


def row_of(asked: Select[Any], cursor: Any) -> Any:
    """The first row of a cursor that answers a question, by the names of its columns."""
    row = cursor.fetchone()
    return None if row is None else _shape(asked)(row)


def question(dialect: Dialect, asked: Any, values: Mapping[str, Any] = NOTHING) -> Step:
    """A statement that is kept as a constant, as a step."""
    text, own = _compiled(asked, dialect)
    return text, {**own, **values} if own else values


def adding(dialect: Dialect, table: Table, row: Mapping[str, Any]) -> Step:
    """Insert a row with the columns that are given."""
    return _insert(table, tuple(row), dialect), row


def setting(dialect: Dialect, table: Table, key: str, row: Mapping[str, Any]) -> Step:
    """Set the columns of the row whose column `key` is as in `row`."""
    names = tuple(name for name in row if name != key)
    return _update(table, key, names, dialect), row


def _heard(connection: Connection, driver: sqlite3.Connection, text: str, values: Mapping[str, Any]) -> sqlite3.Cursor:
    """Carried out for those who listen to the engine, too."""
    dispatch: Any = connection.dispatch
    for hear in dispatch.before_cursor_execute:
        hear(connection, None, text, values, None, False)
    cursor = driver.execute(text, values)
    for hear in dispatch.after_cursor_execute:
        hear(connection, cursor, text, values, None, False)
    return cursor


@lru_cache(maxsize=512)
def _insert(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    # Inline: no RETURNING for a number that nobody asks for.
    return _text(insert(table).values({name: bindparam(name) for name in names}).inline(), dialect)


@lru_cache(maxsize=512)
def _update(table: Table, key: str, names: tuple[str, ...], dialect: Dialect) -> str:
    made = update(table).where(table.c[key] == bindparam(key, unique=False)).values(
        {name: bindparam(name) for name in names}
    )  # fmt: skip
    return _text(made, dialect)


@lru_cache(maxsize=512)
def _compiled(asked: Any, dialect: Dialect) -> tuple[str, dict[str, Any]]:
    """The text, and the values that the statement brings itself."""
    made = asked.compile(dialect=_named(dialect))
    return str(made), {name: value for name, value in made.params.items() if value is not None}


@lru_cache(maxsize=512)
def _shape(asked: Any) -> Any:
    """Tuples with the names of the question's columns. A named tuple is made by compiling text, which a running service never does."""
    columns = enumerate(asked.selected_columns.keys())
    return type("Row", (tuple,), {"__slots__": (), **{str(name): property(itemgetter(at)) for at, name in columns}})


def _text(made: Any, dialect: Dialect) -> str:
    return str(made.compile(dialect=_named(dialect)))


def _named(dialect: Dialect) -> Dialect:
    return _SQLITE if dialect.name == "sqlite" else dialect
