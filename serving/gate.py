"""The outermost gate: who calls, how large, of which type; nothing behind it sees a request that did not pass.

It stands before every other middleware, so that a stranger costs no more than one comparison, and turns whatever else
comes out of the layers behind it (a time-out, an overload) into a problem body.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.auth import Client, Keys
from serving.login import COOKIE, login_page
from serving.logs import log
from serving.metrics import Metrics
from serving.problems import MEDIA_TYPE, Problem

MAX_BODY = 1024 * 1024
# A body that is too large is read and thrown away up to here, so that the caller sees the answer and not a broken line.
_DRAIN = 16 * 1024 * 1024
_BODY_SECONDS = 15.0
OPEN = frozenset({"/livez", "/readyz", "/ui/login"})
_PASSED_ON = (MEDIA_TYPE, "text/html", "text/plain; version")


class Gate:
    """ASGI wrapper. `keys` and `metrics` are asked for at each request, because they exist only once the service is up."""

    def __init__(self, app: ASGIApp, keys: Callable[[], Keys], metrics: Callable[[], Metrics]) -> None:
        self._app, self._keys, self._metrics = app, keys, metrics

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
        scope.setdefault("state", {}).update(instance=instance, client=None)
        answer = _Answer(send, instance, scope)
        try:
            self._admit(scope, HTTPConnection(scope))
            body = await _read_body(Headers(scope=scope), receive)
            await self._app(scope, _replay(body, receive), answer)
        except Problem as problem:
            await self._refuse(problem, scope, receive, answer)
        await answer.finish(scope, receive)
        self._note(scope, answer, time.perf_counter() - began)

    def _admit(self, scope: Scope, caller: HTTPConnection) -> None:
        path = scope["path"]
        if path in OPEN:
            return
        client = self._client(path, scope["method"], caller)
        if client is None:
            raise Problem(
                401, "unauthorized", "An API key is required", "Send it as: Authorization: Bearer KEY.",
                headers={"WWW-Authenticate": 'Bearer realm="dirigent"'},
            )  # fmt: skip
        scope["state"]["client"] = client
        if scope["method"] == "POST" and path.startswith("/v1/") and not _is_json(caller.headers):
            raise Problem(415, "media-type", "Wrong media type", "Send Content-Type: application/json.")

    def _client(self, path: str, method: str, caller: HTTPConnection) -> Client | None:
        scheme, _, key = caller.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and key:
            return self._keys().client_of_key(key.strip())
        # A cookie opens the console's pages and nothing else: no other site can make a browser decide anything.
        if path.startswith("/ui/") and method in ("GET", "HEAD"):
            return self._keys().client_of_session(caller.cookies.get(COOKIE, ""))
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
        log.info(
            "request", method=method, route=route, status=answer.status, ms=round(seconds * 1000, 2),
            client=client.name if client else None, instance=answer.instance,
        )  # fmt: skip


class _Answer:
    """Passes an answer on; one that is an error and no problem body is kept back and replaced in `finish`."""

    def __init__(self, send: Send, instance: str, scope: Scope) -> None:
        self._send, self.instance, self._scope = send, instance, scope
        self.status, self._started, self._kept_back = 0, False, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            self.status = message["status"]
            self._kept_back = self.status >= 400 and not headers.get("content-type", "").startswith(_PASSED_ON)
            message["headers"] = [
                (name, text)
                for name, text in message["headers"]
                if name.lower() not in (b"server", b"x-bentoml-request-id")
            ]
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


def _is_json(headers: Headers) -> bool:
    kind, _, charset = headers.get("content-type", "").lower().partition(";")
    return kind.strip() == "application/json" and charset.strip() in ("", "charset=utf-8", 'charset="utf-8"')


async def _read_body(headers: Headers, receive: Receive) -> bytes:
    """The whole body, at most 1 MiB, within 15 seconds."""
    declared = headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > _DRAIN:
        raise _too_large()
    parts, size, more = list[bytes](), 0, True
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while more and size <= _DRAIN:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "unreadable", "The request cannot be read", "The body ended early.")
                size += len(message.get("body", b""))
                if size <= MAX_BODY:
                    parts.append(message.get("body", b""))
                more = message.get("more_body", False)
    except TimeoutError:
        raise Problem(408, "slow", "The body came too slowly", "Send the whole body within 15 seconds.") from None
    if size > MAX_BODY:
        raise _too_large()
    return b"".join(parts)


def _too_large() -> Problem:
    return Problem(413, "too-large", "The body is too large", f"Send at most {MAX_BODY} bytes.")


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once more for the layers behind; after it, whatever the connection says."""
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
