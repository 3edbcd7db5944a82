"""Structured logs: one JSON object per line on standard error, without personal data, bodies or query strings."""

from __future__ import annotations

import hashlib
import hmac
import logging
import sys
import traceback

import structlog

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def configure(level: str) -> None:
    """Send our own lines and everybody else's warnings to standard error as JSON."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s", force=True
    )
    # uvicorn warns once per request that it cannot read: whoever sends them would decide how large our log grows.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def pseudonym(salt: bytes, customer_id: str) -> str:
    """A keyed hash that stands for a customer in logs: equal customers stay equal, nobody can be looked up."""
    return hmac.new(salt, b"log." + customer_id.encode(), hashlib.sha256).hexdigest()[:16]


def where(error: BaseException) -> list[str]:
    """The places an unexpected error went through, without its message, which might quote a request."""
    return [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-8:]]
