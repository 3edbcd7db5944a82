"""`dirigent decide`: ask a running service about one customer."""

from __future__ import annotations

import json
import uuid
from typing import Annotated

import typer

from arbitration.errors import InputError
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
    from dirigent.client import Client

    with Client(url) as client:
        try:
            answer = client.decide(f"cli-{uuid.uuid4().hex}", customer, mode="live" if live else "dry_run")
        except InputError as error:
            raise _told(error) from None
    if as_json:
        console.print_json(json.dumps(answer))
    else:
        card(answer)


def _told(error: InputError) -> InputError:
    """The service's refusal as a person at the command line reads it: what is wrong with the key, and each wrong field once."""
    if error.where == "401":
        return InputError("no valid API key", where="DIRIGENT_API_KEY", mend="make one: dirigent key create NAME")
    what = error.what.partition(". Correct: ")[0] if error.mend else error.what
    return InputError(what, where=error.where, mend=error.mend)
