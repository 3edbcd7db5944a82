"""`dirigent promote`: examine a registered version, make it the champion and export the serving bundle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from arbitration.errors import InputError
from dirigent.terminal import console, stage
from features.home import Home
from training.verdict import SAID, SHARE, Verdict

HEADINGS = (
    "model",
    "version",
    "rows",
    "customers",
    "old loss",
    "new loss",
    "better by",
    "at least",
    "allowed",
    "verdict",
)


def promote_models(
    model: Annotated[str | None, typer.Argument(help="The model to promote; all when left out.")] = None,
    version: Annotated[
        int | None, typer.Option(help="A registered version; default the best of the newest run.")
    ] = None,
    *,
    tolerance: Annotated[
        float,
        typer.Option(
            help="How much worse a challenger may be, as a share of the champion's loss; less where the champion hardly beats a constant."
        ),
    ] = SHARE,
    force: Annotated[bool, typer.Option("--force", help="Promote whatever the exam says; needs --reason.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why it is forced; kept in the record.")] = None,
    history: Annotated[
        bool,
        typer.Option("--history", help="Show every promotion so far, checked against its signature, and do nothing."),
    ] = False,
) -> None:
    """Examine challengers against the champions, then set the champion alias and export a signed serving bundle.

    A challenger that may lose more than the tolerance is refused and everything stays as it was. A running service takes the new
    bundle at its next start.
    """
    from training.promotion import Refused, promote, without_model

    home = Home.from_environment()
    if history:
        print_history(home)
        return
    if force != (reason is not None):
        raise InputError("--force and --reason go together", mend='write --force --reason "WHY", or neither')
    try:
        with stage("Promote") as progress:
            done = promote(home, model, version, share=tolerance, forced=reason, progress=progress)
    except Refused as refused:
        print_verdicts(refused.verdicts)
        raise
    print_verdicts(done.verdicts)
    if done.forced:
        console.print(f"  [yellow]forced: {escape(done.forced)}[/]")
    for name in without_model(home):
        console.print(f"  [yellow]{name}: no model yet, {_instead(name)}[/]")
    console.print(f"  serving bundle {done.digest}")


def _instead(name: str) -> str:
    return "nothing is told" if name == "next_category" else "the catalog's prior speaks"


def print_verdicts(verdicts: Iterable[Verdict]) -> None:
    """The exam of each model that would change, and what must be known to read it."""
    verdicts = tuple(verdicts)
    for verdict in verdicts:
        if verdict.champion is None:
            console.print(
                f"  {verdict.model} {verdict.challenger}: the first of its name, nothing to examine it against"
            )
    examined = [verdict for verdict in verdicts if verdict.champion is not None]
    if not examined:
        return
    table = Table(
        title="Exams on rows that neither version learned from",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
    )
    for heading in HEADINGS:
        text = heading in {"model", "verdict"}
        table.add_column(heading, justify="left" if text else "right", no_wrap=text)
    for verdict in examined:
        table.add_row(*_cells(verdict))
    console.print(table)
    console.print(
        "  [dim]losses: log-loss; of money the deviance; of effects the squared error per contact. At least: one-sided 95 %, by customer[/]"
    )
    for note in dict.fromkeys(note for verdict in examined for note in verdict.notes):
        about = ", ".join(verdict.model for verdict in examined if note in verdict.notes)
        console.print(f"  [dim]{about}: {escape(note)}[/]")


def print_history(home: Home) -> None:
    """Every promotion, oldest first; raises BundleError where a record was altered."""
    from training.history import read

    found = read(home)
    if not found:
        console.print("Nothing was promoted yet.")
    for one in found:
        console.print(
            f"[bold]{one.at:%Y-%m-%d %H:%M:%S} UTC[/]  bundle {one.digest[:12]}, before {(one.previous or 'none')[:12]}"
        )
        if one.forced:
            console.print(f"  [yellow]forced: {escape(one.forced)}[/]")
        print_verdicts(one.verdicts)


def _cells(verdict: Verdict) -> list[str]:
    color = "red" if verdict.refused else "green"
    known = [verdict.model, f"{verdict.champion} → {verdict.challenger}"]
    said = f"[{color}]{SAID[verdict.result]}[/]"
    if (m := verdict.measured) is None:
        return [*known, *[""] * (len(HEADINGS) - 3), said]
    low = "unknown" if m.low is None else f"{m.low:+.2g}"
    numbers = [
        f"{m.rows:,}",
        f"{m.customers:,}",
        f"{m.champion:.5f}",
        f"{m.challenger:.5f}",
        f"{m.difference:+.2g}",
        low,
        f"{-m.tolerance:+.2g}",
    ]
    return [*known, *numbers, said]
