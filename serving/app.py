"""The routes of the service: paths, who may call them, and errors as problem bodies. It knows Starlette, not BentoML."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from arbitration.errors import DirigentError
from serving import handlers, login, openapi
from serving.access import act_of
from serving.bootstrap import readiness
from serving.gate import forbidden, unserved
from serving.handlers import HANDLERS, Call
from serving.limits import Lanes
from serving.logs import log, where
from serving.problems import Problem, from_error, internal, not_found

Handler = Callable[[Call], Response]
_READY_SECONDS = 0.8


def routes(console: Iterable[BaseRoute]) -> list[BaseRoute]:
    """Everything the service answers to; `console` are the pages below /ui."""
    return [
        *(_route(method, path, _answering(handler)) for method, path, handler in HANDLERS),
        _route("GET", "/openapi.json", _openapi),
        _route("GET", "/metrics", _metrics),
        Route("/livez", _livez),
        Route("/readyz", _readyz),
        Route("/ui/login", login.show, methods=["GET"]),
        Route("/ui/login", login.enter, methods=["POST"]),
        *console,
    ]


def application(console: Iterable[BaseRoute]) -> Starlette:
    """The Starlette application; `app.state.runtime` must be set before the first request."""
    app = Starlette(
        routes=routes(console), middleware=[Middleware(Faults)], exception_handlers={HTTPException: _not_served}
    )
    app.router.redirect_slashes = False
    app.state.lanes = Lanes()
    return app


def _route(method: str, path: str, handler: Handler) -> Route:
    """A route for a row of `access.ENDPOINTS`; without a row there is none."""
    act = act_of(method, path)

    async def endpoint(request: Request) -> Response:
        request.state.route = path
        client = request.state.client
        if act is not None and not client.may(act):  # the gate asked already; no route relies on a gate in front of it
            raise forbidden(act)
        call = Call(
            request.app.state.runtime,
            client,
            await request.body(),
            dict(request.path_params),
            dict(request.query_params),
        )
        return await anyio.to_thread.run_sync(handler, call, limiter=request.app.state.lanes.of(act))

    return Route(path, endpoint, methods=[method])


def _reply(answer: tuple[int, bytes]) -> Response:
    status, body = answer
    return Response(body, status, media_type="application/json", headers={"Cache-Control": "no-store"})


def _answering(handler: handlers.Handler) -> Handler:
    return lambda call: _reply(handler(call))


def _metrics(call: Call) -> Response:
    call.runtime.metrics.ready.set(0 if readiness(call.runtime) else 1)
    return Response(call.runtime.metrics.text(), media_type=call.runtime.metrics.media_type)


def _openapi(_: Call) -> Response:
    return _reply((200, json.dumps(openapi.document()).encode()))


async def _livez(request: Request) -> Response:
    request.state.route = "/livez"
    return PlainTextResponse("alive\n")


async def _readyz(request: Request) -> Response:
    request.state.route = "/readyz"
    missing = [f"an answer within {_READY_SECONDS} s"]
    with anyio.move_on_after(
        _READY_SECONDS
    ):  # who asks for health waits a second or two: a slow no would come too late
        missing = await anyio.to_thread.run_sync(readiness, request.app.state.runtime, abandon_on_cancel=True)
    if missing:
        detail = f"Waiting for: {', '.join(missing)}."
        raise Problem(503, "not-ready", "Not ready", detail, headers={"Retry-After": "1"})
    return PlainTextResponse("ready\n")


async def _not_served(request: Request, error: Exception) -> Response:
    """404 and 405 of the router, said as the gate says them, which sees such requests first."""
    wrong_method = isinstance(error, HTTPException) and error.status_code == 405
    return (unserved(request.scope["path"]) if wrong_method else not_found("path")).response(request.state.instance)


class Faults:
    """ASGI middleware: whatever is raised behind it becomes a problem body; unexpected errors are logged without their text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001  # the last line of defense: nothing may leave as a bare 500
            problem = self._problem_of(error, scope["state"]["instance"])
            scope["app"].state.runtime.metrics.problems.labels(problem.code).inc()
            try:
                await problem.response(scope["state"]["instance"])(scope, receive, send)
            finally:
                # Its frames hold the body and, in a circle, the error: they would stay until a full collection, which is rare.
                error.__traceback__ = error.__context__ = None

    @staticmethod
    def _problem_of(error: Exception, instance: str) -> Problem:
        if isinstance(error, Problem):
            return error
        if isinstance(error, DirigentError):
            log.warning("refused", error=type(error).__name__, what=str(error), instance=instance)
            return from_error(error)
        log.error("fault", error=type(error).__name__, places=where(error), instance=instance)
        return internal()
