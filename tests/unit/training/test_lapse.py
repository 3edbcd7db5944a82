"""Rates of the lapsed: measured per band, shrunk to all of them, silent about the active."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from features.tables.contract import TABLES
from features.tables.store import connect, empty
from training.lapse import PRIOR_ROWS, lapse_at, measure

NOW = datetime(2020, 6, 1, tzinfo=UTC)


def test_rates_are_those_of_the_band_shrunk_to_all_lapsed():
    connection = connect()
    for table in ("customers", "events"):
        connection.execute(f"CREATE TABLE {table} AS {empty(TABLES[table])}")

    def buy(customer: str, days_ago: float):
        connection.execute(
            "INSERT INTO events (event_id, customer_id, occurred_at, type, simulated) VALUES (?, ?, ?, 'purchase', false)",
            [f"{customer}{days_ago}", customer, NOW - timedelta(days=days_ago)],
        )

    for number in range(10):  # ten away for 60 days, of whom four come back; ten for 200, of whom one does; one active
        buy(f"short{number}", 60)
        buy(f"long{number}", 200)
    for customer in ("short1", "short2", "short3", "short4", "long1"):
        buy(customer, -5)
    buy("active", 3)
    found = measure(connection, [NOW])
    assert [(one.after_days, one.rows) for one in found] == [(56.0, 10), (168.0, 10)]
    overall = 15 / 20
    assert found[0].rate == pytest.approx((6 + PRIOR_ROWS * overall) / (10 + PRIOR_ROWS))
    assert found[1].rate == pytest.approx((9 + PRIOR_ROWS * overall) / (10 + PRIOR_ROWS))
    assert lapse_at(found, 56.0) is None
    assert lapse_at(found, float("nan")) is None
    assert lapse_at(found, 100.0) == found[0]
    assert lapse_at(found, 400.0) == found[1]
    assert measure(connection, [NOW - timedelta(days=400)]) == ()
