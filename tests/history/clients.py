"""Simulated clients who call the reference ledger at once, retry, give up and are killed, and write what they saw."""

from __future__ import annotations

import random
from typing import Any

from tests.history.reference import HOUR, REFUSED, ReferenceLedger

Row = dict[str, Any]
TICK = 1_000_000
"""Nanoseconds between two transactions."""
LOST = 0.04
"""Share of calls whose answer never comes."""
CHANNELS = ("push", "email", "in_app")
MOVES = {
    "decide": 40, "again": 8, "other_body": 4, "in_flight": 4, "confirm": 18, "release": 4, "withdraw": 5, "grant": 6,
    "pause": 1, "object": 0.3, "erase": 0.3, "outcome": 6, "outcome_again": 3, "outcome_unknown": 1,
}  # fmt: skip


class Clients:
    """`count` clients; `lines` holds the history of each, `ledger` what came of it."""

    def __init__(self, seed: int, *, count: int = 4, customers: int = 4) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - a seed reproduces the history
        self.ledger = ReferenceLedger(self.dice, customers)
        self.lines: list[list[Row]] = [[] for _ in range(count)]
        self._free = [0] * count
        self._calls = [0] * count
        self._tick = 10
        self._asked: list[Row] = []
        self._held: list[Row] = []
        self._told: list[str] = []
        self._reported: list[Row] = []

    def run(self, calls: int) -> tuple[list[Row], list[list[Row]]]:
        """The dump and the histories after so many moves."""
        moves, weights = list(MOVES), list(MOVES.values())
        for number in range(calls):
            self._tick += 1
            self.ledger.now += self.dice.choice((0, 1, 60_000_000, HOUR // 6, HOUR, 5 * HOUR))
            self._move(self.dice.choices(moves, weights)[0], number)
        return self.ledger.dump(), self.lines

    def _move(self, move: str, number: int) -> None:
        free = [each for each, until in enumerate(self._free) if until < (self._tick - 1) * TICK]
        if len(free) < 2:
            return
        client, other = self.dice.sample(free, 2)
        who = self.dice.choice(list(self.ledger.customers))
        fresh = {"kind": "decide", "customer": who, "request_id": f"q{number}", "body": f"b{number}", "caller": "shop"}
        recent = self.dice.choice(self._asked[-8:] or [fresh])
        if move == "in_flight":
            self._write(other, fresh, self._tick * TICK - 400, self._tick * TICK - 300, (REFUSED, {"retry_after": 1}))
            self._ask(client, fresh, at=self._tick * TICK - 500)
        elif move in {"decide", "again"}:
            self._ask(client, fresh if move == "decide" else recent)
        elif move == "other_body":
            self._ask(client, recent | {"body": f"x{number}"})
        elif move in {"confirm", "release"}:
            if self._held:
                held = self.dice.choice(self._held[-3:])
                epoch = held["epoch"] - (self.dice.random() < 0.1)
                self._ask(client, {"kind": move, "reservation_id": held["reservation_id"], "epoch": epoch})
        elif move.startswith("outcome"):
            self._report(client, move, number)
        else:
            wish = {"kind": move, "customer": who, "channel": self.dice.choice(CHANNELS), "purpose": "marketing"}
            self._ask(client, wish | {"until": self.ledger.now + 9 * HOUR})

    def _report(self, client: int, move: str, number: int) -> None:
        ask = {
            "kind": "outcome",
            "source": "esp",
            "id": f"o{number}",
            "body": f"ob{number}",
            "step": 1,
            "type": "opened",
        }
        ask["decision_id"] = self.dice.choice(self._told[-5:] or ["d0"]) if move != "outcome_unknown" else "d0"
        if move == "outcome_again" and self._reported:
            ask = self.dice.choice(self._reported[-5:])
        self._reported.append(ask)
        self._ask(client, ask)

    def _ask(self, client: int, ask: Row, at: int | None = None) -> None:
        """One call whose transaction happens at this tick, or never does."""
        begin = at or max(self._free[client] + 1, self._tick * TICK - self.dice.randrange(3 * TICK))
        lost = self.dice.random() < LOST
        answer = None if lost and self.dice.random() < 0.5 else self._effect(ask)
        if ask["kind"] == "decide":
            self._asked.append(ask)
        end = self._tick * TICK + self.dice.randrange(1, 3 * TICK)
        self._write(client, ask, begin, end, None if lost else answer)

    def _effect(self, ask: Row) -> tuple[int, Row]:
        if ask["kind"] == "decide":
            status, answer = self.ledger.decide("shop", ask)
            self._held += [answer] if "reservation_id" in answer else []
            self._told += [answer["decision_id"]] if answer else []
            return status, answer
        if ask["kind"] in {"confirm", "release"}:
            return self.ledger.settle(ask)
        return self.ledger.outcome(ask) if ask["kind"] == "outcome" else self.ledger.wish(ask)

    def _write(self, client: int, ask: Row, begin: int, end: int, answer: tuple[int, Row] | None) -> None:
        self._calls[client] += 1
        named = {"client": f"p{client}", "call": self._calls[client], "kind": ask["kind"], "wall": 0}
        self.lines[client].append(named | ask | {"phase": "ask", "at": begin})
        self._free[client] = end
        if answer is not None:
            self.lines[client].append(named | answer[1] | {"phase": "answer", "at": end, "status": answer[0]})
        elif self.dice.random() < 0.5:
            self.lines[client].append(named | {"phase": "unknown", "at": end})
