"""Access to one's own data (GDPR Art. 15) in one document: what the ledger, the shop's tables and the feature store hold."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, TypeVar

import duckdb

from arbitration.errors import FeatureStoreError
from features.home import Home
from features.registry import VIEWS
from features.store import FeatureStore
from features.tables.contract import TABLES
from features.tables.store import connect, literal, open_tables
from serving.ledger.export import known_of
from serving.ledger.store import Ledger

ABOUT = (
    "All that is kept of this customer: `ledger` (consents, contacts, decisions, outcomes, rights), `tables` (what the shop "
    "imported), `features` (what is computed from them: stored snapshots, and the values a decision would read now)."
)

_TRIES, _PAUSE_SECONDS = 20, 0.1
T = TypeVar("T")


def document_of(ledger: Ledger, home: Home, features: FeatureStore, channels: Iterable[str], customer_id: str) -> bytes:
    """The document as JSON in UTF-8, without unknown values. Somebody unknown gets one with empty lists.

    Of who objected the rows are told, though nothing else may read them; no feature is read from the online store for them.
    """
    with ledger.reading() as reading:
        told = {
            "about": ABOUT, "customer_id": customer_id, "made_at": reading.now().isoformat(),
            "ledger": known_of(reading, customer_id),
        }  # fmt: skip
    told["tables"] = _whole(lambda: _of_tables(home, customer_id))
    told["features"] = {"stored": _whole(lambda: _snapshots(home, customer_id))} | _now(features, channels, customer_id)
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"), default=_text).encode("utf-8", "replace")


def _whole(read: Callable[[], T]) -> T:
    """What `read` gives; again when somebody's erasure put another file in the place of one that was being read."""
    for _ in range(_TRIES):
        try:
            return read()
        except duckdb.IOException:
            time.sleep(_PAUSE_SECONDS)
    raise FeatureStoreError("the shop's files are being rewritten", mend="ask again in a minute")


def _of_tables(home: Home, customer_id: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of the shop's own tables; an outcome belongs to whom the contact was made with."""
    told = {}
    with open_tables(home, without=("erasure",)) as tables:
        for table in TABLES.values():
            query = f"SELECT * FROM {table.name} WHERE customer_id = ?"
            if not table.column("customer_id"):
                query = (
                    f"SELECT o.* FROM {table.name} o JOIN contacts USING (contact_id) WHERE contacts.customer_id = ?"
                )
            told[table.name] = _dicts(tables.execute(query, [customer_id]))
    return told


def _snapshots(home: Home, customer_id: str) -> dict[str, list[dict[str, Any]]]:
    told = {}
    with connect() as connection:
        for view in VIEWS.values():
            path = home.features / f"{view.name}.parquet"
            if path.exists():
                query = f"SELECT * FROM read_parquet('{literal(path)}') WHERE customer_id = ?"
                told[view.name] = _dicts(connection.execute(query, [customer_id]))
    return told


def _now(features: FeatureStore, channels: Iterable[str], customer_id: str) -> dict[str, Any]:
    try:
        online = features.online(customer_id, channels)
    except FeatureStoreError:  # the stored snapshots say the same, but for its age
        return {"now_unavailable": True}
    return {
        "now": {name: value for name, value in sorted(online.values.items()) if value is not None},
        "written": {view: moment for view, moment in online.written.items() if moment is not None},
    }


def _dicts(found: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in found.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)
