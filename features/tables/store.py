"""Where the tables are kept: one Parquet file per table below the home folder, opened by DuckDB in UTC."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

import duckdb

from arbitration.errors import TableError
from features.barred import REASONS, Reason, barred
from features.files import exclusive
from features.home import Home
from features.tables.contract import SQL_TYPES, TABLES, Table


def connect(memory_limit: str = "1500MB") -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB in UTC, bounded in memory, with no access to the network."""
    connection = duckdb.connect()
    connection.execute("SET timezone='UTC'")
    connection.execute(f"SET memory_limit='{memory_limit}'")
    connection.execute("SET autoinstall_known_extensions=false")
    spill_privately(connection)
    with suppress(duckdb.InvalidInputException):  # a notebook without widgets has no bar to switch off, and refuses
        connection.execute("SET enable_progress_bar=false")  # the command line shows its own progress
    name_customers(connection, "barred", ())
    return connection


def spill_privately(connection: duckdb.DuckDBPyConnection) -> None:
    """What does not fit into memory goes to a folder of this connection's own, encrypted under a key that dies with the process.

    DuckDB's own cipher refuses to write unless told that its random numbers are weak; the better one would have to be downloaded.
    Its default folder is shared by all processes started in one place, and refuses all but the first. May be called again.
    """
    place = Path(tempfile.gettempdir()) / f"dirigent-{os.getpid()}-{id(connection):x}"
    if connection.execute("SELECT current_setting('temp_directory')").fetchall()[0][0] == str(place):
        return
    connection.execute(f"SET temp_directory = '{literal(place)}'")
    connection.execute("SET temp_file_encryption = true")
    with suppress(duckdb.CatalogException):  # older versions do not ask
        connection.execute("SET force_mbedtls_unsafe = true")


def open_tables(
    home: Home, connection: duckdb.DuckDBPyConnection | None = None, *, without: tuple[Reason, ...] = REASONS
) -> duckdb.DuckDBPyConnection:
    """A connection with every canonical table as a view of its name; absent tables are empty.

    Nothing of a customer who is barred now for a reason in `without` is seen through it. Only who must honor an objection or
    answer for the data (the ledger, an access export) reads those who objected: `without=("erasure",)`.
    Raises TableError when no shop was imported yet.
    """
    if not (home.tables / "customers.parquet").exists():
        raise TableError(
            "no customers table",
            where=str(home.tables),
            mend="Run `dirigent import --example` or `dirigent import FOLDER`.",
        )
    connection = connection or connect()
    name_customers(connection, "barred", barred(home, *without) if without else ())
    for table in TABLES.values():
        connection.execute(f"CREATE OR REPLACE VIEW {table.name} AS {readable(home, table)}")
    return connection


def readable(home: Home, table: Table) -> str:
    """SQL for the rows of a table that may be read, on a connection of `open_tables`: those of nobody who is barred."""
    path = home.tables / f"{table.name}.parquet"
    if not path.exists():
        return empty(table)
    return f"SELECT * FROM read_parquet('{literal(path)}') WHERE NOT {of_customers(home.tables, table, 'barred')}"


def of_customers(folder: Path, table: Table, names: str) -> str:
    """An SQL condition: the row of a table in `folder` belongs to a customer in the relation `names`."""
    if table.column("customer_id"):
        return f"(customer_id IN (SELECT customer_id FROM {names}))"
    contacts = folder / "contacts.parquet"  # an outcome belongs to whom the contact was made with
    if not contacts.exists():
        return "(false)"
    of_them = f"customer_id IN (SELECT customer_id FROM {names})"
    return f"(contact_id IN (SELECT contact_id FROM read_parquet('{literal(contacts)}') WHERE {of_them}))"


def name_customers(connection: duckdb.DuckDBPyConnection, relation: str, customers: Iterable[str]) -> None:
    """Make a table `relation` with the one column customer_id."""
    connection.execute(f"CREATE OR REPLACE TABLE {relation} (customer_id VARCHAR)")
    if listed := sorted(customers):
        connection.execute(f"INSERT INTO {relation} SELECT unnest(CAST(? AS VARCHAR[]))", [listed])


def literal(path: Path) -> str:
    """A path as it stands between SQL's single quotes."""
    return str(path).replace("'", "''")


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def empty(table: Table) -> str:
    """SQL for the table with no rows."""
    columns = ", ".join(f"CAST(NULL AS {SQL_TYPES[c.type]}) AS {c.name}" for c in table.columns)
    return f"SELECT {columns} WHERE false"


class Staging:
    """A folder that becomes the shop's tables at once, or never: nothing is replaced until every file is written.

    Use as a context manager, which waits for any other writer of this home's tables. Tables that were not staged are kept
    when `keep_others`, otherwise dropped.
    """

    def __init__(self, home: Home, *, keep_others: bool) -> None:
        self._home, self._keep_others, self._held = home, keep_others, ExitStack()

    def __enter__(self) -> Path:
        self._home.root.mkdir(parents=True, exist_ok=True)
        self._held.enter_context(exclusive(self._home, "tables"))
        tidy(self._home)
        self._folder = Path(tempfile.mkdtemp(prefix="staging-", dir=self._home.root))
        return self._folder

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with self._held:
            if kind is None:
                self._publish()
            else:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _publish(self) -> None:
        if self._keep_others and self._home.tables.exists():
            for path in self._home.tables.glob("*.parquet"):
                if not (self._folder / path.name).exists():
                    shutil.copy2(path, self._folder / path.name)
        old = self._home.root / f"{self._folder.name}-old"
        if self._home.tables.exists():
            self._home.tables.rename(old)
        self._folder.rename(self._home.tables)
        shutil.rmtree(old, ignore_errors=True)


def tidy(home: Home) -> int:
    """Remove what a killed writer left behind, and return how many folders and files that were. Hold the lock `tables`.

    Killed between the two renames, it left no tables but the old ones under another name: they are put back.
    """
    old = sorted(home.root.glob("staging-*-old"))
    if old and not home.tables.exists():
        old[0].rename(home.tables)
    folders = list(home.root.glob("staging-*"))
    halves = [*home.tables.glob("*.parquet.new"), *home.features.glob("*.parquet.new")]
    for folder in folders:
        shutil.rmtree(folder)
    for half in halves:
        half.unlink()
    return len(folders) + len(halves)


def write(connection: duckdb.DuckDBPyConnection, query: str, path: Path, order: Iterable[str]) -> int:
    """Write a query's rows to Parquet in the given order and return how many there were."""
    connection.execute(
        f"COPY ({query} ORDER BY {', '.join(order)}) TO '{literal(path)}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 100000)"
    )
    return int(connection.execute(f"SELECT count(*) FROM read_parquet('{literal(path)}')").fetchall()[0][0])


def canonical(table: Table, present: Iterable[str], source: str) -> str:
    """SQL that casts a relation of text columns to the table's types; absent columns become null, `simulated` false."""
    names = set(present)
    parts = []
    for column in table.columns:
        kind = SQL_TYPES[column.type]
        value = f"CAST({quoted(column.name)} AS {kind})" if column.name in names else f"CAST(NULL AS {kind})"
        if column.name in ("simulated", "censored", "machine_open"):
            value = f"coalesce({value}, false)"
        parts.append(f'{value} AS "{column.name}"')
    parts += [quoted(name) for name in sorted(names - {column.name for column in table.columns})]
    return f"SELECT {', '.join(parts)} FROM {source}"
