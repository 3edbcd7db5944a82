"""Health answers before whoever asks gives up, also when a part of the service hangs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from types import SimpleNamespace

import anyio
import httpx

from features.home import Home
from serving.app import application
from serving.auth import Keys, create_key
from serving.gate import Gate
from serving.metrics import Metrics

OPEN = SimpleNamespace(check=lambda: None)


def ask(seconds: float, keys: object = OPEN) -> tuple[httpx.Response, float]:
    """GET /readyz of a service whose ledger lets readers wait that long, and how long the answer took."""

    @contextmanager
    def reading():
        time.sleep(seconds)
        yield SimpleNamespace(profile=lambda _: None)

    metrics, app = Metrics(), application([])
    features, ledger = SimpleNamespace(ready=lambda: True), SimpleNamespace(reading=reading)
    app.state.runtime = SimpleNamespace(features=features, ledger=ledger, metrics=metrics, keys=keys)
    gate = Gate(app, lambda: None, lambda: metrics)
    took = []

    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://test") as client:
            began = time.monotonic()
            answer = await client.get("/readyz")
            took.append(time.monotonic() - began)
            return answer

    return anyio.run(go), took[0]


def test_a_service_that_answers_is_ready():
    assert ask(0.0)[0].status_code == 200


def test_a_service_that_can_let_nobody_in_is_not_ready_and_names_the_file(tmp_path):
    home = Home(tmp_path)
    create_key(home, "shop", "admin")
    keys = Keys(home)
    assert ask(0.0, keys)[0].status_code == 200
    file = home.keys / "api_keys.json"
    whole = file.read_bytes()
    file.write_text("{")
    answer, _ = ask(0.0, keys)
    assert answer.status_code == 503
    assert "keys/api_keys.json" in answer.json()["detail"]
    file.write_bytes(whole)
    assert ask(0.0, keys)[0].status_code == 200


def test_a_service_that_hangs_is_said_not_to_be_ready_before_it_answers():
    answer, took = ask(3.0)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert took < 2.5
