"""`dirigent serve`: check everything first, so that what is missing is one line, then serve in the foreground."""

from __future__ import annotations

import os
import socket
import time

from arbitration.errors import StateError
from serving.logs import configure
from serving.settings import Settings
from serving.shop_time import declare
from serving.worker import answer, load
from serving.workers import Supervisor


def serve(settings: Settings) -> None:
    """Serve until interrupted. Raises a `DirigentError` before the first request when something needed is missing.

    Each process runs BentoML's application under uvicorn, as BentoML's own worker does. Its supervisor is left out: it
    imports everything twice and opens control sockets on loopback through which any local program could start others.
    One worker is this process itself; several are children of it, which it keeps alive.
    """
    if settings.as_of and settings.as_of_began is None:  # one shop has one time, whichever process answers
        settings = settings.model_copy(update={"as_of_began": time.time()})
    with _bind(settings) as listener:
        os.environ.update(settings.to_environment())
        declare(settings)
        if settings.workers > 1:
            configure(settings.log_level)
            Supervisor(settings, listener, settings.workers).run()
        else:
            answer(load(settings), listener)


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
