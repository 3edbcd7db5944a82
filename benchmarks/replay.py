"""How long it takes to see what another policy would change, over 100,000 recorded decisions on two processes.

Run after `make demo`: `make bench`, or `python benchmarks/replay.py`. Some hundreds of real decisions of the example shop are made
in a temporary ledger and recorded again for other customers at other moments until there are 100,000: synthetic, and said so.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from arbitration.codec import decode
from arbitration.errors import DirigentError, LedgerError
from arbitration.policy import Policy
from features.home import Home
from features.tables.example import AS_OF
from serving.auth import Client
from serving.bootstrap import build
from serving.compact import compact, plain
from serving.decisions import decide_for
from serving.ledger.keyring import Keyring
from serving.ledger.packing import packed, unpacked
from serving.ledger.place import Address
from serving.ledger.schema import decisions
from serving.replay_many import PROCESSES, check_many, compare_many
from serving.settings import Settings

RECORDS = 100_000
REAL = 400
CHECKED = 1_000
PARTS = ("answer", "inputs", "decision")
CLIENT = Client("bench", "admin")


def main() -> None:
    """Print seconds, records a second, bytes a record, and the ratio to deciding each record anew."""
    home = Home.from_environment()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("tables", "features", "feast", "bundles"):
            (Path(folder) / name).symlink_to(getattr(home, name))
        shutil.copytree(home.keys, Home(Path(folder)).keys)  # the ledger's own keys are made beside them
        policy, address = _decided(Path(folder))
        _multiply(address)
        _print(address, policy)


def _decided(root: Path) -> tuple[Policy, Address]:
    """Decide for some hundreds of households, each in its own moment of the day that the example ends with."""
    runtime = build(Settings(home=root, as_of=AS_OF, log_level="error"))
    with runtime.ledger.reading() as reading:
        customers = reading.customers(REAL)
    for number, customer in enumerate(customers):
        decide_for(runtime, CLIENT, json.dumps({"request_id": f"r-{number}", "customer": {"id": customer}}).encode())
    runtime.close()
    return runtime.policy, runtime.ledger.address


def _multiply(address: Address) -> None:
    """Every record again under other customers, ids, dice and moments (up to six days later, so that contacts age)."""
    dice = random.Random(1)  # noqa: S311 - a benchmark repeats itself
    with closing(sqlite3.connect(_file(address))) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.row_factory = sqlite3.Row
        real = [dict(row) for row in connection.execute("SELECT * FROM decisions JOIN subjects USING (subject)")]
        opened = [_opened(row, address.keyring) for row in real]
        for number in range(len(real), RECORDS):
            at = number % len(real)
            subject, row = _again(real[at], opened[at], number, dice, address.keyring)
            for table, values in (("subjects", subject), ("decisions", row)):
                names, marks = ", ".join(values), ", ".join("?" * len(values))
                connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))


def _file(address: Address) -> Path:
    if address.place.path is None:
        raise LedgerError("the benchmark writes into a file", mend="unset DIRIGENT_LEDGER")
    return address.place.path


def _opened(row: dict[str, Any], keyring: Keyring) -> dict[str, bytes]:
    """The sealed parts of a row, still compressed."""
    key = keyring.unwrapped(row["sealing_key"], row["subject"])
    return {part: keyring.open(key, row[part], f"{row['decision_id']}.{part}") for part in PARTS}


def _again(
    real: dict[str, Any], opened: dict[str, bytes], number: int, dice: random.Random, keyring: Keyring
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A new customer's row, and the record of a decision about them."""
    told = plain(unpacked(opened["inputs"]) or b"")
    told["now"] = decode(datetime, told["now"]) + timedelta(minutes=dice.randrange(6 * 24 * 60))
    told["draw"], told["context"]["customer_id"] = dice.random(), f"synthetic-{number}"
    owner, name = keyring.new_id("s"), f"d-synthetic-{number}"
    wrapped = keyring.new_key(owner)
    key, parts = keyring.unwrapped(wrapped, owner), opened | {"inputs": packed(compact(told))}
    subject = {"subject": owner, "customer_id": f"synthetic-{number}", "sealing_key": wrapped}
    subject |= {"version": 1, "epoch": 0, "last_at": real["decided_at"]}
    row = {it.name: real[it.name] for it in decisions.columns if it.name != "number"}
    row |= {"decision_id": name, "request_id": f"synthetic-{number}", "subject": subject["subject"]}
    return subject, row | {part: keyring.seal(key, plain, f"{name}.{part}") for part, plain in parts.items()}


def _print(address: Address, policy: Policy) -> None:
    with closing(sqlite3.connect(_file(address))) as connection:
        sizes = "SELECT avg(length(inputs)), avg(length(decision)) FROM decisions"
        inputs, decision = connection.execute(sizes).fetchone()
    rested = {name: replace(it, cooldown_hours=2 * it.cooldown_hours) for name, it in policy.journeys.items()}
    candidate = replace(policy, version="candidate", journeys=rested)
    (seconds, work), radius = _timed(lambda: compare_many(address, range(1, RECORDS + 1), candidate, _ignore).radius)
    (alone, work_alone), _ = _timed(lambda: check_many(address, range(1, CHECKED + 1), _ignore))
    print(f"{'':<36}{'records':>9}{'seconds':>9}{'a second':>10}{'ms of CPU each':>16}")
    for title, records, taken, used in (
        ("blast radius, columns", RECORDS, seconds, work),
        ("byte for byte, each decided anew", CHECKED, alone, work_alone),
    ):
        print(f"{title:<36}{records:>9,}{taken:>9.1f}{records / taken:>10,.0f}{used / records * 1e3:>16.2f}")
    ratio = (work_alone / CHECKED) / (work / RECORDS)
    print(f"ratio of CPU {ratio:.1f}, on {PROCESSES} processes; {radius.changed:,} of the favorites differ")
    print(f"{inputs:,.0f} bytes of inputs and {decision:,.0f} bytes of decision a record")


def _timed(work: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
    """Seconds by the clock and of CPU, in all processes, and what came out: other programs slow down the first alone."""
    started, before = time.perf_counter(), _cpu()
    found = work()
    return (time.perf_counter() - started, _cpu() - before), found


def _cpu() -> float:
    return sum(os.times()[:4])


def _ignore(_: int) -> None:
    """Nobody watches the progress."""


if __name__ == "__main__":
    try:
        main()
    except DirigentError as fault:
        sys.exit(str(fault))
