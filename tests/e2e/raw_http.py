"""HTTP byte by byte, for what no well-behaved client would send."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """The first answer on a connection: its status, headers (lower case) and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self) -> dict[str, Any]:
        """The problem body; an answer that is none fails."""
        assert self.headers["content-type"] == "application/problem+json", self
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        return found


def connect(port: int, seconds: float = 30) -> socket.socket:
    """A connection to the service on loopback."""
    return socket.create_connection(("127.0.0.1", port), seconds)


def received(connection: socket.socket) -> bytes:
    """Everything until the other side closes, resets or says nothing for a while."""
    parts = list[bytes]()
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except (TimeoutError, ConnectionResetError):
        pass
    return b"".join(parts)


def parsed(answer: bytes) -> RawAnswer:
    """The first answer among the bytes received."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    return RawAnswer(int(first.split()[1]), headers, rest[: int(headers.get("content-length", len(rest)))])


def ask(port: int, request: bytes, seconds: float = 30) -> RawAnswer:
    """Send bytes on a fresh connection and read what comes until it closes."""
    with connect(port, seconds) as connection:
        # Refused before everything was sent: the answer is there nevertheless.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        return parsed(received(connection))


def request(method: str, path: str, key: str, *headers: str, body: bytes = b"") -> bytes:
    """A whole request that asks for the connection to be closed after it."""
    own = ["Host: 127.0.0.1", f"Authorization: Bearer {key}", "Connection: close", f"Content-Length: {len(body)}"]
    head = "\r\n".join([f"{method} {path} HTTP/1.1", *own, *headers])
    return head.encode("latin-1") + b"\r\n\r\n" + body
