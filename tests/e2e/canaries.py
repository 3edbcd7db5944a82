"""A shop whose customers carry conspicuous names, and a search for them and for what identifies a person in all that is written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from features.home import Home
from features.store import FeatureStore
from tests.e2e.service_process import AS_OF
from tests.part_of_shop import copy_snapshots

EMAIL, PHONE, NAME = "erika.canary+shop@example.org", "+49 171 5550 4711", "Erika Canarymann"
CUSTOMER, ALIAS, ALIAS_TYPE = "canary-customer", "canary-card", "loyalty_card"
# Typed by staff into the sentence in which they say why; nothing can tell a name from another word there.
REMARKED = "Ronja Canaryfeld"
PERSONAL, IDS = (EMAIL, PHONE, NAME), (CUSTOMER, ALIAS)
CUSTOMERS, SNAPSHOTS = 12, 60
# Where customer ids lie by design: the ledger, the shop's own tables, what is computed from them, and whose rows nobody may read.
MAY_HOLD_IDS = ("ledger.db", "ledger.db-wal", "ledger.db-shm", "tables/", "features/", "feast/", "rights/")


def conspicuous_home(shop: Home, root: Path) -> Home:
    """A copy of a trained shop in which the first customers are called canary-customer-1, …, and have a card each.

    Snapshots are there of a few more than these: they are loaded anew under the new names.
    """
    for name in ("tables", "feast", "bundles", "keys", "mlflow"):
        shutil.copytree(shop.root / name, root / name)
    home = Home(root)
    copy_snapshots(shop, home, map(str, range(1, SNAPSHOTS + 1)))
    for path in [*home.tables.glob("*.parquet"), *home.features.glob("*.parquet")]:
        _rename(path)
    FeatureStore(home).materialize(datetime.fromisoformat(AS_OF))
    return home


def _rename(path: Path) -> None:
    fresh = path.with_suffix(".fresh")
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        if "customer_id" not in [column[0] for column in found.description or ()]:
            return
        connection.execute(
            "CREATE TABLE kept AS SELECT * REPLACE (CASE WHEN TRY_CAST(customer_id AS BIGINT) BETWEEN 1 AND "
            f"{CUSTOMERS} THEN '{CUSTOMER}-' || customer_id ELSE customer_id END AS customer_id) FROM read_parquet(?)",
            [str(path)],
        )
        if path.stem == "identities":
            for number in range(1, CUSTOMERS + 1):
                row = [ALIAS_TYPE, f"{ALIAS}-{number}", f"{CUSTOMER}-{number}"]
                connection.execute("INSERT INTO kept VALUES (?, ?, ?, TIMESTAMPTZ '2017-01-01 00:00:00+00')", row)
        connection.execute(f"COPY kept TO '{fresh}' (FORMAT parquet)")
    fresh.replace(path)


def hits(root: Path, wanted: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every file below `root`, by its path there, that holds one of the texts as bytes."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            yield from ((str(path.relative_to(root)), text) for text in wanted if text.encode() in content)


def cells(home: Home, wanted: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every table and feature snapshot with a cell that holds one of the texts: in their files they lie compressed."""
    with duckdb.connect() as connection:
        for path in [*home.tables.glob("*.parquet"), *home.features.glob("*.parquet")]:
            connection.execute("CREATE OR REPLACE VIEW rows AS SELECT * FROM read_parquet('" + str(path) + "')")
            named = connection.execute("DESCRIBE rows").fetchall()
            texts = [column[0] for column in named if column[1] == "VARCHAR"]
            for text in wanted:
                any_of = " OR ".join(f"contains({name}, ?)" for name in texts) or "false"
                if connection.execute(f"SELECT 1 FROM rows WHERE {any_of} LIMIT 1", [text] * len(texts)).fetchone():
                    yield path.name, text


def spoiled(plain: Any, texts: tuple[str, ...]) -> Iterator[Any]:
    """Every body that has one of the texts where it does not belong: as each value, beside it, as each name, and whole."""
    for text in texts:
        yield from _spoiled(plain, text)
        yield from (text, [text], {text: text})


def _spoiled(plain: Any, text: str) -> Iterator[Any]:
    if isinstance(plain, dict):
        yield plain | {text: text}
        for name, inner in plain.items():
            yield {**plain, name: text}
            yield {text if key == name else key: value for key, value in plain.items()}
            yield from ({**plain, name: changed} for changed in _spoiled(inner, text))
    elif isinstance(plain, list):
        yield [*plain, text]
        for at, inner in enumerate(plain):
            yield from ([*plain[:at], changed, *plain[at + 1 :]] for changed in _spoiled(inner, text))
