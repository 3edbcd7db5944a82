"""What a sink is: somewhere events are told. How it answers, and how one is named on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from arbitration.errors import InputError
from features.home import Home
from serving.outbox.events import Event

DEFAULT_FILE = Path("events") / "outbox.jsonl"
"""Where events go when no sink is named, within the home."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an event was not taken, in words that hold nothing of the event.

    `wait` are the seconds the sink asked for. `slow`: the same event will hardly be taken soon (it was refused, not missed).
    `everyone`: no other event would have been taken either.
    """

    reason: str
    wait: float | None = None
    slow: bool = False
    everyone: bool = False


class Sink(Protocol):
    """Takes events. `name` is what the ledger keeps its deliveries under: another name is another sink."""

    name: str

    def offer(self, events: Sequence[Event], until: float) -> Mapping[int, Failure | None]:
        """Tell events, in order for each subject; none that follows one that failed.

        Returns by event number what became of it: None when it was taken for good; events that were not tried are left out.
        Nothing new is begun after `until` (seconds of `time.monotonic()`).
        """

    def close(self) -> None:
        """Give back what it holds."""


def by_subject(events: Sequence[Event]) -> list[list[Event]]:
    """The events of each subject, in the order given."""
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(event.subject, []).append(event)
    return list(found.values())


def waves(events: Sequence[Event]) -> Iterator[list[Event]]:
    """At most one event of each subject at a time: first the first ones, then the second ones, and so on."""
    rows = by_subject(events)
    for place in range(max(map(len, rows), default=0)):
        yield [row[place] for row in rows if place < len(row)]


def open_sinks(addresses: Iterable[str | None], home: Home, brand: str) -> list[Sink]:
    """The sinks at these addresses. Raises `InputError`, also when two of them are the same."""
    sinks = [open_sink(address, home, brand) for address in addresses]
    names = [sink.name for sink in sinks]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError("is named twice", where=f"--to {min(twice)}", mend="name every sink once")
    return sinks


def open_sink(address: str | None, home: Home, brand: str) -> Sink:
    """The sink at `jsonl:PATH`, `https://…`, `http://…` or `kafka:BROKERS/TOPIC`; None: a file in the home. Raises `InputError`."""
    kind, _, rest = (f"jsonl:{home.root / DEFAULT_FILE}" if address is None else address).partition(":")
    if kind == "jsonl" and rest:
        from serving.outbox.jsonl import JsonLines

        return JsonLines(Path(rest).resolve(), brand)
    if kind in ("http", "https"):
        from serving.auth import secret
        from serving.outbox.webhook import Webhook, checked

        return Webhook(checked(f"{kind}:{rest}"), secret(home, "webhook"), brand)
    if kind == "kafka":
        from serving.outbox.kafka import open_topic

        return open_topic(rest, brand)
    raise InputError("is no sink", where=f"--to {kind}", mend="name jsonl:PATH, https://…, or kafka:BROKERS/TOPIC")
