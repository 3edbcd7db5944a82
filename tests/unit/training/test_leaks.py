"""Nothing is trained on a leaking split: each kind of leak is planted, and refused by the name of what leaks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.home import Home
from features.registry import VIEWS
from features.schema import Dtype, Feature, View
from features.tables.importer import import_folder
from tests.small_shop import NAMES, write_shop
from training.dataset import Dataset, Split
from training.lapse_risk.suspicion import LeakError
from training.leaks import refuse_telling, refuse_views_that_look_ahead

from .conftest import invented, spent


def parts(data: Dataset) -> tuple[Dataset, Dataset, Dataset]:
    """Three parts, one after the other."""
    place = np.arange(len(data))
    return data.where(place < 300), data.where((place >= 300) & (place < 450)), data.where(place >= 450)


def planted(data: Dataset, column: np.ndarray, name: str = "planted") -> Dataset:
    return replace(data, features=(*data.features, name), rows=np.column_stack([data.rows, column]))


def seconds(data: Dataset) -> np.ndarray:
    return data.moments.astype("datetime64[s]").astype(np.float64)


def test_an_honest_split_is_made():
    for data in (invented(), spent()):
        assert len(Split(*parts(data)).train) == 300


@pytest.mark.parametrize("data", [invented(), spent()], ids=["chance", "amount"])
@pytest.mark.parametrize("disguise", ["copy", "negative", "shifted", "ranks", "few unknown"])
def test_a_feature_that_is_the_label_in_disguise_is_refused(data: Dataset, disguise: str):
    label = data.labels
    column = {
        "copy": label, "negative": -label, "shifted": 5 + 0.1 * label, "ranks": pd.Series(label).rank().to_numpy() * 3.0,
        "few unknown": np.where((np.arange(len(data)) % 150 == 7) & (label == label.min()), np.nan, label),
    }[disguise]  # fmt: skip
    with pytest.raises(LeakError, match="feature planted: it tells the label") as caught:
        Split(*parts(planted(data, column)))
    assert "Leave it out" in caught.value.mend


def test_a_feature_that_only_goes_with_the_label_is_no_leak():
    data = invented()
    noise = np.random.default_rng(2).normal(0, 1.0, len(data))
    assert Split(*parts(planted(data, data.labels + noise)))


@pytest.mark.parametrize(("unit", "scale"), [("seconds", 1.0), ("milliseconds", 1e3), ("microseconds", 1e6)])
def test_a_date_after_the_rows_own_moment_is_refused(unit: str, scale: float):
    data = invented()
    ahead = seconds(data) + np.random.default_rng(3).normal(0, 20, len(data)) * 86400
    with pytest.raises(LeakError, match=rf"feature next_purchase_at: it holds times \({unit} since 1970\) after"):
        Split(*parts(planted(data, ahead * scale, "next_purchase_at")))


def test_a_date_before_the_rows_own_moment_is_no_leak():
    data = invented()
    behind = seconds(data) - np.random.default_rng(3).gamma(2, 20, len(data)) * 86400
    assert Split(*parts(planted(data, behind, "last_purchase_at")))


def test_parts_in_the_wrong_order_are_refused():
    train, validation, test = parts(invented())
    with pytest.raises(LeakError, match="later than rows to be judged on"):
        Split(train, test, validation)


def test_too_few_rows_tell_nothing():
    few = invented().where(np.arange(600) < 60)
    refuse_telling(planted(few, few.labels))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A small shop's tables."""
    folder = tmp_path_factory.mktemp("shop")
    found = Home(folder / "home")
    import_folder(write_shop(folder / "files"), found)
    return found


def rows() -> pd.DataFrame:
    """Training rows in the middle of the shop's history."""
    at = datetime(2020, 3, 10, tzinfo=UTC)
    frame = [(name, "email", at + timedelta(days=day)) for name in NAMES for day in (0, 7)]
    return pd.DataFrame(frame, columns=["customer_id", "channel", "event_timestamp"])


def test_every_view_of_the_service_looks_back_only(home: Home):
    refuse_views_that_look_ahead(home, rows(), VIEWS.values())


PEEKS = {
    "events": """SELECT spine.customer_id, spine.moment, events.value AS seen FROM spine
        LEFT JOIN events ON events.customer_id = spine.customer_id AND occurred_at < spine.moment + INTERVAL 28 DAY""",
    "contacts": """SELECT spine.customer_id, spine.moment, 1 AS seen FROM spine
        LEFT JOIN contacts ON contacts.customer_id = spine.customer_id AND sent_at >= spine.moment""",
    "outcomes": """SELECT spine.customer_id, spine.moment, epoch(occurred_at) AS seen FROM spine
        LEFT JOIN contacts ON contacts.customer_id = spine.customer_id AND sent_at < spine.moment + INTERVAL 7 DAY
        LEFT JOIN outcomes ON outcomes.contact_id = contacts.contact_id""",
}


@pytest.mark.parametrize(("dtype", "sql"), [("float64", "sum(seen)"), ("string", "string_agg(seen ORDER BY seen)")])
@pytest.mark.parametrize("table", PEEKS)
def test_a_view_that_reads_a_day_ahead_is_refused(home: Home, table: str, dtype: Dtype, sql: str):
    feature = Feature("peeked", dtype, "money", sql, "what is to come", "Peeked", "Vorausgesehen")
    view = View("peeking", ("customer_id",), PEEKS[table], (feature,), max_age_hours=24, ttl_days=8)
    with pytest.raises(LeakError, match=r"view peeking at 2020-03-1.* looks at events at or after its own moment"):
        refuse_views_that_look_ahead(home, rows(), [view])
