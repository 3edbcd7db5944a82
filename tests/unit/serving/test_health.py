"""Health answers before whoever asks gives up, also when a part of the service hangs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from types import SimpleNamespace

import anyio
import httpx

from serving.app import application
from serving.gate import Gate
from serving.metrics import Metrics


def ask(seconds: float) -> tuple[httpx.Response, float]:
    """GET /readyz of a service whose ledger lets readers wait that long, and how long the answer took."""

    @contextmanager
    def reading():
        time.sleep(seconds)
        yield SimpleNamespace(profile=lambda _: None)

    metrics, app = Metrics(), application([])
    features, ledger = SimpleNamespace(ready=lambda: True), SimpleNamespace(reading=reading)
    app.state.runtime = SimpleNamespace(features=features, ledger=ledger, metrics=metrics)
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


def test_a_service_that_hangs_is_said_not_to_be_ready_before_it_answers():
    answer, took = ask(3.0)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert took < 2.5
