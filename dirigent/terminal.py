"""How verbs talk: one console, one progress line per stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from features.home import Progress

WIDTH_OF_LOGS = 120  # where the output is no terminal, nobody says how wide it is
console = Console(highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=WIDTH_OF_LOGS)


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun: `1 anchor`, `2 anchors`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@contextmanager
def stage(title: str) -> Iterator[Progress]:
    """Show a stage while it works and a line with its time when it is done; yields the callback for what it does now.

    Where the output is no terminal, each new text is its own line, so that a log shows progress too.
    """
    started = time.monotonic()
    last = ""
    with console.status(title) as status:

        def progress(text: str) -> None:
            nonlocal last
            status.update(f"{title}: {text}")
            topic = text.partition(",")[0]
            if text.startswith("skipped"):  # worth keeping where only a spinner shows
                console.print(f"  [yellow]{text}[/]")
            elif not console.is_terminal and topic != last:
                console.print(f"  [dim]{text}[/]")
                last = topic

        yield progress
    console.print(f"[green]✓[/] {title} [dim]({time.monotonic() - started:.1f} s)[/]")
