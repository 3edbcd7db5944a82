"""Simulated orchestrators: they ask for decisions, confirm, send, report what became of it, and go on with the plan; or they do not."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import datetime
from itertools import count
from typing import Any

from serving import decisions, outcomes, reservations, steps
from serving.auth import Client
from tests.simulation.calling import Network, Row
from tests.simulation.scheduling import DAY, HOUR, TICKS

ENGINE = Client("engine", "orchestrator")
SOURCE = "esp"
# What becomes of a contact that was sent: types of outcomes in the order in which they happen, and how often.
FATES = (
    (("delivered",), 40), (("delivered", "opened"), 20), (("delivered", "opened", "clicked", "converted"), 6),
    (("bounced",), 4), (("delivered", "dismissed"), 4), (("not_sent",), 4), (("delivered", "unsubscribed"), 2),
    (("delivered", "complained"), 1), ((), 10),
)  # fmt: skip
_OPT_OUT = ("unsubscribed", "complained")


class Orchestrators:
    """`outspoken` customers say themselves what they want; of the others it is learned from their outcomes alone, so that the last
    word on a consent is always one that the history tells.
    """

    def __init__(self, network: Network, dice: random.Random, outspoken: frozenset[str]) -> None:
        self._network, self._dice, self._outspoken = network, dice, outspoken
        self._numbers = count(1)

    def visit(self, customer: str) -> None:
        """One question about a customer, and all that follows from it."""
        dice, request_id = self._dice, f"q-{next(self._numbers)}"
        asked: Row = {"request_id": request_id, "customer": {"id": customer}}
        if dice.random() < 0.3:
            asked["channels"] = dice.sample(["push", "email", "in_app"], dice.randrange(1, 3))
        if dice.random() < 0.15:
            asked["triggers"] = [{"journey": dice.choice(("care", "welcome"))}]
        if dice.random() < 0.05:
            asked["mode"] = "shadow"
        status, answer = self._decide(customer, asked)
        if status and dice.random() < 0.01:
            self._decide(customer, asked | {"context": {"cart_value": 12.0}})  # the same id with another body
        if status == 200 and "reservation" in answer:
            self._hold(customer, answer, answer["reservation"], 0, answer["action"]["send_at"])

    def _decide(self, customer: str, asked: Row) -> tuple[int, Row]:
        told = {
            "customer": customer,
            "request_id": asked["request_id"],
            "body": decisions.digest_of(asked),
            "caller": "engine",
        }
        body = json.dumps(asked).encode()
        return self._network.ask("decide", told, lambda runtime: decisions.decide_for(runtime, ENGINE, body))

    def _hold(self, customer: str, answer: Row, held: Row, step: int, send_at: str) -> None:
        """A place is reserved: send at its time, or give it back, or forget about it."""
        dice, machine = self._dice, self._network.machine
        fate = dice.random()
        if fate < 0.08:
            return
        if fate < 0.16:
            machine.scheduler.wait(dice.randrange(HOUR))
            self._settle("release", held, customer, {"epoch": held["epoch"], "reason": "given_back"})
            if dice.random() < 0.5:
                return  # those who go on try to confirm what they gave back
        late = dice.randrange(8 * HOUR if fate > 0.9 else HOUR if fate > 0.7 else 60 * TICKS)
        machine.scheduler.wait(machine.ticks_until(datetime.fromisoformat(send_at)) + late)
        wrong = dice.choice((-1, 1)) if dice.random() < 0.02 else 0
        status = self._settle("confirm", held, customer, {"epoch": max(1, held["epoch"] + wrong)})
        if status == 200:
            self._sent(customer, answer, step)

    def _settle(self, kind: str, held: Row, customer: str, asked: Row) -> int:
        handler = reservations.confirm if kind == "confirm" else reservations.release
        told = {"reservation_id": held["id"], "epoch": asked["epoch"], "customer": customer}
        body = json.dumps(asked).encode()
        return self._network.ask(kind, told, lambda runtime: handler(runtime, ENGINE, held["id"], body))[0]

    def _sent(self, customer: str, answer: Row, step: int) -> None:
        """It was sent: report what happened, in any order, and take the next step of the plan when nothing did."""
        dice, network = self._dice, self._network
        happened = list(dice.choices([types for types, _ in FATES], [weight for _, weight in FATES])[0])
        if customer in self._outspoken:
            happened = [one for one in happened if one not in _OPT_OUT]
        if dice.random() < 0.2:
            dice.shuffle(happened)
        for kind in happened:
            network.machine.scheduler.wait(dice.randrange(5 * DAY if dice.random() < 0.05 else 2 * HOUR))
            self._report(answer["decision_id"], step, kind)
        if dice.random() < 0.01:
            self._report("d-unknown", step, "delivered")
        steps_left = answer["plan"][step + 1 :]
        if steps_left and set(happened) <= {"delivered", "bounced"}:
            self._next(customer, answer, steps_left[0])

    def _report(self, decision_id: str, step: int, kind: str) -> None:
        now = self._network.machine.true
        asked: Row = {
            "id": f"o-{next(self._numbers)}",
            "source": SOURCE,
            "decision_id": decision_id,
            "step": step,
            "type": kind,
        }
        asked["occurred_at"] = now.isoformat()
        body = json.dumps(asked).encode()
        told = {name: asked[name] for name in ("source", "id", "decision_id", "step", "type")}
        told["body"] = decisions.digest_of(asked)
        self._network.ask("outcome", told, lambda runtime: outcomes.report(runtime, body))

    def _next(self, customer: str, answer: Row, planned: Row) -> None:
        """Reserve the plan's next step at its time."""
        machine, step = self._network.machine, planned["step"]
        machine.scheduler.wait(
            machine.ticks_until(datetime.fromisoformat(planned["send_at"])) + self._dice.randrange(HOUR)
        )
        asked = {"request_id": f"s-{next(self._numbers)}", "decision_id": answer["decision_id"], "step": step}
        body = json.dumps(asked).encode()
        told: dict[str, Any] = {
            "customer": customer,
            "request_id": asked["request_id"],
            "caller": "engine",
            "step": step,
        }
        told |= {"decision_id": answer["decision_id"], "body": hashlib.sha256(body).hexdigest()}
        status, found = self._network.ask("reserve", told, lambda runtime: steps.reserve_step(runtime, ENGINE, body))
        if status == 201:
            self._hold(customer, answer, found["reservation"], step, found["send_at"])
