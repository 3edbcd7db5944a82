"""`dirigent key`: make, rotate, revoke and list API keys; a key is shown once and stored as a hash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from dirigent.terminal import console
from features.home import Home

app = typer.Typer(help="API keys: who may call the service, as what, until when.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Who uses it; becomes the client's name.")]


@app.command()
def create(
    name: Name,
    role: Annotated[
        str, typer.Option(help="orchestrator, data_scientist, marketer, associate, privacy or admin.")
    ] = "orchestrator",
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days it holds; without it, until revoked.")
    ] = None,
) -> None:
    """Make an API key for a client that has none. It is printed once; only its hash is kept."""
    from serving.auth import create_key

    lifetime = timedelta(days=expires_days) if expires_days else None
    key = create_key(Home.from_environment(), name, role, lifetime=lifetime, fresh=True)
    console.print(key, soft_wrap=True)


@app.command()
def rotate(
    name: Name,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=720, help="Hours for which the old key still opens as well.")
    ] = 0,
) -> None:
    """Give a client a new key with the same role. Without an overlap the old one ends at once."""
    from serving.auth import rotate_key

    key = rotate_key(Home.from_environment(), name, overlap=timedelta(hours=overlap_hours))
    console.print(key, soft_wrap=True)


@app.command()
def revoke(name: Name) -> None:
    """Close a client's keys and console sessions, from the next request on."""
    from serving.auth import revoke_key

    revoke_key(Home.from_environment(), name)
    console.print(f"{name} has no key any more")


@app.command("list")
def show() -> None:
    """Who has a key: name, role and dates. No key and no hash is shown."""
    from serving.auth import stored_keys

    table = Table("name", "role", "created", "expires", "last rotation")
    for key in stored_keys(Home.from_environment()):
        table.add_row(key.name, key.role, _day(key.created_at), _day(key.expires_at), _day(key.rotated_at))
    console.print(table)


def _day(seconds: int | None) -> str:
    return "never" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
