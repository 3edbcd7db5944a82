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
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from arbitration.errors import InputError
from dirigent.terminal import console

if TYPE_CHECKING:
    from arbitration.policy import Policy
    from serving.ledger.place import Address
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

    _refuse_contradictions(every=every, since=since, until=until)
    if bool(decision_ids) == (every or bool(since or until)) or (check and policy):
        raise InputError(
            "which decisions, and what of them?", where="dirigent replay",
            mend="name ids, or --all, or --since and --until; and either --check or --policy",
        )  # fmt: skip
    from serving.opening import address_of

    settings = Settings.from_environment()
    numbers = _numbers(address_of(settings), decision_ids or [], since, until)
    if policy is not None:
        _compare(settings, numbers, policy, as_json=as_json)
    else:
        _check(settings, numbers, loud=check, as_json=as_json)


def _refuse_contradictions(*, every: bool, since: str | None, until: str | None) -> None:
    if every and (since or until):
        raise InputError(
            "every decision, or those of a span of time?",
            where="--all",
            mend="leave out --all, or --since and --until",
        )
    first, last = _moment(since, "--since"), _moment(until, "--until")
    if first is not None and last is not None and first >= last:
        raise InputError(
            "the span of time ends before it begins", where="--since, --until", mend="give --since the earlier moment"
        )


def candidate_policy(path: Path, current: Path) -> Policy:
    """The policy of a catalog folder, or of the current folder with one YAML file laid over it."""
    from catalog.loading import load_catalog, load_over

    if path.is_file():
        return load_over(current, path)
    return load_catalog(path)


def _numbers(address: Address, decision_ids: Sequence[str], since: str | None, until: str | None) -> list[int]:
    from serving.ledger.archive import Archive

    with Archive(address) as archive:
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
    from serving.opening import address_of
    from serving.replay_many import check_many

    with _bar("Replay", len(numbers)) as advance:
        done = check_many(address_of(settings), numbers, advance)
    empty = not numbers and not _numbers(address_of(settings), [], None, None)
    if as_json:
        _print_json(_plain(done))
    else:
        _tell(done, loud=loud, empty=empty)
    if loud and not _proven(done, empty=empty):
        raise typer.Exit(1)


def _proven(done: Checked, *, empty: bool) -> bool:
    """Whether the records replay: none failed and at least one is proven, or there is nothing in the ledger to prove."""
    return not done.differing and not done.failed and (done.identical > 0 or empty)


def _tell(done: Checked, *, loud: bool, empty: bool) -> None:
    """A line per difference if asked, then the summary."""
    total = done.identical + len(done.others)
    if not total:
        where = "The ledger holds no decision yet" if empty else "No recorded decision lies in this span of time"
        console.print(f"[yellow]![/] {where}: nothing was checked", soft_wrap=True)
        return
    for one in (*done.differing, *done.failed) if loud else ():
        what = f"differs first at {one.first_difference}" if one.first_difference else str(one.failure)
        console.print(f"[red]✗[/] {escape(f'{one.decision_id}: {what}')}", soft_wrap=True)
    mark = "[red]✗[/]" if done.differing or done.failed else "[yellow]![/]" if done.excused else "[green]✓[/]"
    console.print(f"{mark} {done.identical:,} of {total:,} recorded decisions are identical, byte for byte")
    if done.differing:
        console.print(f"  {len(done.differing):,} differ")
    for why, count in Counter(one.failure for one in done.failed).most_common():
        console.print(f"  {count:,} could not be replayed: {escape(str(why))}", soft_wrap=True)
    for why, count in Counter(one.failure for one in done.excused).most_common():
        console.print(f"  [yellow]{count:,} are unproven:[/] {why}", soft_wrap=True)


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
    from serving.opening import address_of
    from serving.replay_many import compare_many

    candidate = candidate_policy(path, settings.catalog)
    with _bar("Compare", len(numbers)) as advance:
        done = compare_many(address_of(settings), numbers, candidate, advance)
    if as_json:
        _print_json(_plain_comparison(done, candidate))
    else:
        _show(done, candidate)


def _plain_comparison(done: Compared, candidate: Policy) -> dict[str, Any]:
    return {
        "policy": candidate.version,
        "not_visible": sorted(done.hidden),
        "left_out": done.reasons,
        "damaged": [{"decision_id": one.decision_id, "why": one.failure} for one in done.damaged],
        **done.radius.to_plain(),
    }


def _show(done: Compared, candidate: Policy) -> None:
    from dirigent.blast import print_blast_radius

    title, total = f"Recorded decisions under the policy {candidate.version}", done.radius.records + len(done.left_out)
    print_blast_radius(done.radius, candidate.economics.currency, title, done.hidden)
    if done.left_out:
        console.print(f"[yellow]![/] {len(done.left_out):,} of {total:,} recorded decisions were left out")
    for why, count in done.reasons.items():
        console.print(f"  {count:,} were left out: {escape(why)}", soft_wrap=True)
    for one in done.damaged:
        console.print(f"[red]✗[/] {escape(f'{one.decision_id}: {one.failure}')}", soft_wrap=True)


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
