"""One running service for the tests that leave it as usable as they found it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from features.home import Home
from serving.auth import create_key
from tests.e2e.service_process import Server, private_home, running


@pytest.fixture(scope="session")
def server(shop_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One service for all tests that leave it as usable as they found it."""
    home = private_home(shop_home, tmp_path_factory.mktemp("e2e") / "home")
    with running(home, create_key(home, "orchestrator", "orchestrator"), forked=True) as found:
        yield found


@pytest.fixture(scope="session")
def admin(server: Server) -> Iterator[httpx.Client]:
    """The same service as an administrator sees it."""
    with server.client(create_key(server.home, "admin", "admin")) as client:
        yield client
