"""`dirigent decide`: ask a running service about one customer."""

from __future__ import annotations

import json
import uuid
from typing import Annotated

import typer

from dirigent.client import Client
from dirigent.show import card
from dirigent.terminal import console


def ask(
    customer: Annotated[str, typer.Argument(help="A customer_id of the shop.")],
    live: Annotated[
        bool, typer.Option("--live", help="Commit the decision; default is a dry run that writes nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as it came.")] = False,
    url: Annotated[str | None, typer.Option(help="Default DIRIGENT_URL or http://127.0.0.1:8090.")] = None,
) -> None:
    """Ask what to say to a customer now. The API key is read from DIRIGENT_API_KEY."""
    with Client(url) as client:
        answer = client.decide(f"cli-{uuid.uuid4().hex}", customer, mode="live" if live else "dry_run")
    if as_json:
        console.print_json(json.dumps(answer))
    else:
        card(answer)
