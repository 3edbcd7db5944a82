"""The histories of all clients, read into indexes: what the clients saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.history.lines import Placed, Row, Unreadable, take
from tests.history.rows import FOREVER, Attempt, Handed, Place, Report, Settling, Wish

Key = tuple[str, str, str]
"""(kind, caller, request_id); of an outcome (kind, source, id)."""
WISHES = ("grant", "withdraw", "object", "pause", "erase")


@dataclass(slots=True)
class Seen:
    """Every call of every client, by what it was about. A call without a second line is there without an answer."""

    attempts: dict[Key, list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    reports: dict[Place, Report] = field(default_factory=dict)
    handed: dict[str, list[Handed]] = field(default_factory=lambda: defaultdict(list))
    settlings: dict[str, list[Settling]] = field(default_factory=lambda: defaultdict(list))
    wishes: dict[str, list[Wish]] = field(default_factory=lambda: defaultdict(list))
    callers: set[str] = field(default_factory=set)
    calls: int = 0

    @classmethod
    def of(cls, histories: Iterable[Iterable[Placed]]) -> Seen:
        """What these histories tell. Raises `Unreadable` for a line that is not as FORMAT.md has it."""
        seen = cls()
        for history in histories:
            seen.add_history(history)
        for attempts in seen.attempts.values():
            attempts.sort(key=lambda attempt: attempt.asked_at)
        for (
            handed
        ) in seen.handed.values():  # an answer that is given again was decided when its key was first asked for
            handed[:] = [each._replace(asked_at=seen.attempts[each.key][0].asked_at) for each in handed]
        return seen

    def add_history(self, history: Iterable[Placed]) -> None:
        """The lines of one client process."""
        open_calls: dict[int, Placed] = {}
        for place, row in history:
            phase, call = row.get("phase"), row.get("call")
            if not isinstance(call, int) or phase not in {"ask", "answer", "unknown"}:
                raise Unreadable(f"file {place.file}, line {place.line}: no call number or unknown phase")
            if phase == "ask":
                if call in open_calls:
                    raise Unreadable(f"file {place.file}, line {place.line}: call {call} is asked twice")
                open_calls[call] = (place, row)
                continue
            if call not in open_calls:
                raise Unreadable(f"file {place.file}, line {place.line}: call {call} was not asked")
            self._add(*open_calls.pop(call), row if phase == "answer" else {})
        for place, row in open_calls.values():
            self._add(place, row, {})

    def _add(self, place: Place, ask: Row, answer: Row) -> None:
        """One call; `answer` is empty where there was none."""
        self.calls += 1
        kind = ask.get("kind")
        if kind in {"decide", "reserve"}:
            take(place, ask, lambda at, row: self._add_attempt(at, row, answer))
        elif kind == "outcome":
            take(place, ask, lambda at, row: self._add_outcome(at, row, answer))
        elif kind in {"confirm", "release"}:
            take(place, ask, lambda at, row: self._add_settling(at, row, answer))
        elif kind in WISHES:
            take(place, ask, lambda at, row: self._add_wish(at, row, answer))
        else:
            raise Unreadable(f"file {place.file}, line {place.line}: unknown kind {kind!r}")

    def _add_attempt(self, place: Place, ask: Row, answer: Row) -> None:
        if ask.get("mode") == "dry_run":
            return
        caller = ask.get("caller") or ask["client"]
        self.callers.add(caller)
        key = (ask["kind"], caller, ask["request_id"])
        attempt = _attempt(place, ask, answer, ask["customer"])
        self.attempts[key].append(attempt)
        reservation_id = answer.get("reservation_id")
        if attempt.done and reservation_id is not None:
            told = {name: answer[name] for name in _TOLD if answer.get(name) is not None}
            if ask["kind"] == "reserve":
                told = {"decision_id": ask.get("decision_id"), "step": ask.get("step")} | told
            handed = Handed(place, key, reservation_id, ask["customer"], ask["at"], attempt.answered_at, told)
            self.handed[reservation_id].append(handed)

    def _add_outcome(self, place: Place, ask: Row, answer: Row) -> None:
        self.attempts["outcome", ask["source"], ask["id"]].append(_attempt(place, ask, answer, ""))
        self.reports[place] = Report(ask["decision_id"], ask["step"], ask["type"])

    def _add_settling(self, place: Place, ask: Row, answer: Row) -> None:
        named, times = (ask["kind"], ask["reservation_id"], ask.get("epoch")), _times(ask, answer)
        self.settlings[ask["reservation_id"]].append(Settling(place, *named, *times))

    def _add_wish(self, place: Place, ask: Row, answer: Row) -> None:
        kind, customer = ask["kind"], ask["customer"]
        named = kind in {"grant", "withdraw"}
        channel, purpose = (ask["channel"], ask["purpose"]) if named else ("", "")
        until = int(ask["until"]) if kind == "pause" else FOREVER
        wish = Wish(
            place, kind, customer, channel, purpose, until, *_times(ask, answer), ask.get("evidence"),
            answer.get("erasure_id"),
        )  # fmt: skip
        self.wishes[customer].append(wish)


_TOLD = (
    "decision_id", "step", "epoch", "journey", "channel", "purpose", "timing", "send_at", "lease_until",
)  # fmt: skip


def _times(ask: Row, answer: Row) -> tuple[int, int, int]:
    """When it was asked and answered, and the status: FOREVER and 0 without an answer."""
    return (ask["at"], answer["at"], int(answer["status"])) if answer else (ask["at"], FOREVER, 0)


def _attempt(place: Place, ask: Row, answer: Row, customer: str) -> Attempt:
    sha, retry = answer.get("sha"), bool(answer.get("retry_after"))
    return Attempt(place, customer, *_times(ask, answer), ask["body"], sha, retry, answer.get("decision_id"))
