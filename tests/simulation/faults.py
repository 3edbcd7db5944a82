"""A fault at the n-th call to the store, for every n: the call fails before or after its effect, or the process dies behind it.

Of a process that dies between two calls it does not matter whether that is said to be behind the first or before the second.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import event, func, select

from arbitration.errors import LedgerError
from serving import consents, decisions, outcomes, reservations, rights, steps
from serving.bootstrap import Runtime
from serving.clock import Clock
from serving.ledger import bookkeeping, schema
from serving.ledger.keyring import Keyring
from serving.ledger.verify import AUDITED, verify
from tests.simulation.catalog import small_policy
from tests.simulation.orchestrators import ENGINE
from tests.simulation.shop import Features, SteppedLedger, fill, process

Fault = Literal["error before", "error after", "kill after"]
FAULTS: tuple[Fault, ...] = ("error before", "error after", "kill after")
BEGIN = datetime(2024, 10, 21, 9, tzinfo=UTC)
LATER = timedelta(days=1, hours=1)
Call = Callable[[Runtime], tuple[int, bytes]]


class Killed(BaseException):
    """The process is gone."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A ledger in which everything can be done next: what was decided of whom, the place that is reserved and the one to come."""

    folder: Path
    keys: tuple[bytes, bytes, bytes]
    held: dict[str, Any]
    planned: dict[str, Any]
    now: datetime


def _body(**said: Any) -> bytes:
    return json.dumps(said).encode()


def _said(**more: Any) -> bytes:
    return _body(id="w-1", source="app", customer={"id": "holder"}, **more)


def writes(found: Prepared) -> dict[str, Call]:
    """One call of each kind that writes, by name."""
    held, epoch = found.held["id"], found.held["epoch"]
    report = _body(id="o-1", source="esp", decision_id=found.planned["decision_id"], step=0, type="complained",
                   occurred_at=found.now.isoformat())  # fmt: skip
    step = _body(request_id="s-1", decision_id=found.planned["decision_id"], step=1)
    return {
        "decide": lambda it: decisions.decide_for(it, ENGINE, _body(request_id="q-9", customer={"id": "new"})),
        "decide again, with a lease that is over": lambda it: decisions.decide_for(
            it, ENGINE, _body(request_id="q-9", customer={"id": "lapsed"})
        ),
        "confirm": lambda it: reservations.confirm(it, ENGINE, held, _body(epoch=epoch)),
        "release": lambda it: reservations.release(it, ENGINE, held, _body(epoch=epoch)),
        "outcome": lambda it: outcomes.report(it, report),
        "consent": lambda it: consents.receive_consent(it, _said(state="withdrawn")),
        "objection": lambda it: rights.receive_objection(it, _said(state="objected")),
        "pause": lambda it: rights.receive_pause(
            it, _said(until=(found.now + timedelta(days=3)).isoformat(), reason="complaint")
        ),
        "erasure": lambda it: rights.receive_erasure(it, _said(reason="objection")),
        "step": lambda it: steps.reserve_step(it, ENGINE, step),
    }


def prepare(folder: Path) -> Prepared:
    """A ledger with three customers: one whose contact is reserved, one whose first step was confirmed a day ago, one whose lease is over."""
    ring = Keyring.fresh(random.Random(1).randbytes)  # noqa: S311 - the seed reproduces the ledger
    time = {"now": BEGIN.timestamp()}
    runtime = _opened(folder, ring, lambda: time["now"])
    fill(runtime.ledger, dict.fromkeys(("holder", "sent", "lapsed", "new"), "Europe/Berlin"), BEGIN, [])

    def decided(customer: str, *channels: str) -> dict[str, Any]:
        asked = {"request_id": f"q-{customer}", "customer": {"id": customer}, "channels": channels}
        for number in range(50):  # silence is drawn now and then
            answer = decisions.decide_for(runtime, ENGINE, _body(**asked | {"request_id": f"q-{customer}-{number}"}))[1]
            found: dict[str, Any] = json.loads(answer)
            if len(found["plan"]) > (customer == "sent"):
                return found
            if "reservation" in found:
                reservations.release(
                    runtime, ENGINE, found["reservation"]["id"], _body(epoch=found["reservation"]["epoch"])
                )
        raise AssertionError("nothing was decided")

    sent = decided("sent", "in_app", "push")
    reservations.confirm(runtime, ENGINE, sent["reservation"]["id"], _body(epoch=sent["reservation"]["epoch"]))
    decided("lapsed", "in_app")
    time["now"] += LATER.total_seconds()
    held = decided("holder", "push")
    runtime.close()
    return Prepared(folder, (ring.master, ring.audit, ring.suppression), held["reservation"], sent, BEGIN + LATER)


def _opened(folder: Path, ring: Keyring, wall: Callable[[], float]) -> Runtime:
    ledger = SteppedLedger(folder / "ledger.db", ring, Clock(wall=wall, elapsed=wall), lambda _: None)
    return process(folder, small_policy(), Features({}, BEGIN), ledger)


def opened(found: Prepared, folder: Path) -> Runtime:
    """A service process on a prepared ledger's files in `folder`."""
    ring = Keyring(*found.keys, random.Random(2).randbytes)  # noqa: S311 - see above
    return _opened(folder, ring, found.now.timestamp)


def copied(source: Path, target: Path) -> Path:
    """The files of a ledger, as somebody finds them who comes after a crash: whoever opens them goes by the log."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in ("ledger.db", "ledger.db-wal"):
        if (source / name).exists():
            shutil.copy(source / name, target / name)
    return target


@contextmanager
def fault_at(runtime: Runtime, number: int, fault: Fault, grave: Path) -> Iterator[list[str]]:
    """The `number`-th statement of the process fails, BEGIN, COMMIT and ROLLBACK counted. With a kill the files are copied to `grave` as
    they are at that moment. Gives the statement that was hit, empty as long as none was.
    """
    engine, seen, hit = runtime.ledger.engine, [0], list[str]()

    def count(*given: Any) -> None:
        seen[0] += 1
        if seen[0] == number and fault == "error before":
            hit.append(given[2])
            raise sqlite3.OperationalError("disk I/O error")

    def after(*given: Any) -> None:
        if seen[0] != number or hit or fault == "error before":
            return
        hit.append(given[2])
        if fault == "error after":
            raise sqlite3.OperationalError("disk I/O error")
        copied(runtime.settings.home, grave)
        raise Killed

    event.listen(engine, "before_cursor_execute", count)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield hit
    finally:
        event.remove(engine, "before_cursor_execute", count)
        event.remove(engine, "after_cursor_execute", after)


def state_of(runtime: Runtime) -> dict[str, Any]:
    """How many rows each table has, where every contact stands, and how often anything was written about a customer."""
    with runtime.ledger.reading() as reading:
        ask = reading.connection.execute
        counts: dict[str, Any] = {
            table.name: ask(select(func.count()).select_from(table)).scalar_one()
            for table in (*AUDITED, bookkeeping.audit, bookkeeping.outbox)
        }
        table = schema.contacts.c
        counts["states"] = sorted(tuple(row) for row in ask(select(table.step, table.state, table.settled_by)))
        counts["versions"] = sorted(ask(select(schema.subjects.c.version)).scalars())
    return counts


def answers_of(runtime: Runtime) -> set[bytes]:
    """Every answer that the ledger keeps to give again; those to outcomes are made of the report anew."""
    with runtime.ledger.reading() as reading:
        asked = select(schema.decisions.c.client, schema.decisions.c.request_id).where(schema.decisions.c.answer != b"")
        told = [reading.answer_to(*row) for row in reading.connection.execute(asked).all()]
        kept = {one.body for one in told if one is not None}
        for table in (bookkeeping.requests, schema.outcomes):
            kept |= {bytes(row) for row in reading.connection.execute(select(table.c.answer)).scalars()}
    return kept - {b""}


def hit_at(found: Prepared, kind: str, number: int, fault: Fault, folder: Path) -> str | None:
    """Make the call of a kind with a fault at its `number`-th statement and then again, as a caller does who got no answer.

    Returns the statement that was hit, None when there are fewer. Raises `AssertionError` when something is wrong afterwards.
    """
    call, runtime = writes(found)[kind], opened(found, copied(found.folder, folder / "here"))
    before = answers_of(runtime)
    status, first = 0, b""
    with fault_at(runtime, number, fault, folder / "grave") as hit, suppress(LedgerError, Killed):
        status, first = call(runtime)
    if not hit:
        runtime.close()
        return None
    if fault == "kill after":
        runtime.close()
        runtime = opened(found, folder / "grave")
    try:
        kept = answers_of(runtime) - before
        again, body = call(runtime)
        assert 200 <= again < 300, f"answered {again} when asked again"
        assert not kept or body in kept or b"reservation_id" in body, "another answer than the one that was committed"
        assert not status or body == first, (
            "another answer than the one that was given"
        )  # a fault behind all that matters
        assert call(runtime) == (again, body), "a third answer"
        assert verify(runtime.ledger.address).holds, "the chain does not verify"
        assert state_of(runtime) == effect_of(found, kind, folder / "right"), "another effect than without the fault"
    finally:
        runtime.close()
    return hit[0]


_RIGHT: dict[tuple[Path, str], dict[str, Any]] = {}


def effect_of(found: Prepared, kind: str, folder: Path) -> dict[str, Any]:
    """What the call leaves behind when nothing fails; done once for each."""
    key = (found.folder, kind)
    if key not in _RIGHT:
        runtime = opened(found, copied(found.folder, folder))
        writes(found)[kind](runtime)
        _RIGHT[key] = state_of(runtime)
        runtime.close()
    return _RIGHT[key]
