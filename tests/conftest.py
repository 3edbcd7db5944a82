"""One small trained shop for all tests that need one: built once per run from the real example data, shared by all workers."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from features.home import Home
from tests.order import arranged
from tests.own_postgres import postgres
from tests.own_redis import redis

__all__ = ["postgres", "redis", "shop_home"]


@pytest.hookimpl(trylast=True)  # once those that are not asked for are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = arranged(items)


@pytest.fixture(scope="session")
def shop_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with tables, simulated rows, features, Feast stores, trained models and a promoted bundle. Do not write to it."""
    if given := os.environ.get("DIRIGENT_TEST_HOME"):  # a prepared home saves its building while developing
        return Home(Path(given).resolve())
    from dirigent.prepare import prepare

    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shop"
    root.mkdir(exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prepare(Home(root))
    return Home(root)
