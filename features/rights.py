"""The rights of the people in a shop's files: not to be read (objection), and to be forgotten (erasure).

Everything below the home that is not the ledger: the canonical tables, feature snapshots and Feast's online store. Bundles,
MLflow's records and logs hold no customer rows and no customer ids, so there is nothing to take out of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from features.barred import REASONS, Reason, Stamp, bar, barred, change, stamp, unbar
from features.files import exclusive
from features.home import Home, Progress, silent
from features.registry import VIEWS
from features.store import FeatureStore
from features.suppression import suppress
from features.tables.removal import LEAVING, aliases, remove, rewrite
from features.tables.store import connect, name_customers, tidy

__all__ = ["REASONS", "Forgotten", "Reason", "Stamp", "bar", "barred", "forget", "stamp", "unbar"]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was taken out: rows per table and per view's snapshots, keys of the online store, and files a killed writer had left."""

    tables: Mapping[str, int]
    snapshots: Mapping[str, int]
    online: int
    leftovers: int


def forget(home: Home, customer_ids: Iterable[str], progress: Progress = silent) -> Forgotten:
    """Take these customers out of every file of the home but the ledger, and keep only keyed hashes of their names.

    They are barred for "erasure" first and stay so: the caller lifts it with `unbar` once the ledger has forgotten them, too.
    An objection is taken off the list of the barred, for it names them. Killed at any point, run again it finishes.
    Many at once cost little more than one. Raises FeatureStoreError when the online store does not answer; run it again then.
    """
    leaving = frozenset(customer_ids)
    change(home, leaving, ("erasure",), barring=True)
    with exclusive(home, "tables"), connect() as connection:
        leftovers = tidy(home)
        known = aliases(connection, home.tables)
        suppress(home, leaving | {alias for customer, alias in known if customer in leaving})
        progress("forgetting in the tables")
        tables = remove(home.tables, leaving)
        progress("forgetting in the feature snapshots")
        name_customers(connection, LEAVING, leaving)
        snapshots = {}
        for view in VIEWS.values():
            path = home.features / f"{view.name}.parquet"
            if path.exists():
                condition = f"(customer_id IN (SELECT customer_id FROM {LEAVING}))"
                snapshots[view.name] = rewrite(connection, path, condition, ("event_timestamp", *view.keys))
        progress("forgetting in the online store")
        online = FeatureStore(home).drop(leaving)
    change(home, leaving, ("objection",), barring=False)
    return Forgotten(tables, snapshots, online, leftovers)
