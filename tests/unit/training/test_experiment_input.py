"""Bad tables are refused with the place, or handled with a named warning in the report; no row is lost silently."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from arbitration.errors import InputError, TableError
from tests.unit.training.invented_experiment import FEATURES, asked, experiment, given, names, spec, table
from training.experiment.run import choose_for
from training.experiment.table import read_table

ROWS = 400


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.2, np.nan])
def test_a_logged_probability_that_is_no_chance_is_refused(wrong):
    rows = experiment(ROWS).assign(chance=0.5)
    rows.loc[7, "chance"] = wrong
    with pytest.raises(TableError, match=r"1 probabilities are missing, 0 or less, or above 1.*row 8"):
        choose_for(table(rows), asked(), spec(probability="chance"))


def test_a_column_that_the_spec_names_must_be_there():
    with pytest.raises(TableError, match="column 'region' is missing"):
        choose_for(table(experiment(ROWS).drop(columns="region")), asked(), spec())
    with pytest.raises(TableError, match="test: column 'orders' is missing"):
        choose_for(table(experiment(ROWS)), asked().drop_columns(["orders"]), spec())


def test_an_arm_that_the_spec_does_not_know_is_refused():
    rows = experiment(ROWS)
    rows.loc[3, "arm"] = "winter"
    with pytest.raises(TableError, match="arms without a probability: 'winter'"):
        choose_for(table(rows), asked(), spec())


def test_an_arm_that_was_never_shown_is_warned_about_and_never_chosen():
    probability = {"none": 0.2, "spring": 0.4, "sale": 0.3, "winter": 0.1}
    chosen = choose_for(table(experiment(ROWS, level=1.0)), asked(), spec(probability=probability))
    assert "arm_not_in_training" in names(chosen.report)
    assert chosen.actions["p_winter"].to_numpy().sum() == 0


def test_rows_without_a_reward_or_an_arm_are_counted_and_left_out():
    rows = experiment(ROWS, level=1.0)
    rows.loc[:9, "money"] = np.nan
    rows.loc[10:12, "arm"] = None
    report = choose_for(table(rows), asked(), spec()).report
    assert {"reward_missing", "arm_missing"} <= names(report)
    assert report["rows"]["train"] == ROWS
    assert report["rows"]["train_used"] == ROWS - 13


def test_an_infinite_reward_and_a_reward_in_words_are_refused():
    rows = experiment(ROWS)
    with pytest.raises(TableError, match="infinite"):
        choose_for(table(rows.assign(money=np.inf)), asked(), spec())
    with pytest.raises(TableError, match="no number"):
        choose_for(table(rows.assign(money="much")), asked(), spec())


def test_a_repeated_row_counts_once_and_says_so():
    rows = experiment(ROWS, difference=1.0)
    once, twice = (choose_for(table(each), asked(), spec()) for each in (rows, pd.concat([rows, rows[:50]])))
    assert "duplicate_rows" in names(twice.report)
    assert twice.actions.equals(once.actions)
    assert twice.report["value_per_row"] == once.report["value_per_row"]


def test_one_id_for_different_rows_is_refused():
    rows = experiment(ROWS)
    rows.loc[5, "row"] = rows.loc[4, "row"]
    with pytest.raises(TableError, match="stands for different rows"):
        choose_for(table(rows), asked(), spec())
    with pytest.raises(TableError, match=r"test: id .* stands for different rows"):
        choose_for(table(experiment(ROWS)), table(rows[["row", *FEATURES]]), spec())


def test_a_row_that_is_asked_for_twice_is_answered_twice():
    rows = experiment(20, seed=77)[["row", *FEATURES]]
    chosen = choose_for(table(experiment(ROWS)), table(pd.concat([rows, rows[:2]])), spec())
    assert chosen.actions.num_rows == 22
    assert "duplicate_ids" in names(chosen.report)


def test_constant_features_are_left_out_and_named():
    rows = experiment(ROWS).assign(orders=1, region="north")
    report = choose_for(table(rows), asked(), spec()).report
    assert sum(warning["name"] == "constant_feature" for warning in report["warnings"]) == 2


def test_rewards_of_one_class_choose_silence_and_say_why():
    chosen = choose_for(table(experiment(ROWS).assign(money=0.0)), asked(), spec(cost={"sale": 0.1}))
    assert "reward_constant" in names(chosen.report)
    assert given(chosen.actions)[:, 0].all()


@pytest.mark.parametrize("arm", ["none", "sale"])
def test_one_arm_alone_compares_with_nothing(arm):
    chosen = choose_for(table(experiment(ROWS, level=2.0).assign(arm=arm)), asked(), spec())
    assert "one_arm_only" in names(chosen.report)
    assert chosen.report["evidence"]["tier"] == 0
    assert given(chosen.actions)[:, 0].all()


def test_rows_without_a_cluster_stand_for_themselves():
    rows = experiment(ROWS).assign(household=[f"h{number // 2}" for number in range(ROWS)])
    rows.loc[:99, "household"] = None
    report = choose_for(table(rows), asked(), spec(cluster="household")).report
    assert report["rows"]["clusters"] == 100 + (ROWS - 100) // 2
    assert "cluster_missing" in names(report)


def test_arms_may_be_numbers_truth_values_or_categories():
    rows = experiment(ROWS, level=1.0)
    rows = rows[rows["arm"] != "sale"]
    sent = rows["arm"] == "spring"
    for arm in (sent, sent.astype(int), sent.astype(float), sent.map({True: "1", False: "0"}).astype("category")):
        off, on = ("false", "true") if arm.dtype == bool else ("0", "1")
        chosen = choose_for(table(rows.assign(arm=arm)), asked(), spec(silence=off, probability={off: 0.3, on: 0.7}))
        assert chosen.actions[f"p_{on}"].to_numpy().all()


def test_a_date_is_no_feature():
    rows = experiment(ROWS).assign(recency=pd.Timestamp("2024-01-01"))
    with pytest.raises(TableError, match=r"must be a number or a string, not timestamp.*leaks"):
        choose_for(table(rows), asked(), spec())


def test_unknown_values_and_new_categories_are_answered():
    rows = experiment(ROWS, difference=1.0)
    rows.loc[::7, "recency"] = np.nan
    rows.loc[::9, "region"] = None
    new = experiment(30, seed=77)[["row", *FEATURES]].assign(region="overseas", recency=np.nan)
    chosen = choose_for(table(rows), table(new), spec())
    assert "category_not_in_training" in names(chosen.report)
    assert np.allclose(given(chosen.actions).sum(axis=1), 1)


def test_ids_in_a_csv_stay_text(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("row,recency\n007,1.5\n")
    assert read_table(path, ["row"])["row"].to_pylist() == ["007"]


def test_a_file_that_is_no_table_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(TableError, match="cannot be read"):
        read_table(path)
    with pytest.raises(TableError, match="no such file"):
        read_table(tmp_path / "absent.parquet")


def test_rewards_that_are_mostly_missing_are_refused_with_the_likely_reason():
    rows = experiment(ROWS)
    rows.loc[rows.index >= ROWS // 3, "money"] = np.nan
    with pytest.raises(TableError, match="if an empty reward means that nothing was earned, write 0"):
        choose_for(table(rows), asked(), spec())


def test_probabilities_of_one_beside_several_arms_and_a_silence_that_nobody_got_are_refused():
    rows = experiment(ROWS).assign(chance=1.0)
    with pytest.raises(TableError, match="every probability is 1"):
        choose_for(table(rows), asked(), spec(probability="chance"))
    with pytest.raises(TableError, match="no row shows the silence arm 'None'; there are 'none', 'sale', 'spring'"):
        choose_for(table(rows.assign(chance=0.3)), asked(), spec(probability="chance", silence="None"))


def test_whole_numbers_of_64_bits_stay_apart_beside_missing_ones():
    rows = experiment(ROWS)
    people = pa.array([None, *(2**60 + n // 2 for n in range(ROWS - 1))], pa.int64())
    report = choose_for(table(rows).append_column("person", people), asked(), spec(cluster="person")).report
    assert report["rows"]["clusters"] == 1 + ROWS // 2
    assert "cluster_missing" in names(report)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_too_few_clusters_are_refused(count):
    rows = experiment(ROWS).assign(shop=np.arange(ROWS) % count)
    with pytest.raises(TableError, match=f"belong to {count} values of 'shop'; at least 10 are needed"):
        choose_for(table(rows), asked(), spec(cluster="shop"))


def test_bytes_as_ids_and_an_id_called_like_an_arms_column_are_refused():
    rows = experiment(ROWS)
    with pytest.raises(TableError, match="column row: is binary; give text or numbers, a UUID as text"):
        choose_for(table(rows.assign(row=[bytes(16) + bytes([n % 256]) for n in range(ROWS)])), asked(), spec())
    renamed = asked().rename_columns(["p_sale", *asked().column_names[1:]])
    with pytest.raises(InputError, match="the id is called like the column of an arm"):
        choose_for(table(rows.rename(columns={"row": "p_sale"})), renamed, spec(id="p_sale"))


def test_a_feature_keeps_its_kind_in_both_tables():
    rows = experiment(2000, difference=1.0).assign(region=lambda frame: (frame["region"] == "south").astype(int))
    text = rows.assign(region=rows["region"].astype(str))
    south = pa.array(np.where(np.asarray(asked()["region"].to_pandas()) == "south", 1, 0))
    numbers = asked().set_column(asked().column_names.index("region"), "region", south)
    both = [choose_for(table(text), other, spec()) for other in (numbers, numbers.cast(_with_text(numbers.schema)))]
    assert both[0].actions.equals(both[1].actions)
    assert "category_not_in_training" not in names(both[0].report)
    with pytest.raises(TableError, match="test, column region: is text, and a number in train"):
        choose_for(table(rows), asked(), spec())


def _with_text(schema):
    return pa.schema([pa.field("region", pa.string()) if field.name == "region" else field for field in schema])
