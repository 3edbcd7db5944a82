"""What one process of the service does: build its own runtime, then answer requests on the port it was given."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized

from starlette.types import ASGIApp

from arbitration.errors import DirigentError
from serving.settings import Settings

GRACE_SECONDS = 10
BEAT_SECONDS = 1


def load(settings: Settings) -> ASGIApp:
    """The application with a runtime that is built, checked and rehearsed. Raises a `DirigentError` when something is missing."""
    from serving.warmup import ready

    runtime = ready(settings)
    from serving import service

    service.http.state.runtime = runtime
    return service.asgi()


def answer(app: ASGIApp, listener: socket.socket, beats: Synchronized[int] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; requests that are under way have ten seconds to end. `beats` rises as long as the event loop turns."""
    import uvicorn

    from serving.connections import GuardedProtocol

    async def beat() -> None:
        if beats is not None:
            beats.value += 1

    config = uvicorn.Config(
        app,
        http=GuardedProtocol,
        ws="none",
        timeout_keep_alive=5,
        backlog=512,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        callback_notify=beat,
        timeout_notify=BEAT_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


def work(settings: Settings, listener: socket.socket, report: Connection, beats: Synchronized[int]) -> None:
    """The life of a worker. Sends None when it is ready, or the error for which it cannot be; ends with its supervisor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the supervisor too, and it ends us
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    try:
        app = load(settings)
    except (DirigentError, OSError) as error:
        report.send(error)
        sys.exit(1)
    report.send(None)
    answer(app, listener, beats)


def _end_with_supervisor() -> None:
    """A supervisor that was killed must not leave a service behind that nobody can stop."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)
