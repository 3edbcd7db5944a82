"""Clients of the real service who write down what they saw: they decide, ask again, confirm, give back and report, and never give up
on a question whose answer was lost.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx

from serving.decisions import digest_of
from tests.history.recorder import Recorder

DEADLINE_SECONDS = 10.0
_OUTCOMES = ("delivered", "opened", "clicked", "not_sent", "bounced")
_TRIES = 400
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """An API key: its name, by which the ledger knows the client, what is sent, and the history of all who use it."""

    name: str
    secret: str
    recorder: Recorder


class Caller:
    """One thread that calls without a pause. `customers` may change while it does; a share of `repeats` are questions that were answered
    before, a share of `take_back` of the winners is withdrawn from.

    `slowest` maps a status to its longest time in seconds; `counts` has every status, "cut" for connections that were lost.
    """

    def __init__(
        self, base: str, key: Key, customers: list[str], number: int, *, repeats: float = 0.2, take_back: float = 0.0
    ) -> None:
        self._base, self._key, self._customers, self._number = base, key, customers, number
        self._name, self._recorder = key.name, key.recorder
        self._repeats, self._take_back = repeats, take_back
        self._dice = random.Random(number)  # noqa: S311 - load needs no secrets
        self.counts, self.slowest = Counter[str](), dict[int, float]()
        self.answered: dict[str, tuple[Body, bytes]] = {}
        self.different = 0
        self._http: httpx.Client | None = None
        self._turns = count(1)

    def run(self, ended: Callable[[], bool]) -> None:
        """Call until told to end."""
        while not ended():
            self._turn(ended)
        self.close()

    def close(self) -> None:
        """Give the connection back; the next call makes a new one."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def again(self, body: Body) -> bytes | None:
        """The bytes that a decision that was answered gets now; None without an answer."""
        for _ in range(_TRIES):
            reply = self.ask_once(body)
            if reply is not None and reply.status_code == 200:
                return reply.content
            time.sleep(0.05)
        return None

    def ask_once(self, body: Body) -> httpx.Response | None:
        """One call for a decision; None when the line was lost."""
        return self._call("decide", self._asked(body), "/v1/decisions", body)

    def _asked(self, body: Body) -> Body:
        told = {"customer": body["customer"]["id"], "request_id": body["request_id"]}
        return told | {"body": digest_of(body), "caller": self._name}

    def _turn(self, ended: Callable[[], bool]) -> None:
        request_id = f"{self._name}-{self._number}-{next(self._turns)}"
        if self.answered and self._dice.random() < self._repeats:
            request_id = self._dice.choice(list(self.answered)[-200:])
        again = request_id in self.answered
        body: Body = {"request_id": request_id, "customer": {"id": self._dice.choice(self._customers)}}
        answer = self._decide(self.answered[request_id][0] if again else body, ended)
        if answer is None or "reservation" not in answer or again:
            return
        self._follow(answer, body["customer"]["id"], ended)

    def _decide(self, body: Body, ended: Callable[[], bool]) -> Body | None:
        reply = self._until_answered("decide", self._asked(body), "/v1/decisions", body, ended)
        if reply is None or reply.status_code != 200:
            return None
        before = self.answered.setdefault(body["request_id"], (body, reply.content))
        if before[1] != reply.content:
            self.different += 1
        answer: Body = reply.json()
        return answer

    def _follow(self, answer: Body, customer: str, ended: Callable[[], bool]) -> None:
        held, drawn = answer["reservation"], self._dice.random()
        if drawn < self._take_back:
            said = {"customer": customer, "channel": answer["action"]["channel"], "purpose": "marketing"}
            name = f"w-{self._number}-{next(self._turns)}"
            body = {
                "id": name,
                "source": "crm",
                "customer": {"id": customer},
                "channel": said["channel"],
                "state": "withdrawn",
            }
            self._until_answered("withdraw", said, "/v1/consents", body, ended)
        if drawn > 0.97:  # never heard of again: the lease runs out
            return
        kind = "release" if drawn > 0.9 else "confirm"
        told = {"reservation_id": held["id"], "epoch": held["epoch"], "customer": customer}
        reply = self._until_answered(
            kind, told, f"/v1/reservations/{held['id']}/{kind}", {"epoch": held["epoch"]}, ended
        )
        sent = kind == "confirm" and reply is not None and reply.status_code == 200
        if sent and self._dice.random() < 0.5:
            self._report(answer, ended)

    def _report(self, answer: Body, ended: Callable[[], bool]) -> None:
        report = {
            "id": f"o-{self._number}-{next(self._turns)}", "source": self._name, "decision_id": answer["decision_id"], "step": 0,
            "type": self._dice.choice(_OUTCOMES), "occurred_at": answer["decided_at"],
        }  # fmt: skip
        asked = {name: report[name] for name in ("id", "source", "decision_id", "step", "type")}
        for _ in range(self._dice.choice((1, 1, 2))):
            self._until_answered("outcome", asked | {"body": digest_of(report)}, "/v1/outcomes", report, ended)

    def _until_answered(
        self, kind: str, asked: Body, path: str, body: Body, ended: Callable[[], bool]
    ) -> httpx.Response | None:
        """The answer to a call that is repeated, with the same body, while nobody knows what became of it."""
        for _ in range(_TRIES):
            reply = self._call(kind, asked, path, body)
            if (
                reply is not None
                and reply.status_code < 500
                and reply.status_code != 429
                and "retry-after" not in reply.headers
            ):
                return reply
            if ended():
                return reply
            time.sleep(self._dice.uniform(0.02, 0.2))
        return None

    def _call(self, kind: str, asked: Body, path: str, body: Body) -> httpx.Response | None:
        if self._http is None:
            self._http = httpx.Client(
                base_url=self._base,
                headers={"Authorization": f"Bearer {self._key.secret}"},
                timeout=DEADLINE_SECONDS,
                trust_env=False,
            )
        call, began = self._recorder.ask(kind, **asked), time.monotonic()
        try:
            reply = self._http.post(path, json=body)
        except httpx.TransportError:
            self._recorder.unknown(call)
            self.counts["cut"] += 1
            self.close()
            return None
        took = time.monotonic() - began
        self.slowest[reply.status_code] = max(took, self.slowest.get(reply.status_code, 0.0))
        self.counts[str(reply.status_code)] += 1
        self.counts[kind] += 1
        self._recorder.answer(call, **_seen(kind, reply))
        return reply


def _seen(kind: str, reply: httpx.Response) -> Body:
    """What the checker is told of an answer. Moments are left out: HTTP tells milliseconds, the ledger keeps microseconds."""
    seen: Body = {"status": reply.status_code}
    if "retry-after" in reply.headers:
        seen["retry_after"] = True
    if reply.status_code // 100 != 2 or kind not in ("decide", "outcome"):
        return seen
    seen["sha"] = hashlib.sha256(reply.content).hexdigest()
    answer = reply.json()
    seen["decision_id"] = answer["decision_id"]
    if held := answer.get("reservation"):
        action = answer["action"]
        seen |= {
            "reservation_id": held["id"],
            "epoch": held["epoch"],
            "step": 0,
            "journey": action["journey"],
            "channel": action["channel"],
        }
    return seen


@contextmanager
def calling(callers: list[Caller]) -> Iterator[threading.Event]:
    """Let all of them call while the block runs; setting the event ends them earlier. Their errors are raised at the end."""
    ended, errors = threading.Event(), list[BaseException]()

    def run(caller: Caller) -> None:
        try:
            caller.run(ended.is_set)
        except BaseException as error:  # noqa: BLE001 - handed on below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    try:
        yield ended
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


def together(callers: list[Caller]) -> tuple[Counter[str], dict[int, float]]:
    """All counts, and the slowest answer of each status."""
    counts, slowest = Counter[str](), dict[int, float]()
    for caller in callers:
        counts.update(caller.counts)
        for status, took in caller.slowest.items():
            slowest[status] = max(took, slowest.get(status, 0.0))
    return counts, slowest
