"""Simulated app sessions, carts and support cases, at the hours at which the household really shops."""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.simulator.world import World, pick

CART_AFTER_SESSION = 0.12
SUPPORT_PER_WEEK = 0.004
HOUR, DAY, WEEK = 3600.0, 86400.0, 604800.0
LOCAL_OFFSET = 5 * HOUR  # the region's clock in winter; a simulated session an hour off in summer is still a session


def behavior_events(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """Sessions, cart_adds and support cases from when each customer is known to the world's end, as rows of `events`."""
    weeks = (world.end - world.known_since) / WEEK
    who = np.repeat(np.arange(len(world.ids)), rng.poisson(world.activity * weeks))
    at = _moments(world, rng, who)
    sessions = _rows(world, who, at, "app_session", np.zeros(len(who)))
    carts = rng.random(len(who)) < CART_AFTER_SESSION
    values = (world.basket[who] * rng.lognormal(-0.1, 0.5, len(who))).round(2)[carts]
    cart_rows = _rows(world, who[carts], at[carts] + 5 * 60, "cart_add", values)
    calls = np.repeat(np.arange(len(world.ids)), rng.poisson(SUPPORT_PER_WEEK * weeks))
    support = _rows(world, calls, _moments(world, rng, calls), "support_case", np.zeros(len(calls)))
    frame = pd.concat([sessions, cart_rows, support], ignore_index=True)
    return frame[frame["instant"] < world.end].reset_index(drop=True)


def _moments(world: World, rng: np.random.Generator, who: np.ndarray) -> np.ndarray:
    """A random day since the customer is known, at an hour drawn from the customer's own shopping hours."""
    day = np.floor((world.known_since[who] + rng.random(len(who)) * (world.end - world.known_since[who])) / DAY) * DAY
    moments = day + LOCAL_OFFSET + (pick(rng, world.hours[who]) + rng.random(len(who))) * HOUR
    return np.asarray(np.maximum(moments, world.known_since[who] + 60).round())


def _rows(world: World, who: np.ndarray, at: np.ndarray, kind: str, values: np.ndarray) -> pd.DataFrame:
    ids = [f"sim-{kind}-{number}" for number in range(len(who))]
    return pd.DataFrame(
        {
            "event_id": ids,
            "customer_id": world.ids[who],
            "instant": at,
            "type": kind,
            "value": values,
            "properties": None,
        }
    )
