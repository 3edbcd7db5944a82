"""What is known of a customer at a moment: recency, frequency, money, the rhythm of purchases and its trend.

Everything is computed from `events.before(moment)`; `suspicion.refuse_looking_ahead` proves it in every run. Days are exact, unknown is
NaN. The rhythm is unknown of who bought once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.lapse_risk.events import DAY, Events
from training.lapse_risk.purchasing import fit_purchasing, log_odds

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
WINDOWS = (14, 30, 60, 90, 180, 365)
YEAR = 365 * DAY
REFERENCE = "reference_log_odds"
NAMES = (
    "recency_days", "tenure_days", "purchases", *(f"purchases_{days}d" for days in WINDOWS), "purchases_per_year",
    "mean_gap", "sd_gap", "last_gap", "longest_gap", "gap_ratio", "gap_deviation", "longest_gap_ratio", "smoothed_gap_ratio",
    "money_mean", "money_90d", "money_last", "trend", "weekend_share", "same_season_last_year",
    "life_recency_days", "life_30d", REFERENCE,
)  # fmt: skip
MONOTONE = {"recency_days": 1, "gap_ratio": 1, "longest_gap_ratio": 1, "smoothed_gap_ratio": 1, REFERENCE: 1}
"""The longer a customer stays away, also against the own rhythm, the likelier is no purchase."""


@dataclass(frozen=True)
class History:
    """Purchases before a moment, customer by customer. `of` (n,) numbers the customers 0 to k - 1, `first` (k,) is where each begins."""

    customers: IntArray
    of: IntArray
    when: IntArray
    amount: FloatArray
    first: IntArray

    def count(self, mask: NDArray[np.bool_]) -> FloatArray:
        """Purchases of each customer (k,) where `mask` (n,) holds."""
        return np.bincount(self.of, weights=mask, minlength=len(self.customers)).astype(np.float64)

    def sum(self, values: FloatArray) -> FloatArray:
        """Sum of `values` (n,) over each customer (k,)."""
        return np.bincount(self.of, weights=values, minlength=len(self.customers)).astype(np.float64)


def history(events: Events, moment: int, active: int) -> History:
    """Purchases before `moment` of those who bought in the `active` microseconds before it."""
    seen = events.when < moment
    who, when, amount = events.who[seen], events.when[seen], events.amount[seen]
    recent = np.zeros(len(events.customers), dtype=bool)
    recent[who[when >= moment - active]] = True
    kept = recent[who]
    customers, of = np.unique(who[kept], return_inverse=True)
    first = np.flatnonzero(np.concatenate([[True], np.diff(of) != 0])) if len(of) else np.zeros(0, dtype=np.int64)
    return History(customers, of.astype(np.int64), when[kept], amount[kept], first.astype(np.int64))


def features_at(events: Events, moment: int, active: int, horizon: int) -> tuple[IntArray, FloatArray]:
    """The active customers (n,) at `moment` and their features (n, len(NAMES)), in the order of NAMES."""
    past = history(events, moment, active)
    if len(past.customers) == 0:
        return past.customers, np.empty((0, len(NAMES)))
    columns = _recency_frequency(past, moment, int(events.when.min())) | _rhythm(past, moment) | _money(past, moment)
    columns |= _calendar(past, moment, horizon) | _life(events, past, moment)
    fitted = fit_purchasing(*_counts(history(events, moment, moment), moment))
    columns[REFERENCE] = log_odds(fitted.no_purchase(*_counts(past, moment), horizon / DAY / 7))
    return past.customers, np.column_stack([columns[name] for name in NAMES])


def _counts(past: History, moment: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Repeat purchases, and weeks from the first purchase to the last and to the moment."""
    start, end = past.when[past.first], _last(past)
    week = 7 * DAY
    return past.count(np.ones(len(past.of), dtype=bool)) - 1.0, (end - start) / week, (moment - start) / week


def _last(past: History) -> IntArray:
    """When each customer (k,) bought last."""
    return np.asarray(past.when[_ends(past)], dtype=np.int64)


def _ends(past: History) -> IntArray:
    """Where each customer's (k,) last purchase stands."""
    return np.asarray(np.append(past.first[1:], len(past.of)) - 1, dtype=np.int64)


def _recency_frequency(past: History, moment: int, start: int) -> dict[str, FloatArray]:
    """A window that reaches before the data's `start` is unknown of everyone: it would say what `purchases` says, until it no longer does."""
    tenure = (moment - past.when[past.first]) / DAY
    purchases = past.count(np.ones(len(past.of), dtype=bool))
    columns = {
        "recency_days": (moment - _last(past)) / DAY,
        "tenure_days": tenure,
        "purchases": purchases,
        "purchases_per_year": (purchases - 1) / (tenure + 30.0) * 365.0,
    }
    for days in WINDOWS:
        known = start <= moment - days * DAY
        columns[f"purchases_{days}d"] = (
            past.count(past.when >= moment - days * DAY) if known else np.full(len(tenure), np.nan)
        )
    return columns


def _rhythm(past: History, moment: int) -> dict[str, FloatArray]:
    """Gaps between purchases, and how long the present one is against them."""
    gaps = np.diff(past.when, prepend=past.when[:1]) / DAY
    gaps[past.first] = 0.0
    count = past.count(np.ones(len(past.of), dtype=bool)) - 1.0
    known = count > 0
    divisor = np.where(known, count, 1.0)
    mean = np.where(known, past.sum(gaps) / divisor, np.nan)
    spread = np.sqrt(np.maximum(past.sum(gaps**2) / divisor - np.nan_to_num(mean) ** 2, 0.0))
    longest = np.where(known, np.maximum.reduceat(gaps, past.first), np.nan)
    recency = (moment - _last(past)) / DAY
    usual = float(np.nanmedian(mean)) if known.any() else 30.0
    smoothed = (past.sum(gaps) + usual) / (count + 1.0)
    return {
        "mean_gap": mean,
        "sd_gap": np.where(count > 1, spread, np.nan),
        "last_gap": np.where(known, gaps[_ends(past)], np.nan),
        "longest_gap": longest,
        "gap_ratio": recency / (mean + 1.0),
        "gap_deviation": np.where(count > 1, (recency - mean) / (spread + 1.0), np.nan),
        "longest_gap_ratio": recency / (longest + 1.0),
        "smoothed_gap_ratio": recency / (smoothed + 1.0),
    }


def _money(past: History, moment: int) -> dict[str, FloatArray]:
    known = ~np.isnan(past.amount)
    amount, count = np.nan_to_num(past.amount), past.count(known)
    last = past.amount[_ends(past)]
    recent = past.sum(np.where(past.when >= moment - 90 * DAY, amount, 0.0))
    return {
        "money_mean": np.where(count > 0, past.sum(amount) / np.maximum(count, 1.0), np.nan),
        "money_90d": np.where(count > 0, recent, np.nan),
        "money_last": last,
    }


def _calendar(past: History, moment: int, horizon: int) -> dict[str, FloatArray]:
    """Trend: the last horizon against the one before; the same season a year ago, where the customer was there already."""
    now = past.count(past.when >= moment - horizon)
    before = past.count((past.when >= moment - 2 * horizon) & (past.when < moment - horizon))
    weekday = (past.when // DAY + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
    season = past.count((past.when >= moment - YEAR) & (past.when < moment - YEAR + horizon))
    there = past.when[past.first] <= moment - YEAR
    return {
        "trend": np.log((now + 0.5) / (before + 0.5)),
        "weekend_share": past.count(weekday >= 5) / past.count(np.ones(len(past.of), dtype=bool)),
        "same_season_last_year": np.where(there, season, np.nan),
    }


def _life(events: Events, past: History, moment: int) -> dict[str, FloatArray]:
    """Other signs of life (visits, views, carts): days since the last, and how many in 30 days."""
    seen = events.life_when < moment
    who, when = events.life_who[seen], events.life_when[seen]
    latest = np.full(len(events.customers), np.iinfo(np.int64).min, dtype=np.int64)
    latest[who] = when  # ordered by time, so the last one stays
    recent = np.bincount(who[when >= moment - 30 * DAY], minlength=len(events.customers)).astype(np.float64)
    mine = latest[past.customers]
    known = mine > np.iinfo(np.int64).min
    return {
        "life_recency_days": np.where(known, (moment - np.where(known, mine, moment)) / DAY, np.nan),
        "life_30d": np.where(known, recent[past.customers], np.nan),
    }
