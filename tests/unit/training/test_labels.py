"""Labels at the edges of their windows, on tables small enough to check by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from arbitration.errors import StateError
from features.home import Home
from features.snapshots import ANCHOR
from features.tables.contract import TABLES
from features.tables.store import connect, empty
from training.churn import EXAMPLE_WEEKS, TRAIN_WEEKS, VALIDATION_WEEKS, examination, split, split_at
from training.dataset import Dataset, split_by_share
from training.labels import churn_labels, contact_labels, spend_labels

MOMENT = datetime(2017, 9, 30, 4, tzinfo=UTC)


@pytest.fixture
def shop() -> duckdb.DuckDBPyConnection:
    connection = connect()
    for table in TABLES.values():
        connection.execute(f"CREATE TABLE {table.name} AS {empty(table)}")
    return connection


def purchase(shop: duckdb.DuckDBPyConnection, customer: str, at: timedelta, simulated: bool = False) -> None:
    shop.execute(
        "INSERT INTO events (event_id, customer_id, occurred_at, type, value, simulated) VALUES (uuid(), ?, ?, 'purchase', 10, ?)",
        [customer, MOMENT + at, simulated],
    )


def contact(
    shop: duckdb.DuckDBPyConnection, name: str, *outcomes: tuple[str, timedelta], machine: bool = False
) -> None:
    if not shop.execute("SELECT 1 FROM customers").fetchall():
        shop.execute(
            "INSERT INTO customers (customer_id, created_at, time_zone, locale) VALUES ('c', '2017-01-01', 'America/New_York', 'en')"
        )
    shop.execute(
        "INSERT INTO contacts (contact_id, customer_id, journey, channel, sent_at, probability, arm, censored, simulated)"
        " VALUES (?, 'c', 'win_back', 'email', ?, 0.2, 'random', false, true)",
        [name, MOMENT],
    )
    for kind, after in outcomes:
        shop.execute(
            "INSERT INTO outcomes (outcome_id, contact_id, type, occurred_at, machine_open, simulated) VALUES (uuid(), ?, ?, ?, ?, true)",
            [name, kind, MOMENT + after, machine],
        )


def churned(shop: duckdb.DuckDBPyConnection) -> dict[str, float]:
    frame = churn_labels(shop, [MOMENT])
    return dict(zip(frame["customer_id"], frame["label"], strict=True))


SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def test_active_means_a_purchase_in_the_56_days_before(shop):
    purchase(shop, "at the edge", -56 * DAY)
    purchase(shop, "too old", -56 * DAY - SECOND)
    purchase(shop, "just now", -SECOND)
    purchase(shop, "only later", timedelta(0))
    assert set(churned(shop)) == {"at the edge", "just now"}


def test_churned_means_no_purchase_in_the_28_days_from_the_moment(shop):
    for name, after in (("at once", timedelta(0)), ("last second", 28 * DAY - SECOND), ("too late", 28 * DAY)):
        purchase(shop, name, -DAY)
        purchase(shop, name, after)
    assert churned(shop) == {"at once": 0.0, "last second": 0.0, "too late": 1.0}


def test_simulated_purchases_are_not_what_a_household_did(shop):
    purchase(shop, "real", -DAY)
    purchase(shop, "real", DAY, simulated=True)
    purchase(shop, "invented", -DAY, simulated=True)
    assert churned(shop) == {"real": 1.0}


def test_engaged_is_a_click_or_conversion_within_seven_days_and_never_a_machines(shop):
    purchase(shop, "somebody", 40 * DAY)
    contact(shop, "click", ("clicked", 7 * DAY - SECOND))
    contact(shop, "late", ("clicked", 7 * DAY))
    contact(shop, "bought", ("converted", DAY))
    contact(shop, "opened", ("opened", DAY))
    contact(shop, "before", ("clicked", -SECOND))
    contact(shop, "machine", ("clicked", DAY), machine=True)
    frame = contact_labels(shop).set_index("contact_id")
    assert frame.index[frame["engaged"] == 1].tolist() == ["bought", "click"]
    assert frame.index[frame["ordered"] == 1].tolist() == ["bought"]
    assert set(frame["slot"]) == {5 * 6}  # Saturday midnight in New York


def test_a_real_purchase_counts_as_bought_but_not_as_ordered(shop):
    purchase(shop, "c", 3 * DAY)
    purchase(shop, "somebody", 40 * DAY)
    contact(shop, "one", ("unsubscribed", DAY))
    (row,) = contact_labels(shop).to_dict("records")
    assert (row["bought"], row["ordered"], row["opted_out"]) == (1.0, 0.0, 1.0)


def test_contacts_without_a_probability_or_a_finished_window_are_left_out(shop):
    purchase(shop, "somebody", 14 * DAY - SECOND)
    contact(shop, "unfinished")
    assert contact_labels(shop).empty
    purchase(shop, "somebody", 14 * DAY)
    assert len(contact_labels(shop)) == 1
    shop.execute("UPDATE contacts SET probability = NULL")
    assert contact_labels(shop).empty


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (ANCHOR, ANCHOR),
        (ANCHOR + timedelta(weeks=EXAMPLE_WEEKS) - SECOND, ANCHOR),
        (ANCHOR + timedelta(weeks=EXAMPLE_WEEKS), ANCHOR + timedelta(weeks=EXAMPLE_WEEKS)),
        (ANCHOR - SECOND, ANCHOR - timedelta(weeks=1)),
        (ANCHOR + timedelta(weeks=400, days=3), ANCHOR + timedelta(weeks=400)),
    ],
)
def test_the_examination_is_the_examples_or_the_last_that_can_be_judged(last, expected):
    assert examination(last) == expected


def weekly(weeks: int) -> Dataset:
    moments = np.datetime64("2017-09-30T04:00") - np.arange(weeks).repeat(2).astype("timedelta64[W]")
    count = len(moments)
    return Dataset(
        ("x",), np.zeros((count, 1)), np.tile([0.0, 1.0], weeks), moments, np.full(count, "c"), np.full(count, "")
    )


def test_the_parts_have_their_weeks_and_windows_between_them():
    parts = split_at(weekly(40), MOMENT)
    assert [len(set(part.moments)) for part in (parts.train, parts.validation, parts.test)] == [
        TRAIN_WEEKS,
        VALIDATION_WEEKS,
        1,
    ]
    assert parts.validation.moments.min() - parts.train.moments.max() == np.timedelta64(4, "W")
    assert parts.test.moments.min() - parts.validation.moments.max() == np.timedelta64(4, "W")


def test_a_split_by_share_drops_rows_whose_window_reaches_into_the_next_part():
    parts = split_by_share(weekly(50), timedelta(days=14))
    assert parts.train.moments.max() + np.timedelta64(14, "D") <= parts.validation.moments.min()
    assert parts.validation.moments.max() + np.timedelta64(14, "D") <= parts.test.moments.min()
    assert len(parts.train) + len(parts.validation) + len(parts.test) < 100


def test_too_short_a_history_is_an_error_that_says_so():
    with pytest.raises(StateError, match="longer history"):
        split_at(weekly(3), MOMENT)


def test_an_empty_shop_is_an_error_that_says_so(tmp_path: Path):
    with pytest.raises(StateError, match="no purchases"):
        examination(None)
    with pytest.raises(Exception, match="dirigent import"):
        split(Home(tmp_path))


def spent(shop: duckdb.DuckDBPyConnection) -> dict[str, tuple[float, float]]:
    frame = spend_labels(shop, [MOMENT])
    return {row.customer_id: (row.next_basket, row.spend) for row in frame.itertuples()}


def buy(shop: duckdb.DuckDBPyConnection, customer: str, at: timedelta, value: float) -> None:
    purchase(shop, customer, at)
    shop.execute(
        "UPDATE events SET value = ? WHERE customer_id = ? AND occurred_at = ?", [value, customer, MOMENT + at]
    )


def test_the_next_basket_is_the_first_of_56_days_and_the_spend_is_all_of_them(shop):
    for at, value in (
        (-182 * DAY, 7.0),
        (timedelta(0), 20.0),
        (30 * DAY, 5.0),
        (56 * DAY - SECOND, 1.0),
        (56 * DAY, 99.0),
    ):
        buy(shop, "buys", at, value)
    buy(shop, "too old", -182 * DAY - SECOND, 10.0)
    buy(shop, "too old", DAY, 10.0)
    buy(shop, "returns goods", -DAY, 10.0)
    buy(shop, "returns goods", DAY, -3.0)
    buy(shop, "stays away", -DAY, 10.0)
    purchase(shop, "stays away", 2 * DAY, simulated=True)
    found = spent(shop)
    assert found["buys"] == (20.0, 26.0)
    assert found["returns goods"] == (0.0, 0.0)
    assert np.isnan(found["stays away"][0])
    assert found["stays away"][1] == 0.0
    assert set(found) == {"buys", "returns goods", "stays away"}
