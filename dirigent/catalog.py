"""`dirigent catalog`: check the YAML that marketers edit, and see what a change would do before anybody gets it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from arbitration.errors import DirigentError
from dirigent.terminal import console
from features.home import Home

if TYPE_CHECKING:
    from arbitration.policy import Policy
    from catalog.naming import Names
    from dirigent.audience import Favorite, Step
    from serving.comparison import BlastRadius

app = typer.Typer(help="Check and compare catalogs of journeys, channels and contact policy.", no_args_is_help=True)
EXAMPLE = Path(__file__).resolve().parent.parent / "catalog" / "example"
MOVES = 10
TELL_EVERY = 10.0
"""Seconds between two lines of progress where no bar can be drawn."""


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="Folder with journeys.yaml, channels.yaml, …")] = EXAMPLE,
) -> None:
    """Check a catalog: every mistake with file, line and column (exit code 2), then what is hardly meant (exit code 0)."""
    from catalog.doubts import doubts
    from catalog.loading import read_catalog

    policy, sources = read_catalog(folder)
    found = doubts(policy, sources)
    for doubt in found:
        console.print(Text.assemble(("Warning ", "bold yellow"), str(doubt.error())), soft_wrap=True)
    warnings = f", [yellow]{_counted(len(found), 'warning')}[/]" if found else ""
    console.print(f"[green]✓[/] {_summary(policy)}{warnings}", soft_wrap=True)


@app.command("diff")
def diff(
    old: Annotated[Path, typer.Argument(help="Folder of the catalog as it is.")],
    new: Annotated[Path, typer.Argument(help="Folder of the catalog as it would be.")],
    customers: Annotated[int | None, typer.Option(min=1, help="Ask for so many customers; default all.")] = None,
) -> None:
    """What changes from one catalog to another, in words and for the customers of the prepared home; nothing is written."""
    from catalog.changes import changes
    from catalog.loading import load_catalog
    from catalog.naming import Names
    from dirigent.audience import favorites, prepared

    policies = load_catalog(old), load_catalog(new)
    found = changes(*policies)
    if not found:
        console.print("The two catalogs mean the same.")
        return
    console.print(f"[bold]{_counted(len(found), 'change')}[/]")
    for line in found:
        console.print(Text(f"  {line}"), soft_wrap=True)
    home = Home.from_environment()
    if not prepared(home):
        console.print(
            f"\nNo customers to ask: there is no prepared home at {home.root}. Set DIRIGENT_HOME or run: dirigent demo",
            soft_wrap=True,
        )
        return
    try:
        with _progress() as step:
            before, after = favorites(home, (old, new), customers, step)
    except DirigentError as error:
        console.print(Text(f"\nThe customers could not be asked: {error}", "yellow"), soft_wrap=True)
        return
    _show(before, after, policies[1].economics.currency, Names(*policies))


def _summary(policy: Policy) -> str:
    treatments = sum(len(journey.treatments) for journey in policy.journeys.values())
    return ", ".join((
        _counted(len(policy.journeys), "journey"), _counted(len(policy.channels), "channel"), _counted(treatments, "treatment"),
        _counted(len(policy.contact_policy.caps), "cap"), _counted(len(policy.resources), "resource"), policy.version,
    ))  # fmt: skip


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


@contextmanager
def _progress() -> Iterator[Step]:
    """A bar while customers are asked; where the output is no terminal, a line now and then."""
    columns = (TextColumn("asking customers"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, told = bar.add_task("", total=None), time.monotonic()
        if not console.is_terminal:
            console.print("\n[dim]asking the customers of the prepared home with both catalogs[/]")

        def step(done: int, total: int) -> None:
            nonlocal told
            bar.update(task, completed=done, total=total)
            if not console.is_terminal and time.monotonic() - told >= TELL_EVERY:
                console.print(f"[dim]  {done:,} of {total:,} customers[/]")
                told = time.monotonic()

        yield step


def _show(before: Sequence[Favorite], after: Sequence[Favorite], currency: str, names: Names) -> None:
    from serving.comparison import compared

    rows = [
        {"decision_id": "", "context": {"customer_id": one.customer_id}, "simulated": one.simulated} for one in before
    ]
    radius = compared(rows, [one.summary for one in before], [one.summary for one in after])
    console.print(
        f"\n[bold]{radius.changed} of {_counted(radius.records, 'customer')} would get something else[/]; "
        f"silence gains {radius.silence_gained} and loses {radius.silence_lost}; expected value "
        f"{radius.net_before:+.2f} → {radius.net_after:+.2f} {currency} "
        f"({radius.net_after - radius.net_before:+.2f})",
        soft_wrap=True,
    )
    console.print(_per_journey(before, after, currency, names))
    if radius.moves:
        console.print(_moves(radius, currency, names))
    note = (
        "Compared is what each catalog holds for best, without the draw; expected values are the models', not measured, and without"
        " the levers."
    )
    console.print(f"[dim]{note}[/]", soft_wrap=True)
    if radius.simulated:
        console.print("[yellow]Features and models behind this rest on simulated rows, at least in part.[/]")


def _per_journey(before: Sequence[Favorite], after: Sequence[Favorite], currency: str, names: Names) -> Table:
    from arbitration.domain import SILENCE

    table = Table(title="What customers get", box=None, title_justify="left")
    for name in ("journey", "before", "after", f"{currency} before", f"{currency} after"):
        table.add_column(name, justify="left" if name == "journey" else "right")
    sides = [_totals(before), _totals(after)]
    for journey in sorted({*sides[0], *sides[1]}, key=lambda name: (name == SILENCE, name)):
        pairs = [side.get(journey, (0, 0.0)) for side in sides]
        changed = "bold" if pairs[0] != pairs[1] else "dim"
        counts, money = [str(pair[0]) for pair in pairs], [f"{pair[1]:+.2f}" for pair in pairs]
        table.add_row(names.of("journey", journey), *counts, *money, style=changed)
    return table


def _totals(found: Sequence[Favorite]) -> dict[str, tuple[int, float]]:
    """Journey, or silence -> (customers, expected value)."""
    from arbitration.domain import SILENCE

    totals: dict[str, tuple[int, float]] = {}
    for one in found:
        name = (one.summary.favorite or SILENCE).split("/")[0]
        count, money = totals.get(name, (0, 0.0))
        totals[name] = (count + 1, money + one.summary.net)
    return totals


def _moves(radius: BlastRadius, currency: str, names: Names) -> Table:
    table = Table(title="From what to what", box=None, title_justify="left")
    for name in ("before", "after", "customers", f"{currency} before", f"{currency} after"):
        table.add_column(name, justify="left" if name in ("before", "after") else "right")
    for (old, new), move in list(radius.moves.items())[:MOVES]:
        table.add_row(
            *map(names.favorite, (old, new)), str(move.count), f"{move.net_before:+.2f}", f"{move.net_after:+.2f}"
        )
    if len(radius.moves) > MOVES:
        table.caption = f"and {_counted(len(radius.moves) - MOVES, 'other move')}"
    return table
