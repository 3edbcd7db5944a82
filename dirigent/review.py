"""`dirigent review`: what a person must see before it is sent; listed and answered at a running service with the reviewer's own key."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from arbitration.errors import InputError
from dirigent.terminal import console

app = typer.Typer(
    help="Approve or reject what a person must see before it is sent. The API key is read from DIRIGENT_API_KEY.",
    no_args_is_help=True,
)
Named = Annotated[
    str, typer.Argument(help="The reservation's id, as `dirigent review list` shows it.", show_default=False)
]
Reason = Annotated[str, typer.Option(help="Why, for whoever asks later.", show_default=False)]
Url = Annotated[str | None, typer.Option(help="Default DIRIGENT_URL or http://127.0.0.1:8090.")]


@app.command("list")
def show(url: Url = None) -> None:
    """What waits for a person, the most urgent first."""
    from dirigent.client import Client

    with Client(url) as client:
        found: list[dict[str, Any]] = json.loads(client.get("/v1/reviews"))["reservations"]
    if not found:
        console.print("nothing waits for a person")
        return
    for one in found:  # a line each: ids are there to be copied
        until = datetime.fromisoformat(one["lease_until"]).astimezone(UTC)
        console.print(f"{one['reservation_id']}  {one['journey']} on {one['channel']}, until {until:%Y-%m-%d %H:%M} UTC, decision {one['decision_id']}", soft_wrap=True)  # fmt: skip
    console.print("answer one:  dirigent review approve RESERVATION --reason WHY", soft_wrap=True)


@app.command()
def approve(reservation: Named, reason: Reason, url: Url = None) -> None:
    """Approve a contact that somebody else asked for; it may then be confirmed."""
    _answer(reservation, "approved", reason, url)


@app.command()
def reject(reservation: Named, reason: Reason, url: Url = None) -> None:
    """Reject a contact; its place is free again."""
    _answer(reservation, "rejected", reason, url)


def _answer(reservation: str, verdict: str, reason: str, url: str | None) -> None:
    from dirigent.client import Client

    body = {"verdict": verdict, "reason": reason}
    with Client(url) as client:
        try:
            found = json.loads(client.post(f"/v1/reservations/{quote(reservation, safe='')}/review", body))
        except InputError as error:
            if error.where == "403":
                mend = "use another key than that of who asked for the decision; roles marketer, privacy, admin"
                raise InputError(error.what, where=error.where, mend=mend) from None
            raise
    console.print(
        f"{found['reservation_id']} is {verdict} by {found['reviewer']}; it is {found['state']}", soft_wrap=True
    )
