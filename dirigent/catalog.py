"""`dirigent catalog`: check the YAML that marketers edit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from catalog.loading import load_catalog
from dirigent.terminal import console

app = typer.Typer(help="Check the catalog of journeys, channels and contact policy.", no_args_is_help=True)
EXAMPLE = Path(__file__).resolve().parent.parent / "catalog" / "example"


@app.callback()
def verbs() -> None:
    """Keeps `catalog check` two words while it has one verb."""


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="Folder with journeys.yaml, channels.yaml, …")] = EXAMPLE,
) -> None:
    """Check a catalog; every mistake is named with file, line and column."""
    policy = load_catalog(folder)
    treatments = sum(len(journey.treatments) for journey in policy.journeys.values())
    console.print(
        f"[green]✓[/] {len(policy.journeys)} journeys, {len(policy.channels)} channels, {treatments} treatments, {policy.version}"
    )
