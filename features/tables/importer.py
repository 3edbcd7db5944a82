"""Import a shop's files: check everything first, then replace the tables at once; a broken file changes nothing."""

from __future__ import annotations

import re
from csv import reader as csv_reader
from pathlib import Path

import duckdb

from arbitration.errors import TableError
from features.home import Home, Progress, silent
from features.tables.checks import Fault, hash_faults, header_faults, key_faults, reference_faults, value_faults
from features.tables.contract import TABLES, Table
from features.tables.removal import Imported, leave_out_suppressed
from features.tables.store import Staging, canonical, connect, literal, quoted, write

SHOWN_FAULTS = 10


def import_folder(folder: Path, home: Home, progress: Progress = silent) -> Imported:
    """Read `customers`, `events`, … (.parquet or .csv) of one folder into the home's tables; returns rows per table.

    Who was erased and comes again stays out: every row of a customer whose id, or one of whose aliases, is on the home's
    suppression list. Raises TableError that lists each fault with file, row, column and what was expected; the tables are then unchanged.
    """
    files = _files(folder)
    connection = connect()
    with Staging(home, keep_others=False) as staging:
        counts: dict[str, int] = {}
        problems: list[str] = []
        parents: dict[str, str] = {}
        for table, path in files:
            progress(f"checking {path.name}")
            present = _read(connection, path)
            faults = _faults(connection, table, present, parents)
            problems += [_sentence(path, fault) for fault in faults]
            if not faults:
                target = staging / f"{table.name}.parquet"
                counts[table.name] = write(connection, canonical(table, present, "incoming"), target, table.key)
                parents[table.name] = f"read_parquet('{literal(target)}')"
        if not problems and counts["customers"] == 0:
            problems.append("customers: expected at least one customer")
        if problems:
            rest = f"\n… and {len(problems) - SHOWN_FAULTS} more" if len(problems) > SHOWN_FAULTS else ""
            raise TableError(
                "the files were refused and nothing was changed:\n" + "\n".join(problems[:SHOWN_FAULTS]) + rest,
                where=str(folder),
                mend="\nMend the rows named above and import again.",
            )
        return leave_out_suppressed(home, staging, counts)


def _files(folder: Path) -> list[tuple[Table, Path]]:
    """The folder's files in the order of the contract, so that parents come before those that refer to them."""
    if not folder.is_dir():
        raise TableError(
            "no such folder", where=str(folder), mend="Name the folder that holds customers.csv or customers.parquet."
        )
    known = {f"{name}{suffix}" for name in TABLES for suffix in (".csv", ".parquet")}
    strangers = sorted(p.name for p in folder.iterdir() if p.suffix in (".csv", ".parquet") and p.name not in known)
    if strangers:
        raise TableError(f"unknown table {strangers[0]}", where=str(folder), mend=f"Tables are {', '.join(TABLES)}.")
    files = []
    for table in TABLES.values():
        paths = [path for suffix in (".parquet", ".csv") if (path := folder / f"{table.name}{suffix}").exists()]
        if len(paths) > 1:
            raise TableError(f"both {paths[0].name} and {paths[1].name}", where=str(folder), mend="Keep one of them.")
        if not paths and table.name == "customers":
            raise TableError(
                "customers.csv or customers.parquet is missing",
                where=str(folder),
                mend="It is the one table every shop has.",
            )
        files += [(table, path) for path in paths]
    return files


def _read(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Load a file as relation `incoming`: all columns as text, plus `row_number_in_file`; returns the file's column types."""
    name = literal(path)
    csv = path.suffix == ".csv"
    try:
        reader = f"read_csv('{name}', {_dialect(path)})" if csv else f"read_parquet('{name}')"
        described = connection.execute(f"DESCRIBE SELECT * FROM {reader}").fetchall()
        present = {row[0]: row[1] for row in described}
        columns = ", ".join(f"CAST({quoted(c)} AS VARCHAR) AS {quoted(c)}" for c in present)
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE incoming AS SELECT {columns}, row_number() OVER () + {int(csv)} AS row_number_in_file FROM {reader}"
        )
    except (duckdb.Error, UnicodeDecodeError) as error:
        where = f"{path.name}, row {line[1]}" if (line := re.search(r"Line: (\d+)", str(error))) else path.name
        fault = (
            shape[0]
            if (shape := re.search(r"Expected Number of Columns: \d+ Found: \d+", str(error)))
            else "cannot be read"
        )
        raise TableError(
            fault, where=where, mend="Nothing was changed. Export it again as UTF-8 CSV with a header, or as Parquet."
        ) from None
    return present


def _dialect(path: Path) -> str:
    """DuckDB options for the file: its separator is the one its header uses most; guessing more would hide broken rows."""
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    separator = max(",;\t|", key=header.count)
    return f"all_varchar=true, header=true, auto_detect=false, delim='{separator}', quote='\"', escape='\"', columns={_columns(header, separator)}"


def _columns(header: str, separator: str) -> str:
    names = next(csv_reader([header], delimiter=separator), [])
    return "{" + ", ".join(f"'{name.strip().replace(chr(39), chr(39) * 2)}': 'VARCHAR'" for name in names) + "}"


def _faults(
    connection: duckdb.DuckDBPyConnection, table: Table, present: dict[str, str], parents: dict[str, str]
) -> list[Fault]:
    faults = list(header_faults(table, present))
    if faults:
        return faults
    faults = [
        *value_faults(connection, table, present),
        *hash_faults(connection, present),
        *key_faults(connection, table),
    ]
    return faults or list(reference_faults(connection, table, parents))


def _sentence(path: Path, fault: Fault) -> str:
    row = f", row {fault.row}" if fault.row is not None else ""
    more = f" ({fault.count} rows like this)" if fault.count > 1 else ""
    return f"{path.name}{row}, column {fault.column}: expected {fault.expected}{more}"
