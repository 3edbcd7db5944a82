"""Error bodies (RFC 9457): what went wrong and which field, never the value that was sent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from arbitration.errors import DirigentError, InputError
from serving.ledger.keyring import Erased

MEDIA_TYPE = "application/problem+json"
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}|[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field of a request and what was expected there."""

    field: str
    expected: str


class Problem(Exception):
    """An answer that is not a success. `code` is the last part of the problem's type and the label in the metrics."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.status, self.code, self.title, self.detail = status, code, title, detail
        self.errors, self.headers = tuple(errors), dict(headers or {})

    def response(self, instance: str) -> Response:
        """The HTTP answer; `instance` identifies this request in the log."""
        body: dict[str, Any] = {
            "type": f"urn:dirigent:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
        }
        if self.errors:
            body["errors"] = [{"field": error.field, "expected": error.expected} for error in self.errors]
        return Response(json.dumps(body), self.status, headers=self.headers, media_type=MEDIA_TYPE)


def invalid(errors: Sequence[FieldError]) -> Problem:
    """422: the request is readable, but fields of it are wrong."""
    names = ", ".join(error.field for error in errors)
    return Problem(422, "invalid-field", "The request has wrong fields", f"Correct: {names}.", errors=errors)


def unreadable(detail: str, field: str = "") -> Problem:
    """400: the request cannot be read at all; `field` names the place where that is known."""
    errors = [FieldError(field, detail)] if field else []
    return Problem(400, "unreadable", "The request cannot be read", detail, errors=errors)


def not_found(what: str) -> Problem:
    """404 for a thing or a path that is not here."""
    return Problem(404, "not-found", "Not found", f"There is no such {what}.")


def from_error(error: DirigentError) -> Problem:
    """The HTTP face of the error tree; `where` stays in the log, because it may name files of this machine."""
    detail = ". ".join(part for part in (error.what, error.mend) if part)
    if isinstance(error, Erased):
        return Problem(
            410, "erased", "Gone", "Its customer was erased; what was sealed for them cannot be read any more."
        )
    if isinstance(error, InputError):
        return Problem(422, "invalid-input", "The request cannot be served", detail)
    return Problem(503, "unavailable", "Not available at the moment", detail, headers={"Retry-After": "1"})


def internal() -> Problem:
    """500, a programmer's error; the log holds the rest under the same instance."""
    return Problem(500, "internal", "Internal error", "This is a fault of the service; its log has the details.")


def field_path(parts: Sequence[str | int]) -> str:
    """`triggers[0].journey` from a path. A name that is not a plain identifier could hold personal data: not repeated."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
            continue
        name = part if _PLAIN_NAME.fullmatch(part) else "(unnamed)"
        path += f".{name}" if path else name
    return path or "(body)"
