"""The blast radius of another policy, printed: who changes, from what to what, and at which value."""

from __future__ import annotations

from collections.abc import Collection

from rich.table import Table

from dirigent.terminal import console
from serving.comparison import BlastRadius, Change

MOST_MOVES = 20
CAVEAT = (
    "Estimates, consents and contacts are as recorded, so a changed prior shows only where no estimate was recorded; who is in the"
    " control group (holdout) and how far back contacts were read are as recorded, too; the stock of a new resource counts as full."
    " Favorites are compared: what each policy holds for best, before the draw."
)


def print_blast_radius(radius: BlastRadius, currency: str, title: str, hidden: Collection[str] = ()) -> None:
    """The whole picture, the most frequent moves first; `hidden` are changed settings that it cannot show."""
    console.print(f"[bold]{title}[/]")
    if hidden:
        names = ", ".join(sorted(hidden))
        console.print(f"[yellow]not visible here: {names}; use dirigent catalog diff[/]", soft_wrap=True)
    if not radius.records:
        console.print("There is no recorded decision to compare.")
        return
    console.print(
        f"{radius.changed:,} of {radius.records:,} decisions change ({radius.changed / radius.records:.1%}); of the others"
        f" {radius.retimed:,} get another time and {radius.revalued:,} another value."
    )
    console.print(f"Silence: {radius.silence_gained:,} fall silent, {radius.silence_lost:,} begin to speak.")
    console.print(_money(radius, currency))
    if radius.moves:
        console.print(_moves(radius, currency))
    if radius.gates:
        console.print(_gates(radius))
    if radius.examples:
        console.print(_examples(radius.examples, radius.changed, currency))
    console.print(f"[dim]{CAVEAT}[/]")
    if radius.simulated:
        console.print("[yellow]Features and estimates behind this rest on simulated rows, at least in part.[/]")


def _money(radius: BlastRadius, currency: str) -> str:
    before, after, records = radius.net_before, radius.net_after, radius.records
    return (
        f"Expected value of the favorite: {before / records:+.4f} → {after / records:+.4f} {currency} on average,"
        f" {before:+,.2f} → {after:+,.2f} {currency} in total ({after - before:+,.2f})."
    )


def _moves(radius: BlastRadius, currency: str) -> Table:
    shown = list(radius.moves.items())[:MOST_MOVES]
    rest = len(radius.moves) - len(shown)
    caption = f"and {rest} more" if rest else None
    table = Table(
        title=f"From what to what, with the mean value in {currency}",
        caption=caption,
        box=None,
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("before", "after"):
        table.add_column(heading, overflow="fold")
    for heading in ("decisions", "was worth", "is worth"):
        table.add_column(heading, justify="right")
    for (before, after), move in shown:
        means = (move.net_before / move.count, move.net_after / move.count)
        table.add_row(before, after, f"{move.count:,}", *(f"{mean:+.4f}" for mean in means))
    return table


def _gates(radius: BlastRadius) -> Table:
    table = Table(title="Treatments stopped, by gate", box=None, title_justify="left")
    table.add_column("gate")
    for heading in ("before", "after", "difference"):
        table.add_column(heading, justify="right")
    for code, (before, after) in radius.gates.items():
        table.add_row(code, f"{before:,}", f"{after:,}", f"{after - before:+,}")
    return table


def _examples(examples: tuple[Change, ...], changed: int, currency: str) -> Table:
    title = f"The first {len(examples)} of {changed:,} that change"
    table = Table(title=title, box=None, title_justify="left")
    for heading in ("decision", "customer", "before", "after"):
        table.add_column(heading, overflow="fold")
    table.add_column(f"value, {currency}", justify="right", no_wrap=True)
    for one in examples:
        value = f"{one.net_before:+.3f} → {one.net_after:+.3f}"
        table.add_row(one.decision_id, one.customer_id, one.before, one.after, value)
    return table
