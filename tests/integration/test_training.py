"""Training on the example shop: what the models reach, that no label leaks, what MLflow keeps, and what serving loads."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arbitration.errors import InputError, StateError
from features.compute import compute
from features.home import Home, silent
from features.registry import VIEWS
from features.tables.store import open_tables
from training import bundle, churn
from training.dataset import Split
from training.labels import CHURN_DAYS, churn_labels, contact_labels
from training.pipeline import NAMES, OF_PURCHASES, Training
from training.promotion import promote
from training.registry import registered, train
from training.simulator import truth
from training.slots import BLOCKS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def split(shop_home: Home) -> Split:
    return churn.split(shop_home)


@pytest.fixture(scope="module")
def loaded(shop_home: Home) -> bundle.Bundle:
    return bundle.load(shop_home)


def test_churn_reaches_its_references_and_is_calibrated_in_both_kinds(loaded: bundle.Bundle):
    card = loaded.metrics["churn_risk"]
    both = [card, *card["challengers"]]
    assert {one["kind"] for one in both} == {"tree", "linear"}
    for one in both:
        assert one["test"]["auc"] >= 0.855
        assert one["test"]["ece"] <= 0.02
    assert card["reference"] == {"tree_auc": 0.855, "linear_auc": 0.858}
    assert card["test"]["rows"] == 2205
    assert card["window"]["to"] == "2017-09-30T04:00:00Z"
    assert card["simulated"] is False


def test_the_better_of_two_by_held_out_loss_is_the_champion(loaded: bundle.Bundle):
    for name in ("churn_risk", "channel_propensity", "base_purchase", "send_time"):
        card = loaded.metrics[name]
        assert card["best"]
        assert all(card["held_out_log_loss"] <= other["held_out_log_loss"] for other in card["challengers"])


def test_models_of_contacts_beat_a_constant_and_say_that_they_are_simulated(loaded: bundle.Bundle):
    for name in ("channel_propensity", "base_purchase", "send_time"):
        card = loaded.metrics[name]
        rate = card["test"]["base_rate"]
        constant = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
        assert card["test"]["log_loss"] < constant
        assert card["test"]["ece"] <= 0.03
        assert card["simulated"] is True
    assert set(loaded.metrics["channel_propensity"]["parts"]) == set(truth.CHANNELS)
    assert any("would have happened without" in note for note in loaded.metrics["channel_propensity"]["notes"])
    assert loaded.metrics["send_time"]["test"]["log_loss"] <= loaded.metrics["send_time"]["pooled_test"]["log_loss"]


def test_effects_are_near_the_simulators_truth(loaded: bundle.Bundle):
    found = loaded.effects.tau.cells
    true = {
        f"{j}/{c}": tau * factor * (1 - truth.SLEEPING_DOGS)
        for j, tau in truth.JOURNEY_EFFECT.items()
        for c, factor in truth.CHANNEL_EFFECT.items()
    }
    near = [abs(found[name].mean - true[name]) <= 2.5 * found[name].sd for name in found]
    assert np.mean(near) >= 0.85
    raw = np.mean([(found[name].raw - true[name]) ** 2 for name in found])
    shrunk = np.mean([(found[name].mean - true[name]) ** 2 for name in found])
    assert shrunk < raw
    journeys = loaded.effects.tau.journeys
    assert (
        np.corrcoef([journeys[j].mean for j in truth.JOURNEY_EFFECT], list(truth.JOURNEY_EFFECT.values()))[0, 1] > 0.8
    )


def test_effects_follow_propensity_only_as_far_as_was_measured(loaded: bundle.Bundle):
    """The simulated effect does not depend on who clicks, so a slope well above 0 would be made up."""
    slope = loaded.effects.slope
    assert slope.sd > 0
    assert abs(slope.raw) < 3 * slope.sd
    assert 0 <= slope.used <= max(0.0, slope.raw)
    assert loaded.effects.outcome == "ordered"
    assert loaded.metrics["effects"]["slope"] == asdict(slope)
    assert loaded.effects.tau.spread > 0


def test_the_curve_of_send_time_is_no_rougher_than_what_is_left_without_noise(shop_home: Home, loaded: bundle.Bundle):
    """Spread of the raw slot rates it learned from, less what chance alone would spread them: the most a curve may vary."""
    contacts = contact_labels(open_tables(shop_home))
    rows = contacts[contacts["arm"] != "silence"].sort_values("event_timestamp")
    slots = rows.head(loaded.metrics["send_time"]["rows"]["train"]).groupby("slot")["engaged"].agg(["mean", "size"])
    share = slots["size"] / slots["size"].sum()
    overall = (share * slots["mean"]).sum()
    raw = (share * (slots["mean"] - overall) ** 2).sum()
    noise = (share * overall * (1 - overall) / slots["size"]).sum()
    assert 0 < noise < raw
    assert 0 <= loaded.metrics["send_time"]["curve_spread"] ** 2 <= raw - noise
    rate = np.array(loaded.send_time.curve.rate).reshape(7, BLOCKS)
    assert np.allclose(rate - rate[0], (rate - rate[0])[:, :1])  # block and weekday add up


def test_label_windows_end_before_the_next_part_begins(split: Split):
    window = np.timedelta64(timedelta(days=CHURN_DAYS))
    assert split.train.moments.max() + window <= split.validation.moments.min()
    assert split.validation.moments.max() + window <= split.test.moments.min()
    assert set(split.test.moments) == {np.datetime64("2017-09-30T04:00:00")}


def test_features_do_not_change_when_the_future_is_torn_up(shop_home: Home, split: Split):
    """The test rows' features, computed again after every later event was moved, doubled in value or removed, are the same."""
    moment = pd.Timestamp(split.test.moments[0], tz=UTC)
    connection = open_tables(shop_home)
    connection.execute(f"""
        CREATE TEMP TABLE torn AS SELECT * REPLACE (
            CASE WHEN occurred_at < TIMESTAMPTZ '{moment}' THEN occurred_at
                 ELSE occurred_at + to_days(CAST(hash(event_id) % 60 AS INT)) END AS occurred_at,
            CASE WHEN occurred_at < TIMESTAMPTZ '{moment}' THEN value ELSE value * 2 END AS value)
        FROM events WHERE occurred_at < TIMESTAMPTZ '{moment}' OR hash(event_id) % 3 > 0""")
    connection.execute("CREATE OR REPLACE TEMP VIEW events AS SELECT * FROM torn")
    spine = pd.DataFrame({"customer_id": split.test.customers, "moment": moment})
    again = compute(connection, VIEWS["customer"], spine).set_index("customer_id").loc[split.test.customers]
    assert np.allclose(
        again[list(split.test.features)].to_numpy(dtype=float), split.test.rows, rtol=1e-9, atol=1e-9, equal_nan=True
    )


def test_labels_read_nothing_outside_their_window(shop_home: Home):
    moment = pd.Timestamp("2017-09-30T04:00:00Z")
    connection = open_tables(shop_home)
    before = churn_labels(connection, [moment.to_pydatetime()])
    connection.execute(f"""
        CREATE OR REPLACE TEMP VIEW events AS SELECT * FROM read_parquet('{shop_home.tables}/events.parquet')
        WHERE occurred_at >= TIMESTAMPTZ '{moment}' - INTERVAL 56 DAY AND occurred_at < TIMESTAMPTZ '{moment}' + INTERVAL 28 DAY""")
    pd.testing.assert_frame_equal(before, churn_labels(connection, [moment.to_pydatetime()]))


def test_contacts_whose_window_is_not_over_are_left_out(shop_home: Home):
    connection = open_tables(shop_home)
    rows, end = contact_labels(connection), connection.execute("SELECT max(occurred_at) FROM events").fetchall()[0][0]
    assert rows["event_timestamp"].max() <= pd.Timestamp(end).tz_convert("UTC") - timedelta(days=14)
    assert set(rows["arm"]) == {"random", "silence"}
    assert rows.loc[rows["arm"] == "silence", "opted_out"].sum() == 0


def test_mlflow_keeps_what_a_reviewer_asks_for(shop_home: Home):
    champion = registered(shop_home, "churn_risk")
    folder = next((shop_home.mlflow / "artifacts" / "churn_risk").rglob("serving/card.json")).parents[1]
    for name in ("plots/calibration.png", "plots/gain.png", "plots/shap_summary.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert "lift" in (folder / "tables" / "gain.csv").read_text()
    assert champion.card["predicts"].startswith("no purchase in the next 28 days")
    assert champion.model().version == bundle.load(shop_home).churn_risk.version
    challenger = registered(shop_home, "churn_risk", "challenger")
    assert challenger.card["kind"] != champion.card["kind"]
    with closing(sqlite3.connect(shop_home.mlflow / "mlflow.db")) as database:
        tags = database.execute("""
            SELECT DISTINCT model_versions.name, tags.value FROM registered_model_aliases AS aliases
            JOIN model_versions ON model_versions.name = aliases.name AND model_versions.version = aliases.version
            JOIN tags ON tags.run_uuid = run_id AND tags.key = 'simulated' WHERE alias = 'champion'""").fetchall()
    assert dict(tags) == {name: str(name not in (*OF_PURCHASES, "attention")).lower() for name in NAMES}


def test_pictures_of_models_that_learned_from_simulated_contacts_say_so(shop_home: Home):
    entries = {entry.name: entry for entry in Training(shop_home, silent).entries("opt_out")}
    titles = [figure.axes[0].get_title(loc="left") for figure in entries["opt_out"].figures.values()]
    assert titles
    assert all("(SIMULATED contacts)" in title for title in titles)


@pytest.mark.long
def test_pictures_of_models_that_learned_from_real_purchases_do_not_say_so(shop_home: Home):
    (real,) = {entry.name: entry for entry in Training(shop_home, silent).entries("churn_risk")}.values()
    assert real.figures
    assert not any("SIMULATED" in figure.axes[0].get_title(loc="left") for figure in real.figures.values())


def test_no_customer_is_named_in_models_or_cards(shop_home: Home, split: Split):
    folder = shop_home.bundles / bundle.current(shop_home)
    assert not any("customer_id" in path.read_text() for path in folder.iterdir())
    samples = registered(shop_home, "churn_risk").samples()
    rows = split.train.rows
    assert not any((np.isclose(rows, sample, equal_nan=True)).all(axis=1).any() for sample in samples)


def test_the_same_champions_give_the_same_bundle(shop_home: Home, tmp_path: Path):
    home = Home(shutil.copytree(shop_home.root, tmp_path / "home"))
    before = bundle.current(home)
    assert promote(home).digest == before
    assert promote(home, "churn_risk", registered(home, "churn_risk", "challenger").version).digest != before
    assert bundle.load(home).churn_risk.kind == registered(home, "churn_risk", "challenger").card["kind"]
    assert promote(home, "churn_risk").digest == before


def test_wrong_names_and_missing_versions_are_refused(shop_home: Home, tmp_path: Path):
    with pytest.raises(InputError, match="the models are churn_risk"):
        train(shop_home, "churn")
    with pytest.raises(InputError, match="name the model"):
        promote(shop_home, None, 3)
    with pytest.raises(StateError, match="Run `dirigent train`"):
        registered(shop_home, "churn_risk", 9999)
    with pytest.raises(StateError, match="Run `dirigent train`"):
        promote(Home(tmp_path))


LOADING = """
import json, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[1:])) if event == "pickle.find_class" else None)
from datetime import UTC, datetime
from pathlib import Path
from arbitration.domain import Context, CustomerId
from catalog.loading import load_catalog
from features.home import Home, silent
from serving.estimates import attributions, estimates
from training import bundle
loaded = bundle.load(Home(Path(sys.argv[1])))
policy = load_catalog(Path(sys.argv[2]))
known = {"recency_days": 9.0, "money_182d": 400.0, "basket_value_182d": 20.0, "activity_count_182d": 20, "app_sessions_7d": 1}
context = Context(CustomerId("c"), True, "America/New_York", "en", known)
found = estimates(loaded, policy, context, datetime(2017, 10, 1, tzinfo=UTC))
assert found.churn_risk.tier == 2 and attributions(loaded, context, next(iter(found.effect)))
heavy = ("mlflow", "shap", "sklearn", "lightgbm", "matplotlib", "feast", "joblib", "cloudpickle", "dill")
print(json.dumps({"unpickled": opened, "imported": [name for name in heavy if name in sys.modules]}))
"""


def test_loading_a_bundle_unpickles_nothing_and_imports_no_training_library(shop_home: Home):
    command = [sys.executable, "-c", LOADING, str(shop_home.root), str(ROOT / "catalog" / "example")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"unpickled": [], "imported": []}


def test_a_card_is_plain_json(loaded: bundle.Bundle):
    assert json.loads(json.dumps(dict(loaded.metrics), allow_nan=False)) == loaded.metrics
    assert asdict(loaded.effects.tau.overall)["rows"] > 0
