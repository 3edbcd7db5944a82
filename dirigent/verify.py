"""`dirigent verify`: whether the ledger is as it was written, and the first row that is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from dirigent.terminal import console

if TYPE_CHECKING:
    from serving.ledger.chain import Finding
    from serving.ledger.verify import Step, Verdict


def verify_ledger(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")] = False,
    anchor: Annotated[bool, typer.Option("--anchor", help="If it holds, write down where the audit ends now.")] = False,
    anchors: Annotated[
        Path | None,
        typer.Option(help="Anchors to check against; default: anchors.jsonl in DIRIGENT_HOME.", exists=True),
    ] = None,
) -> None:
    """Check every row of the ledger against its sealed audit, also while the service runs. Exit code 1 when one was altered."""
    from serving.ledger.anchors import anchor as write_anchor
    from serving.ledger.anchors import path_of
    from serving.ledger.verify import verify
    from serving.opening import address_of, open_ledger
    from serving.settings import Settings

    settings = Settings.from_environment()
    address = address_of(settings)
    with _progress(shown=not as_json) as step:
        verdict = verify(address, anchors or path_of(settings.paths), step)
    if as_json:
        typer.echo(json.dumps(_plain(verdict)))
    else:
        _tell(verdict)
    if not verdict.holds:
        raise typer.Exit(1)
    if anchor:
        ledger = open_ledger(settings)
        try:
            write_anchor(ledger, settings.paths)
        finally:
            ledger.close()


@contextmanager
def _progress(*, shown: bool) -> Iterator[Step]:
    columns = (TextColumn("checking rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell(verdict: Verdict) -> None:
    checked = f"{verdict.entries:,} audit entries, {verdict.rows:,} rows, {verdict.anchors:,} anchors"
    if verdict.holds:
        console.print(f"[green]✓[/] the ledger is as it was written: {checked}")
        return
    console.print(Text.assemble(("✗ ", "red"), _words(verdict.shown[0])), soft_wrap=True)
    if verdict.count > 1:
        console.print(f"  and {verdict.count - 1:,} more; see the first {len(verdict.shown)} with --json")
    console.print(f"  checked: {checked}")


def _words(finding: Finding) -> str:
    from serving.ledger.schema import from_micros

    told = f"{finding.table} {finding.key} was {finding.what}"
    if finding.lane is None or finding.at is None:
        return f"{told}; no audit entry names it"
    return f"{told}; see audit entry {finding.number} of lane {finding.lane}, {from_micros(finding.at):%Y-%m-%d %H:%M:%S} UTC"


def _plain(verdict: Verdict) -> dict[str, object]:
    return {"holds": verdict.holds, **asdict(verdict)}
