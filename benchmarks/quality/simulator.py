"""What policies are truly worth in the SIMULATED market (`docs/simulator.md`), each as a share of the oracle's gain over never sending.

    python -m benchmarks.quality.simulator            # 10,000 customers, 40 weeks, 5 seeds, all worlds
    python -m benchmarks.quality.simulator --quick    # 3,000 customers, 3 seeds
    python -m benchmarks.quality.simulator --sweep    # the size of the fatigue is an assumption: what if it were another?
    python -m benchmarks.quality.simulator --seeds 6-25      # others than 1 to 5
    python -m benchmarks.quality.simulator --beside package.module:Policy    # one more policy, made without arguments

Intervals are Student's over the seeds. In the zero-effect world the oracle gains nothing, so the last column has no share there.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from itertools import product

import numpy as np
from scipy.stats import t as student

from training.simulator.market.laws import WORLDS, Laws
from training.simulator.market.learners import EpsilonGreedy, MyopicUplift, PropensityValue
from training.simulator.market.oracle import MyopicOracle, Oracle
from training.simulator.market.play import Market, Run, difference
from training.simulator.market.policies import Dice, FixedPriority, NeverSend
from training.simulator.market.product import Arbitrated
from training.simulator.market.state import Policy

SILENT, BEST = "never send", "oracle (pays for attention)"
FATIGUES = (0.0, 0.5, 1.0, 2.0, 4.0)
LAST_WEEKS = 4
FLOOR = 0.025
"""Contacts per customer-week that are no more than the exploration: 0.02, and a quarter for chance."""
Makers = dict[str, Callable[[], Policy]]


@dataclass(frozen=True)
class Job:
    """One world and seed, to be played by every policy, or by `only` these; `beside` names more as module:class; without `boosted`

    the slow one stays away.
    """

    laws: Laws
    seed: int
    customers: int
    weeks: int
    beside: tuple[str, ...] = ()
    boosted: bool = True
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Standing:
    """One policy in one job: gain over never sending per customer and its paired standard error, in money; `base` is never sending's

    value; `contacts` and `late` are contacts per customer-week over all weeks and over the last, `quiet` the week from which on they

    stay below FLOOR, `opt_outs` per customer.
    """

    policy: str
    gain: float
    error: float
    base: float
    contacts: float
    late: float
    quiet: int
    opt_outs: float
    seconds: float


def makers(job: Job) -> Makers:
    """Every policy of the table, as a function that makes a fresh one."""
    ways: Makers = {
        SILENT: NeverSend,
        "fixed priority": FixedPriority,
        "random": Dice,
        "propensity x value": PropensityValue,
        "myopic uplift": MyopicUplift,
        "epsilon-greedy": EpsilonGreedy,
        "this project": Arbitrated,
        "myopic oracle (knows all effects)": MyopicOracle,
    }
    for place in job.beside:
        module, _, name = place.partition(":")
        ways[name] = getattr(import_module(module), name)
    if not job.boosted:
        del ways["propensity x value"]
    if job.only:
        ways = {name: make for name, make in ways.items() if name in (SILENT, *job.only)}
    return ways | {BEST: lambda: Oracle(job.weeks)}


def play(job: Job) -> list[Standing]:
    """Let every policy play the job's market from the same start."""
    market = Market(job.laws, job.seed, job.customers, job.weeks)
    silent = market.run(NeverSend())
    return [judged(market, name, make, silent) for name, make in makers(job).items()]


def judged(market: Market, name: str, make: Callable[[], Policy], silent: Run) -> Standing:
    """Play one policy."""
    started = time.perf_counter()
    run = market.run(make())
    gap = difference(run.value, silent.value)
    rates = run.contacts / market.customers
    return Standing(
        name, gap.mean, gap.error, float(silent.value.mean()), float(rates.mean()), float(rates[-LAST_WEEKS:].mean()),
        int(np.flatnonzero(np.append(True, rates > FLOOR)).max()),
        float(run.opt_outs.sum() / market.customers), time.perf_counter() - started,
    )  # fmt: skip


def interval(values: Sequence[float], form: str) -> str:
    """Mean and 95 % interval over seeds."""
    mean, count = float(np.mean(values)), len(values)
    half = float(np.std(values, ddof=1) / np.sqrt(count) * student.ppf(0.975, count - 1)) if count > 1 else float("nan")
    return f"{mean:{form}} [{mean - half:{form}}, {mean + half:{form}}]"


def table(world: str, results: list[list[Standing]], weeks: int) -> None:
    """Print one world's table; `results` has one list of standings per seed. "floor from" is the latest of the seeds, of `weeks`."""
    base = np.mean([standings[0].base for standings in results])
    print(f"\nSIMULATED world: {world}; never sending is worth {base:.2f} per customer")
    heads = (
        "gain per customer [95 %]",
        "of the value",
        "paired SE",
        "sent/week",
        "last 4",
        "floor from",
        "opt-outs",
        "seconds",
    )
    print(
        f"{'policy':<34}{heads[0]:>28}" + "".join(f"{head:>13}" for head in heads[1:]) + f"{'share of the oracle':>25}"
    )
    oracle = [standings[-1].gain for standings in results]
    for number, first in enumerate(results[0]):
        ours = [standings[number] for standings in results]
        gains = [one.gain for one in ours]
        share = "-" if min(oracle) <= 0 else interval([g / o for g, o in zip(gains, oracle, strict=True)], ".2f")
        mean = {key: float(np.mean([getattr(one, key) for one in ours])) for key in ("contacts", "late", "opt_outs", "seconds")}  # fmt: skip
        latest = max(one.quiet for one in ours)
        quiet = f"week {latest}" if latest < weeks else "-"
        error = float(np.sqrt(np.sum([one.error**2 for one in ours])) / len(ours))
        print(
            f"{first.policy:<34}{interval(gains, '.3f'):>28}{np.mean(gains) / base:>13.2%}{error:>13.3f}{mean['contacts']:>13.3f}"
            f"{mean['late']:>13.3f}{quiet:>13}{mean['opt_outs']:>13.3f}{mean['seconds']:>13.1f}{share:>25}"
        )


def sweep(run: Callable[[list[Job]], list[list[Standing]]], jobs: list[Job]) -> None:
    """Print the policies' mean gains by the size of the fatigue, in the strong and the weak world."""
    for world in sorted({job.laws.name for job in jobs} & {"strong", "weak"}):
        print(
            f"\nSIMULATED world: {world}; gain per customer over never sending if the harm of pressure is the assumed times …"
        )
        print(f"{'policy':<34}" + "".join(f"{fatigue:>10g}" for fatigue in FATIGUES))
        ours = [job for job in jobs if job.laws.name == world]
        cases = [
            replace(job, laws=replace(job.laws, fatigue=fatigue), boosted=False)
            for fatigue, job in product(FATIGUES, ours)
        ]
        results = run(cases)
        for number, first in enumerate(results[0]):
            means = (
                np.array([standings[number].gain for standings in results])
                .reshape(len(FATIGUES), len(ours))
                .mean(axis=1)
            )
            print(f"{first.policy:<34}" + "".join(f"{mean:>10.3f}" for mean in means))


def between(text: str) -> range:
    """The seeds that `text` names, as in 6-25. Raises `argparse.ArgumentTypeError`."""
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"{text}: expected the first and the last seed, as in 6-25")
    return range(int(first), int(last) + 1)


def main() -> None:
    """Parse, play every world and seed, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3,000 customers and 3 seeds")
    parser.add_argument("--sweep", action="store_true", help="the fatigue's size times 0, 0.5, 1, 2, 4")
    parser.add_argument("--world", action="append", choices=list(WORLDS), help="this world only; may be repeated")
    parser.add_argument("--drift", type=int, metavar="WEEK", help="the journeys' effects change places in this week")
    parser.add_argument("--beside", action="append", default=[], metavar="MODULE:CLASS", help="one more policy")
    parser.add_argument(
        "--only", action="append", default=[], metavar="POLICY", help="this line of the table only; may be repeated"
    )
    parser.add_argument("--seeds", type=between, metavar="FIRST-LAST", help="1-5, or 1-3 with --quick")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    usual, customers = (range(1, 4), 3_000) if options.quick else (range(1, 6), 10_000)
    seeds = options.seeds or usual
    worlds = {name: replace(WORLDS[name], drift_week=options.drift) for name in options.world or WORLDS}
    chosen = {"beside": tuple(options.beside), "only": tuple(options.only)}
    jobs = [Job(laws, seed, customers, 40, **chosen) for laws in worlds.values() for seed in seeds]
    started = time.perf_counter()
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; SIMULATED: {customers:,} customers, 40 weeks, seeds {seeds[0]}-{seeds[-1]}"
    )
    with ProcessPoolExecutor(options.processes) as pool:
        if options.sweep:
            sweep(lambda cases: list(pool.map(play, cases)), jobs)
        else:
            results = list(pool.map(play, jobs))
            for number, world in enumerate(worlds):
                table(world, results[number * len(seeds) : (number + 1) * len(seeds)], 40)
    print(f"\n{time.perf_counter() - started:.0f} seconds with {options.processes} processes")


if __name__ == "__main__":
    main()
