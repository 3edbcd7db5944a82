"""Reading a request's body before anything understands it: at most so large, within so many seconds, never compressed."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from serving.problems import Problem

MAX_BODY = 1024 * 1024
# A body that is too large is read and thrown away up to here, so that the caller sees the answer and not a broken line.
MAX_DISCARDED = 16 * 1024 * 1024
BODY_SECONDS = 15.0


def check_type(headers: Headers, *, wants_json: bool) -> None:
    """A `Problem` (415) for what is not plain JSON where the call asks for JSON, and for compressed bodies everywhere.

    A compressed body is refused rather than unpacked: a kilobyte of it can hold a gigabyte.
    """
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(415, "media-type", "Wrong media type", "Send the body without Content-Encoding.")
    if wants_json and not _is_json(headers):
        raise Problem(415, "media-type", "Wrong media type", "Send Content-Type: application/json.")


def _is_json(headers: Headers) -> bool:
    kind, _, charset = headers.get("content-type", "").lower().partition(";")
    return kind.strip() == "application/json" and charset.strip() in ("", "charset=utf-8", 'charset="utf-8"')


async def read_body(headers: Headers, receive: Receive) -> bytes:
    """The whole body, at most 1 MiB, within 15 seconds."""
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and (len(declared) > 12 or int(declared) > MAX_DISCARDED):
        raise _too_large()
    parts, size, more = list[bytes](), 0, True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more and size <= MAX_DISCARDED:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "unreadable", "The request cannot be read", "The body ended early.")
                size += len(message.get("body", b""))
                if size <= MAX_BODY:
                    parts.append(message.get("body", b""))
                more = message.get("more_body", False)
    except TimeoutError:
        raise Problem(
            408, "slow", "The body came too slowly", f"Send the whole body within {BODY_SECONDS:.0f} seconds.",
            headers={"Connection": "close"},
        ) from None  # fmt: skip
    if size > MAX_BODY:
        raise _too_large()
    return b"".join(parts)


def _too_large() -> Problem:
    return Problem(413, "too-large", "The body is too large", f"Send at most {MAX_BODY} bytes.")


def replayed(body: bytes, receive: Receive) -> Receive:
    """The body once more for the layers behind; after it, whatever the connection says."""
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
