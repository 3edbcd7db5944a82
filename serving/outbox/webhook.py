"""A webhook: each event is one POST of a structured CloudEvent, signed as https://www.standardwebhooks.com says.

2xx is delivered. 408, 5xx and no answer are tried again soon, 429 and 503 when the receiver says (`Retry-After`); every other
answer, redirects included, is a refusal that somebody must look at: it is tried again seldom, and reported.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from arbitration.errors import InputError
from serving.outbox.events import MEDIA_TYPE, Event
from serving.outbox.sinks import Failure, by_subject

TIMEOUT_SECONDS = 5.0
LANES = 8
"""Requests at the same time, each for another subject."""
LONGEST_WAIT = 3600.0
_ANSWER_BYTES = 64 * 1024
_BUSY = (429, 503)


def checked(url: str) -> httpx.URL:
    """A URL that may be posted to. Raises `InputError`."""
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        found = httpx.URL("")
    if found.scheme not in ("http", "https") or not found.host:
        raise InputError("is no http(s) URL", where="--to", mend="name https://host/path")
    if found.userinfo or found.fragment:
        raise InputError(
            "must hold no password and no fragment",
            where="--to",
            mend="receivers tell us by the signature of each POST",
        )
    return found


def name_of(url: httpx.URL) -> str:
    """What a webhook is called in the ledger and in reports: its query may be a secret and is only told apart."""
    plain = str(url.copy_with(query=None))
    return f"{plain}?{hashlib.sha256(url.query).hexdigest()[:8]}" if url.query else plain


def signature(secret: bytes, event_id: str, timestamp: str, body: bytes) -> str:
    """The header `webhook-signature`: HMAC-SHA256 over id, timestamp and body, in base64."""
    digest = hmac.new(secret, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


class Webhook:
    """Posts to `url`. No redirects, no proxies or passwords from the environment."""

    def __init__(self, url: httpx.URL, secret: bytes, brand: str, timeout: float = TIMEOUT_SECONDS) -> None:
        self.name = name_of(url)
        self._url, self._secret, self._brand, self._timeout = url, secret, brand, timeout
        limits = httpx.Limits(max_connections=LANES, max_keepalive_connections=LANES)
        self._http = httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False, limits=limits)
        self._threads = ThreadPoolExecutor(LANES, thread_name_prefix="webhook")

    def offer(self, events: Sequence[Event], until: float) -> Mapping[int, Failure | None]:
        """Several subjects at a time, one event after the other for each; all stop once the receiver is away or busy."""
        stop = threading.Event()

        def tell(row: list[Event]) -> dict[int, Failure | None]:
            told: dict[int, Failure | None] = {}
            for event in row:
                if stop.is_set() or time.monotonic() >= until:
                    break
                failure = told[event.number] = self._post(event)
                if failure is not None:
                    if failure.everyone:
                        stop.set()
                    break
            return told

        found: dict[int, Failure | None] = {}
        for told in self._threads.map(tell, by_subject(events)):
            found |= told
        return found

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown()
        self._http.close()

    def _post(self, event: Event) -> Failure | None:
        body, timestamp = event.cloud_event(self._brand), str(int(time.time()))
        headers = {
            "content-type": MEDIA_TYPE,
            "webhook-id": event.event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self._secret, event.event_id, timestamp, body),
        }
        try:
            with self._http.stream("POST", self._url, content=body, headers=headers) as answer:
                self._read(answer)
                return judged(answer.status_code, answer.headers.get("retry-after"))
        except httpx.TimeoutException:
            return Failure(f"no answer within {self._timeout:g} s", everyone=True)
        except httpx.TransportError as error:
            return Failure(f"no connection ({type(error).__name__})", everyone=True)

    def _read(self, answer: httpx.Response) -> None:
        """Read a short answer, so that the connection can be used again; a long one costs the connection, whatever it says."""
        ends, size = time.monotonic() + self._timeout, 0
        with suppress(httpx.TransportError, httpx.DecodingError):
            for block in answer.iter_raw():
                size += len(block)
                if size > _ANSWER_BYTES or time.monotonic() > ends:
                    return


def judged(status: int, retry_after: str | None = None) -> Failure | None:
    """What an answer means."""
    if 200 <= status < 300:
        return None
    wait = seconds_of(retry_after) if retry_after else None
    if status in _BUSY:
        return Failure(f"HTTP {status}", wait, everyone=True)
    return Failure(f"HTTP {status}", wait, slow=status < 500 and status != 408)


def seconds_of(retry_after: str) -> float | None:
    """The header `Retry-After` in seconds, at most an hour; None when it cannot be read."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_WAIT)
