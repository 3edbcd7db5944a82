"""How fast the relay is: events a second from the ledger to a file and to a webhook on loopback, on both stores.

Run: `python benchmarks/reliability/outbox.py [--events N] [--customers N]`. It makes ledgers of its own in a temporary folder (and a
PostgreSQL of its own where initdb is installed), fills their outbox with simulated events, and measures from the first look until
the last event is settled. The webhook's receiver runs in a process of its own, and both share this machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the PostgreSQL is that of the tests

from sqlalchemy import insert

from serving.ledger.bookkeeping import outbox
from serving.ledger.engine import transaction
from serving.ledger.keyring import Keyring
from serving.ledger.store import Ledger
from serving.outbox import relay
from serving.outbox.jsonl import JsonLines
from serving.outbox.sinks import Sink
from serving.outbox.webhook import Webhook, checked
from tests.own_postgres import OwnPostgres, programs

DATA = '{"channel":"push","decision_id":"d-0123456789abcdef01234567","epoch":3,"journey":"welcome","mode":"live","outcome":"act"}'


def main() -> None:
    """Print one row per store and sink."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--events", type=int, default=20_000)
    options.add_argument("--customers", type=int, default=2_000)
    given = options.parse_args()
    print(f"{given.events:,} simulated events of {given.customers:,} customers")
    print(f"{'store':12} {'sink':10} {'seconds':>8} {'events/s':>10}")
    with tempfile.TemporaryDirectory() as folder:
        _measure("SQLite", Path(folder) / "ledger.db", given, Path(folder))
        if programs() is None:
            print("PostgreSQL   is not installed")
            return
        cluster = OwnPostgres()
        try:
            _measure("PostgreSQL", cluster.new_database(), given, Path(folder))
        finally:
            cluster.remove()


def _measure(store: str, named: Path | str, given: argparse.Namespace, folder: Path) -> None:
    ledger = Ledger(named, Keyring.fresh())
    _fill(ledger, given.events, given.customers)
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_receive, args=(there,))
    process.start()
    try:
        url = f"http://127.0.0.1:{here.recv()}/events"
        file = JsonLines(folder / store / "outbox.jsonl", "shop")
        for kind, sink in (("file", file), ("webhook", Webhook(checked(url), b"s" * 32, "shop"))):
            seconds = _seconds(ledger, sink, given.events)
            print(f"{store:12} {kind:10} {seconds:8.2f} {given.events / seconds:10,.0f}")
    finally:
        process.terminate()
        process.join()
        ledger.close()


def _seconds(ledger: Ledger, sink: Sink, events: int) -> float:
    began = time.perf_counter()
    told = relay.drain(ledger, [sink], threading.Event(), from_start=True)
    seconds = time.perf_counter() - began
    if told != {sink.name: relay.Told(delivered=events)}:
        sys.exit(f"not every event arrived: {told}")
    return seconds


def _fill(ledger: Ledger, events: int, customers: int) -> None:
    rows = [
        {"event_id": f"e-{number:024x}", "subject": f"s-{number % customers:024x}", "version": number // customers, "place": 0,
         "type": "dirigent.decision.made.v1", "at": 1_514_905_200_000_000 + number, "data": DATA}
        for number in range(events)
    ]  # fmt: skip
    with transaction(ledger.engine, ledger.place) as connection:
        for start in range(0, events, 5_000):
            connection.execute(insert(outbox), rows[start : start + 5_000])


class _Receiver(BaseHTTPRequestHandler):
    """Reads, and says yes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Take one event."""
        self.rfile.read(int(self.headers["content-length"]))
        self.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _receive(pipe: Connection) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        pipe.send(server.server_address[1])
        server.serve_forever()


if __name__ == "__main__":
    main()
