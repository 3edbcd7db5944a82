"""`dirigent serve`: check everything first, so that what is missing is one line, then serve in the foreground."""

from __future__ import annotations

import os
import socket

from starlette.types import ASGIApp

from arbitration.errors import StateError
from serving.settings import Settings


def serve(settings: Settings) -> None:
    """Serve until interrupted. Raises a `DirigentError` before the first request when something needed is missing.

    One process runs BentoML's application under uvicorn, as BentoML's own worker does. Its supervisor is left out: it
    imports everything twice and opens control sockets on loopback through which any local program could start others.
    """
    with _bind(settings) as listener:
        os.environ.update(settings.to_environment())
        from serving.warmup import ready

        runtime = ready(settings)
        from serving import service

        service.http.state.runtime = runtime
        _run(service.asgi(), listener)


def _bind(settings: Settings) -> socket.socket:
    """The port, held from now on, so that nobody takes it while models load; it answers only once the service is ready."""
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise StateError(
            f"cannot listen on port {settings.port} ({error.strerror})",
            where=settings.host,
            mend="stop the other program or choose another port with DIRIGENT_PORT",
        ) from None
    return listener


def _run(app: ASGIApp, listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    uvicorn.Server(config).run(sockets=[listener])
