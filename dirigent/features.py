"""`dirigent features`: compute snapshots, register them with Feast, load the online store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from arbitration.errors import InputError
from dirigent.terminal import stage
from features.home import Home, Progress


def moment(text: str | None) -> datetime:
    """An ISO time with an offset as UTC, or now. Raises InputError for anything else."""
    if text is None:
        return datetime.now(UTC)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise InputError("not a time with an offset", where="--as-of", mend="Write it like 2018-01-02T10:00:00-05:00.")
    return parsed.astimezone(UTC)


def build(
    as_of: Annotated[
        str | None, typer.Option(envvar="DIRIGENT_AS_OF", help="The moment the online values are for; default now.")
    ] = None,
) -> None:
    """Compute features at weekly moments, register them with Feast and load the online store."""
    from features.snapshots import build_snapshots

    home, at = Home.from_environment(), moment(as_of)
    with stage("Features") as progress:
        build_snapshots(home, at, progress)
        load_store(home, at, progress)


def load_store(home: Home, at: datetime, progress: Progress) -> None:
    """Register the snapshots with Feast and load the online store as of `at`."""
    from features.store import FeatureStore

    store = FeatureStore(home)
    progress("registering with Feast")
    store.apply()
    progress("loading the online store")
    store.materialize(at)
