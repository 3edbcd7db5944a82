"""The service as a caller sees it: a key, a URL, JSON; problems become one line."""

from __future__ import annotations

import json
import os
import re
from types import TracebackType
from typing import Any, Self

import httpx

from arbitration.errors import DirigentError, InputError, StateError

_KEY = re.compile(r"[!-~]+")  # what can be seen in ASCII
DEFAULT_URL = "http://127.0.0.1:8090"


class Client:
    """A small HTTP client. Raises InputError for a 4xx answer and StateError when there is no service or it answers 5xx."""

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        self.url = url or os.environ.get("DIRIGENT_URL", DEFAULT_URL)
        key = key or os.environ.get("DIRIGENT_API_KEY")
        if not key:
            raise InputError(
                "no API key",
                where="DIRIGENT_API_KEY",
                mend="Make one: export DIRIGENT_API_KEY=$(dirigent key create my-name)",
            )
        if not _KEY.fullmatch(key):  # it goes into a header, which could not hold it
            raise InputError(
                "is no valid key: letters, digits and punctuation in one line, nothing else",
                where="DIRIGENT_API_KEY", mend="set it anew, as `dirigent key create` printed it",
            )  # fmt: skip
        self._http = httpx.Client(
            base_url=self.url, timeout=30, headers={"Authorization": f"Bearer {key}"}, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def post(self, path: str, body: dict[str, Any]) -> bytes:
        """The answer's bytes."""
        return self._call("POST", path, body)

    def get(self, path: str) -> bytes:
        """The answer's bytes."""
        return self._call("GET", path, None)

    def decide(self, request_id: str, customer: str, **more: Any) -> dict[str, Any]:
        """The answer to a decision request."""
        answer: dict[str, Any] = json.loads(
            self.post("/v1/decisions", {"request_id": request_id, "customer": {"id": customer}, **more})
        )
        return answer

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> bytes:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            mend = "Start it with `dirigent serve`, or set DIRIGENT_URL."
            raise StateError(f"no service answers ({type(error).__name__})", where=self.url, mend=mend) from None
        if response.is_success:
            return response.content
        raise _problem(response)


def _problem(response: httpx.Response) -> DirigentError:
    kind = InputError if response.status_code < 500 else StateError
    try:
        body = response.json()
        fields = "; ".join(f"{one['field']}: expected {one['expected']}" for one in body.get("errors", []))
        return kind(f"{body['title']}. {body['detail']}", where=str(response.status_code), mend=fields)
    except (ValueError, KeyError, TypeError):
        return kind(
            "not a problem document; is this the Dirigent service?", where=f"{response.url} ({response.status_code})"
        )
