"""Prepare the example shop: import, simulate, features, train, promote; each stage once, until its code or its input changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from arbitration.errors import StateError
from dirigent.features import load_store
from dirigent.promote import print_verdicts
from dirigent.terminal import console, stage
from features.home import Home, Progress
from features.snapshots import build_snapshots
from features.tables.example import AS_OF, EXPECTED_COUNTS, import_example
from features.tables.store import open_tables
from training.registry import train
from training.simulator.run import simulate

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Stage:
    """One step: its title, the folders of code its result depends on, the file that shows it is done, and the work."""

    title: str
    code: tuple[str, ...]
    proof: str
    work: Callable[[Home, Progress], object]


def _features(home: Home, progress: Progress) -> None:
    build_snapshots(home, AS_OF, progress)
    load_store(home, AS_OF, progress)


def _promote(home: Home, progress: Progress) -> None:
    """The example shows the models of this code, whatever an older code's were: what is refused is shown, and then forced."""
    from training.promotion import Refused, promote

    try:
        promote(home, progress=progress)
    except Refused as refused:
        print_verdicts(refused.verdicts)
        promote(home, forced="the example shop was prepared anew by changed code", progress=progress)


STAGES = (
    Stage("Import Complete Journey", ("features/tables",), "tables/customers.parquet", import_example),
    Stage("Simulate what it lacks", ("features", "training/simulator"), "tables/consents.parquet", lambda home, progress: simulate(home, progress=progress)),
    Stage("Compute features, load Feast", ("features", "feature_repo"), "feast/online.db", _features),
    Stage("Train and register models", ("training",), "mlflow/mlflow.db", lambda home, progress: train(home, None, progress)),
    Stage("Promote: export the serving bundle", ("training",), "bundles/current", _promote),
)  # fmt: skip


def prepare(home: Home) -> None:
    """Run every stage that is not up to date. A stage is redone when its code or any stage before it changed.

    Raises StateError when the home holds another shop's tables: they would be lost.
    """
    _refuse_other_shop(home)
    done_file = home.root / "stages.json"
    done: dict[str, str] = json.loads(done_file.read_text()) if done_file.exists() else {}
    digest = ""
    for step in STAGES:
        digest = _digest(digest, step.code)
        if done.get(step.title) == digest and (home.root / step.proof).exists():
            console.print(f"[green]✓[/] {step.title} [dim](already done)[/]")
            continue
        with stage(step.title) as progress:
            step.work(home, progress)
        done[step.title] = digest
        done_file.write_text(json.dumps(done, indent=1))


def _refuse_other_shop(home: Home) -> None:
    if not (home.tables / "customers.parquet").exists():
        return
    with open_tables(home, without=()) as tables:
        baskets = tables.execute(
            "SELECT count(*) FROM events WHERE event_id LIKE 'basket-%' AND NOT simulated"
        ).fetchall()[0][0]
    if not 0 < baskets <= EXPECTED_COUNTS["events"]:  # those of erased customers are gone
        mend = "Name an empty one for the demo: DIRIGENT_HOME=.dirigent-demo make demo"
        raise StateError("this folder holds the tables of another shop", where=str(home.root), mend=mend)


def _digest(before: str, folders: tuple[str, ...]) -> str:
    digest = hashlib.sha256(before.encode())
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
