"""`dirigent import`: a shop's files, or the example shop, into the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arbitration.errors import TableError
from dirigent.terminal import console, stage
from features.home import Home


def import_tables(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder with customers.csv|parquet, events.…, contacts.…, outcomes.…, consents.…, identities.…"
        ),
    ] = None,
    example: Annotated[
        bool,
        typer.Option(
            "--example", help="Load the example shop: Complete Journey, real grocery baskets of 2,469 households."
        ),
    ] = False,
) -> None:
    """Check a shop's files and take them in. A broken file is refused, and nothing is changed then."""
    from features.tables.example import import_example
    from features.tables.importer import import_folder

    if (folder is None) != example:
        raise TableError("name a folder or say --example, not both", mend="See `dirigent import --help`.")
    home = Home.from_environment()
    with stage("Import") as progress:
        taken = import_example(home, progress) if folder is None else import_folder(folder, home, progress)
    for name, count in taken.counts.items():
        console.print(f"  {name:<11}{count:>10,}")
    if taken.customers_left_out:
        who = "customer was" if taken.customers_left_out == 1 else "customers were"
        console.print(
            f"  {taken.customers_left_out:,} erased {who} in these files and stayed out, with {taken.rows_left_out:,} rows"
        )
