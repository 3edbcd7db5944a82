"""`dirigent replay`: decide recorded decisions again, to prove them or to see what another policy would change."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from arbitration.errors import InputError
from arbitration.policy import Policy
from dirigent.terminal import console

if TYPE_CHECKING:
    from serving.replay_many import Checked, Compared
    from serving.settings import Settings


def replay_decisions(
    decision_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Decisions by their ids.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every decision of the ledger.")] = False,
    since: Annotated[str | None, typer.Option(help="Only decisions from this moment on.")] = None,
    until: Annotated[str | None, typer.Option(help="Only decisions before this moment.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Print a line per difference and exit with 1 if there is one.")
    ] = False,
    policy: Annotated[
        Path | None,
        typer.Option(help="Compare with this catalog folder, or with the current one under this YAML file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Decide recorded decisions again from what was recorded. Reads the ledger only, also while the service runs."""
    from serving.settings import Settings

    if bool(decision_ids) == (every or bool(since or until)) or (check and policy):
        raise InputError(
            "which decisions, and what of them?", where="dirigent replay",
            mend="name ids, or --all, or --since and --until; and either --check or --policy",
        )  # fmt: skip
    settings = Settings.from_environment()
    numbers = _numbers(settings.paths.ledger, decision_ids or [], since, until)
    if policy is not None:
        _compare(settings, numbers, policy, as_json=as_json)
    else:
        _check(settings, numbers, loud=check, as_json=as_json)


def candidate_policy(path: Path, current: Path) -> Policy:
    """The policy of a catalog folder, or of the current folder with one YAML file laid over it."""
    from catalog.loading import load_catalog, load_over

    if path.is_file():
        return load_over(current, path)
    return load_catalog(path)


def _numbers(ledger: Path, decision_ids: Sequence[str], since: str | None, until: str | None) -> list[int]:
    from serving.ledger.archive import Archive

    with Archive(ledger) as archive:
        if decision_ids:
            return archive.numbers_of(decision_ids)
        return archive.numbers(_moment(since, "--since"), _moment(until, "--until"))


def _moment(text: str | None, option: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise InputError("not a time", where=option, mend="write it like 2018-01-02T10:00:00-05:00") from None
    if found is not None and found.tzinfo is None:
        raise InputError("a time without an offset", where=option, mend="write it like 2018-01-02T10:00:00-05:00")
    return found


def _check(settings: Settings, numbers: Sequence[int], *, loud: bool, as_json: bool) -> None:
    from serving.replay_many import check_many

    with _bar("Replay", len(numbers)) as advance:
        done = check_many(settings.paths.ledger, numbers, advance)
    if as_json:
        _print_json(_plain(done))
    else:
        _tell(done, loud=loud)
    if loud and (done.differing or done.failed):
        raise typer.Exit(1)


def _tell(done: Checked, *, loud: bool) -> None:
    """A line per difference if asked, then the summary."""
    for one in (*done.differing, *done.failed) if loud else ():
        what = f"differs first at {one.first_difference}" if one.first_difference else str(one.failure)
        console.print(f"[red]✗[/] {one.decision_id}: {what}", markup=True, soft_wrap=True)
    total = done.identical + len(done.others)
    mark = "[red]✗[/]" if done.differing or done.failed else "[green]✓[/]"
    console.print(f"{mark} {done.identical:,} of {total:,} recorded decisions are identical, byte for byte")
    if done.differing:
        console.print(f"  {len(done.differing):,} differ")
    for why, count in Counter(one.failure for one in (*done.failed, *done.excused)).most_common():
        console.print(f"  {count:,} could not be replayed: {why}", soft_wrap=True)


def _plain(done: Checked) -> dict[str, Any]:
    return {
        "records": done.identical + len(done.others),
        "identical": done.identical,
        "different": [
            {"decision_id": one.decision_id, "first_difference": one.first_difference} for one in done.differing
        ],
        "not_replayed": [
            {"decision_id": one.decision_id, "why": one.failure, "earlier_version": one.excused}
            for one in (*done.failed, *done.excused)
        ],
    }


def _compare(settings: Settings, numbers: Sequence[int], path: Path, *, as_json: bool) -> None:
    from serving.replay_many import compare_many

    candidate = candidate_policy(path, settings.catalog)
    with _bar("Compare", len(numbers)) as advance:
        done = compare_many(settings.paths.ledger, numbers, candidate, advance)
    if as_json:
        _print_json({"policy": candidate.version, "left_out": done.left_out, **done.radius.to_plain()})
    else:
        _show(done, candidate)


def _show(done: Compared, candidate: Policy) -> None:
    from dirigent.blast import print_blast_radius

    print_blast_radius(
        done.radius, candidate.economics.currency, f"Recorded decisions under the policy {candidate.version}"
    )
    for why, count in done.left_out.items():
        console.print(f"  {count:,} were left out: {why}", soft_wrap=True)


def _print_json(plain: dict[str, Any]) -> None:
    """For machines: one JSON document on standard output, nothing else."""
    typer.echo(json.dumps(plain, ensure_ascii=False, indent=1))


@contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, so that standard output holds the result alone."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda more: progress.advance(task, more)
