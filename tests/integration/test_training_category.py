"""The next category on the example shop's real baskets: its windows, what it may know, and what it reaches."""

from __future__ import annotations

from datetime import UTC, timedelta

import numpy as np
import pandas as pd
import pytest

from features.compute import compute
from features.home import Home
from features.registry import VIEWS
from features.tables.store import open_tables
from training import bundle, next_category
from training.categories import FEATURES, HISTORY
from training.labels import SPEND_DAYS
from training.next_category import NAME, pair_rows


@pytest.fixture(scope="module")
def rows(shop_home: Home) -> pd.DataFrame:
    return next_category.labeled(shop_home)


def test_label_windows_end_before_the_next_part_begins_and_inside_the_data(shop_home: Home, rows: pd.DataFrame):
    split = next_category.split_rows(rows, bundle.load(shop_home).next_category.shares)
    window = np.timedelta64(timedelta(days=SPEND_DAYS))
    assert split.train.moments.max() + window <= split.validation.moments.min()
    assert split.validation.moments.max() + window <= split.test.moments.min()
    end = open_tables(shop_home).execute("SELECT max(occurred_at) FROM events").fetchall()[0][0]
    assert split.test.moments.max() + window <= np.datetime64(end.astimezone(UTC).replace(tzinfo=None))


def test_what_the_model_knows_does_not_change_when_the_label_window_is_taken_away(shop_home: Home, rows: pd.DataFrame):
    test = rows[rows["event_timestamp"] == rows["event_timestamp"].max()].head(300)
    moment = test["event_timestamp"].iloc[0]
    connection = open_tables(shop_home)
    connection.execute(f"CREATE TEMP TABLE known AS SELECT * FROM events WHERE occurred_at < TIMESTAMPTZ '{moment}'")
    connection.execute("CREATE OR REPLACE TEMP VIEW events AS SELECT * FROM known")
    spine = pd.DataFrame({"customer_id": test["customer_id"], "moment": moment})
    again = compute(connection, VIEWS["category"], spine).set_index("customer_id").loc[test["customer_id"]]
    assert again[HISTORY].tolist() == test[HISTORY].tolist()


def test_the_model_in_use_beats_the_shrunk_own_share_or_is_it(shop_home: Home):
    card = bundle.load(shop_home).metrics[NAME]
    kinds = {card["kind"], *(other["kind"] for other in card["challengers"])}
    assert kinds == {"tree", "linear", "shares"}
    assert not card["simulated"]
    assert any("the shrunk own share" in note for note in card["notes"])
    if card["kind"] != "shares":
        reference = next(other for other in card["challengers"] if other["kind"] == "shares")
        assert card["held_out_log_loss"] < reference["held_out_log_loss"]
        assert card["test"]["log_loss"] < reference["test"]["log_loss"]
    assert card["test"]["hit_1"] < card["test"]["hit_3"] < 1


def test_served_chances_are_those_of_training(shop_home: Home, rows: pd.DataFrame):
    model = bundle.load(shop_home).next_category
    some = rows.tail(20)
    pairs = pair_rows(some, model.shares)
    expected = model.pooled.predict(pairs[[name for name in FEATURES if name in model.pooled.features]].to_numpy())
    served = [dict(model.chances(text)) for text in some[HISTORY]]
    names = model.shares.pairs(some[HISTORY].tolist())
    found = [served[owner][name] for owner, name in zip(names.owner, names.names, strict=True)]
    sums = np.bincount(names.owner, weights=expected)
    assert found == pytest.approx(expected / np.maximum(sums, 1.0)[names.owner], rel=1e-12)
