"""One small history that is right, written by hand: two clients, one customer, every kind of call. Tests break it in one place each."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
HOUR = 3_600_000_000
T0 = 1_780_000_000_000_000
ANNA = {"subject": "s1", "customer": "anna"}
R1 = {"decision_id": "d1", "reservation_id": "r1", "epoch": 1, "step": 1, "journey": "welcome", "channel": "push",
      "purpose": "marketing", "timing": "scheduled", "send_at": T0 + HOUR, "lease_until": T0 + HOUR}  # fmt: skip
R2 = R1 | {"decision_id": "d2", "reservation_id": "r2", "epoch": 2, "channel": "sms", "send_at": T0 + 30 * HOUR,
           "lease_until": T0 + 27 * HOUR}  # fmt: skip
R3 = R2 | {
    "reservation_id": "r3",
    "epoch": 3,
    "step": 2,
    "channel": "push",
    "send_at": T0 + 31 * HOUR,
    "lease_until": T0 + 28 * HOUR,
}


class Small:
    """`dump` and `histories` of two clients; `line` and `row` find one to break."""

    def __init__(self) -> None:
        self.dump: list[Row] = _dump()
        self.histories: list[list[Row]] = [[], []]
        decide = {"customer": "anna", "caller": "shop"}
        first, second = decide | {"request_id": "q1", "body": "b1"}, decide | {"request_id": "q2", "body": "b2"}
        seen = {"source": "esp", "id": "o1", "body": "bo", "decision_id": "d1", "step": 1, "type": "opened"}
        email = {"customer": "anna", "channel": "email", "purpose": "marketing"}
        self.call(0, "grant", 10, 20, email | {"evidence": "ev1"}, {"status": 200})
        self.call(0, "decide", 100, 200, first, {"status": 200, "sha": "a1"} | R1)
        self.call(1, "decide", 110, 150, first, {"status": 409, "retry_after": 1})
        self.call(1, "decide", 210, 250, first, {"status": 200, "sha": "a1"} | R1)
        self.call(1, "decide", 260, 270, first | {"body": "other"}, {"status": 422})
        self.call(0, "confirm", 300, 310, {"reservation_id": "r1", "epoch": 1}, {"status": 200})
        self.call(0, "outcome", 320, 330, seen, {"status": 200, "sha": "ao"})
        self.call(1, "outcome", 321, 335, seen, {"status": 200, "sha": "ao"})
        self.call(1, "outcome", 340, 345, seen | {"id": "o2", "decision_id": "d0"}, {"status": 200, "sha": "an"})
        self.call(0, "withdraw", 400, 410, email, {"status": 200})
        self.call(0, "decide", 500, 510, second, {"status": 200, "sha": "a2"} | R2)
        self.call(0, "release", 520, 530, {"reservation_id": "r2", "epoch": 2}, {"status": 200})
        third = decide | {"request_id": "q3", "body": "b3", "decision_id": "d2", "step": 2}
        self.call(0, "reserve", 540, 550, third, {"status": 201, "sha": "a3"} | R3)
        self.call(0, "pause", 700, 710, {"customer": "anna", "until": T0 + 99 * HOUR}, {"status": 200})
        self.call(0, "object", 720, 730, {"customer": "anna"}, {"status": 200})
        self.call(1, "erase", 740, 750, {"customer": "bert"}, {"status": 202, "erasure_id": "e1"})
        self.call(1, "decide", 760, None, second | {"request_id": "q9"}, {})

    def call(self, client: int, kind: str, asked: int, answered: int | None, ask: Row, answer: Row) -> None:  # noqa: PLR0917 - one line a call
        """Write one call; none without an answer."""
        lines = self.histories[client]
        named = {"client": f"p{client}", "call": len(lines), "kind": kind, "wall": 0}
        lines.append(named | {"phase": "ask", "at": asked} | ask)
        if answered is not None:
            lines.append(named | {"phase": "answer", "at": answered} | answer)

    def line(self, at: int) -> Row:
        """The line that was written at this moment."""
        return next(line for lines in self.histories for line in lines if line["at"] == at)

    def row(self, table: str, **named: Any) -> Row:
        """The row with these values."""
        return next(row for row in self.dump if row["table"] == table and named.items() <= row.items())

    def drop(self, table: str, **named: Any) -> None:
        """Lose that row."""
        self.dump.remove(self.row(table, **named))

    def again(self, table: str, named: Row, **changed: Any) -> None:
        """Add that row once more, with changes."""
        self.dump.append(self.row(table, **named) | changed)


def _dump() -> list[Row]:
    decision = ANNA | {"table": "decisions", "client": "shop", "status": 200}
    kept = ANNA | {"table": "contacts"}
    email = ANNA | {"table": "consents", "channel": "email", "purpose": "marketing"}
    outcome = {"table": "outcomes", "source": "esp", "step": 1, "type": "opened"}
    old = {"journey": "welcome", "channel": "push", "purpose": "marketing", "timing": "scheduled", "origin": "history"}
    return [
        {"table": "verify", "exit": 0},
        {"table": "caps", "id": "day", "limit": 1, "window_hours": 24, "channels": ["push", "sms"]},
        {"table": "caps", "id": "week", "limit": 5, "reserve": 2, "calendar": "week"},
        {"table": "caps", "id": "goal", "limit": 3, "calendar": "month", "journeys": ["welcome"]},
        {"table": "subjects", "time_zone": "Europe/Berlin"} | ANNA,
        kept | old | {"send_at": T0 - 40 * 24 * HOUR, "state": "confirmed"},
        decision | {"decision_id": "d1", "request_id": "q1", "body_digest": "b1", "answer_sha256": "a1", "decided_at": T0, "order": 2},
        decision | {"decision_id": "d2", "request_id": "q2", "body_digest": "b2", "answer_sha256": "a2", "decided_at": T0, "order": 7},
        kept | R1 | {"state": "confirmed", "reserved_at": T0, "reserved_order": 2, "settled_at": T0 + 9, "settled_order": 3, "outcomes": 1},
        kept | R2 | {"state": "released", "reserved_at": T0 + 26 * HOUR, "reserved_order": 7, "settled_at": T0 + 26 * HOUR + 9, "settled_order": 8},
        kept | R3 | {"state": "reserved", "reserved_at": T0 + 27 * HOUR, "reserved_order": 9},
        email | {"state": "granted", "valid_from": T0 - HOUR, "order": 1, "evidence": "ev1"},
        email | {"state": "withdrawn", "valid_from": T0 + HOUR, "order": 6},
        outcome | {"id": "o1", "decision_id": "d1", "matched": True, "order": 4},
        outcome | {"id": "o2", "decision_id": "d0", "matched": False, "order": 5},
        ANNA | {"table": "rights", "kind": "pause", "order": 10, "until": T0 + 99 * HOUR},
        ANNA | {"table": "rights", "kind": "objection", "order": 11},
        {"table": "rights", "kind": "erasure", "subject": "s2", "order": 1, "id": "e1"},
    ]  # fmt: skip
