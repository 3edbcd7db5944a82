"""`dirigent journey`: which journeys may speak, and the switch that stops one; it works on the ledger, also without a service."""

from __future__ import annotations

import getpass
import re
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from arbitration.errors import InputError
from dirigent.privacy import opened
from dirigent.terminal import console

if TYPE_CHECKING:
    from serving.ledger.volume import Stop

app = typer.Typer(
    help="Stop a journey, let it speak again, and see how much each one spoke this hour.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="The journey's id.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why, for whoever asks later.", show_default=False)]


@app.command("list")
def show() -> None:
    """Every journey: whether it is stopped, and its contacts of this hour against its plan."""
    from catalog.loading import load_catalog
    from serving.ledger import volume

    with opened() as (settings, ledger):
        policy = load_catalog(settings.catalog)
        with ledger.reading() as reading:
            stops, counts = volume.stopped(reading), volume.this_hour(reading, reading.now())
    table = Table("journey", "this hour", "plan", "stops at", "stopped")
    for name in sorted({*policy.journeys, *stops}):
        journey = policy.journeys.get(name)
        limit = volume.limit_of(journey, policy) if journey else None
        planned = [str(journey.hourly_plan), str(limit)] if journey and limit is not None else ["", ""]
        table.add_row(
            name, str(counts.get(name, 0)) if limit is not None else "not counted", *planned, _told(stops.get(name))
        )
    console.print(table)


@app.command()
def stop(journey: Name, reason: Reason) -> None:
    """Stop a journey: it is in no decision from the next one on, and what it reserved cannot be confirmed."""
    from catalog.loading import load_catalog
    from serving.ledger import volume

    _check(reason)
    with opened() as (settings, ledger):
        if journey not in load_catalog(settings.catalog).journeys:
            raise InputError("is no journey of the catalog", where=journey, mend="see the names: dirigent journey list")
        found = ledger.write(None, lambda tx: volume.stop(tx, journey, by=_who(), reason=reason))
    console.print(f"{journey} is stopped: {_told(found)}")


@app.command()
def resume(journey: Name, reason: Reason) -> None:
    """Let a stopped journey speak again."""
    from serving.ledger import volume

    _check(reason)
    with opened() as (_, ledger):
        done = ledger.write(None, lambda tx: volume.resume(tx, journey, by=_who(), reason=reason))
    console.print(f"{journey} may speak again" if done else f"{journey} is not stopped")


def _check(reason: str) -> None:
    """Raises `InputError` when the service would refuse the reason."""
    from serving.schemas import SENTENCE

    if not re.fullmatch(SENTENCE, reason):
        raise InputError("must be a sentence of 3 to 300 characters without @ + < >", where="--reason")


def _who() -> str:
    """Who acts at this machine, as the audit keeps it: no API key says so here."""
    return f"cli:{getpass.getuser()}"


def _told(stop: Stop | None) -> str:
    return f"{stop.since:%Y-%m-%d %H:%M} UTC by {stop.by}, {stop.reason}" if stop else ""
