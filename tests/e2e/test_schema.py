"""The published document holds what it says, for random requests; `benchmarks/reliability/schema.py` sends many more."""

from __future__ import annotations

import shutil

import pytest

from catalog.loading import EXAMPLE, load_catalog
from features.home import Home
from serving.auth import create_key
from tests.e2e.fuzzing import fuzz
from tests.e2e.service_process import running

LIMITS_OFF = {"DIRIGENT_RATE_PER_KEY": "100000", "DIRIGENT_RATE_PER_PEER": "100000"}
CHECKS = {
    "content_type_conformance", "ignored_auth", "negative_data_rejection", "not_a_server_error", "positive_data_acceptance",
    "response_headers_conformance", "response_schema_conformance", "status_code_conformance", "unsupported_method",
}  # fmt: skip


@pytest.fixture(scope="module")
def server(shop_home, tmp_path_factory):
    """A service over files of its own: erasures are among the requests, and rewrite them."""
    home = Home(tmp_path_factory.mktemp("schema") / "home")
    for name in ("tables", "features", "feast", "bundles", "keys"):
        shutil.copytree(shop_home.root / name, home.root / name)
    with running(home, create_key(home, "fuzzer", "admin"), forked=True, **LIMITS_OFF) as found:
        yield found


def test_random_requests_find_nothing_that_the_document_does_not_say(server):
    found = fuzz(server, load_catalog(EXAMPLE), examples=3, seed=1, phases=("coverage", "fuzzing", "stateful"))
    print("\n".join(found.lines()))
    assert found.findings == []
    assert found.total > 500
    assert set(found.cases) == {
        f"{method.upper()} {path}"
        for path, calls in server.http.get("/openapi.json").json()["paths"].items()
        for method in calls
    }, "every call was tried"
    assert set(found.checks) >= CHECKS
    assert {200, 400, 401, 404, 405, 415, 422} <= set(found.statuses)
    assert server.http.get("/readyz").status_code == 200
