"""Training in homes that were moved or copied, and in shops that bring no randomized contacts."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from arbitration.errors import StateError
from dirigent.main import app
from features.home import Home
from features.home import silent as silent_progress
from tests.lengths import short_first
from training import bundle, churn
from training.lapse_risk.suspicion import LeakError
from training.pipeline import NAMES, OF_CONTACTS, Training
from training.promotion import promote, without_model
from training.registry import CANDIDATE, PLACES, Registry, registered, train


@pytest.fixture
def own_home(shop_home: Home, tmp_path: Path) -> Home:
    """A copy that may be written to."""
    return Home(shutil.copytree(shop_home.root, tmp_path / "first"))


def written(home: Home) -> dict[str, int]:
    """Every file of MLflow with the time of its last change."""
    return {str(path): path.stat().st_mtime_ns for path in home.mlflow.rglob("*") if path.is_file()}


def places(home: Home) -> set[str]:
    """Every absolute place that MLflow keeps for the models."""
    with closing(sqlite3.connect(home.mlflow / "mlflow.db")) as database:
        rows = [
            database.execute(f"SELECT {column} FROM {table} WHERE {column} LIKE '%artifacts/%'").fetchall()
            for table, column in PLACES
        ]
    return {row[0] for part in rows for row in part if row[0].startswith("file:")}


@pytest.mark.long
def test_a_copied_home_and_then_a_moved_one_train_where_they_are_now(shop_home: Home, own_home: Home, tmp_path: Path):
    before = written(shop_home)
    results = train(own_home, "churn_risk")
    assert written(shop_home) == before
    run = own_home.mlflow / "artifacts" / "churn_risk"
    assert len(list(run.glob("*/artifacts/serving/card.json"))) >= len(results)
    assert all(place.startswith(own_home.mlflow.as_uri()) for place in places(own_home))

    moved = Home(own_home.root.rename(tmp_path / "second"))
    newest = max(result.version for result in train(moved, "churn_risk"))
    digest = promote(moved).digest
    assert written(shop_home) == before
    assert not own_home.root.exists()
    assert bundle.current(moved) == digest == bundle.load(moved).digest
    assert registered(moved, "churn_risk", newest).model().name == "churn_risk"
    assert all(place.startswith(moved.mlflow.as_uri()) for place in places(moved))


def test_a_home_with_a_percent_or_a_blank_in_its_name_can_be_moved(own_home: Home, tmp_path: Path):
    moved = Home(own_home.root.rename(tmp_path / "my shop 100% _"))
    assert registered(moved, "effects").name == "effects"
    assert all(place.startswith(moved.mlflow.as_uri()) for place in places(moved))


@pytest.fixture
def without_contacts(own_home: Home) -> Home:
    """The shop with contacts whose probability nobody logged, with purchases that name no categories, and nothing trained yet."""
    for table, changed in (("contacts", "CAST(NULL AS DOUBLE) AS probability"), ("events", "'{}' AS properties")):
        path = own_home.tables / f"{table}.parquet"
        with duckdb.connect() as connection:
            rows = f"SELECT * REPLACE ({changed}) FROM read_parquet('{path}')"
            connection.execute(f"COPY ({rows}) TO '{path}.new' (FORMAT parquet)")
        path.with_suffix(".parquet.new").replace(path)
    shutil.rmtree(own_home.mlflow)
    return own_home


OF_BASKETS = ("churn_risk", "next_basket", "spend")


@pytest.mark.long
def test_a_shop_without_randomized_contacts_or_categories_trains_what_it_can(
    without_contacts: Home, monkeypatch: pytest.MonkeyPatch
):
    models = OF_BASKETS
    monkeypatch.setattr("training.pipeline.NAMES", (*models, "next_category", *OF_CONTACTS))
    said: list[str] = []
    assert {result.name for result in train(without_contacts, None, said.append)} == set(models)
    unnamed, skipped = [line for line in said if line.startswith("skipped")]
    assert unnamed.startswith("skipped next_category: there are no purchases that name product categories")
    assert all(name in skipped for name in OF_CONTACTS)
    promoted = promote(without_contacts)
    assert {verdict.model for verdict in promoted.verdicts} == set(models)
    loaded = bundle.load(without_contacts)
    assert set(loaded.versions) == set(loaded.metrics) == set(models)
    assert (loaded.effects, loaded.send_time, loaded.attention, loaded.opt_out) == (None, None, None, None)
    assert loaded.next_category is None
    assert without_model(without_contacts) == tuple(name for name in NAMES if name not in models)
    assert promote(without_contacts).digest == promoted.digest


def keep(home: Home, sent: int, silent: int) -> None:
    """So many randomized contacts and silent moments stay, drawn by their id."""
    path = home.tables / "contacts.parquet"
    with duckdb.connect() as connection:
        numbered = f"""SELECT *, row_number() OVER (PARTITION BY arm = 'silence' ORDER BY md5(contact_id)) AS place
            FROM read_parquet('{path}') WHERE probability > 0"""
        rows = f"SELECT * EXCLUDE (place) FROM ({numbered}) WHERE place <= if(arm = 'silence', {silent}, {sent})"
        connection.execute(f"COPY ({rows}) TO '{path}.new' (FORMAT parquet)")
    path.with_suffix(".parquet.new").replace(path)


EVERY = set(OF_CONTACTS)
MEASURED = {"effects", "attention"}


@pytest.mark.parametrize(
    ("sent", "silent", "trained"),
    [
        (0, 0, set()), *short_first([(1, 0, MEASURED), (0, 1, set()), (1, 1, MEASURED), (10, 10, MEASURED | {"opt_out"})], 1),
        (40, 3, EVERY - {"base_purchase"}), pytest.param(100, 100, EVERY, marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_models_of_few_contacts_are_trained_or_skipped_each_alone(
    own_home: Home, monkeypatch: pytest.MonkeyPatch, sent: int, silent: int, trained: set[str]
):
    keep(own_home, sent, silent)
    monkeypatch.setattr("training.pipeline.NAMES", OF_CONTACTS)
    said: list[str] = []
    entries = list(Training(own_home, said.append).entries(None))
    assert {entry.name for entry in entries} == trained
    assert all(entry.text and json.dumps(entry.card, allow_nan=False) for entry in entries)
    for name in EVERY - trained:
        (line,) = [text for text in said if text.startswith("skipped") and name in text]
        assert ": there are no " in line or "rows and not two different outcomes" in line


def test_a_few_contacts_are_trained_promoted_and_loaded_and_what_is_a_champion_stays(
    own_home: Home, monkeypatch: pytest.MonkeyPatch
):
    shutil.rmtree(own_home.mlflow)
    keep(own_home, 10, 10)
    monkeypatch.setattr("training.pipeline.NAMES", OF_CONTACTS)
    train(own_home)
    promote(own_home)
    first = bundle.load(own_home)
    assert set(first.versions) == MEASURED | {"opt_out"}
    assert first.effects is not None
    promote(own_home, "opt_out")
    assert bundle.load(own_home).digest == first.digest
    with pytest.raises(StateError, match="no candidate of churn_risk"):
        promote(own_home, "churn_risk")
    Registry(own_home).client.delete_registered_model_alias("effects", CANDIDATE)
    assert promote(own_home).digest == first.digest, "a champion stays where there is no candidate"
    shutil.rmtree(own_home.mlflow / "artifacts" / "opt_out")
    with pytest.raises(StateError, match="no candidate of opt_out"):  # it is not taken for none
        promote(own_home)
    assert bundle.load(own_home).digest == first.digest


def test_a_leak_and_a_fault_stop_the_training_and_are_not_skipped(own_home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(churn, "lapses", lambda _home: ())
    for fault in (LeakError("tells the label", where="feature x"), StateError("gone"), ValueError("a fault")):
        monkeypatch.setattr(churn, "train", lambda _home, fault=fault: (_ for _ in ()).throw(fault))
        with pytest.raises(type(fault)) as caught:
            list(Training(own_home, silent_progress).entries(None))
        assert caught.value is fault


def test_where_nothing_was_trained_yet_promotion_says_what_to_run(tmp_path: Path):
    with pytest.raises(StateError, match=r"nothing was trained yet\. Run `dirigent train`"):
        promote(Home(tmp_path))


@pytest.mark.parametrize("name", OF_CONTACTS)
def test_a_model_of_contacts_asked_for_by_name_says_what_it_needs(without_contacts: Home, name: str):
    needed = (
        "contacts with their logged probability, and silent moments with arm 'silence'; see features/tables/contract.py"
    )
    with pytest.raises(StateError, match="no randomized contacts") as caught:
        train(without_contacts, name)
    assert needed in caught.value.mend
    assert "--example" not in str(caught.value)


def test_another_shop_is_not_told_of_the_examples_loyalty_or_references(own_home: Home):
    assert churn.is_example(own_home)
    path = own_home.tables / "events.parquet"
    with duckdb.connect() as connection:
        rows = f"SELECT * REPLACE (false AS simulated) FROM read_parquet('{path}')"
        connection.execute(f"COPY ({rows}) TO '{path}.new' (FORMAT parquet)")
    path.with_suffix(".parquet.new").replace(path)
    assert not churn.is_example(own_home)


@pytest.mark.long
def test_the_verb_writes_a_card_per_model_for_people(own_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DIRIGENT_HOME", str(own_home.root))
    done = CliRunner().invoke(app, ["train", "opt_out", "--cards", str(tmp_path / "cards")])
    assert done.exit_code == 0, done.output
    assert [path.name for path in (tmp_path / "cards").iterdir()] == ["opt_out.md"]
    text = (tmp_path / "cards" / "opt_out.md").read_text()
    assert "in use once promoted" in text
    assert "**Learned from simulated rows**" in text
    kept = registered(own_home, "opt_out", "candidate")
    assert kept.card["version"] in text
    kept_as_text = [path.read_text() for path in (own_home.mlflow / "artifacts" / "opt_out").rglob("card.md")]
    assert text in kept_as_text
