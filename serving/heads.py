"""A request's head and an answer's headers: how much a caller may send before the body, and what every answer says to browsers."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Scope

from serving.problems import Problem

Header = tuple[bytes, bytes]

MAX_HEADERS = 64
MAX_HEAD = 32 * 1024  # bytes of all names and values together
MAX_URL = 8 * 1024
# Said by every answer that says nothing else there; pages bring a policy of their own that lets their styles in.
_DEFAULTS: Sequence[Header] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_HSTS: Header = (b"strict-transport-security", b"max-age=31536000")
_LEFT_OUT = frozenset({b"server", b"x-bentoml-request-id"})


def check_head(scope: Scope) -> None:
    """A `Problem` (414 or 431) for an address or headers beyond the limits."""
    if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > MAX_URL:
        raise too_long_address()
    headers = scope["headers"]
    if len(headers) > MAX_HEADERS or sum(len(name) + len(text) for name, text in headers) > MAX_HEAD:
        raise too_many_headers()


def too_long_address() -> Problem:
    """414."""
    detail = f"Send an address of at most {MAX_URL} bytes."
    return Problem(414, "too-long", "The address is too long", detail, headers={"Connection": "close"})


def too_many_headers() -> Problem:
    """431."""
    detail = f"Send at most {MAX_HEADERS} headers with at most {MAX_HEAD} bytes."
    return Problem(431, "headers", "The headers are too large", detail, headers={"Connection": "close"})


def secured(headers: Sequence[Header], scheme: str) -> list[Header]:
    """An answer's headers without what names our software, with what keeps browsers careful; HSTS only over TLS."""
    kept = [(name, text) for name, text in headers if name.lower() not in _LEFT_OUT]
    said = {name.lower() for name, _ in kept}
    kept += [(name, text) for name, text in _DEFAULTS if name not in said]
    return [*kept, _HSTS] if scheme == "https" else kept
