"""Challengers planted in a copy of the example shop, and what must not change when one is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.home import Home
from training import churn, history
from training.contents import model_files, signature_of
from training.dataset import Split
from training.fitting import fit_linear
from training.models import Model
from training.pipeline import NAMES, Entry
from training.promotion import promote
from training.registry import CANDIDATE, Registry, registered

LEFT_OUT = shutil.ignore_patterns("online.db*", "ledger.db*", "serve.log")
WHY = "the old model was trained on broken data"


@pytest.fixture(scope="module")
def split(shop_home: Home) -> Split:
    return churn.split(shop_home)


@pytest.fixture(scope="module")
def promoted(shop_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A copy of the shop whose bundle is promoted once more, so that the record speaks of it. Do not write to it."""
    home = Home(shutil.copytree(shop_home.root, tmp_path_factory.mktemp("promoted") / "home", ignore=LEFT_OUT))
    for name in NAMES:
        Registry(home).point(name, CANDIDATE, registered(home, name).version)
    history.path_of(home).unlink(missing_ok=True)
    promote(home)
    return home


@pytest.fixture
def home(promoted: Home, tmp_path: Path) -> Home:
    """A promoted copy of the shop that may be written to."""
    return Home(shutil.copytree(promoted.root, tmp_path / "home"))


def plant(home: Home, name: str, files: dict[str, bytes], card: dict[str, Any] | None = None) -> int:
    """Register the champion with some files, and maybe parts of its card, replaced; it becomes the candidate."""
    champion = registered(home, name)
    kept = {key: content for key, content in champion.files.items() if key != "card.json"} | files
    entry = Entry(name, str(champion.card["kind"]), True, {**champion.card, **(card or {})}, {}, {}, kept)
    registry = Registry(home)
    version = registry.record(entry, "planted")
    registry.point(name, CANDIDATE, version)
    return version


def described(model: Model) -> dict[str, bytes]:
    return model_files(model) | {"signature.json": json.dumps(signature_of(model)).encode()}


def shuffled(split: Split) -> dict[str, bytes]:
    """Churn learned from labels that say nothing."""
    labels = np.random.default_rng(5).permutation(split.train.labels)
    return described(fit_linear("churn_risk", replace(split.train, labels=labels)))


def everything(home: Home) -> dict[str, Any]:
    """Every byte below the bundles, and every champion."""
    files = {str(path): path.read_bytes() for path in home.bundles.rglob("*") if path.is_file()}
    return files | {name: registered(home, name).version for name in NAMES}
