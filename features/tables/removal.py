"""Take customers out of Parquet files: each file is replaced whole, parents last, so that doing it again finishes the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from features.files import settle
from features.home import Home
from features.suppression import Suppressed, suppressed
from features.tables.contract import TABLES
from features.tables.store import connect, literal, name_customers, of_customers, write

LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import took in: rows per table, and how many customers, with how many rows in all, the suppression list kept out."""

    counts: Mapping[str, int]
    customers_left_out: int = 0
    rows_left_out: int = 0


def leave_out_suppressed(home: Home, folder: Path, counts: Mapping[str, int]) -> Imported:
    """Drop the customers on the home's suppression list from the tables that are about to be taken in."""
    listed = suppressed(home)
    found = recognized(folder, listed) if listed else frozenset()
    if not found:
        return Imported(counts)
    gone = remove(folder, found)
    kept = {name: count - gone.get(name, 0) for name, count in counts.items()}
    return Imported(kept, len(found), sum(gone.values()))


def recognized(folder: Path, listed: Suppressed) -> frozenset[str]:
    """Customers of the tables in `folder` whose id, or one of whose aliases, is on the suppression list."""
    with connect() as connection:
        customers = connection.execute(f"SELECT customer_id FROM {_file(folder, 'customers')}").fetchall()
        known = aliases(connection, folder)
    by_id = {row[0] for row in customers if listed.holds(row[0])}
    return frozenset(by_id | {customer for customer, alias in known if listed.holds(alias)})


def aliases(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[tuple[str, str]]:
    """(customer_id, `alias_type:alias`) of everybody in the tables of `folder`."""
    if not (folder / "identities.parquet").exists():
        return []
    query = f"SELECT DISTINCT customer_id, alias_type || ':' || alias FROM {_file(folder, 'identities')}"
    return [(row[0], row[1]) for row in connection.execute(query).fetchall()]


def remove(folder: Path, customers: Iterable[str]) -> dict[str, int]:
    """Take every row of these customers out of the canonical tables in `folder`; returns rows removed per table.

    Children before parents: outcomes are found through contacts, and `customers` is last. Hold the lock `tables`.
    """
    gone = {}
    with connect() as connection:
        name_customers(connection, LEAVING, customers)
        for table in reversed(TABLES.values()):
            path = folder / f"{table.name}.parquet"
            if path.exists():
                gone[table.name] = rewrite(connection, path, of_customers(folder, table, LEAVING), table.key)
    return gone


def rewrite(connection: duckdb.DuckDBPyConnection, path: Path, leaving: str, order: Iterable[str]) -> int:
    """Replace a Parquet file by one without the rows for which `leaving` holds; returns how many. Without any it is not touched."""
    source = f"read_parquet('{literal(path)}')"
    count = int(connection.execute(f"SELECT count(*) FROM {source} WHERE {leaving}").fetchall()[0][0])
    if count:
        fresh = path.with_name(f"{path.name}.new")
        write(connection, f"SELECT * FROM {source} WHERE NOT {leaving}", fresh, order)
        settle(fresh, path)
    return count


def _file(folder: Path, name: str) -> str:
    return f"read_parquet('{literal(folder / f'{name}.parquet')}')"
