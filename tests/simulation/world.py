"""A world from one seed: a shop, its service processes, callers, customers and keepers, for some days; and the verdict on it."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from serving import rights
from serving.ledger.keyring import Keyring
from serving.ledger.verify import verify
from tests.history import dump
from tests.history.checker import judge_rows
from tests.simulation.calling import Network, Row
from tests.simulation.catalog import small_policy
from tests.simulation.keepers import Keepers
from tests.simulation.machine import PROCESSES, Machine, Process
from tests.simulation.orchestrators import Orchestrators
from tests.simulation.people import People
from tests.simulation.promises import Promises
from tests.simulation.scheduling import DAY, HOUR, TICKS, Scheduler
from tests.simulation.shop import Features, fill

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Auckland", "UTC")
BEGINS = (datetime(2024, 10, 20, 9, tzinfo=UTC), datetime(2025, 3, 5, 9, tzinfo=UTC))
"""Worlds of even and of odd seeds: clocks are set back, or forward, in each zone that does so, within the following weeks."""
WISHES = ("object_and_lift", "object", "pause", "erase")
VOLATILE = Path("/dev/shm")  # noqa: S108 - a file that never needs to reach a disk


@dataclass(frozen=True, slots=True)
class Size:
    """How much lives: `visits` is how often an average customer is asked about a day, `hot` the share who get half of all visits."""

    customers: int = 60
    days: int = 20
    visits: float = 0.5
    hot: float = 0.1

    @property
    def customer_days(self) -> int:
        """Customers times days."""
        return self.customers * self.days


@dataclass(frozen=True, slots=True)
class Lived:
    """What came of a world: what the checker and the promises found, what was counted, and the digest of everything that happened."""

    seed: int
    size: Size
    found: tuple[str, ...]
    counted: Counter[str]
    digest: str
    cpu_seconds: float

    @property
    def again(self) -> str:
        """The command that lets the same world live again."""
        return again(self.seed, self.size)

    @property
    def calls(self) -> int:
        """Calls that were made, retries included."""
        return sum(number for name, number in self.counted.items() if name.partition(" ")[2])

    def __str__(self) -> str:
        days, per_day = self.size.customer_days, self.calls / self.size.customer_days
        asked = sum(number for name, number in self.counted.items() if name.startswith("decide ")) / days
        pace = days / self.cpu_seconds * 60
        return (
            f"seed {self.seed}: {days} customer-days, {self.calls} calls ({per_day:.3f} a customer-day, {asked:.3f} for decisions), "
            f"{self.cpu_seconds:.1f} s of one processor = {pace:,.0f} customer-days a minute, {len(self.found)} findings"
        )


def again(seed: int, size: Size) -> str:
    """The command that lets a world live again."""
    told = f"--customers {size.customers} --days {size.days} --visits {size.visits}"
    return f"python -m tests.simulation {seed} {told}"


class World:
    """One world. `live` runs it to its end, `judged` says what came of it."""

    def __init__(self, seed: int, size: Size, folder: Path) -> None:
        self.seed, self.size = seed, size
        self._dice = random.Random(f"{seed} {size}")  # noqa: S311 - the seed reproduces the world
        self._scheduler = Scheduler(self._fork())
        self._machine = Machine(folder, BEGINS[seed % 2], self._scheduler, self._fork())
        self._policy, self._keyring = small_policy(), Keyring.fresh(self._fork().randbytes)
        names = [f"c{number}" for number in range(size.customers)]
        self._zones = {name: self._dice.choice(ZONES) for name in names}
        features = Features({}, self._machine.begin)
        self._processes = [
            Process(self._machine, self._keyring, self._policy, features) for _ in range(PROCESSES)
        ]  # fmt: skip
        before = [(self._dice.choice(names), "push", timedelta(hours=self._dice.randrange(1, 90))) for _ in names[::4]]
        fill(self._processes[0].runtime.ledger, self._zones, self._machine.begin, before)
        self.network = Network(self._machine, self._processes, self._fork())
        self._promises = Promises(lambda: self.network.now)
        self._cast(names)

    def _fork(self) -> random.Random:
        """Dice of their own for each part, so that one that throws once more does not change what the others get."""
        return random.Random(self._dice.getrandbits(64))  # noqa: S311 - see above

    def _cast(self, names: list[str]) -> None:
        self._hot = names[: max(1, int(len(names) * self.size.hot))]
        self._names, self._outspoken = names, self._dice.sample(names, max(1, len(names) // 5))
        self._orchestrators = Orchestrators(self.network, self._fork(), frozenset(self._outspoken))
        self._people = People(self.network, self._fork(), self._promises)
        end = self.size.days * DAY
        keepers = Keepers(self.network, self._fork(), self._promises, end)
        start, dice = self._scheduler.start, self._dice
        for number, process in enumerate(self._processes):
            start(keepers.sweeping, process, f"h-{number}", after=HOUR)
            start(keepers.crashing, process, after=HOUR)
        start(keepers.stopping)
        start(keepers.jumping)
        start(self._visiting)
        start(self._withdrawing)
        for number, name in enumerate(dice.sample(names, max(len(WISHES), len(names) // 8))):
            start(self._wishing, WISHES[number % len(WISHES)], name, after=dice.randrange(end))

    def live(self) -> None:
        """Until nothing is left to happen: after the last day no new question is asked, what began comes to its end."""
        self._scheduler.run(1 << 62)

    def _visiting(self) -> None:
        """Somebody is asked about: one call, or several at once by orchestrators that do not know of each other."""
        dice, mean = self._dice, DAY / (self.size.customers * self.size.visits)
        while self._scheduler.tick < self.size.days * DAY:
            many = dice.choice((2, 2, 3, 4)) if dice.random() < 0.1 else 1
            self._scheduler.wait(max(1, int(dice.expovariate(1 / (mean * many)))))
            self._ask(dice.choice(self._hot if dice.random() < 0.5 else self._names), many)

    def _ask(self, customer: str, many: int) -> None:
        for _ in range(many):
            self._scheduler.start(self._orchestrators.visit, customer, after=self._dice.randrange(4 * TICKS))

    def _withdrawing(self) -> None:
        """One of the outspoken withdraws, often while they are asked about."""
        while self._scheduler.tick < self.size.days * DAY:
            self._scheduler.wait(int(self._dice.expovariate(self.size.customers * self.size.visits / (10 * DAY))) + 1)
            customer = self._dice.choice(self._outspoken)
            asked = self._dice.random() < 0.8
            self._ask(customer, 4 if asked else 0)
            after = self._dice.choice((4 * TICKS, 4 * TICKS, HOUR)) if asked else 1
            self._scheduler.start(self._people.withdraw, customer, after=self._dice.randrange(after))

    def _wishing(self, wish: str, customer: str) -> None:
        """A wish of a lifetime, while the customer is asked about."""
        self._ask(customer, 2)
        getattr(self._people, wish)(customer)
        self._ask(customer, 1)

    def judged(self) -> tuple[list[str], list[Row]]:
        """What the checker, the chain of the audit and the promises have to say; and the ledger's rows."""
        ledger, lines = self._processes[0].runtime.ledger, self.network.lines
        with ledger.reading() as reading:
            rows = list(dump.rows_of(reading.connection, self._keyring, self._policy, dump.outcomes_in(lines)))
        verdict = verify(ledger.address)
        rows.append({"table": "verify", "exit": 0 if verdict.holds else 1})
        seen = _of_erased(rows, lines, self._zones)
        findings = [f"{it.invariant} {it.customer or '-'}: {it.what}" for it in judge_rows(rows, [seen])]
        findings += [f"{it}" for it in verdict.shown]
        return findings + self._promises.broken(lines), rows

    def close(self) -> None:
        """Give all files back."""
        for process in self._processes:
            process.runtime.close()


def _of_erased(rows: list[Row], lines: list[Row], zones: dict[str, str]) -> list[Row]:
    """What the ledger forgot with an erased customer, told by who made the world: the zone their days are counted in. What they were
    answered cannot be read any more, so that the time that was planned is not compared.
    """
    whose = {line["decision_id"]: line["call"] for line in lines if line["kind"] == "decide" and "decision_id" in line}
    asked = {line["call"]: line["customer"] for line in lines if line["kind"] == "decide" and line["phase"] == "ask"}
    of_subject = {row["subject"]: asked[whose[row["decision_id"]]] for row in rows
                  if row["table"] == "decisions" and row["decision_id"] in whose}  # fmt: skip
    for row in rows:
        if row["table"] == "subjects" and row["time_zone"] is None and row["subject"] in of_subject:
            row["time_zone"] = zones[of_subject[row["subject"]]]
    erased = {line["customer"] for line in lines if line["kind"] == "erase" and "customer" in line}
    gone = {call for call, customer in asked.items() if customer in erased}
    return [
        {name: told for name, told in line.items() if name != "send_at"}
        if line["call"] in gone and "send_at" in line else line for line in lines
    ]  # fmt: skip


@contextmanager
def without_files() -> Iterator[None]:
    """Objections and erasures reach the ledger alone: this world has no tables and no feature store, and no threads."""
    with ExitStack() as stack:
        for name in ("follow_objection", "bar_leaving", "finish_in_background"):
            stack.enter_context(patch.object(rights, name, lambda *_: None))
        yield


def lived(seed: int, size: Size, folder: Path | None = None) -> Lived:
    """Let a world live and judge it."""
    began = time.process_time()
    with (
        tempfile.TemporaryDirectory(dir=folder or (VOLATILE if VOLATILE.is_dir() else None)) as place,
        without_files(),
    ):
        world = World(seed, size, Path(place))
        try:
            world.live()
            found, rows = world.judged()
            digest = world.network.digest(rows)
        except Exception as error:
            error.add_note(f"seed {seed}: {again(seed, size)}")
            raise
        finally:
            world.close()
    counted = world.network.counted
    return Lived(seed, size, tuple(found), counted, digest, time.process_time() - began)
