"""A shop that has too little to learn from, over HTTP: it trains what it can, promotes, starts, decides from priors and replays."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dirigent.metrics import print_bundle_metrics
from features.home import Home
from serving.auth import create_key
from tests.e2e.forked_process import verb
from tests.e2e.service_process import Server, environment, private_home, running
from training import bundle
from training.pipeline import NAMES, OF_CONTACTS, OF_PURCHASES
from training.registry import export, registered

CUSTOMERS = range(1, 13)


def replaced(home: Home, table: str, expression: str) -> None:
    """A table of the home with one column replaced."""
    path = home.tables / f"{table}.parquet"
    with duckdb.connect() as connection:
        rows = f"SELECT * REPLACE ({expression}) FROM read_parquet('{path}')"
        connection.execute(f"COPY ({rows}) TO '{path}.new' (FORMAT parquet)")
    path.with_suffix(".parquet.new").replace(path)


def own_home(shop: Home, root: Path) -> Home:
    """The shop with tables of its own, contacts whose probability nobody logged, and nothing trained or promoted."""
    home = private_home(shop, root)
    home.bundles.unlink()
    home.tables.unlink()
    shutil.copytree(shop.tables, home.tables)
    replaced(home, "contacts", "CAST(NULL AS DOUBLE) AS probability")
    return home


def decided(server: Server) -> list[dict[str, Any]]:
    """Records of a decision each for a few customers; every one replays identically, and every page of it is shown."""
    found = []
    for customer in CUSTOMERS:
        answer = server.decide(f"d-{customer}", str(customer))
        assert answer.status_code == 200, answer.text
        path = f"/v1/decisions/{answer.json()['decision_id']}"
        replayed = server.http.post(f"{path}/replay", json={})
        assert replayed.json() == {"decision_id": answer.json()["decision_id"], "identical": True}
        found.append({"versions": answer.json()["versions"], **server.http.get(path).json()["record"]})
    return found


def tiers(record: dict[str, Any], *names: str) -> set[int]:
    """Evidence tiers of these estimates, of one number or of one per treatment or channel."""
    parts = [record["estimates"][name] for name in names]
    every = [one for part in parts for one in ([part] if "mean" in part else part.values())]
    return {one.get("tier", 0) for one in every}


OF_EVERYBODY = ("churn_risk", "base_purchase", "basket_margin", "recency_value", "attention_price")
SILENT = "next_category"
OF_CONTACTS_ALONE = ("propensity", "effect", "opt_out", "base_purchase", "attention_price")


@pytest.fixture
def nothing_trained(shop_home: Home, tmp_path: Path) -> Home:
    """A shop for which the verbs found nothing to learn from: its purchases are simulated, too."""
    home = own_home(shop_home, tmp_path / "home")
    replaced(home, "events", "true AS simulated")
    trained = verb(["train"], environment(home, 1))
    assert trained.returncode == 0, trained.stderr
    assert trained.stdout.count("skipped") == 3
    assert all(name in trained.stdout for name in NAMES)
    promoted = verb(["promote"], environment(home, 1))
    assert promoted.returncode == 0, promoted.stderr
    assert all(
        f"{name}: no model yet, the catalog's prior speaks" in promoted.stdout for name in NAMES if name != SILENT
    )
    assert f"{SILENT}: no model yet, nothing is told" in promoted.stdout
    return home


def test_a_shop_with_nothing_to_learn_from_decides_from_the_catalogs_priors(nothing_trained: Home):
    home = nothing_trained
    assert bundle.load(home).versions == {}
    with running(home, create_key(home, "shop", "orchestrator"), forked=True) as server:
        records = decided(server)
        for record in records:
            assert record["versions"]["models"] == {}
            assert tiers(record, *OF_EVERYBODY, *OF_CONTACTS_ALONE) == {0}
        with server.client(create_key(home, "admin", "admin")) as admin:
            page = admin.get(f"/ui/decisions/{records[0]['decision']['decision_id']}")
            assert (page.status_code, "Traceback" in page.text) == (200, False)
    checked = verb(["replay", "--all", "--check"], environment(home, 1))
    assert checked.returncode == 0, checked.stderr
    assert f"{len(CUSTOMERS)} of {len(CUSTOMERS)} recorded decisions are identical" in checked.stdout
    print_bundle_metrics(home)


@pytest.fixture
def purchases_alone(shop_home: Home, tmp_path: Path) -> Home:
    """A shop whose bundle holds the models of purchases, as promotion writes it."""
    home = own_home(shop_home, tmp_path / "home")
    chosen = {name: registered(shop_home, name) for name in OF_PURCHASES}
    bundle.point(home, export(home, chosen))
    return home


def test_a_shop_without_randomized_contacts_decides_from_purchases_and_priors(purchases_alone: Home):
    home = purchases_alone
    with running(home, create_key(home, "shop", "orchestrator"), forked=True) as server:
        records = decided(server)
        assert server.http.get("/readyz").status_code == 200
    assert {2} <= set.union(*(tiers(record, "churn_risk", "basket_margin") for record in records))
    assert set.union(*(tiers(record, *OF_CONTACTS_ALONE) for record in records)) == {0}
    assert {name for record in records for name in record["versions"]["models"]} == set(OF_PURCHASES)
    assert not set(OF_CONTACTS) & {name for record in records for name in record["versions"]["models"]}
