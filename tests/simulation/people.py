"""What simulated customers want: some withdraw and grant again, object, take that back, are paused, or are erased."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from functools import partial
from itertools import count

from serving import consents, rights
from serving.bootstrap import Runtime
from tests.simulation.calling import Network, Row
from tests.simulation.promises import Promises
from tests.simulation.scheduling import DAY, HOUR

_TEXT = "0" * 64


class People:
    """Every wish is reported by one source, and repeated until it is answered."""

    def __init__(self, network: Network, dice: random.Random, promises: Promises) -> None:
        self._network, self._dice, self._promises = network, dice, promises
        self._numbers = count(1)

    def withdraw(self, customer: str) -> None:
        """A channel is taken back, and often granted again later."""
        channel = self._dice.choice(("push", "email"))
        self._say("withdraw", customer, {"channel": channel, "state": "withdrawn"}, {"channel": channel})
        if self._dice.random() < 0.7:
            self._network.machine.scheduler.wait(self._dice.randrange(3 * DAY if self._dice.random() < 0.5 else HOUR))
            self.grant(customer, channel)

    def grant(self, customer: str, channel: str) -> None:
        """A consent with its evidence, confirmed at once."""
        said_at = self._network.machine.true.isoformat()
        proof = {
            "text_id": "t",
            "text_sha256": _TEXT,
            "source": "app",
            "requested_at": said_at,
            "confirmed_at": said_at,
        }
        said = {"channel": channel, "state": "granted", "legal_basis": "consent", "evidence": proof}
        self._say("grant", customer, said, {"channel": channel})

    def object(self, customer: str) -> None:
        """An objection for good."""
        self._say("object", customer, {"state": "objected"}, {})

    def object_and_lift(self, customer: str) -> None:
        """An objection that is taken back days later. The checker's histories know no lifting: the promise is judged beside it."""
        for state in ("objected", "lifted"):
            body = self._body(customer, {"state": state})
            if state == "lifted":
                self._promises.end("objection", customer)
            status, _ = self._network.ask_unrecorded(state, partial(_object, body))
            if state == "objected" and status == 200:
                self._promises.begin("objection", customer)
            self._network.machine.scheduler.wait(self._dice.randrange(4 * DAY))

    def pause(self, customer: str) -> None:
        """A pause of some days."""
        until = self._network.machine.true.replace(microsecond=0) + timedelta(hours=self._dice.randrange(1, 200))
        said = {"until": until.isoformat(), "reason": "complaint"}
        self._say("pause", customer, said, {"until": round(until.timestamp()) * 1_000_000})

    def erase(self, customer: str) -> None:
        """To be forgotten."""
        self._say("erase", customer, {"reason": "consent_withdrawn"}, {})

    def _body(self, customer: str, said: Row) -> bytes:
        return json.dumps(
            {"id": f"w-{next(self._numbers)}", "source": "app", "customer": {"id": customer}} | said
        ).encode()

    def _say(self, kind: str, customer: str, said: Row, more: Row) -> None:
        receive = {
            "object": rights.receive_objection, "pause": rights.receive_pause, "erase": rights.receive_erasure,
        }.get(kind, consents.receive_consent)  # fmt: skip
        body = self._body(customer, said)
        told = {"customer": customer} | more | ({"purpose": "marketing"} if "channel" in more else {})
        self._network.ask(kind, told, lambda runtime: receive(runtime, body))


def _object(body: bytes, runtime: Runtime) -> tuple[int, bytes]:
    return rights.receive_objection(runtime, body)
