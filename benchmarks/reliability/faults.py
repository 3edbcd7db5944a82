"""What does the real service answer while PostgreSQL or Redis hangs, is cut off or full, and when does it work again?

    DIRIGENT_HOME=.dirigent python -m benchmarks.reliability.faults [--seconds S] [--only NAME]

PostgreSQL stopped, killed, cut, half-open, full: every call is answered within the deadline, with 503 where nothing could be
written; no answer is lost; decisions work again within five seconds, without a hand. Redis gone, deaf, resetting: decisions go on,
and say what they had to do without. Needs what `make demo` prepared, and root for the full disk (a file system in memory).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.reliability.http_callers import Caller, calling, together
from benchmarks.reliability.real_service import Service
from benchmarks.reliability.verdicts import Verdict
from features.home import Home
from features.store import FeatureStore
from features.tables.example import AS_OF
from tests.history.recorder import Recorder
from tests.own_postgres import OwnPostgres
from tests.own_redis import Line, OwnRedis
from tests.wire import Wire

DEADLINE_SECONDS, RECOVERY_SECONDS = 5.0, 5.0
CLIENTS = 6
DISK_MEGABYTES = 160
REDIS = ("gone", "deaf", "resetting")


@dataclass(frozen=True, slots=True)
class Result:
    """What was answered while the fault lasted (status -> how often, slowest in seconds), how long recovery took, what was found.

    `degraded` is how many of the good answers said that they had to do without features.
    """

    name: str
    answers: Counter[int]
    slowest: float
    recovery: float
    degraded: int
    verdict: Verdict | None

    @property
    def held(self) -> bool:
        """Whether the fault was borne as promised."""
        in_time = self.slowest <= DEADLINE_SECONDS and self.recovery <= RECOVERY_SECONDS
        if self.name in REDIS:
            return in_time and set(self.answers) == {200} and self.degraded == self.answers[200] > 0
        judged = self.verdict is not None and not self.verdict.findings and self.verdict.audit_holds
        return in_time and set(self.answers) <= {200, 409, 503} and self.answers[503] > 0 and judged


class Probe:
    """Asks without a pause, one decision after the other, and remembers how it was answered. -1: the line was lost."""

    def __init__(self, service: Service, customers: list[str]) -> None:
        [self._caller], self._recorders = service.callers(1, customers, keys=1, named="probe")
        self._customers, self._number = customers, 0

    def ask(self) -> tuple[int, float, bool]:
        """Status, seconds, and whether it went without features."""
        self._number += 1
        customer = self._customers[self._number % len(self._customers)]
        began = time.monotonic()
        reply = self._caller.ask_once({"request_id": f"probe-{self._number}", "customer": {"id": customer}})
        degraded = (
            reply is not None and reply.status_code == 200 and any("missing_" in it for it in reply.json()["degraded"])
        )
        return (-1 if reply is None else reply.status_code), time.monotonic() - began, degraded

    def close(self) -> None:
        """Close its history."""
        self._caller.close()
        for recorder in self._recorders:
            recorder.close()


def starve(service: Service, name: str, begin: Callable[[], None], end: Callable[[], None], seconds: float) -> Result:
    """One fault of a running service: under load, for so long, until it works again; then everything is judged."""
    answers, slowest, degraded = Counter[int](), 0.0, 0
    customers = service.customers(400)
    load, recorders = _load(service, customers)
    probe = Probe(service, customers[200:])
    with calling(load):
        time.sleep(1)
        begin()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            status, took, without = probe.ask()
            answers[status] += 1
            slowest, degraded = max(slowest, took), degraded + without
            time.sleep(0.05)
        end()
        recovery = _recovery(probe)
        time.sleep(1)
    probe.close()
    for recorder in recorders:
        recorder.close()
    slowest = max([slowest, *together(load)[1].values()])
    service.stop()
    return Result(name, answers, slowest, recovery, degraded, None if name in REDIS else service.verdict())


def _load(service: Service, customers: list[str]) -> tuple[list[Caller], list[Recorder]]:
    return service.callers(CLIENTS, customers[:200], keys=2)


def _recovery(probe: Probe) -> float:
    """Seconds until three decisions in a row were made with everything they need."""
    began, good = time.monotonic(), 0
    while good < 3:
        status, _, degraded = probe.ask()
        good = good + 1 if status == 200 and not degraded else 0
        if good == 1:
            first = time.monotonic() - began
        if time.monotonic() - began > 60:
            return float("inf")
        time.sleep(0.02)
    return first


@contextmanager
def on_postgres(shop: Home, *, small_disk: bool = False) -> Iterator[tuple[Service, OwnPostgres, Wire, Path]]:
    """A service whose ledger lies in a PostgreSQL of its own, behind a wire that may be cut, its larger tables on a small disk."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reliability-")))
        database = OwnPostgres(max_connections=100)
        stack.callback(database.remove)
        disk = stack.enter_context(_small_disk(database)) if small_disk else folder
        wire = stack.enter_context(Wire(database.port))
        url = database.url.replace(f":{database.port}/", f":{wire.port}/")
        service = Service(shop, folder, 1, url)
        stack.callback(service.kill)
        service.start()
        if small_disk:
            _move(database, disk)
        yield service, database, wire, disk


@contextmanager
def _small_disk(database: OwnPostgres) -> Iterator[Path]:
    """A file system of some megabytes. Raises `PermissionError` where none may be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="small-disk-", dir="/tmp"))
    made = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=777", "tmpfs", str(folder)]
    if (
        os.geteuid() != 0
        or shutil.which("mount") is None
        or subprocess.run(made, capture_output=True, check=False).returncode
    ):
        folder.rmdir()
        raise PermissionError("no small file system may be mounted here")
    try:
        (folder / "space").mkdir()
        owner = database.data.stat()
        os.chown(folder / "space", owner.st_uid, owner.st_gid)
        yield folder
    finally:
        database.kill()
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
        folder.rmdir()


def _move(database: OwnPostgres, disk: Path) -> None:
    """Put what a decision writes on the small disk."""
    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{disk / 'space'}'")
        for table in ("decisions", "contacts", "audit", "outbox"):
            connection.execute(f"ALTER TABLE {table} SET TABLESPACE small")


def _fill(disk: Path) -> None:
    """Write until nothing fits any more; the tables cannot grow by a page."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


POSTGRES: dict[str, Callable[[OwnPostgres, Wire, Path], tuple[Callable[[], None], Callable[[], None]]]] = {
    "stopped": lambda database, _, __: (database.pause, database.resume),
    "killed": lambda database, _, __: (database.kill, database.start),
    "cut": lambda _, wire, __: (wire.cut, wire.mend),
    "half-open": lambda _, wire, __: (wire.silence, wire.mend),
    "full": lambda _, __, disk: (lambda: _fill(disk), (disk / "ballast").unlink),
}
"""How each fault of PostgreSQL begins and ends."""


def postgres_fault(shop: Home, name: str, seconds: float) -> Result:
    """One fault of PostgreSQL."""
    with on_postgres(shop, small_disk=name == "full") as (service, database, wire, disk):
        return starve(service, name, *POSTGRES[name](database, wire, disk), seconds)


def redis_fault(shop: Home, name: str, seconds: float) -> Result:
    """One fault of Redis, behind a line that may be reset."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reliability-")))
        server = OwnRedis()
        stack.callback(server.remove)
        line = Line(server.port)
        stack.callback(line.close)
        service = Service(shop, folder, 1, more={"DIRIGENT_REDIS": line.address})
        stack.callback(service.kill)
        _load_redis(service.home, shop, server)
        service.start()
        turns = {
            "gone": (server.kill, server.start), "deaf": (server.pause, server.resume),
            "resetting": (lambda: setattr(line, "state", "resetting"), lambda: setattr(line, "state", "open")),
        }  # fmt: skip
        return starve(service, name, *turns[name], seconds)


def _load_redis(home: Home, shop: Home, server: OwnRedis) -> None:
    """The shop's online values, in Redis. The address stands in the environment while they are written: Feast reads it there."""
    (home.root / "feast").unlink()
    shutil.copytree(shop.feast, home.feast, ignore=shutil.ignore_patterns("online.db*"))
    os.environ["DIRIGENT_REDIS"] = server.address
    try:
        FeatureStore(home).materialize(AS_OF)
    finally:
        del os.environ["DIRIGENT_REDIS"]


def main() -> None:
    """Print a table; exit code 1 when a fault was not borne."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=12, help="how long each fault lasts")
    options.add_argument("--only", choices=[*POSTGRES, *REDIS])
    given = options.parse_args()
    shop, found = Home.from_environment(), []
    print(f"{'fault':<12}{'slowest s':>10}{'recovery s':>11}  answers while it lasted")
    for name in [given.only] if given.only else [*POSTGRES, *REDIS]:
        try:
            one = (redis_fault if name in REDIS else postgres_fault)(shop, name, given.seconds)
        except PermissionError as error:
            print(f"{name:<12}left out: {error}")
            continue
        found.append(one)
        told = ", ".join(
            f"{times} x {'lost line' if status < 0 else status}" for status, times in sorted(one.answers.items())
        )
        without = f", {one.degraded} without features" if name in REDIS else ""
        print(
            f"{name:<12}{one.slowest:>10.2f}{one.recovery:>11.2f}  {told}{without}{'' if one.held else '   NOT BORNE'}",
            flush=True,
        )
        if one.verdict is not None and (one.verdict.findings or not one.verdict.audit_holds):
            print(*one.verdict.lines(), sep="\n")
    held = bool(found) and all(one.held for one in found)
    print("\nall faults were borne" if held else "\nA FAULT WAS NOT BORNE")
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
