"""Models of money on the example shop's real baskets: their windows, what they may know, and what they reach."""

from __future__ import annotations

from datetime import UTC, timedelta

import numpy as np
import pandas as pd
import pytest

from features.compute import compute
from features.home import Home
from features.registry import VIEWS
from features.tables.store import open_tables
from training import bundle, spend
from training.dataset import Split, dataset
from training.labels import BUYER_DAYS, SPEND_DAYS, spend_labels

MODELS = (spend.BASKET, spend.SPEND)


@pytest.fixture(scope="module")
def rows(shop_home: Home) -> pd.DataFrame:
    return spend.labeled(shop_home)


@pytest.fixture(scope="module", params=MODELS)
def split(rows: pd.DataFrame, request: pytest.FixtureRequest) -> Split:
    return spend.split(rows, request.param)


def test_label_windows_end_before_the_next_part_begins_and_inside_the_data(shop_home: Home, split: Split):
    window = np.timedelta64(timedelta(days=SPEND_DAYS))
    assert split.train.moments.max() + window <= split.validation.moments.min()
    assert split.validation.moments.max() + window <= split.test.moments.min()
    end = open_tables(shop_home).execute("SELECT max(occurred_at) FROM events").fetchall()[0][0]
    assert split.test.moments.max() + window <= np.datetime64(end.astimezone(UTC).replace(tzinfo=None))


def test_labels_of_money_read_nothing_outside_their_window(shop_home: Home):
    moment = pd.Timestamp("2017-09-30T04:00:00Z")
    connection = open_tables(shop_home)
    before = spend_labels(connection, [moment.to_pydatetime()])
    connection.execute(f"""
        CREATE OR REPLACE TEMP VIEW events AS SELECT * FROM read_parquet('{shop_home.tables}/events.parquet')
        WHERE occurred_at >= TIMESTAMPTZ '{moment}' - INTERVAL {BUYER_DAYS} DAY
          AND occurred_at < TIMESTAMPTZ '{moment}' + INTERVAL {SPEND_DAYS} DAY""")
    pd.testing.assert_frame_equal(before, spend_labels(connection, [moment.to_pydatetime()]))


def test_what_models_of_money_know_does_not_change_when_the_label_window_is_taken_away(
    shop_home: Home, rows: pd.DataFrame
):
    data = dataset(rows, spend.FEATURES, spend.SPEND)
    test = data.where(data.moments == data.moments.max())
    moment = pd.Timestamp(test.moments[0], tz=UTC)
    connection = open_tables(shop_home)
    connection.execute(f"CREATE TEMP TABLE known AS SELECT * FROM events WHERE occurred_at < TIMESTAMPTZ '{moment}'")
    connection.execute("CREATE OR REPLACE TEMP VIEW events AS SELECT * FROM known")
    spine = pd.DataFrame({"customer_id": test.customers, "moment": moment})
    again = compute(connection, VIEWS["customer"], spine).set_index("customer_id").loc[test.customers]
    assert np.allclose(
        again[list(test.features)].to_numpy(dtype=float), test.rows, rtol=1e-9, atol=1e-9, equal_nan=True
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_model_in_use_beats_the_simple_reference_on_later_data_or_is_it(shop_home: Home, name: str):
    card = bundle.load(shop_home).metrics[name]
    kinds = {card["kind"], *(other["kind"] for other in card["challengers"])}
    assert kinds == {"tree", "linear", "mean"}
    assert not card["simulated"]
    assert any("the shrunk mean" in note for note in card["notes"])
    if card["kind"] != "mean":
        reference = next(other for other in card["challengers"] if other["kind"] == "mean")
        assert card["held_out_deviance"] < reference["held_out_deviance"]
        assert card["test"]["deviance"] < reference["test"]["deviance"]
        assert card["test"]["rank"] > reference["test"]["rank"]
    assert 0.85 <= card["test"]["total_ratio"] <= 1.15
    assert set(card["parts"]) == {"bought in 28 days", "bought before"}
