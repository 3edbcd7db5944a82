"""`dirigent choose`: learn from a shop's own experiment and choose an arm for every row of another table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dirigent.terminal import console, stage
from training.experiment import SEED


def choose_arms(
    *,
    train: Annotated[Path, typer.Option(help="Randomized rows with arm and reward; Parquet or CSV.")],
    test: Annotated[Path, typer.Option(help="Rows to choose for: id and features.")],
    spec: Annotated[Path, typer.Option(help="YAML: columns, probabilities, costs; see docs/experiments.md.")],
    out: Annotated[Path, typer.Option(help="Where to write id and one column p_<arm> per arm.")],
    report: Annotated[Path, typer.Option(help="Where to write the report, as JSON.")],
    seed: Annotated[int, typer.Option(min=0, help="Same seed and rows, same choice.")] = SEED,
) -> None:
    """Choose an arm, or silence, for every row, by what a randomized experiment shows: never on less evidence than it has."""
    from training.experiment.run import choose_from_files

    with stage("Choose") as progress:
        told = choose_from_files(train, test, spec, out=out, told=report, seed=seed, progress=progress)
    print_report(told)


def print_report(told: dict[str, Any]) -> None:
    """The report in a few lines."""
    policy, values = told["policy"], told["value_per_row"]
    console.print(f"  evidence   tier {told['evidence']['tier']}: {told['evidence']['meaning']}")
    console.print(f"  policy     {policy['kind']}, best constant: {_plain(policy['constant'])}")
    for name in ("silence", "best_constant", "chosen"):
        console.print(f"  {name:<14}{_money(values[name])} per row")
    console.print(
        f"  against silence: {told['verdict']['over_silence']}; against the best constant: {told['verdict']['over_best_constant']}"
    )
    for warning in told["warnings"]:
        console.print(f"  [yellow]{warning['name']}[/]: {_plain(warning['text'])}")


def _money(value: dict[str, Any]) -> str:
    if value["mean"] is None:
        return "not measured"
    if value["low"] is None:
        return f"{value['mean']:.4f}"
    return f"{value['mean']:.4f} ({value['low']:.4f} to {value['high']:.4f})"


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
