"""`dirigent promote`: make a registered version the champion and export the serving bundle."""

from __future__ import annotations

from typing import Annotated

import typer

from dirigent.terminal import console, stage
from features.home import Home


def promote_models(
    model: Annotated[str | None, typer.Argument(help="The model to promote; all when left out.")] = None,
    version: Annotated[
        int | None, typer.Option(help="A registered version; default the best of the newest run.")
    ] = None,
) -> None:
    """Set the champion alias and export a signed serving bundle; a running service takes it at its next start."""
    from training.registry import promote

    with stage("Promote"):
        digest = promote(Home.from_environment(), model, version)
    console.print(f"  serving bundle {digest}")
