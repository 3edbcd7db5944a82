"""Feature snapshots: customers' features at weekly moments, one Parquet file per view, for Feast's offline store.

Of a large shop only a sample (`sample`) is there at every moment, everybody at the last. A snapshot knows only what had happened before its moment, so `created_timestamp` equals `event_timestamp`: it was knowable then.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from features.compute import prepare, select
from features.files import exclusive, settle
from features.home import Home, Progress, silent
from features.registry import VIEWS
from features.sample import spines
from features.schema import View
from features.tables.store import literal, open_tables

# Snapshots fall on Saturdays 04:00 UTC: midnight in New York in summer, when the example's models are examined (2017-09-30).
ANCHOR = datetime(2017, 9, 30, 4, tzinfo=UTC)
WARM_UP = timedelta(days=56)


def snapshot_moments(first_event: datetime, as_of: datetime) -> list[datetime]:
    """Weekly moments from eight weeks after the first event up to `as_of`, and `as_of` itself; all aware UTC."""
    start = first_event + WARM_UP
    steps = -(-(start - ANCHOR) // timedelta(weeks=1))
    moments = []
    while (moment := ANCHOR + timedelta(weeks=steps)) < as_of:
        moments.append(moment)
        steps += 1
    return [*moments, as_of]


def channels_of(home: Home) -> list[str]:
    """Every channel that contacts or consents name."""
    rows = open_tables(home).execute("""
        SELECT DISTINCT channel FROM (
            SELECT channel FROM contacts WHERE arm IS DISTINCT FROM 'silence' UNION SELECT channel FROM consents
        ) ORDER BY channel""")
    return [row[0] for row in rows.fetchall()]


def build_snapshots(home: Home, as_of: datetime, progress: Progress = silent) -> dict[str, int]:
    """Compute and write the snapshots of every view; returns rows per view. Raises TableError when no shop was imported.

    The tables stand still meanwhile, so that nobody who is forgotten in between comes back with a snapshot.
    """
    with exclusive(home, "tables"):
        connection = open_tables(home)
        first = connection.execute("SELECT min(occurred_at) FROM events").fetchall()[0][0]
        moments = snapshot_moments(first.astimezone(UTC), as_of) if first else [as_of]
        channels = channels_of(home)
        home.features.mkdir(parents=True, exist_ok=True)
        customers = connection.execute("SELECT count(*) FROM customers").fetchall()[0][0]
        counts: dict[str, int] = {}
        for keys in dict.fromkeys(view.keys for view in VIEWS.values()):
            views = [view for view in VIEWS.values() if view.keys == keys]
            progress(f"computing {', '.join(view.name for view in views)} at {len(moments)} moments")
            counts |= _write(connection, views, spines(views[0], moments, channels, customers), home.features)
    return counts


def _write(
    connection: duckdb.DuckDBPyConnection, views: list[View], rows: Iterable[str], folder: Path
) -> dict[str, int]:
    """Compute views of the same keys for every spine of `rows`, and replace their files; returns rows per view."""
    counts = {}
    with tempfile.TemporaryDirectory(dir=folder) as parts:  # below the home, for its owner alone
        for number, spine in enumerate(rows):
            prepare(connection, spine)
            for view in views:
                part = f"{literal(Path(parts))}/{view.name}-{number}.parquet"
                connection.execute(f"COPY ({select(view)}) TO '{part}' (FORMAT parquet)")
        for view in views:
            counts[view.name] = _replace(connection, view, Path(parts), folder / f"{view.name}.parquet")
    return counts


def _replace(connection: duckdb.DuckDBPyConnection, view: View, parts: Path, path: Path) -> int:
    """Put a view's parts into one file, in the place of the old one; returns its rows."""
    keys = ", ".join(view.keys)
    fresh = path.with_name(f"{path.name}.new")
    connection.execute(f"""
        COPY (SELECT {keys}, moment AS event_timestamp, moment AS created_timestamp, * EXCLUDE ({keys}, moment)
              FROM read_parquet('{literal(parts)}/{view.name}-*.parquet') ORDER BY event_timestamp, {keys})
        TO '{literal(fresh)}' (FORMAT parquet, COMPRESSION zstd)""")
    settle(fresh, path)
    return int(connection.execute(f"SELECT count(*) FROM read_parquet('{literal(path)}')").fetchall()[0][0])
