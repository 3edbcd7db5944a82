"""The outermost gate: who calls, how often, how large, of which type; nothing behind it sees a request that did not pass.

It stands before every other middleware, so that a stranger costs no more than one comparison, and turns whatever else
comes out of the layers behind it (a time-out, an overload) into a problem body.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arbitration.errors import DirigentError
from serving.access import ACTS, OPEN, Act, endpoint_of, methods_of
from serving.auth import Client, Keys
from serving.bodies import check_type, read_body, replayed
from serving.heads import check_head, secured
from serving.limits import Limits
from serving.login import COOKIE, login_page
from serving.logs import log
from serving.metrics import Metrics
from serving.problems import MEDIA_TYPE, Problem, from_error, not_found
from serving.settings import Settings

_FORM = re.compile(r"/ui/reviews/[^/]+")
_PASSED_ON = (MEDIA_TYPE, "text/html", "text/plain; version")


class Gate:
    """ASGI wrapper. `keys`, `metrics` and `limits` are asked for at each request: they exist only once the service is up."""

    def __init__(
        self,
        app: ASGIApp,
        keys: Callable[[], Keys],
        metrics: Callable[[], Metrics],
        limits: Callable[[], Limits] | None = None,
    ) -> None:
        usual = Limits(Settings())
        self._app, self._keys, self._metrics, self._limits = app, keys, metrics, limits or (lambda: usual)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's event (ASGI): requests are checked, web sockets are closed."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        instance = f"urn:uuid:{uuid.uuid4()}"
        scope.setdefault("state", {}).update(instance=instance, client=None, session="")
        answer = _Answer(send, instance, scope)
        try:
            act = self._admit(scope, HTTPConnection(scope))
            with self._limits().place(scope["state"]["client"], act):
                body = await read_body(Headers(scope=scope), receive)
                await self._app(scope, replayed(body, receive), answer)
        except Problem as problem:
            await self._refuse(problem, scope, receive, answer)
        except DirigentError as error:  # the file of keys is damaged
            log.error("refused", error=type(error).__name__, what=str(error), instance=instance)
            await self._refuse(from_error(error), scope, receive, answer)
        await answer.finish(scope, receive)
        self._note(scope, answer, time.perf_counter() - began)

    def _admit(self, scope: Scope, caller: HTTPConnection) -> Act | None:
        """The act that this request is, after everything that can be said without its body."""
        check_head(scope)
        method, path = scope["method"], scope["path"]
        client = None if path in OPEN else self._client(path, method, caller)
        if client is None:
            self._limits().stranger(caller.client.host if caller.client else "", path)
            if path not in OPEN:
                raise Problem(
                    401, "unauthorized", "An API key is required", "Send it as: Authorization: Bearer KEY.",
                    headers={"WWW-Authenticate": 'Bearer realm="dirigent"'},
                )  # fmt: skip
        scope["state"]["client"] = client
        row = endpoint_of(method, path)
        act = row.act if row else None
        if client is not None:
            self._limits().caller(client, act)
            if act is not None and not client.may(act):
                raise forbidden(act)
        if row is None:  # whatever its body would have been
            raise unserved(path)
        check_type(caller.headers, wants_json=method == "POST" and path.startswith("/v1/"))
        return act

    def _client(self, path: str, method: str, caller: HTTPConnection) -> Client | None:
        scheme, _, key = caller.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and key:
            return self._keys().client_of_key(key.strip())
        # A cookie opens the console's pages and the one form on them, which proves where it stood: no other site can make a browser decide.
        if path.startswith("/ui/") and (method in ("GET", "HEAD") or (method == "POST" and _FORM.fullmatch(path))):
            session = caller.cookies.get(COOKIE, "")
            caller.state.session = session
            return self._keys().client_of_session(session)
        return None

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, answer: _Answer) -> None:
        page = problem.status == 401 and scope["path"].startswith("/ui/") and scope["method"] == "GET"
        response = login_page(scope["path"], 401) if page else problem.response(answer.instance)
        self._metrics().problems.labels(problem.code).inc()
        await response(scope, receive, answer)

    def _note(self, scope: Scope, answer: _Answer, seconds: float) -> None:
        # The route, not the path: a path is whatever a caller typed.
        route = scope["state"].get("route") or ("/ui" if scope["path"].startswith("/ui/") else "other")
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"
        self._metrics().requests.labels(method, route, str(answer.status)).inc()
        self._metrics().latency.labels(method, route).observe(seconds)
        client = scope["state"]["client"]
        if answer.status == 429 and client is None:
            return  # a flood of strangers must not fill the disk with lines
        log.info(
            "request", method=method, route=route, status=answer.status, ms=round(seconds * 1000, 2),
            client=client.name if client else None, instance=answer.instance,
        )  # fmt: skip


def forbidden(act: Act) -> Problem:
    """403: the role does not allow what the endpoint is."""
    return Problem(403, "forbidden", "Not allowed", f"The role of this key does not allow it to {ACTS[act]}.")


def unserved(path: str) -> Problem:
    """404 for a path that nothing answers, 405 for one that answers to other methods, which `Allow` names."""
    allowed = ", ".join(methods_of(path))
    if not allowed:
        return not_found("path")
    return Problem(405, "method", "Method not allowed", f"This path answers to {allowed}.", headers={"Allow": allowed})


class _Answer:
    """Passes an answer on; one that is an error and no problem body is kept back and replaced in `finish`."""

    def __init__(self, send: Send, instance: str, scope: Scope) -> None:
        self._send, self.instance, self._scheme = send, instance, scope.get("scheme", "http")
        self.status, self._started, self._kept_back = 0, False, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            self.status = message["status"]
            self._kept_back = self.status >= 400 and not headers.get("content-type", "").startswith(_PASSED_ON)
            message["headers"] = secured(message["headers"], self._scheme)
        if not self._kept_back:
            self._started = True
            await self._send(message)

    async def finish(self, scope: Scope, receive: Receive) -> None:
        """Send the problem that stands for what was kept back."""
        if self._kept_back and not self._started:
            self._kept_back = False
            await _stand_in(self.status).response(self.instance)(scope, receive, self)


def _stand_in(status: int) -> Problem:
    if status >= 500:
        headers = {"Retry-After": "1"}
        detail = "The request was not answered in time; ask again with the same request_id."
        return Problem(503, "overloaded", "Not available at the moment", detail, headers=headers)
    return Problem(status, "refused", "The request was refused", "See the status.")
