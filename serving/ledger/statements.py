"""Statements that every write needs, compiled once: SQLAlchemy takes longer to look one up than SQLite to carry it out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Row, Select, Table, bindparam, insert, update
from sqlalchemy.dialects import sqlite

_SQLITE = sqlite.dialect(paramstyle="named")  # both drivers then take values by name


def add_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row with the columns that are given."""
    connection.exec_driver_sql(_insert(table, tuple(row), connection.dialect), dict(row))


def set_columns(connection: Connection, table: Table, key: str, row: Mapping[str, Any]) -> None:
    """Set the columns of the row whose column `key` is as in `row`."""
    names = tuple(name for name in row if name != key)
    connection.exec_driver_sql(_update(table, key, names, connection.dialect), dict(row))


def first(connection: Connection, asked: Select[Any], **values: Any) -> Row[Any] | None:
    """The first row of a question that is kept as a constant; its columns come as the driver gives them."""
    return connection.exec_driver_sql(_select(asked, connection.dialect), values).first()


@lru_cache(maxsize=512)
def _insert(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    return _text(insert(table).values({name: bindparam(name) for name in names}), dialect)


@lru_cache(maxsize=512)
def _update(table: Table, key: str, names: tuple[str, ...], dialect: Dialect) -> str:
    made = update(table).where(table.c[key] == bindparam(key, unique=False)).values(
        {name: bindparam(name) for name in names}
    )  # fmt: skip
    return _text(made, dialect)


@lru_cache(maxsize=512)
def _select(asked: Select[Any], dialect: Dialect) -> str:
    return _text(asked, dialect)


def _text(made: Any, dialect: Dialect) -> str:
    return str(made.compile(dialect=_SQLITE if dialect.name == "sqlite" else dialect))
