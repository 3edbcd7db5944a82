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

from arbitration.errors import InputError
from dirigent.terminal import console, counted

if TYPE_CHECKING:
    from serving.ledger.chain import Finding
    from serving.ledger.verify import Step, Verdict
    from serving.settings import Settings


def verify_ledger(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")] = False,
    anchor: Annotated[bool, typer.Option("--anchor", help="If it holds, write down where the audit ends now.")] = False,
    anchors: Annotated[
        Path | None,
        typer.Option(help="Anchors to check against; default: anchors.jsonl in DIRIGENT_HOME.", exists=True),
    ] = None,
    begin_anew: Annotated[
        str | None,
        typer.Option(
            metavar="WHY",
            help="Before checking, let the anchors begin anew with this ledger, though what they told of is lost for good. Those so far are kept.",
        ),
    ] = None,
) -> None:
    """Check every row of the ledger against its sealed audit, also while the service runs. Exit code 1 when one was altered, or when no
    anchor tells where the audit ended.
    """  # fmt: skip
    from serving.ledger.anchors import path_of
    from serving.ledger.verify import verify
    from serving.opening import address_of
    from serving.settings import Settings

    settings = Settings.from_environment()
    if begin_anew is not None:
        _begin_anew(settings, begin_anew, quiet=as_json)
    address = address_of(settings)
    with _progress(shown=not as_json) as step:
        verdict = verify(address, anchors or path_of(settings.paths), step)
    first = anchor and anchors is None and verdict.only_lacks_anchors
    if as_json:
        typer.echo(json.dumps(_plain(verdict, holds=verdict.holds or first)))
    else:
        _tell(verdict, first=first)
    if not (verdict.holds or first):
        raise typer.Exit(1)
    if anchor:
        _anchor(settings)


def _anchor(settings: Settings) -> None:
    from serving.ledger.anchors import anchor
    from serving.opening import open_ledger

    ledger = open_ledger(settings)
    try:
        anchor(ledger, settings.paths)
    finally:
        ledger.close()


def _begin_anew(settings: Settings, why: str, *, quiet: bool) -> None:
    from serving.ledger.anchors import begin_anew
    from serving.opening import open_ledger

    if not why.strip():
        raise InputError("must say why", where="--begin-anew", mend="a sentence for whoever verifies the ledger later")
    ledger = open_ledger(settings, anew=True)
    try:
        kept = begin_anew(ledger, settings.paths, why.strip())
    finally:
        ledger.close()
    if not quiet:
        before = f"; those so far are in {kept}" if kept else ""
        console.print(f"the anchors begin anew{before}", markup=False, soft_wrap=True)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Step]:
    columns = (TextColumn("checking rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell(verdict: Verdict, *, first: bool) -> None:
    entries = counted(verdict.entries, "audit entry", "audit entries")
    checked = f"{entries}, {counted(verdict.rows, 'row')}, {counted(verdict.anchors, 'anchor')}"
    if verdict.begun is not None:
        begun = f"! its anchors begin anew, and say nothing of what was before: {verdict.begun}"
        console.print(begun, style="yellow", markup=False, soft_wrap=True)
    if verdict.holds or first:
        console.print(f"[green]✓[/] the ledger is as it was written: {checked}", soft_wrap=True)
        if first:
            console.print("  its first anchor is written now; an end that was cut off before cannot be found")
        return
    console.print(Text.assemble(("✗ ", "red"), _words(verdict.shown[0])), soft_wrap=True)
    if verdict.count > 1:
        console.print(f"  and {verdict.count - 1:,} more; see the first {len(verdict.shown)} with --json")
    console.print(f"  checked: {checked}")


def _words(finding: Finding) -> str:
    from serving.ledger.anchors import ANEW
    from serving.ledger.schema import from_micros

    if finding.what == "missing":
        return (
            f"{finding.table} holds no anchor: nothing else is wrong, but a lane that was deleted with its customers would not be missed."
            " If no anchor was ever written: dirigent verify --anchor"
        )
    told = f"{finding.table} {finding.key} was {finding.what}"
    if finding.lane is None and finding.what == "removed" and finding.table.endswith("jsonl"):
        return f"{told}: the audit notes anchors from before its first line. Put it back from a copy; {ANEW}"
    if finding.lane is None or finding.at is None:
        return f"{told}; no audit entry names it"
    return f"{told}; see audit entry {finding.number} of lane {finding.lane}, {from_micros(finding.at):%Y-%m-%d %H:%M:%S} UTC"


def _plain(verdict: Verdict, *, holds: bool) -> dict[str, object]:
    return {"holds": holds, **asdict(verdict)}
