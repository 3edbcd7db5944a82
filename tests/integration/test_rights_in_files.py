"""Objection and erasure in a shop's files: no reader sees the barred, nothing of the erased is left, and no import brings them back."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dirigent.cast import _pool
from features.compute import compute
from features.home import Home
from features.registry import VIEWS
from features.rights import bar, forget, unbar
from features.snapshots import build_snapshots
from features.store import FeatureStore
from features.tables.contract import TABLES
from features.tables.store import open_tables
from tests.small_shop import AS_OF, CHANNELS, LEAVING, NAMES, load, text_of, write_shop
from training import churn, propensity
from training.labels import churn_labels, contact_labels
from training.pipeline import inputs_digest
from training.simulator.run import simulate


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The invented shop, taken in and loaded. Do not write to it."""
    base = tmp_path_factory.mktemp("small")
    load(Home(base / "home"), write_shop(base / "shop"))
    return base


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    return Home(shutil.copytree(template / "home", tmp_path / "home"))


@pytest.fixture
def example(shop_home: Home, tmp_path: Path) -> Home:
    """The example shop's files, to be written to."""
    own = Home(tmp_path / "example")
    for name in ("tables", "features", "feast"):
        shutil.copytree(shop_home.root / name, own.root / name)
    return own


def readings(home: Home, tables: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, pd.DataFrame]]:
    """Everything the project reads of customers, asked for all of them by name where a reader can be asked so."""
    yield from ((name, tables.execute(f"SELECT * FROM {name}").df()) for name in TABLES)
    pairs = pd.DataFrame({"customer_id": NAMES}).merge(pd.DataFrame({"channel": CHANNELS}), how="cross")
    for view in VIEWS.values():
        spine = pairs[list(view.keys)].drop_duplicates().assign(moment=AS_OF)
        yield f"live {view.name}", compute(tables, view, spine)
    yield "churn labels", churn_labels(tables, [AS_OF - timedelta(weeks=week) for week in (4, 8)])
    yield "contact labels", contact_labels(tables)
    yield "cast", pd.DataFrame({"customer_id": _pool(home)})


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reasons=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("objection", "erasure")), max_size=7))
def test_no_reader_sees_a_barred_customer_and_every_reader_sees_the_others(home: Home, reasons: dict[str, str]) -> None:
    for name in NAMES:
        for reason in ("objection", "erasure"):
            (bar if reasons.get(name) == reason else unbar)(home, name, reason)
    with open_tables(home) as tables:
        for reader, frame in readings(home, tables):
            said = frame.to_json(date_format="iso")
            for name in NAMES:
                assert (name in said) == (name not in reasons), (reader, name)
    store = FeatureStore(home)
    for name in NAMES:
        found = store.online(name, CHANNELS)
        assert found.known == (name not in reasons)
        assert (found.values == {}) == (name in reasons)


def test_snapshots_and_training_rows_leave_out_the_barred_whenever_they_were_barred(home: Home) -> None:
    rows = pd.DataFrame({"customer_id": NAMES, "event_timestamp": AS_OF})
    assert set(FeatureStore(home).historical("churn_risk", rows)["customer_id"]) == set(NAMES)
    bar(home, LEAVING, "objection")  # the snapshots still hold the customer
    assert set(FeatureStore(home).historical("churn_risk", rows)["customer_id"]) == set(NAMES) - {LEAVING}
    build_snapshots(home, AS_OF)
    FeatureStore(home).materialize(AS_OF)
    assert all(LEAVING.encode() not in text_of(path) for path in [*home.features.iterdir(), home.feast / "online.db"])
    unbar(home, LEAVING, "objection")
    assert LEAVING in open_tables(home).execute("SELECT list(customer_id) FROM customers").fetchall()[0][0]


def test_an_objection_removes_nothing_and_the_ledger_may_still_read_it(home: Home) -> None:
    before = {path.name: path.read_bytes() for path in home.tables.iterdir()}
    bar(home, LEAVING, "objection")
    bar(home, NAMES[0], "erasure")
    with open_tables(home, without=("erasure",)) as tables:
        seen = {row[0] for row in tables.execute("SELECT customer_id FROM identities").fetchall()}
    assert seen == set(NAMES) - {NAMES[0]}
    assert {path.name: path.read_bytes() for path in home.tables.iterdir()} == before


def test_training_rests_on_whom_it_may_read(home: Home) -> None:
    before = inputs_digest(home)
    bar(home, LEAVING, "objection")
    assert inputs_digest(home) != before
    unbar(home, LEAVING, "objection")
    assert inputs_digest(home) == before


@pytest.mark.long
def test_training_sets_of_the_example_have_neither_the_objecting_nor_the_erased(example: Home) -> None:
    found = open_tables(example).execute(
        "SELECT customer_id FROM contacts WHERE simulated GROUP BY ALL ORDER BY count(*) DESC LIMIT 60"
    )
    names = random.Random(4).sample([row[0] for row in found.fetchall()], 20)  # noqa: S311 - a sample, not a secret
    objecting, erased = set(names[:10]), set(names[10:])
    assert set(names) <= customers_learned_from(example)
    for name in objecting:
        bar(example, name, "objection")
    forget(example, erased)
    for name in erased:
        unbar(example, name, "erasure")
    assert not customers_learned_from(example) & set(names)
    with open_tables(example, without=()) as tables:
        left = {row[0] for row in tables.execute("SELECT customer_id FROM customers").fetchall()}
    assert left & set(names) == objecting


def customers_learned_from(home: Home) -> set[str]:
    parts = churn.split(home)
    return {str(name) for part in (parts.train, parts.validation, parts.test) for name in part.customers} | set(
        propensity.contacts(home)["customer_id"]
    )


@pytest.mark.long
def test_the_simulator_invents_nothing_about_the_barred_and_keeps_their_real_rows(example: Home) -> None:
    names = [
        row[0]
        for row in open_tables(example)
        .execute("SELECT customer_id FROM customers ORDER BY hash(customer_id) LIMIT 5")
        .fetchall()
    ]
    count = f"SELECT simulated, count(*) FROM {{}} WHERE customer_id IN ({', '.join(f'{chr(39)}{n}{chr(39)}' for n in names)}) GROUP BY ALL ORDER BY ALL"
    with open_tables(example, without=()) as tables:
        before = [tables.execute(count.format(name)).fetchall() for name in ("events", "contacts", "consents")]
    assert all(any(simulated for simulated, _ in rows) for rows in before)
    for name in names:
        bar(example, name, "objection")
    simulate(example)
    with open_tables(example, without=()) as tables:
        after = [tables.execute(count.format(name)).fetchall() for name in ("events", "contacts", "consents")]
    assert after == [[row for row in rows if not row[0]] for rows in before]
