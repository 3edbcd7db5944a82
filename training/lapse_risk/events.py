"""A shop's events file as arrays: what was bought when, in order, with a note for everything that was odd about the file.

Needed columns: `customer_id`, `occurred_at`, `type`. Wanted: `value` (the name in the data contract) or `amount`. Also read where
present: `event_id` (to find duplicates) and `simulated` (to say so). Every other column is ignored and named in a note; a column
of dates that knows of moments after the cutoff is refused, because a file that knows the future cannot be trusted in the past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arbitration.errors import TableError
from training.lapse_risk.suspicion import refuse_future_dates

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Notes = dict[str, str]
NEEDED = ("customer_id", "occurred_at", "type")
AMOUNTS = ("value", "amount")
KNOWN = (*NEEDED, *AMOUNTS, "event_id", "channel", "currency", "properties", "simulated")
PURCHASE = "purchase"
LIFE = ("app_session", "product_view", "cart_add", "store_visit", "wallet_scan", "review", "support_case", "return")
"""Types that a customer causes; points and tiers follow from purchases and say nothing more."""
DAY = 86_400_000_000
"""Microseconds: all moments are whole microseconds since 1970 in UTC, so that a moment at the cutoff is exactly at the cutoff."""


@dataclass(frozen=True)
class Events:
    """Purchase occasions (`who`, `when`, `amount`) and other signs of life, both ordered by customer and time, all before the cutoff.

    `customers` are the ids in the file's own type, ascending; `who` indexes them. `when` is microseconds since 1970 UTC. `amount` is
    NaN where no amount was given. Purchases of one customer at one moment are one occasion with the sum of the amounts.
    """

    customers: pd.Index
    who: IntArray
    when: IntArray
    amount: FloatArray
    life_who: IntArray
    life_when: IntArray

    def before(self, moment: int) -> Events:
        """What was known at `moment`: events strictly before it."""
        seen, lived = self.when < moment, self.life_when < moment
        return Events(
            self.customers, self.who[seen], self.when[seen], self.amount[seen], self.life_who[lived], self.life_when[lived]
        )  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """The events before the cutoff, counts of what was read and set aside, and notes: name of the oddity to a sentence about it."""

    events: Events
    counts: Mapping[str, int]
    notes: Notes


def read_events(path: Path, cutoff: int) -> Reading:
    """The file's events before `cutoff` (microseconds since 1970 UTC). Raises TableError where nothing can be learned from it."""
    notes: Notes = {}
    frame = _frame(path, cutoff, notes)
    counts = {"rows": len(frame)}
    frame = _whole(frame, counts, notes)
    late = frame["occurred_at"] >= cutoff
    counts["at_or_after_cutoff"] = int(late.sum())
    if late.any():
        notes["events_after_cutoff"] = f"{late.sum():,} events at or after the cutoff were ignored"
    frame = _unrepeated(frame[~late], counts, notes)
    bought = frame["type"] == PURCHASE
    if not bought.any():
        there = ", ".join(map(repr, frame["type"].value_counts().index[:5])) or "nothing"
        raise TableError(
            f"no event of type {PURCHASE} before the cutoff; there is {there}", where=str(path),
            mend="Choose a later --cutoff, bring the purchases of earlier months, or name the type as above.",
        )  # fmt: skip
    _name_simulated(frame[bought], notes)
    events = _arrays(frame[bought], frame[frame["type"].isin(LIFE)])
    counts |= {"purchases": int(bought.sum()), "occasions": len(events.who), "customers": len(events.customers)}
    return Reading(events, counts, notes)


def _frame(path: Path, cutoff: int, notes: Notes) -> pd.DataFrame:
    """Columns of the file: customer_id, occurred_at (microseconds, NA where missing), type, amount; maybe event_id, simulated."""
    try:
        schema = pq.read_schema(path)
    except FileNotFoundError:
        raise TableError("no such file", where=str(path), mend="Name the Parquet file of the events.") from None
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"cannot be read as Parquet ({str(error).splitlines()[0]})", where=str(path),
                         mend="Write it again as Parquet.") from None  # fmt: skip
    if twice := [name for name in KNOWN if schema.names.count(name) > 1]:
        raise TableError(f"column {twice[0]} is there twice", where=str(path), mend="Give every column its own name.")
    missing = [name for name in NEEDED if name not in schema.names]
    if missing:
        raise TableError(f"column {missing[0]} is missing", where=str(path),
                         mend=f"Needed are {', '.join(NEEDED)}, wanted value (or amount).")  # fmt: skip
    strangers = [name for name in schema.names if name not in KNOWN]
    refuse_future_dates(path, strangers, cutoff)
    if strangers:
        notes["ignored_columns"] = f"not part of the events table and not read: {', '.join(strangers)}"
    amount = next((name for name in AMOUNTS if name in schema.names), None)
    kept = [name for name in (*NEEDED, amount, "simulated") if name is not None and name in schema.names]
    _refuse_odd(schema, [name for name in (*kept, "event_id") if name in schema.names], path)
    if "event_id" in schema.names and _repeats(path):
        kept.append("event_id")
    # Whole numbers beside missing ones would become floats, which cannot tell ids of 64 bits apart.
    frame: pd.DataFrame = pq.read_table(path, columns=kept).to_pandas(integer_object_nulls=True)
    if isinstance(frame["customer_id"].dtype, pd.CategoricalDtype):
        frame["customer_id"] = frame["customer_id"].astype(frame["customer_id"].cat.categories.dtype)
    frame["has_event_id"] = "event_id" in schema.names
    frame["occurred_at"] = _moments(frame["occurred_at"], path, notes)
    if amount is None:
        notes["no_amounts"] = "there is no column value or amount: money is unknown to the model"
        frame["amount"] = np.nan
    else:
        frame["amount"] = pd.to_numeric(frame.pop(amount), errors="coerce").astype(float)
    return frame


def _refuse_odd(schema: pa.Schema, kept: list[str], path: Path) -> None:
    for name in kept:
        kind = schema.field(name).type
        binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
        if binary or pa.types.is_nested(kind):
            raise TableError(
                f"is {kind}", where=f"{path}, column {name}", mend="Write text or numbers, a UUID as text."
            )


def _repeats(path: Path) -> bool:
    """Whether an event_id stands twice; only then the ids, which take more memory than all else, are read."""
    ids = pq.read_table(path, columns=["event_id"])["event_id"]
    return not pa.types.is_null(ids.type) and bool(pc.count_distinct(ids, mode="all").as_py() < len(ids))


def _moments(column: pd.Series, path: Path, notes: Notes) -> pd.Series:
    """Microseconds since 1970 UTC, NA where there is none; text is parsed, times without an offset are taken as UTC and noted."""
    if pd.api.types.is_numeric_dtype(column):
        raise TableError("expected times, found numbers", where=f"{path}, column occurred_at", mend="Write timestamps.")
    naive = column.dropna().head(1000).astype(str)
    offset = naive.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$").all()
    if len(naive) and not offset:
        notes["times_without_offset"] = "occurred_at has no time zone and was taken as UTC"
    is_text = column.dtype == object and bool(column.map(lambda value: isinstance(value, str)).any())
    parsed = (
        pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
        if is_text
        else pd.to_datetime(column, utc=True, errors="coerce")
    )
    broken = parsed.isna() & column.notna()
    if broken.any():
        raise TableError(
            f"{broken.sum():,} values are no time", where=f"{path}, row {int(np.flatnonzero(broken)[0]) + 1}, column occurred_at",
            mend="Write times as 2024-03-01T18:00:00+01:00.",
        )  # fmt: skip
    known = parsed.notna()
    whole: pd.Series = parsed[known].dt.as_unit("us").astype("int64").astype("Int64").reindex(column.index)
    return whole


def _whole(frame: pd.DataFrame, counts: dict[str, int], notes: Notes) -> pd.DataFrame:
    """Rows that name who, when and what; unknown and negative amounts are noted."""
    broken = frame[list(NEEDED)].isna().any(axis=1)
    counts["incomplete"] = int(broken.sum())
    if broken.any():
        notes["incomplete_rows"] = f"{broken.sum():,} rows without customer_id, occurred_at or type were ignored"
    frame = frame[~broken].assign(
        customer_id=lambda f: f["customer_id"].infer_objects(),
        occurred_at=lambda f: f["occurred_at"].astype("int64"),
        type=lambda f: f["type"].astype(str),
    )
    bought = frame["type"] == PURCHASE
    unknown = bought & ~np.isfinite(frame["amount"].astype(float))
    counts["amounts_unknown"] = int(unknown.sum())
    if unknown.any() and "no_amounts" not in notes:
        notes["amounts_unknown"] = (
            f"{unknown.sum():,} purchases have no finite amount; they count as purchases of unknown value"
        )
    if (negative := bought & (frame["amount"] < 0)).any():
        notes["amounts_negative"] = (
            f"{negative.sum():,} purchases have an amount below zero; returns should have the type return"
        )
    return frame.assign(amount=frame["amount"].astype(float).where(np.isfinite(frame["amount"].astype(float))))


def _unrepeated(frame: pd.DataFrame, counts: dict[str, int], notes: Notes) -> pd.DataFrame:
    """Each event once: by event_id where there is one, else by all that is known of it."""
    if "event_id" not in frame.columns and frame["has_event_id"].any():
        counts["repeated"] = 0
        return frame
    keys = ["event_id"] if "event_id" in frame.columns else [*NEEDED, "amount"]
    repeated = frame.duplicated(keys) & frame[keys[0]].notna()
    counts["repeated"] = int(repeated.sum())
    if repeated.any():
        notes["repeated_events"] = f"{repeated.sum():,} rows repeat another ({', '.join(keys)}) and were ignored"
    return frame[~repeated]


def _name_simulated(purchases: pd.DataFrame, notes: Notes) -> None:
    if (
        "simulated" in purchases.columns
        and (simulated := purchases["simulated"].fillna(value=False).astype(bool)).any()
    ):
        notes["simulated"] = (
            f"{simulated.sum():,} of {len(purchases):,} purchases are simulated, and so is what follows from them"
        )


def _arrays(purchases: pd.DataFrame, life: pd.DataFrame) -> Events:
    """Ordered by customer and time; equal moments of one customer become one occasion."""
    codes, customers = pd.factorize(purchases["customer_id"], sort=True)
    when, amount = purchases["occurred_at"].to_numpy(dtype=np.int64), purchases["amount"].to_numpy(dtype=float)
    order = np.lexsort((amount, when, codes))  # amounts too, so that a sum does not depend on the order of the file
    who, when, amount = codes[order].astype(np.int64), when[order], amount[order]
    starts = np.flatnonzero(np.concatenate([[True], (np.diff(who) != 0) | (np.diff(when) != 0)]))
    known = np.add.reduceat(~np.isnan(amount), starts)
    total = np.where(known > 0, np.add.reduceat(np.nan_to_num(amount), starts), np.nan)
    index = pd.Index(customers)
    life_who = index.get_indexer(life["customer_id"])
    life_when = life["occurred_at"].to_numpy(dtype=np.int64)
    buyers = life_who >= 0
    life_who, life_when = life_who[buyers].astype(np.int64), life_when[buyers]
    order = np.lexsort((life_when, life_who))
    return Events(index, who[starts], when[starts], total, life_who[order], life_when[order])
