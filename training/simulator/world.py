"""The latent people: one row per real household, with traits no model may see. Drawn once from the seed."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from training.simulator.truth import CHANNELS, CUSTOMER_SD, SLEEPING_DOGS, TASTE_SD

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Arrays over n customers: `ids` (n,), `activity` (n,) app sessions per week, `basket` (n,) mean basket in money,

    `appeal` (n,) and `taste` (n, channels) log-odds of a click, `persuadable` (n,) factor on the effect (mean 1 among those
    who can be moved, 0 for sleeping dogs), `hours` (n, 24) shopping hours as shares, `known_since` (n,) epoch seconds.
    """

    ids: NDArray[np.str_]
    known_since: Floats
    activity: Floats
    basket: Floats
    appeal: Floats
    taste: Floats
    persuadable: Floats
    hours: Floats
    end: float

    @property
    def sleeping_dog(self) -> NDArray[np.bool_]:
        """Customers a contact can only annoy."""
        return np.equal(self.persuadable, 0)


def draw_world(connection: duckdb.DuckDBPyConnection, rng: np.random.Generator) -> World:
    """Draw the latent traits of every customer in the tables."""
    people = connection.execute("""
        SELECT customer_id, epoch(min(created_at)) AS known_since, avg(value) AS basket, epoch(max(max(occurred_at)) OVER ()) AS last_seen
        FROM customers LEFT JOIN events USING (customer_id) WHERE type = 'purchase' GROUP BY ALL ORDER BY customer_id""").df()
    counts = connection.execute("""
        SELECT customer_id, hour(timezone(time_zone, occurred_at)) AS hour, count(*) AS n
        FROM events JOIN customers USING (customer_id) WHERE type = 'purchase' GROUP BY ALL""").df()
    ids = people["customer_id"].to_numpy(dtype=str)
    hours = np.full((len(ids), 24), 0.05)
    hours[np.searchsorted(ids, counts["customer_id"].to_numpy(dtype=str)), counts["hour"].to_numpy()] += counts[
        "n"
    ].to_numpy()
    n = len(ids)
    persuadable = rng.lognormal(-0.125, 0.5, n)
    persuadable[rng.random(n) < SLEEPING_DOGS] = 0.0
    return World(
        ids=ids,
        known_since=people["known_since"].to_numpy(dtype=float),
        activity=rng.gamma(1.2, 0.8, n),
        basket=people["basket"].to_numpy(dtype=float),
        appeal=rng.normal(0, CUSTOMER_SD, n),
        taste=rng.normal(0, TASTE_SD, (n, len(CHANNELS))),
        persuadable=persuadable,
        hours=hours / hours.sum(axis=1, keepdims=True),
        end=float(people["last_seen"].iloc[0]),
    )


def logistic(x: Floats) -> Floats:
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + np.exp(-x))


def pick(rng: np.random.Generator, shares: Floats) -> NDArray[np.int64]:
    """One column index per row of `shares` (n, k), drawn with that row's probabilities."""
    passed = (rng.random((len(shares), 1)) > shares.cumsum(axis=1)).sum(axis=1)
    return np.asarray(np.minimum(passed, shares.shape[1] - 1), dtype=np.int64)
