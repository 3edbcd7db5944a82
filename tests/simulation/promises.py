"""Two promises that the checker's histories do not tell of: nothing is reserved while an objection that is lifted later holds, nor of
a journey that is stopped. Judged in real time, from what was answered before and asked after.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

FOREVER = 1 << 62


class Promises:
    """Spans in which something was promised: from the answer that began one until the call that ends it is made."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._spans: dict[tuple[str, str], list[list[int]]] = defaultdict(list)

    def begin(self, kind: str, about: str) -> None:
        """From now on it is promised."""
        self._spans[kind, about].append([self._now(), FOREVER])

    def end(self, kind: str, about: str) -> None:
        """From now on it may be no more."""
        for span in self._spans[kind, about]:
            span[1] = min(span[1], self._now())

    def broken(self, lines: Iterable[dict[str, Any]]) -> list[str]:
        """What was reserved for marketing although nothing of it was to be: first asked for after the promise, answered within it."""
        asked: dict[int, dict[str, Any]] = {}
        first: dict[tuple[str, str], int] = {}
        found = []
        for line in lines:
            if line["kind"] not in ("decide", "reserve"):
                continue
            if line["phase"] == "ask":
                asked[line["call"]] = line
                first.setdefault((line["kind"], line["request_id"]), line["at"])
            elif "reservation_id" in line and line["journey"] != "care":
                ask = asked[line["call"]]
                began = first[ask["kind"], ask["request_id"]]
                found += [
                    f"{line['reservation_id']} was reserved although an {key[0]} held ({key[1]})"
                    for key in (("objection", ask["customer"]), ("stop", line["journey"]))
                    if any(begin < began and line["at"] <= end for begin, end in self._spans.get(key, ()))
                ]
        return found
