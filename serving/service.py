"""The BentoML service: it hosts our routes and nothing of its own. The only file that knows BentoML.

BentoML would publish an index page, its OpenAPI document, metrics and health paths to anybody, and lets user middleware
run only inside its time-out. `Closed` keeps its lifecycle, time-out and tracing, replaces its routes by ours, and puts
our gate outermost; `bentoml serve serving.service:Dirigent` and `serving.server.serve` both go through it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # read when BentoML is imported

import bentoml
from bentoml import Service
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from serving import sweeper
from serving.app import application
from serving.bootstrap import Runtime
from serving.console.pages import routes as console_routes
from serving.gate import Gate
from serving.limits import Limits
from serving.settings import Settings
from serving.warmup import ready

TIMEOUT_SECONDS = 30


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    """Build the runtime from the environment unless `serve` already did; close it at the end."""
    if getattr(app.state, "runtime", None) is None:
        app.state.runtime = ready(Settings.from_environment())
    stop_sweeping = sweeper.start(app.state.runtime)
    yield
    stop_sweeping()
    app.state.runtime.close()


http = application(console_routes())
http.router.lifespan_context = _lifespan


def runtime() -> Runtime:
    """The runtime of this process; there is none before the service has started."""
    found: Runtime = http.state.runtime
    return found


class Closed(Service[Any]):  # type: ignore[misc]  # BentoML exports it without types
    """A BentoML service whose only paths are ours, behind our gate."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """The whole application, outermost layer first: gate, BentoML's layers, our routes."""
        inner: Starlette = super().to_asgi(is_main)
        inner.router.routes[:] = [Mount("/", http)]
        limits = cache(lambda: Limits(runtime().settings))
        return Gate(inner, lambda: runtime().keys, lambda: runtime().metrics, limits)


@bentoml.service(
    service_class=Closed,
    name="dirigent",
    workers=1,
    traffic={"timeout": TIMEOUT_SECONDS},
    metrics={"enabled": False},  # BentoML's own; ours are at /metrics
    logging={"access": {"enabled": False}},  # BentoML's would hold full paths
)
@bentoml.asgi_app(http, path="/")
class Dirigent:
    """Decides, remembers, explains."""


def asgi() -> ASGIApp:
    """The application as `bentoml serve` would build it."""
    app: ASGIApp = Dirigent.to_asgi()  # type: ignore[attr-defined]  # the decorator makes it a Service
    return app
