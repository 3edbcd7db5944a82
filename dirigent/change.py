"""`dirigent change`: propose a catalog with its counted effect, approve or reject what a colleague proposed, see what changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from arbitration.errors import DirigentError, InputError
from dirigent.privacy import opened
from dirigent.terminal import console, stage

if TYPE_CHECKING:
    from arbitration.policy import Policy
    from dirigent.audience import Favorite
    from serving.ledger.changes import Change
    from serving.settings import Settings

app = typer.Typer(
    help="Catalogs and models: who changed what, with which effect, and who agreed.", no_args_is_help=True
)
ROLES = ("marketer", "admin")
Named = Annotated[str, typer.Argument(help="The change's id.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why, for whoever asks later.", show_default=False)]


@app.command()
def propose(
    folder: Annotated[Path, typer.Argument(help="Folder of the catalog as it would be.", show_default=False)],
    old: Annotated[
        Path | None, typer.Option(help="Folder of the catalog in force; default: DIRIGENT_CATALOG.", show_default=False)
    ] = None,
    customers: Annotated[int | None, typer.Option(min=1, help="Ask for so many customers; default all.")] = None,
) -> None:
    """Propose a catalog: what differs, whom it would reach, and whether a second person must approve it. Your API key says who you
    are (DIRIGENT_API_KEY, or it is asked for).
    """
    from catalog.loading import load_catalog
    from serving.changes import policy_in_force, proposal_of
    from serving.ledger import changes

    policy = load_catalog(folder)
    with opened() as (settings, ledger):
        by = identified(settings)
        with ledger.reading() as reading:
            current = policy_in_force(reading)
        effect = _counted(settings, current, (old or settings.catalog, folder), customers)
        with ledger.reading() as reading:
            proposal = proposal_of(reading, policy, effect)
        name = ledger.write(None, lambda tx: changes.propose(tx, proposal, by))
        with ledger.reading() as reading:
            found = changes.find(reading, name)
    if found is not None:
        _tell(found)
    if proposal.widens and settings.approvals == "two":
        console.print(f"It needs somebody else than {by}:  dirigent change approve {name} --reason WHY", soft_wrap=True)
    elif proposal.widens:
        console.print(f"Approve it:  dirigent change approve {name} --reason WHY", soft_wrap=True)
    else:
        console.print("It needs nobody's approval: start the service with it.")


@app.command()
def approve(change: Named, reason: Reason) -> None:
    """Approve a change that somebody else proposed; the service may then start with it."""
    _decide(change, reason, approved=True)


@app.command()
def reject(change: Named, reason: Reason) -> None:
    """Reject a change."""
    _decide(change, reason, approved=False)


@app.command("list")
def show_all(limit: Annotated[int, typer.Option(min=1, max=1000)] = 20) -> None:
    """The last changes, the newest first."""
    from serving.ledger import changes

    with opened() as (_, ledger), ledger.reading() as reading:
        found = changes.newest(reading, limit)
    table = Table(box=None)
    for heading in ("change", "kind", "to version", "widens", "state", "proposed", "by", "decided by"):
        table.add_column(heading, no_wrap=heading == "change")  # it is copied into the next command
    for one in found:
        proposal = one.proposal
        told = (one.id, proposal.kind, proposal.to_version[:23], "yes" if proposal.widens else "no", one.state)
        table.add_row(*told, f"{one.proposed_at:%Y-%m-%d}", one.proposed_by, one.decided_by or "")
    console.print(table)


@app.command()
def show(change: Named) -> None:
    """One change with every difference and its counted effect."""
    from serving.ledger import changes

    with opened() as (_, ledger), ledger.reading() as reading:
        found = changes.find(reading, change)
    if found is None:
        raise InputError("is no change", where=change, mend="see them all: dirigent change list")
    _tell(found)


def identified(settings: Settings) -> str:
    """Who works here: the client of their API key. Raises `InputError` when it is none, or its role may not."""
    from serving.auth import Keys

    key = os.environ.get("DIRIGENT_API_KEY")
    if not key and not sys.stdin.isatty():
        raise InputError(
            "no API key", where="DIRIGENT_API_KEY", mend=f"set it to a key of the role {' or '.join(ROLES)}"
        )
    key = key or typer.prompt("API key", hide_input=True)
    client = Keys(settings.paths).client_of_key(key)
    if client is None:
        raise InputError(
            "is no valid key", where="DIRIGENT_API_KEY", mend="make one: dirigent key create NAME --role marketer"
        )
    if client.role not in ROLES:
        raise InputError(
            f"belongs to {client.name}, whose role is {client.role}", where="DIRIGENT_API_KEY",
            mend=f"a change needs a key of the role {' or '.join(ROLES)}",
        )  # fmt: skip
    return client.name


def effect_of(before: Sequence[Favorite], after: Sequence[Favorite]) -> dict[str, Any]:
    """What two catalogs hold for best with the same customers, counted."""
    pairs = [(one.summary.favorite, two.summary.favorite) for one, two in zip(before, after, strict=True)]
    return {
        "customers": len(pairs),
        "changed": sum(one != two for one, two in pairs),
        "contacted_before": sum(one is not None for one, _ in pairs),
        "contacted_after": sum(two is not None for _, two in pairs),
        "begin_to_speak": sum(one is None and two is not None for one, two in pairs),
        "fall_silent": sum(one is not None and two is None for one, two in pairs),
        "net_before": round(sum(one.summary.net for one in before), 2),
        "net_after": round(sum(one.summary.net for one in after), 2),
        "simulated": any(one.simulated for one in before),
    }


def _counted(settings: Settings, current: Policy, folders: tuple[Path, Path], limit: int | None) -> dict[str, Any]:
    """The effect on the customers of the home; nothing when they cannot be asked, which is told. Raises `InputError` when the first
    folder is not the catalog in force: what is counted against another one says nothing.
    """
    from catalog.loading import load_catalog
    from dirigent.audience import favorites, prepared

    if load_catalog(folders[0]).version != current.version:
        raise InputError(
            f"is not the catalog in force ({current.version})", where=str(folders[0]),
            mend="name its folder: dirigent change propose NEW_FOLDER --old FOLDER_IN_FORCE",
        )  # fmt: skip
    if not prepared(settings.paths):
        why = "the home holds no customers, features and models"
    else:
        try:
            with stage("Asking customers") as progress:
                sides = favorites(
                    settings.paths, folders, limit, lambda done, all_: progress(f"customers, {done:,} of {all_:,}")
                )
                return effect_of(*sides)
        except DirigentError as error:
            why = str(error)
    console.print(Text(f"The effect could not be counted, so it counts as wider: {why}", "yellow"), soft_wrap=True)
    return {}


def _decide(change: str, reason: str, *, approved: bool) -> None:
    from serving.ledger import changes

    with opened() as (settings, ledger):
        by, ask = identified(settings), settings.approvals
        found = ledger.write(
            None, lambda tx: changes.decide(tx, change, approved=approved, by=by, reason=reason, approvals=ask)
        )
    console.print(f"{found.id} is {found.state} by {by}")


def _tell(change: Change) -> None:
    proposal = change.proposal
    who = f"; {change.decided_by}: {change.reason}" if change.decided_by else ""
    console.print(
        f"[bold]{change.id}[/] {proposal.kind}, {change.state}, proposed by {change.proposed_by}{who}", soft_wrap=True
    )
    console.print(f"  {proposal.from_version or 'nothing'} → {proposal.to_version}", soft_wrap=True)
    for line in proposal.lines:
        console.print(Text(f"  {line}"), soft_wrap=True)
    for why in proposal.widening:
        console.print(Text(f"  widens: {why}", "yellow"), soft_wrap=True)
    if proposal.widens and not proposal.effect:
        console.print(Text("  widens: its effect could not be counted", "yellow"))
    if proposal.effect:
        console.print(Text(_effect(proposal.effect)), soft_wrap=True)


def _effect(told: Any) -> str:
    note = "; features and models rest on simulated rows" if told["simulated"] else ""
    return (
        f"  of {told['customers']:,} customers {told['changed']:,} would get something else, {told['begin_to_speak']:,} would be"
        f" spoken to who were not, {told['fall_silent']:,} the other way; contacted {told['contacted_before']:,} →"
        f" {told['contacted_after']:,}; expected money {told['net_before']:+,.2f} → {told['net_after']:+,.2f}{note}"
    )
