"""The serving bundle: whatever was touched is refused in one line, and a crash stays in the child."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from arbitration.errors import BundleError
from features.home import Home
from training import bundle, canary
from training.contents import Contents, read_contents

from .conftest import export, invented

FILES = (
    "attention.json",
    "base_purchase.calibration.json", "base_purchase.txt", "canary.json", "channel_propensity.calibration.json",
    "channel_propensity.json", "churn_risk.calibration.json", "churn_risk.txt", "effects.json", "features.json",
    "manifest.json", "metrics.json", "next_basket.calibration.json", "next_basket.json",
    "next_category.calibration.json", "next_category.json", "next_category.shares.json", "opt_out.calibration.json", "opt_out.json", "send_time.calibration.json", "send_time.curve.json", "send_time.json",
    "spend.calibration.json", "spend.txt",
)  # fmt: skip


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, contents: Contents) -> Path:
    root = tmp_path_factory.mktemp("exported")
    export(Home(root), contents)
    return root


@pytest.fixture
def home(tmp_path: Path, exported: Path) -> Home:
    return Home(shutil.copytree(exported, tmp_path / "home"))


def folder(home: Home) -> Path:
    return home.bundles / bundle.current(home)


def test_what_was_exported_is_what_is_loaded(home: Home, contents: Contents):
    loaded = bundle.load(home)
    rows = invented().rows
    assert np.array_equal(loaded.churn_risk.predict(rows), contents.models["churn_risk"].predict(rows))
    assert loaded.effects == contents.effects
    assert loaded.send_time.curve == contents.send_time.curve
    assert loaded.metrics == contents.metrics
    assert loaded.versions["send_time"].endswith("-w0.50")


def test_models_of_money_are_loaded_with_their_link(home: Home, contents: Contents):
    loaded = bundle.load(home)
    for one in (loaded.next_basket, loaded.spend):
        rows = invented(one.features).rows
        assert one.link == "log"
        assert one.version == loaded.versions[one.name]
        assert np.array_equal(one.predict(rows), contents.models[one.name].predict(rows))


def test_trees_of_another_objective_are_refused(home: Home):
    files = {path.name: path.read_bytes() for path in folder(home).iterdir()}
    described = json.loads(files["features.json"])
    described["spend"]["link"] = "logit"
    with pytest.raises(BundleError, match="objective is not binary"):
        read_contents(files | {"features.json": json.dumps(described).encode()})


def test_a_bundle_of_the_format_before_says_to_train_again(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bundle, "FORMAT", bundle.FORMAT + 1)
    with pytest.raises(BundleError, match=f"has format {bundle.FORMAT - 1}") as caught:
        bundle.load(home)
    assert "dirigent train" in caught.value.mend


def test_the_listing_is_complete(home: Home):
    assert sorted(path.name for path in folder(home).iterdir()) == sorted(FILES)


def test_the_same_contents_give_the_same_digest(home: Home, contents: Contents):
    assert export(home, contents) == bundle.current(home)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_one_changed_byte_in_any_file_is_refused(home: Home, name: str, at: float):
    path = folder(home) / name
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=name) as caught:
        bundle.load(home)
    assert "dirigent promote" in caught.value.mend
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_a_lost_file_is_named(home: Home, name: str):
    (folder(home) / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: is missing"):
        bundle.load(home)


def test_a_foreign_file_is_refused(home: Home):
    (folder(home) / "extra.py").write_text("print()")
    with pytest.raises(BundleError, match=r"extra\.py: does not belong"):
        bundle.load(home)


def test_a_manifest_with_new_digests_but_no_key_is_refused(home: Home):
    """Who can write files but does not hold the key cannot make a bundle, not even with every digest right."""
    path = folder(home) / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["signature"] = "0" * 64
    path.write_text(json.dumps(manifest, sort_keys=True, separators=(",", ":")))
    with pytest.raises(BundleError, match="signed by another installation"):
        bundle.load(home)


def test_a_bundle_of_another_installation_is_refused(home: Home):
    (home.keys / bundle.KEY).write_bytes(b"x" * 32)
    with pytest.raises(BundleError, match="another installation"):
        bundle.load(home)


@pytest.mark.parametrize("said", ["", "../../etc", "0" * 63, "0" * 64])
def test_a_wrong_pointer_is_refused(home: Home, said: str):
    (home.bundles / "current").write_text(said)
    with pytest.raises(BundleError):
        bundle.load(home)


def test_without_a_bundle_the_mend_is_named(tmp_path: Path):
    with pytest.raises(BundleError, match="Run `dirigent promote`"):
        bundle.load(Home(tmp_path))


def test_the_key_is_readable_by_the_owner_only(home: Home):
    assert stat.S_IMODE((home.keys / bundle.KEY).stat().st_mode) == 0o600


@pytest.mark.parametrize("changed", [{"name": "a_feature_of_tomorrow"}, {"dtype": "string"}])
def test_a_model_for_other_features_than_this_version_computes_is_refused(home: Home, changed: dict[str, str]):
    files = {path.name: path.read_bytes() for path in folder(home).iterdir()}
    described = json.loads(files["features.json"])
    described["churn_risk"]["features"][0] |= changed
    with pytest.raises(BundleError, match="computes no feature"):
        read_contents(files | {"features.json": json.dumps(described).encode()})


def test_the_pointer_stays_when_an_export_does_not_load(
    home: Home, contents: Contents, monkeypatch: pytest.MonkeyPatch
):
    before = bundle.current(home)
    monkeypatch.setattr(
        canary, "record", lambda *_: {"rows": [[0.0, 0.0, 0.0]], "expected": [9.9], "contributions": [0, 0, 0]}
    )
    with pytest.raises(BundleError, match="canary"):
        export(home, contents)
    assert bundle.current(home) == before
    assert bundle.load(home).digest == before


def test_a_crash_of_the_child_is_an_error_here(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    crash = tmp_path / "crash"
    crash.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crash.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crash))
    with pytest.raises(BundleError, match="signal 11"):
        bundle.load(home)


def test_a_child_that_hangs_is_an_error_here(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    monkeypatch.setattr(canary, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(BundleError, match="hang"):
        bundle.load(home)
