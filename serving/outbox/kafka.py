"""A Kafka topic (the extra `kafka`): each event is one record, its key the subject, its value a structured CloudEvent.

All replicas that are in step must have a record before it counts (`acks=all`), the producer is idempotent, and a subject's next
event is sent only when the one before was acknowledged: a record that timed out can then not be overtaken.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from arbitration.errors import InputError, StateError
from serving.outbox.events import MEDIA_TYPE, Event
from serving.outbox.sinks import Failure, waves

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

TIMEOUT_SECONDS = 8.0
_HEADERS: list[tuple[str, str | bytes | None]] = [("content-type", MEDIA_TYPE.encode())]
_BROKER = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}"
_ADDRESS = re.compile(rf"({_BROKER}(?:,{_BROKER})*)/([A-Za-z0-9._-]{{1,249}})")


def open_topic(address: str, brand: str) -> Topic:
    """The topic at `HOST:PORT[,HOST:PORT…]/TOPIC`. Raises `InputError`; `StateError` when the extra is not installed."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise InputError("is no Kafka topic", where="--to kafka:…", mend="name kafka:HOST:PORT[,HOST:PORT]/TOPIC")
    try:
        from confluent_kafka import Producer
    except ImportError:
        raise StateError(
            "the extra kafka is not installed", where="--to kafka:…", mend="run: pip install 'dirigent[kafka]'"
        ) from None
    return Topic(Producer(settings_of(found[1])), found[1], found[2], brand)


def settings_of(brokers: str) -> dict[str, Any]:
    """The producer's settings."""
    return {
        "bootstrap.servers": brokers,
        "acks": "all",
        "enable.idempotence": True,
        "message.timeout.ms": int(TIMEOUT_SECONDS * 1000),
        "linger.ms": 2,
        "client.id": "dirigent",
        "log_level": 0,  # what goes wrong is in the deliveries' errors
    }


class Topic:
    """Writes to one topic."""

    def __init__(self, producer: Producer, brokers: str, topic: str, brand: str) -> None:
        self.name = f"kafka:{brokers}/{topic}"
        self._producer, self._topic, self._brand = producer, topic, brand

    def offer(self, events: Sequence[Event], until: float) -> Mapping[int, Failure | None]:
        """One event of each subject at a time; the rest of a subject waits when one of its events failed."""
        found: dict[int, Failure | None] = {}
        failed: set[str] = set()
        for wave in waves(events):
            if time.monotonic() >= until or any(failure and failure.everyone for failure in found.values()):
                break
            told = self._tell([event for event in wave if event.subject not in failed])
            failed |= {event.subject for event in wave if told.get(event.number) is not None}
            found |= told
        return found

    def close(self) -> None:
        """Drop what was not acknowledged: it comes again."""
        self._producer.purge()
        self._producer.flush(1.0)

    def _tell(self, wave: list[Event]) -> dict[int, Failure | None]:
        found: dict[int, Failure | None] = {}
        try:
            for event in wave:
                self._produce(event, found)
                self._producer.poll(0)
        except BufferError:
            found[event.number] = Failure("the producer's queue is full", everyone=True)
        self._producer.flush(TIMEOUT_SECONDS + 2)
        for event in wave:
            found.setdefault(event.number, Failure("no acknowledgement", everyone=True))
        return found

    def _produce(self, event: Event, found: dict[int, Failure | None]) -> None:
        def reported(error: KafkaError | None, _: object) -> None:
            found[event.number] = _failure(error)

        value = event.cloud_event(self._brand)
        self._producer.produce(self._topic, value, event.subject, headers=_HEADERS, on_delivery=reported)


def _failure(error: KafkaError | None) -> Failure | None:
    """What a delivery report means: a record that is too large concerns itself alone, all else the topic."""
    if error is None:
        return None
    name = str(error.name())
    return Failure(f"Kafka {name}", slow=name == "MSG_SIZE_TOO_LARGE", everyone=name != "MSG_SIZE_TOO_LARGE")
