"""Feast gives training and serving the same values: offline, online and computed now are equal for the same customer and moment."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from arbitration.errors import FeatureStoreError
from features.compute import compute
from features.home import Home
from features.registry import VIEWS
from features.snapshots import ANCHOR
from features.store import FeatureStore
from features.tables.example import AS_OF
from features.tables.store import open_tables

ROOT = Path(__file__).resolve().parents[2]
CHANNELS = ("direct_mail", "email", "in_app", "push", "sms")


@pytest.fixture(scope="module")
def customers(shop_home: Home) -> list[str]:
    found = open_tables(shop_home).execute("SELECT customer_id FROM customers ORDER BY customer_id").fetchall()
    return random.Random(7).sample([row[0] for row in found], 40)  # noqa: S311 - a sample, not a secret


def equal(left: object, right: object) -> bool:
    if left is None or right is None or pd.isna(left) or pd.isna(right):
        return (left is None or pd.isna(left)) and (right is None or pd.isna(right))
    if isinstance(right, str):
        return left == right
    return left == pytest.approx(right, rel=1e-12, abs=1e-12)


def test_online_offline_and_live_values_are_equal(shop_home: Home, customers: list[str]) -> None:
    store, connection = FeatureStore(shop_home), open_tables(shop_home)
    rows = pd.DataFrame({"customer_id": customers, "event_timestamp": AS_OF})
    offline = store.historical("decision_customer", rows).set_index("customer_id")
    pairs = rows.merge(pd.DataFrame({"channel": CHANNELS}), how="cross")
    offline_channel = store.historical("decision_channel", pairs).set_index(["customer_id", "channel"])
    compared = 0
    for view in VIEWS.values():
        spine = pairs.rename(columns={"event_timestamp": "moment"})[[*view.keys, "moment"]].drop_duplicates()
        live = compute(connection, view, spine).set_index(list(view.keys))
        for key, row in live.iterrows():
            customer, prefix = (key[0], f"{key[1]}.") if isinstance(key, tuple) else (key, "")
            online = store.online(str(customer), CHANNELS).values
            kept = (offline_channel if prefix else offline).loc[key]
            for feature in view.features:
                assert equal(online[prefix + feature.name], row[feature.name]), (
                    key,
                    feature.name,
                    "online against live",
                )
                assert equal(kept[feature.name], row[feature.name]), (key, feature.name, "offline against live")
                compared += 1
    assert compared == len(customers) * sum(
        len(v.features) * (len(CHANNELS) if "channel" in v.keys else 1) for v in VIEWS.values()
    )


def test_training_sets_hold_the_last_snapshot_not_after_the_moment(shop_home: Home, customers: list[str]) -> None:
    moment = ANCHOR + timedelta(days=3, hours=5)
    rows = pd.DataFrame({"customer_id": customers, "event_timestamp": moment})
    found = FeatureStore(shop_home).historical("churn_risk", rows).set_index("customer_id")
    spine = pd.DataFrame({"customer_id": customers, "moment": ANCHOR})
    live = compute(open_tables(shop_home), VIEWS["customer"], spine).set_index("customer_id")
    known = [customer for customer in customers if pd.notna(live.loc[customer, "tenure_days"])]
    assert len(known) > 30
    for customer in known:
        for feature in VIEWS["customer"].features:
            assert equal(found.loc[customer, feature.name], live.loc[customer, feature.name]), (customer, feature.name)


def test_snapshots_older_than_their_ttl_are_unknown_in_training(shop_home: Home, customers: list[str]) -> None:
    rows = pd.DataFrame({"customer_id": customers, "event_timestamp": AS_OF + timedelta(days=60)})
    assert FeatureStore(shop_home).historical("churn_risk", rows)["purchases_total"].isna().all()


def test_unknown_customers_and_old_values_are_told_apart(shop_home: Home, customers: list[str]) -> None:
    store = FeatureStore(shop_home)
    assert not store.online("nobody", CHANNELS).known
    found = store.online(customers[0], CHANNELS)
    assert found.known
    values, stale = found.fresh(AS_OF + timedelta(hours=1))
    assert not stale
    assert values["purchases_total"] is not None
    values, stale = found.fresh(AS_OF + timedelta(hours=49))
    assert stale == ("context",)
    assert "cart_open" not in values
    assert "purchases_total" in values
    assert found.fresh(AS_OF + timedelta(days=30))[0] == {}


def test_an_empty_store_says_how_to_mend(tmp_path: Path) -> None:
    with pytest.raises(FeatureStoreError, match="dirigent features"):
        FeatureStore(Home(tmp_path)).online("1", [])
    with pytest.raises(FeatureStoreError, match="dirigent features"):
        FeatureStore(Home(tmp_path)).apply()


def test_a_broken_online_store_is_an_error_of_ours(shop_home: Home, tmp_path: Path) -> None:
    shutil.copytree(shop_home.feast, tmp_path / "feast")
    (tmp_path / "feast" / "online.db").write_bytes(b"not a database" * 100)
    with pytest.raises(FeatureStoreError, match="cannot be read"):
        FeatureStore(Home(tmp_path)).online("1", CHANNELS)


def test_feast_is_imported_without_its_checks_of_types_and_typeguard_is_left_as_it_was() -> None:
    program = """if True:
        import typeguard
        from features.store import import_feast

        checked = typeguard.typechecked
        import_feast()
        from feast import Entity, FeatureView

        assert typeguard.typechecked is checked
        for made in (Entity, FeatureView):
            assert "typeguard" not in made.__init__.__code__.co_names, made"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
