"""The lowest gate, below HTTP: how long a connection may take to say what it wants, how much of it, and how many there are.

uvicorn's protocol waits for ever for a request's head and keeps as much of it as is sent. This one gives each phase a
deadline, and when there are too many connections it closes the one that has said nothing for longest: whoever opens
hundreds and stays silent closes his own.
"""

from __future__ import annotations

import asyncio
import http
import uuid

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from serving.bodies import MAX_BODY, MAX_DISCARDED
from serving.heads import MAX_HEAD, MAX_HEADERS, MAX_URL, secured, too_long_address, too_many_headers
from serving.problems import Problem, unreadable

HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0  # longer than the gate's own limit, which answers: this is for bodies that nobody reads any more
MAX_CONNECTIONS = 512
_MAX_PIPELINED = 16
_MAX_CHUNKS = MAX_BODY // 256  # a body in pieces of a few bytes costs far more than its size


class _Refused(Exception):
    """Raised inside the parser's callbacks to stop it; the reason lies in the protocol."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection. Everything that is refused here is answered as a problem body and closed."""

    _timer: asyncio.TimerHandle | None = None
    _refusal: Problem | None = None
    _answering: RequestResponseCycle | None = None
    _in_head = True
    _heads = _head_bytes = _discarded = _chunks = 0
    silent_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take the connection in; the longest silent one makes room when there are too many."""
        super().connection_made(transport)
        self.silent_since = self.loop.time()
        self._wait(HEAD_SECONDS)
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline, and let a request that is still answered answer to nobody."""
        self._stop_waiting()
        self._disconnect()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a head that grows past its limit without ending is refused."""
        if self._timer is None and self._in_head:
            self._wait(HEAD_SECONDS)
        in_head, heads = self._in_head, self._heads
        super().data_received(data)
        if in_head and heads == self._heads and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD + MAX_URL:
                self._refuse(too_many_headers())

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._in_head, self._head_bytes, self._discarded, self._chunks = True, 0, 0, 0
        if self._timer is None:
            self._wait(HEAD_SECONDS)

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        if len(self.url) + len(url) > MAX_URL:
            self._stop(too_long_address())
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        if len(self.headers) >= MAX_HEADERS:
            self._stop(too_many_headers())
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: the request starts, and its body's time runs."""
        if len(self.pipeline) >= _MAX_PIPELINED:
            self._stop(unreadable(f"at most {_MAX_PIPELINED} requests may wait on one connection"))
        self._in_head, self._heads = False, self._heads + 1
        self._wait(BODY_SECONDS)
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """One more piece of a chunked body."""
        self._chunks += 1
        if self._chunks > _MAX_CHUNKS:
            self._stop(unreadable(f"send the body in at most {_MAX_CHUNKS} pieces"))

    def on_body(self, body: bytes) -> None:
        """Part of a body; what follows an early answer is thrown away, up to a limit."""
        if self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > MAX_DISCARDED:
                self.transport.abort()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole: from here its time is ours."""
        self._in_head, self._head_bytes = True, 0
        self.silent_since = self.loop.time()
        self._stop_waiting()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What the parser could not read, or what a callback here refused."""
        self._refuse(self._refusal or unreadable(msg.removesuffix(".").lower()))

    @property
    def working(self) -> bool:
        """Whether a request is being answered."""
        return self._answering is not None and not self._answering.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _disconnect(self) -> None:
        # uvicorn knows the newest request of a line only; an older one would write to a closed line.
        if self._answering is not None and self.working:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def _stop(self, problem: Problem) -> None:
        self._refusal = problem
        raise _Refused

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._in_head and self.working:  # an earlier request on this line is still being answered
            self._wait(HEAD_SECONDS)
        elif self._in_head and self._head_bytes == 0:
            self.transport.close()
        else:
            detail = f"Send a request's head within {HEAD_SECONDS:.0f} seconds and its body within {BODY_SECONDS:.0f}."
            self._refuse(Problem(408, "slow", "The request came too slowly", detail))

    def _make_room(self) -> None:
        others = [one for one in self.connections if isinstance(one, GuardedProtocol) and not one.working]
        longest = min((one for one in others if one is not self), key=lambda one: one.silent_since, default=None)
        if longest is not None:
            self.connections.discard(longest)
            longest.transport.abort()
        else:
            detail = "All connections are in use."
            self._refuse(Problem(503, "busy", "Not available at the moment", detail, headers={"Retry-After": "1"}))

    def _refuse(self, problem: Problem) -> None:
        """Answer by hand, because no request exists that an application could answer, and close."""
        self._stop_waiting()
        if self.transport.is_closing():
            return
        answer = problem.response(f"urn:uuid:{uuid.uuid4()}")
        phrase = http.HTTPStatus(problem.status).phrase
        lines = [f"HTTP/1.1 {problem.status} {phrase}".encode()]
        headers = [(name, text) for name, text in answer.raw_headers if name != b"connection"]
        lines += [name + b": " + text for name, text in secured(headers, self.scheme or "http")]
        self._disconnect()
        self.transport.write(b"\r\n".join([*lines, b"connection: close", b"", bytes(answer.body)]))
        self.transport.close()
