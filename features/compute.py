"""Compute features as of any moment: for all customers at many moments, or for one customer now. Same text, so no skew."""

from __future__ import annotations

from datetime import datetime

import duckdb
import pandas as pd

from features.schema import View
from features.views.history import HISTORY, TOUCHES

SQL_DTYPES = {"float64": "DOUBLE", "int64": "BIGINT", "string": "VARCHAR"}


def select(view: View) -> str:
    """The view's features as one SQL query over its base; one row per key and moment."""
    keys = ", ".join((*view.keys, "moment"))
    features = ",\n       ".join(f"CAST({f.sql} AS {SQL_DTYPES[f.dtype]}) AS {f.name}" for f in view.features)
    return f"SELECT {keys},\n       {features}\nFROM ({view.base}) AS base\nGROUP BY {keys}"


def prepare(connection: duckdb.DuckDBPyConnection, spine: str) -> None:
    """Set the rows to compute for: `spine` is SQL that yields the keys and `moment` (TIMESTAMPTZ).

    Only events of the customers in the spine are read, so one customer costs little. Who is barred is in no spine.
    """
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE spine AS SELECT * FROM ({spine}) ANTI JOIN barred USING (customer_id)"
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE history AS {HISTORY}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE touches AS {TOUCHES}")


def compute(connection: duckdb.DuckDBPyConnection, view: View, spine: pd.DataFrame) -> pd.DataFrame:
    """The view's features for each row of `spine` (the view's keys and `moment`), in the schema's order."""
    connection.register("spine_frame", spine)
    columns = ", ".join(view.keys)
    prepare(connection, f"SELECT {columns}, CAST(moment AS TIMESTAMPTZ) AS moment FROM spine_frame")
    frame: pd.DataFrame = connection.execute(select(view) + " ORDER BY ALL").df()
    connection.unregister("spine_frame")
    return frame


def spine_of(view: View, moments: list[datetime], channels: list[str], of: str = "customers") -> str:
    """SQL for every known customer at every moment (times every channel where the view has it as key).

    `of` is the relation of customers, or SQL in parentheses that selects some of its rows.
    """
    values = ", ".join(f"(TIMESTAMPTZ '{moment.isoformat()}')" for moment in moments)
    across = ""
    if "channel" in view.keys:
        names = (
            " UNION ALL ".join(f"SELECT '{channel}'" for channel in channels)
            or "SELECT CAST(NULL AS VARCHAR) WHERE false"
        )
        across = f", ({names}) AS channels(channel)"
    keys = ", ".join(view.keys)
    return f"SELECT {keys}, moment FROM {of} AS customers, (VALUES {values}) AS moments(moment){across} WHERE created_at < moment"
