"""Run the simulator on the tables of a home: remove its earlier rows, draw, write everything at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd

from features.compute import prepare, select
from features.files import exclusive
from features.home import Home, Progress, silent
from features.registry import VIEWS
from features.schema import Feature, View
from features.tables.contract import TABLES
from features.tables.example import TIME_ZONE
from features.tables.store import Staging, connect, literal, open_tables, readable, write
from training.simulator.behavior import behavior_events
from training.simulator.consents import draw_consents, withdrawals
from training.simulator.contacts import READ, Contacts
from training.simulator.loyalty import loyalty_events
from training.simulator.truth import CHANNELS
from training.simulator.world import World, draw_world

SEED = 20170101
FIRST_WEEK = datetime(2017, 5, 1, tzinfo=ZoneInfo(TIME_ZONE))
WEEKS = 34  # the last ends on 2017-12-24, so that most 7-day responses are inside the data
TIME = "make_timestamptz(CAST(instant * 1000000 AS BIGINT))"
CURRENCY = "USD"

QUERIES = {
    "events": f"""SELECT event_id, customer_id, {TIME} AS occurred_at, type, CAST(NULL AS VARCHAR) AS channel, CAST(value AS DOUBLE) AS value,
        CASE WHEN type = 'cart_add' THEN '{CURRENCY}' END AS currency, CAST(properties AS VARCHAR) AS properties, true AS simulated FROM new_rows""",
    "contacts": f"""SELECT contact_id, customer_id, journey, channel, CAST(NULL AS VARCHAR) AS treatment, CAST(NULL AS VARCHAR) AS offer,
        {TIME} AS sent_at, probability, arm, CAST(NULL AS DOUBLE) AS cost, CAST(NULL AS VARCHAR) AS decision_id, false AS censored,
        true AS simulated FROM new_rows""",
    "outcomes": f"""SELECT outcome_id, contact_id, type, {TIME} AS occurred_at, value, machine_open, true AS simulated FROM new_rows""",
    "consents": f"""SELECT customer_id, channel, purpose, state, legal_basis, CAST(evidence_id AS VARCHAR) AS evidence_id,
        {TIME} AS valid_from, CAST(NULL AS TIMESTAMPTZ) AS valid_to, true AS simulated FROM new_rows""",
}


def simulate(home: Home, seed: int = SEED, progress: Progress = silent) -> dict[str, int]:
    """Add simulated loyalty, behavior, consents and contacts to the home's tables; returns simulated rows per table.

    Nothing is invented about the barred, and what was is dropped; their real rows are kept as they are.
    """
    with exclusive(home, "tables"):  # nobody is forgotten between reading and writing
        return _simulate(home, seed, progress)


def _simulate(home: Home, seed: int, progress: Progress) -> dict[str, int]:
    connection = open_tables(home)
    for name in QUERIES:  # what it wrote before must not feed what it writes now
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM ({readable(home, TABLES[name])}) WHERE NOT simulated"
        )
    rng = np.random.default_rng(seed)
    world = draw_world(connection, rng)
    progress("simulating points, tiers, app sessions and carts")
    events = pd.concat([loyalty_events(connection, rng, world.end), behavior_events(world, rng)], ignore_index=True)
    consents = draw_consents(world, rng)
    log = _contacts(home, world, events=events, consents=consents, rng=rng, progress=progress)
    frames = {
        "events": events,
        "contacts": pd.concat(log.log.contacts, ignore_index=True),
        "outcomes": pd.concat(log.log.outcomes, ignore_index=True),
        "consents": pd.concat([consents, withdrawals(pd.concat(log.log.opt_outs))], ignore_index=True),
    }
    return _save(home, frames, world.end, progress)


def _contacts(
    home: Home,
    world: World,
    *,
    events: pd.DataFrame,
    consents: pd.DataFrame,
    rng: np.random.Generator,
    progress: Progress,
) -> Contacts:
    """The weekly loop, over features computed from the real and the simulated events."""
    connection = open_tables(home)
    connection.register("new_rows", events)
    connection.execute(f"CREATE TEMP TABLE simulated_events AS {QUERIES['events']}")
    real = f"SELECT * FROM ({readable(home, TABLES['events'])}) WHERE NOT simulated"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW events AS {real} UNION ALL BY NAME SELECT * FROM simulated_events")
    starts = [FIRST_WEEK + timedelta(weeks=week) for week in range(WEEKS)]
    weekly = _weekly_features(connection, world, starts)
    granted = consents[consents["state"] == "granted"]
    open_channels = np.column_stack(
        [np.isin(world.ids, granted.loc[granted["channel"] == c, "customer_id"].to_numpy(dtype=str)) for c in CHANNELS]
    )
    contacts = Contacts(world, open_channels, rng)
    for number, start in enumerate(starts):
        progress(f"simulating contacts, week {number + 1} of {WEEKS}")
        contacts.week(number, start.timestamp(), weekly[number])
    return contacts


def _weekly_features(connection: duckdb.DuckDBPyConnection, world: World, starts: list[datetime]) -> list[pd.DataFrame]:
    """The features that say which journeys apply, of every world customer at each week's start; unknown customers have empty rows."""
    moments = ", ".join(f"({n}, TIMESTAMPTZ '{start.isoformat()}')" for n, start in enumerate(starts))
    prepare(
        connection,
        f"SELECT customer_id, moment FROM customers, (VALUES {moments}) AS m(week, moment) WHERE created_at < moment",
    )
    queries = [
        select(replace(VIEWS[name], features=_read_by_journeys(VIEWS[name]))) for name in ("customer", "context")
    ]
    frame = connection.execute(
        f"SELECT * FROM ({queries[0]}) JOIN ({queries[1]}) USING (customer_id, moment) JOIN (VALUES {moments}) AS m(week, moment) USING (moment)"
    ).df()
    return [frame[frame["week"] == n].set_index("customer_id").reindex(world.ids) for n in range(len(starts))]


def _read_by_journeys(view: View) -> tuple[Feature, ...]:
    """The others would be computed for nothing, and take three quarters of the time."""
    return tuple(feature for feature in view.features if feature.name in READ)


def _save(home: Home, frames: dict[str, pd.DataFrame], end: float, progress: Progress) -> dict[str, int]:
    """Append the simulated rows to the real ones; nothing after the end of the real data is written."""
    counts = {}
    connection = connect()
    with Staging(home, keep_others=True) as staging:
        for name, frame in frames.items():
            progress(f"writing {name}")
            connection.register("new_rows", frame[frame["instant"] <= end])
            real = f"SELECT * FROM read_parquet('{literal(home.tables)}/{name}.parquet') WHERE NOT simulated"
            query = f"SELECT * FROM ({real} UNION ALL BY NAME {QUERIES[name]})"
            write(connection, query, staging / f"{name}.parquet", TABLES[name].key)
            counts[name] = int((frame["instant"] <= end).sum())
    return counts
