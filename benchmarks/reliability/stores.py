"""Where a benchmark's ledger lies: a SQLite file of its own, a PostgreSQL of its own, or a database that was named."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.own_postgres import OwnPostgres

STORES = ("sqlite", "postgresql")


def add_options(options: argparse.ArgumentParser) -> None:
    """`--store` and `--url`."""
    options.add_argument("--store", choices=STORES, default="sqlite")
    options.add_argument("--url", help="an empty PostgreSQL database to use instead of one of its own")


@contextmanager
def empty_store(kind: str, url: str | None = None) -> Iterator[tuple[str, Path]]:
    """What names an empty ledger, and a folder beside it; both are gone afterwards, a database that was named stays."""
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        if url is not None:
            yield url, Path(folder)
        elif kind == "sqlite":
            yield str(Path(folder) / "ledger.db"), Path(folder)
        else:
            cluster = OwnPostgres(max_connections=200)
            try:
                yield cluster.url, Path(folder)
            finally:
                cluster.remove()
