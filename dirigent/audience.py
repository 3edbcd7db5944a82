"""What a catalog would hold for best with each customer of a prepared home; the home's own ledger is neither read nor written."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.home import Home

if TYPE_CHECKING:
    from serving.bootstrap import Runtime
    from serving.ledger.rows import Summary

Step = Callable[[int, int], None]
"""Told how many customers are done, of how many."""


@dataclass(frozen=True, slots=True)
class Favorite:
    """One customer's favorite under one catalog. `simulated`: the shop's tables hold simulated rows."""

    customer_id: str
    summary: Summary
    simulated: bool


def prepared(home: Home) -> bool:
    """Whether there are customers, features and models to decide with."""
    return (home.bundles / "current").exists() and (home.features / "customer.parquet").exists()


def favorites(home: Home, catalog: Path, limit: int | None, step: Step) -> list[Favorite]:
    """The favorite of each customer as of the newest features; of `limit` customers, always the same ones, if it is given.

    Raises a `DirigentError` where the home cannot serve.
    """
    from arbitration.decide import decide
    from serving.context import barred, build_context
    from serving.estimates import estimates
    from serving.favorites import summary_of
    from serving.schemas import CustomerRef, DecisionRequest

    now = _newest(home)  # the same moment for every catalog; a service's clock would run on
    with _runtime(home, catalog, now) as runtime, runtime.ledger.reading() as reading:
        policy = runtime.policy
        customers = sorted(reading.customers(-1), key=lambda name: hashlib.sha256(name.encode()).digest())[:limit]
        found = []
        for number, customer in enumerate(customers, 1):
            request = DecisionRequest(request_id="catalog-diff", customer=CustomerRef(id=customer))
            context = build_context(runtime, reading, request, now)
            believed = estimates(None if barred(context) else runtime.bundle, policy, context, now)
            decision = decide(context, believed, policy, decision_id="catalog-diff", now=now, draw=0.0)
            found.append(Favorite(customer, summary_of(decision), runtime.simulated))
            step(number, len(customers))
    return found


@contextmanager
def _runtime(home: Home, catalog: Path, now: datetime) -> Iterator[Runtime]:
    """A service's parts over the home, with the catalog given and a ledger of its own that holds the shop's history alone."""
    from serving.bootstrap import build
    from serving.settings import Settings

    given = os.environ.get("DIRIGENT_HOME")  # the feature store sets it to the folder that is gone afterward
    with tempfile.TemporaryDirectory() as folder:
        for name in ("tables", "features", "feast", "bundles", "keys"):
            (Path(folder) / name).symlink_to(getattr(home, name))
        settings = Settings(home=Path(folder), as_of=now, catalog=catalog.resolve(), log_level="error")
        try:
            with closing(build(settings)) as runtime:
                yield runtime
        finally:
            os.environ.pop("DIRIGENT_HOME", None)
            os.environ.update({} if given is None else {"DIRIGENT_HOME": given})


def _newest(home: Home) -> datetime:
    """The moment of the newest features: at any later one some of them would count as missing."""
    import duckdb

    path = str(home.features / "customer.parquet")
    found = duckdb.execute("SELECT epoch_us(max(event_timestamp)) FROM read_parquet(?)", [path]).fetchall()[0][0]
    return datetime.fromtimestamp(found / 1e6, UTC)
