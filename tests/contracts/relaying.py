"""Relays for tests: one in a process of its own that may be killed, a sink that fails at random, a webhook's receiver on loopback."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.process import BaseProcess
from pathlib import Path

from sqlalchemy import select

from serving.clock import Clock
from serving.ledger.bookkeeping import outbox
from serving.ledger.keyring import Keyring
from serving.ledger.store import Ledger
from serving.outbox import backoff, lease, relay
from serving.outbox.jsonl import JsonLines
from serving.outbox.sinks import Failure
from serving.outbox.webhook import Webhook, checked, signature
from tests.forkserver import forks

SECRET = b"w" * 32
LEASE = timedelta(seconds=1)


class Flaky:
    """Passes a part of what it is offered on, and says of the rest that it failed; sometimes of what it passed on, too."""

    def __init__(self, sink, seed: int) -> None:
        self.name, self._sink, self._dice = sink.name, sink, random.Random(seed)  # noqa: S311

    def offer(self, events, until):
        many = self._dice.randint(1, len(events))
        told = dict(self._sink.offer(events[:many], until))
        if self._dice.random() < 0.3:
            first_failed = next(iter(told), None)
            subject = next((event.subject for event in events if event.number == first_failed), None)
            told = {event.number: None for event in events[:many] if event.subject != subject}
            told |= {first_failed: Failure("by chance")} if first_failed is not None else {}
        return told

    def close(self) -> None:
        self._sink.close()


class Taker:
    """A sink in memory. `refuses`: event types, by what becomes of them."""

    def __init__(self, name: str = "test", **refuses: Failure) -> None:
        self.name, self.refuses, self.taken = name, refuses, []

    def offer(self, events, until):
        told, halted = {}, set()
        for event in events:
            if event.subject not in halted:
                told[event.number] = self.refuses.get(event.type)
                if told[event.number] is None:
                    self.taken.append(event)
                else:
                    halted.add(event.subject)
        return told

    def close(self) -> None:
        pass


class Receiver(BaseHTTPRequestHandler):
    """Keeps what was signed right; one POST in eight is answered 500 after it was kept, one in eight before."""

    protocol_version = "HTTP/1.1"
    got: list[dict]
    turn = threading.Lock()
    fails = True
    secret = SECRET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        dice = random.random() if self.fails else 1.0  # noqa: S311
        signed = signature(self.secret, self.headers["webhook-id"], self.headers["webhook-timestamp"], body)
        right = self.headers["webhook-signature"] == signed
        right = right and self.headers["content-type"] == "application/cloudevents+json"
        if right and dice > 1 / 8:
            with self.turn:
                self.got.append(json.loads(body))
        self.send_response(400 if not right else 500 if dice < 1 / 4 else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiver(handler: type[BaseHTTPRequestHandler] = Receiver, **more: object) -> Iterator[tuple[str, list[dict]]]:
    """A webhook's receiver: its URL, and what it got."""
    got: list[dict] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (handler,), {"got": got, **more})) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/events", got
        finally:
            server.shutdown()
            thread.join()


def start(ledger: Ledger, folder: Path, url: str, seed: int) -> BaseProcess:
    """A relay of its own process to a flaky file in the folder, and to a webhook."""
    keys = ledger.keyring
    secrets = (keys.master, keys.audit, keys.suppression)
    named = ledger.place.path or str(ledger.place.url)
    process = forks().Process(target=_relay, args=((named, secrets, ledger.clock.now()), folder, url, seed))
    process.start()
    return process


def _relay(store: tuple[Path | str, tuple[bytes, ...], datetime], folder: Path, url: str, seed: int) -> None:
    """The relay's own process, with a short lease and short waits."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - it ends with the process
    quicken()
    named, secrets, now = store
    ledger = Ledger(named, Keyring(*secrets), Clock(now))
    file = JsonLines(folder / "outbox.jsonl", "shop", rotate_bytes=20_000)
    sinks = [Flaky(file, seed), Webhook(checked(url), SECRET, "shop")]
    relay.run(ledger, sinks, threading.Event(), from_start=True)


def quicken() -> None:
    """Make waits short."""
    lease.LENGTH, backoff.FIRST, relay.IDLE_SECONDS, relay.LONGEST_REST = LEASE, 0.02, 0.02, 0.1


def lines_in(folder: Path) -> list[dict]:
    """Every whole line of the files of a folder, the oldest first; the file that is written is the last."""
    full = sorted(folder.glob("outbox.*.jsonl"))
    text = b"".join(path.read_bytes() for path in [*full, folder / "outbox.jsonl"] if path.exists())
    return [json.loads(line) for line in text.split(b"\n")[:-1]]


def committed(ledger: Ledger) -> dict[str, list[str]]:
    """The ids of all events in the outbox, in the order of each subject."""
    with ledger.reading() as reading:
        rows = reading.connection.execute(select(outbox).order_by(outbox.c.version, outbox.c.place, outbox.c.number))
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(row.subject, []).append(row.event_id)
    return found


def first_told(events: list[dict]) -> dict[str, list[str]]:
    """The ids of events in the order in which each subject's came for the first time."""
    found: dict[str, list[str]] = {}
    for subject, name in dict.fromkeys((event["subject"], event["id"]) for event in events):
        found.setdefault(subject, []).append(name)
    return found
