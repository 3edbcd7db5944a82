"""`dirigent key`: make an API key; it is shown once and stored as a hash."""

from __future__ import annotations

from typing import Annotated

import typer

from dirigent.terminal import console
from features.home import Home


def create(
    name: Annotated[str, typer.Argument(help="Who will use it; becomes the client's name.")],
    role: Annotated[
        str, typer.Option(help="orchestrator, data_scientist, marketer, associate or admin.")
    ] = "orchestrator",
) -> None:
    """Make an API key for a client. It is printed once; only its hash is kept."""
    from serving.auth import create_key

    console.print(create_key(Home.from_environment(), name, role), soft_wrap=True)
