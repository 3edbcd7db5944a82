"""What catalogs would hold for best with each customer of a prepared home; the home's own ledger is neither read nor written."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.home import Home

if TYPE_CHECKING:
    from arbitration.domain import Context
    from serving.bootstrap import Runtime
    from serving.ledger.reading import Reading
    from serving.ledger.rows import Summary

Step = Callable[[int, int], None]
"""Told how many customers are done, of how many."""
AT_ONCE = 500
"""Customers that are decided together: enough to be fast, few enough to keep memory flat."""


@dataclass(frozen=True, slots=True)
class Favorite:
    """One customer's favorite under one catalog. `simulated`: the shop's tables hold simulated rows."""

    customer_id: str
    summary: Summary
    simulated: bool


@dataclass(frozen=True, slots=True)
class _Side:
    """A service's parts under one catalog, its ledger opened, and what is left of each stock, which is the same for everybody."""

    runtime: Runtime
    reading: Reading
    stock: dict[str, int]


def prepared(home: Home) -> bool:
    """Whether there are customers, features and models to decide with."""
    return (home.bundles / "current").exists() and (home.features / "customer.parquet").exists()


def favorites(home: Home, catalogs: Sequence[Path], limit: int | None, step: Step) -> list[list[Favorite]]:
    """Per catalog the favorite of each customer as of the newest features; of `limit` customers, always the same ones, if given.

    The features are read once, for all catalogs. Raises a `DirigentError` where the home cannot serve.
    """
    from serving.favorites import summaries

    now = _newest(home)  # the same moment for every catalog; a service's clock would run on
    found: list[list[Favorite]] = [[] for _ in catalogs]
    with ExitStack() as stack:
        sides = [stack.enter_context(_side(home, catalog, now)) for catalog in catalogs]
        names = sides[0].reading.customers(-1)
        customers = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())[:limit]
        for begin in range(0, len(customers), AT_ONCE):
            rows: list[list[dict[str, Any]]] = [[] for _ in sides]
            for number, customer in enumerate(customers[begin : begin + AT_ONCE], begin + 1):
                for side, own, context in zip(sides, rows, _contexts(sides, customer, now), strict=True):
                    own.append(_row(side, context, now))
                step(number, len(customers))
            for side, own, favored in zip(sides, rows, found, strict=True):
                told = zip(own, summaries(own, side.runtime.policy), strict=True)
                favored += [Favorite(row["context"]["customer_id"], one, side.runtime.simulated) for row, one in told]
    return found


def _contexts(sides: Sequence[_Side], customer: str, now: datetime) -> Iterator[Context]:
    """What is known of the customer under each catalog. Features depend on a catalog's channels alone, and reading them takes
    longest; stocks are the same for every customer.
    """
    from arbitration.selection import in_holdout
    from serving.context import build_context
    from serving.ledger.history import reach_of
    from serving.schemas import CustomerRef, DecisionRequest

    request = DecisionRequest(request_id="catalog-diff", customer=CustomerRef(id=customer))
    known: dict[frozenset[str], Context] = {}
    for side in sides:
        runtime, policy = side.runtime, side.runtime.policy
        channels = frozenset(policy.channels)
        if channels not in known:
            unlimited = replace(runtime, policy=replace(policy, resources={}))
            known[channels] = build_context(unlimited, side.reading, request, now)[0]
        context = known[channels]
        held = side.reading.standing(customer, now - reach_of(policy), now, runtime.settings.brand)
        held_out = in_holdout(runtime.salt, context.customer_id, policy.selection.holdout)
        yield replace(replace(held, stock=side.stock).put_into(context), holdout=held_out)


def _row(side: _Side, context: Context, now: datetime) -> dict[str, Any]:
    """The customer as a recorded decision would hold it."""
    from arbitration.codec import encode
    from serving.context import barred
    from serving.estimates import estimates

    believed = estimates(None if barred(context) else side.runtime.bundle, side.runtime.policy, context, now)
    return {
        "context": encode(context),
        "estimates": encode(believed),
        "now": encode(now),
        "draw": 0.0,
        "decision_id": "",
    }


@contextmanager
def _side(home: Home, catalog: Path, now: datetime) -> Iterator[_Side]:
    with _runtime(home, catalog, now) as runtime, runtime.ledger.reading() as reading:
        yield _Side(runtime, reading, reading.stock(runtime.policy.resources.values(), now))


@contextmanager
def _runtime(home: Home, catalog: Path, now: datetime) -> Iterator[Runtime]:
    """A service's parts over the home, with the catalog given and a ledger of its own that holds the shop's history alone."""
    from serving.bootstrap import build
    from serving.settings import Settings

    given = os.environ.get("DIRIGENT_HOME")  # the feature store sets it to the folder that is gone afterward
    with tempfile.TemporaryDirectory() as folder:
        for name in ("tables", "features", "feast", "bundles", "keys"):
            (Path(folder) / name).symlink_to(getattr(home, name).resolve())
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
