"""Reading an events file: what is set aside is counted and named, what cannot be used is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arbitration.errors import InputError, TableError
from tests.unit.training.simulated_purchases import CUTOFF, simulated_purchases, written
from training.lapse_risk.events import DAY, read_events
from training.lapse_risk.run import question_of

AT = question_of(CUTOFF, 90, 45).cutoff


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    return simulated_purchases(60)


def same(one, other):
    assert list(one.customers) == list(other.customers)
    for name in ("who", "when", "amount", "life_who", "life_when"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name


def test_three_columns_are_enough_and_missing_money_is_named(shop, tmp_path):
    path = written(shop[["customer_id", "occurred_at", "type"]], tmp_path)
    reading = read_events(path, AT)
    assert np.isnan(reading.events.amount).all()
    assert "no_amounts" in reading.notes


def test_amount_is_read_as_value_is(shop, tmp_path):
    one = read_events(written(shop, tmp_path), AT)
    other = read_events(written(shop.rename(columns={"value": "amount"}), tmp_path, "other.parquet"), AT)
    same(one.events, other.events)


def test_order_of_rows_and_repeated_rows_change_nothing(shop, tmp_path):
    plain = read_events(written(shop, tmp_path), AT)
    shuffled = pd.concat([shop, shop.head(40)]).sample(frac=1.0, random_state=1)
    mixed = read_events(written(shuffled, tmp_path, "mixed.parquet"), AT)
    same(plain.events, mixed.events)
    assert "repeated_events" in mixed.notes
    without_ids = read_events(written(shuffled.drop(columns="event_id"), tmp_path, "without.parquet"), AT)
    same(plain.events, without_ids.events)


def test_events_after_the_cutoff_are_counted_and_ignored(shop, tmp_path):
    cutoff = pd.Timestamp(CUTOFF, tz="UTC")
    whole = read_events(written(shop, tmp_path), AT)
    past = read_events(written(shop[shop["occurred_at"] < cutoff], tmp_path, "past.parquet"), AT)
    same(whole.events, past.events)
    assert whole.counts["at_or_after_cutoff"] == (shop["occurred_at"] >= cutoff).sum() > 0
    assert "events_after_cutoff" in whole.notes
    assert past.counts["at_or_after_cutoff"] == 0


def test_an_event_at_the_cutoff_is_not_before_it(tmp_path):
    moment = pd.Timestamp(CUTOFF, tz="UTC")
    table = pd.DataFrame(
        {"customer_id": ["a", "b"], "occurred_at": [moment, moment - pd.Timedelta(1, "us")], "type": "purchase"}
    )
    assert list(read_events(written(table, tmp_path), AT).events.customers) == ["b"]


def test_time_zones_are_one_moment_and_naive_times_are_named(shop, tmp_path):
    utc = read_events(written(shop, tmp_path), AT)
    berlin = shop.assign(occurred_at=shop["occurred_at"].dt.tz_convert("Europe/Berlin"))
    text = shop.assign(occurred_at=berlin["occurred_at"].map(lambda moment: moment.isoformat()))
    naive = shop.assign(occurred_at=shop["occurred_at"].dt.tz_localize(None))
    for name, table in (("berlin", berlin), ("text", text), ("naive", naive)):
        reading = read_events(written(table, tmp_path, f"{name}.parquet"), AT)
        same(utc.events, reading.events)
        assert ("times_without_offset" in reading.notes) == (name == "naive")


def test_unknown_amounts_count_as_purchases_of_unknown_value(shop, tmp_path):
    broken = shop.copy()
    broken.loc[:4, "value"] = np.nan
    broken.loc[5, "value"] = np.inf
    broken.loc[6, "value"] = -3.0
    reading = read_events(written(broken, tmp_path), AT)
    assert reading.counts["amounts_unknown"] == 6
    assert {"amounts_unknown", "amounts_negative"} <= reading.notes.keys()
    assert len(reading.events.who) == len(read_events(written(shop, tmp_path, "whole.parquet"), AT).events.who)


def test_incomplete_rows_are_set_aside(shop, tmp_path):
    broken = shop.copy()
    broken.loc[0, "customer_id"] = None
    broken.loc[1, "occurred_at"] = pd.NaT
    broken.loc[2, "type"] = None
    reading = read_events(written(broken, tmp_path), AT)
    assert reading.counts["incomplete"] == 3
    assert "incomplete_rows" in reading.notes


def test_numbers_as_customer_ids_stay_numbers(shop, tmp_path):
    numbered = shop.assign(customer_id=shop["customer_id"].str[1:].astype(int))
    assert read_events(written(numbered, tmp_path), AT).events.customers.dtype == np.int64


def test_numbers_of_64_bits_stay_apart_beside_a_row_without_an_id(shop, tmp_path):
    ids = shop["customer_id"].str[1:].astype(int) + 2**60
    numbered = pa.Table.from_pandas(shop.assign(customer_id=ids), preserve_index=False)
    holed = pa.array([None, *ids.iloc[1:]], pa.int64())
    pq.write_table(
        numbered.set_column(numbered.column_names.index("customer_id"), "customer_id", holed), tmp_path / "e"
    )
    found = read_events(tmp_path / "e", AT).events.customers
    assert found.dtype == np.int64
    assert set(found) <= set(ids)
    assert len(found) >= ids.nunique() - 1


@pytest.mark.parametrize(("column", "values"), [("customer_id", b"0123456789abcdef"), ("event_id", ["a"])])
def test_bytes_and_lists_as_ids_are_refused_by_name(shop, tmp_path, column, values):
    with pytest.raises(TableError, match=f"column {column}: is "):
        read_events(written(shop.assign(**{column: [values] * len(shop)}), tmp_path), AT)


def test_purchases_of_one_moment_are_one_occasion_with_the_sum(tmp_path):
    moment = pd.Timestamp("2023-05-01T10:00:00Z")
    table = pd.DataFrame(
        {"customer_id": ["a", "a", "a"], "occurred_at": [moment] * 3, "type": "purchase", "value": [1.0, 2.0, np.nan]}
    )
    events = read_events(written(table, tmp_path), AT).events
    assert events.when.tolist() == [int(moment.timestamp()) * 1_000_000]
    assert events.amount.tolist() == [3.0]


def test_other_signs_of_life_are_kept_apart_and_strangers_are_left_out(tmp_path):
    moments = pd.to_datetime(["2023-05-01", "2023-05-02", "2023-05-03", "2023-05-04"], utc=True)
    table = pd.DataFrame({"customer_id": ["a", "a", "b", "a"], "occurred_at": moments,
                          "type": ["purchase", "app_session", "product_view", "tier_changed"]})  # fmt: skip
    events = read_events(written(table, tmp_path), AT).events
    assert events.customers.tolist() == ["a"]
    assert events.life_when.tolist() == [int(moments[1].timestamp()) * 1_000_000]


@pytest.mark.parametrize("column", ["customer_id", "occurred_at", "type"])
def test_a_missing_column_is_named(shop, tmp_path, column):
    with pytest.raises(TableError, match=f"column {column} is missing"):
        read_events(written(shop.drop(columns=column), tmp_path), AT)


def test_empty_files_wrong_files_and_no_purchases_are_refused(shop, tmp_path):
    with pytest.raises(TableError, match="no such file"):
        read_events(tmp_path / "nothing.parquet", AT)
    (tmp_path / "text.parquet").write_text("customer_id,occurred_at,type\n")
    with pytest.raises(TableError, match="cannot be read"):
        read_events(tmp_path / "text.parquet", AT)
    for name, table in (("empty", shop.head(0)), ("visits", shop.assign(type="store_visit"))):
        with pytest.raises(TableError, match="no event of type purchase"):
            read_events(written(table, tmp_path, f"{name}.parquet"), AT)
    pq.write_table(
        pa.table({"customer_id": ["a"], "occurred_at": [20230501], "type": ["purchase"]}), tmp_path / "n.parquet"
    )
    with pytest.raises(TableError, match="expected times"):
        read_events(tmp_path / "n.parquet", AT)
    with pytest.raises(TableError, match="no time"):
        read_events(written(shop.assign(occurred_at="soon"), tmp_path, "soon.parquet"), AT)


def test_a_cutoff_before_the_data_is_refused(shop, tmp_path):
    with pytest.raises(TableError, match="no event of type purchase before the cutoff"):
        read_events(written(shop, tmp_path), AT - 4000 * DAY)


def test_a_date_column_that_knows_the_future_is_refused_by_name(shop, tmp_path):
    following = shop.groupby("customer_id")["occurred_at"].shift(-1)
    for name, column in (
        ("moment", following),
        ("text", following.dt.strftime("%Y-%m-%d")),
        ("day", following.dt.date),
    ):
        path = written(shop.assign(next_purchase_at=column), tmp_path, f"{name}.parquet")
        with pytest.raises(TableError, match=r"next_purchase_at: leaks"):
            read_events(path, AT)


def test_a_harmless_stranger_is_ignored_and_named(shop, tmp_path):
    table = shop.assign(
        shelf="A7", recorded_at=shop["occurred_at"].where(shop["occurred_at"] < pd.Timestamp("2023-10-01", tz="UTC"))
    )
    reading = read_events(written(table, tmp_path), AT)
    assert "shelf" in reading.notes["ignored_columns"]
    assert "recorded_at" in reading.notes["ignored_columns"]


def test_simulated_purchases_are_named(shop, tmp_path):
    reading = read_events(written(shop.assign(simulated=True), tmp_path), AT)
    assert "are simulated" in reading.notes["simulated"]


def test_a_question_needs_a_date_and_lengths():
    assert question_of("2024-03-01T01:00:00+01:00", 90, 60) == question_of("2024-03-01", 90, 60)
    for wrong in (("yesterday", 90, 60), ("2024-03-01", 0, 60), ("2024-03-01", 90, -1), ("0001-01-01", 90, 60)):
        with pytest.raises(InputError):
            question_of(*wrong)
