"""A small invented shop whose names are found wherever they are written, and the search for them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from features.home import Home
from features.snapshots import build_snapshots
from features.store import FeatureStore
from features.tables.contract import TABLES
from features.tables.importer import import_folder
from features.tables.removal import Imported

AS_OF = datetime(2020, 6, 1, tzinfo=UTC)
CHANNELS = ("email", "push")
NAMES = tuple(f"kunde-{letter}{number}-x7q" for number, letter in enumerate("abcdefgh"))
LEAVING = NAMES[2]
START = datetime(2020, 1, 1, tzinfo=UTC)


def write_shop(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    """An invented shop: eight customers with purchases, contacts, answers, consents and cards."""
    folder.mkdir()
    rows: dict[str, list[str]] = {name: [] for name in TABLES}
    for number, name in enumerate(names):
        rows["customers"].append(f"{name},{START.isoformat()},Europe/Berlin,de-DE,segment-of-{name}")
        rows["identities"].append(f"pos_card,card-of-{name},{name},{START.isoformat()}")
        for week in range(20):
            at = (START + timedelta(weeks=week, hours=9 + number)).isoformat()
            told = {"store": f"store-of-{name}", "categories": {f"kind {week % 3}": 6, "tea": 4}}
            properties = json.dumps(told).replace('"', '""')
            rows["events"].append(f'event-{name}-{week},{name},{at},purchase,{10 + week},EUR,"{properties}"')
            arm, journey = ("silence", "silence") if week % 3 == 0 else ("random", "welcome")
            rows["contacts"].append(f"contact-{name}-{week},{name},{journey},{CHANNELS[week % 2]},{at},0.5,{arm}")
            rows["outcomes"].append(f"outcome-{name}-{week},contact-{name}-{week},clicked,{at}")
        for channel in CHANNELS:
            rows["consents"].append(f"{name},{channel},marketing,granted,consent,proof-of-{name},{START.isoformat()}")
    for table, head in {
        "customers": "customer_id,created_at,time_zone,locale,segment",
        "events": "event_id,customer_id,occurred_at,type,value,currency,properties",
        "contacts": "contact_id,customer_id,journey,channel,sent_at,probability,arm",
        "outcomes": "outcome_id,contact_id,type,occurred_at",
        "consents": "customer_id,channel,purpose,state,legal_basis,evidence_id,valid_from",
        "identities": "alias_type,alias,customer_id,valid_from",
    }.items():
        (folder / f"{table}.csv").write_text("\n".join([head, *rows[table]]) + "\n")
    return folder


def load(home: Home, folder: Path) -> Imported:
    imported = import_folder(folder, home)
    build_snapshots(home, AS_OF)
    store = FeatureStore(home)
    store.apply()
    store.materialize(AS_OF)
    return imported


def text_of(path: Path) -> bytes:
    """A file as its bytes, and a Parquet file as what it says, too: its pages are compressed."""
    said = b""
    if path.suffix == ".parquet":
        with duckdb.connect() as connection:
            rows = connection.execute("SELECT to_json(t) FROM read_parquet(?) AS t", [str(path)]).fetchall()
        said = "\n".join(row[0] for row in rows).encode()
    return path.read_bytes() + said


def traces(home: Home, *names: str) -> list[str]:
    """Files below the home in which one of these names stands."""
    files = [path for path in home.root.rglob("*") if path.is_file()]
    return sorted(str(p.relative_to(home.root)) for p in files if any(name.encode() in text_of(p) for name in names))
