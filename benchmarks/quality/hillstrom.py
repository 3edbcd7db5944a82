"""Hillstrom's e-mail experiment (64,000 customers, 2008): what `dirigent choose` earns against the best constant arm of the training half.

    python -m benchmarks.quality.hillstrom [--data ../shared/data] [--splits N] [--only rewards|costs|constants|control] [--reward visit] [--cost 0.2]

Ten fixed halvings. On the half that was not learned from, every policy is valued doubly robustly with the known probabilities (1/3 each);
differences are paired. The expected rewards behind it are means by arm of the training half, so it leans on nothing that the chooser fitted.
Then costs of 0.02 to 0.20 per mail (a visit worth 1, and spend at a margin of 0.3), the choice of one arm for everybody alone on 40 other
halvings (`constants`), and a control of 60 shuffled treatments, in which 95 % confidence finds something now and then.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import binom

from arbitration.errors import DirigentError
from training.effects import Belief, Prior, Sample, Slope, shrink
from training.experiment.choosing import believed
from training.experiment.run import choose_for
from training.experiment.shrinkage import PRIOR_FLOOR, PRIOR_SD, Level, reward_scale
from training.experiment.spec import Spec, parse_spec

FloatArray = NDArray[np.float64]
FILE = Path("hillstrom") / "hillstrom_minethatdata_2008.csv.gz"
ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
FEATURES = ("recency", "history", "mens", "womens", "zip_code", "newbie", "channel")
PROBABILITY = 1 / 3
SPLITS, OTHERS = 10, 100
SHUFFLES, TOLD_BY_CHANCE, GAINED_BY_CHANCE = 60, 0.05, 0.025
"""Shuffles of the control, and the shares of them in which chance tells customers apart (one-sided 95 %) and shows a gain (two-sided)."""
TARGETS = {"visit": -0.0003, "conversion": -0.00005, "spend": -0.005}
STRETCH = 0.0010
WORST_SHARE = -0.01
COSTS = (0.02, 0.05, 0.08, 0.11, 0.14, 0.17, 0.20)
PRICED = (("visit", 1.0), ("spend", 0.3))


@dataclass(frozen=True)
class Measured:
    """One split, per row of the held-out half: gain over the constant, its error, the constant's value, and what was reported.

    `short` is how far the policy is below the better of silence and the constant there, in standard errors of that difference.
    """

    gain: float
    error: float
    value: float
    short: float
    told_apart: bool
    over_silence: str
    seconds: float


def spec_of(reward: str, cost: float = 0.0, margin: float = 1.0) -> Spec:
    """The experiment as `dirigent choose` is told about it; `id` is the row's number."""
    return parse_spec({
        "id": "id", "arm": "segment", "silence": ARMS[0], "reward": reward, "margin": margin, "features": list(FEATURES),
        "probability": dict.fromkeys(ARMS, PROBABILITY), "cost": dict.fromkeys(ARMS[1:], cost),
    })  # fmt: skip


def halves(rows: pd.DataFrame, split: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The fixed halving number `split`."""
    order = np.random.default_rng(1000 + split).permutation(len(rows))
    return rows.iloc[order[: len(rows) // 2]], rows.iloc[order[len(rows) // 2 :]]


def values_of(train: pd.DataFrame, test: pd.DataFrame, spec: Spec) -> FloatArray:
    """Doubly robust money of every held-out row under every arm, shape (rows, arms), costs paid."""
    expected = train.groupby("segment")[spec.reward].mean().reindex(ARMS).to_numpy(dtype=np.float64)
    arm = pd.Categorical(test["segment"], categories=ARMS).codes
    found = np.tile(expected, (len(test), 1))
    rows = np.arange(len(test))
    found[rows, arm] += (test[spec.reward].to_numpy(dtype=np.float64) - expected[arm]) / PROBABILITY
    return np.asarray(found * spec.margin - [spec.cost.get(name, 0.0) for name in ARMS], dtype=np.float64)


def measure(rows: pd.DataFrame, split: int, spec: Spec) -> Measured:
    """Choose on one half, value on the other, against the constant that is best by plain means of the first."""
    train, test = halves(rows, split)
    started = time.monotonic()
    chosen = choose_for(pa.Table.from_pandas(train), pa.Table.from_pandas(test[["id", *FEATURES]]), spec)
    seconds = time.monotonic() - started
    given = np.column_stack([chosen.actions[f"p_{arm}"].to_numpy() for arm in ARMS])
    means = train.groupby("segment")[spec.reward].mean().reindex(ARMS).to_numpy(dtype=np.float64)
    constant = int(np.argmax(means * spec.margin - [spec.cost.get(name, 0.0) for name in ARMS]))
    values = values_of(train, test, spec)
    policy = (given * values).sum(axis=1)
    paired = policy - values[:, constant]
    rival = max((0, constant), key=lambda arm: values[:, arm].mean())
    against = policy - values[:, rival]
    return Measured(
        float(paired.mean()), error_of(paired), float(values[:, constant].mean()),
        float(against.mean()) / error_of(against) if against.any() else 0.0,
        chosen.report["policy"]["kind"] == "personalized", chosen.report["verdict"]["over_silence"], seconds,
    )  # fmt: skip


def error_of(values: FloatArray) -> float:
    """Standard error of a mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def line(name: str, found: list[Measured], verdict: str) -> str:
    """One row of a table: mean gain over splits, an interval that knows that halvings share their rows, worst split, times."""
    gains = np.array([each.gain for each in found])
    half = 1.96 * max(
        float(np.mean([each.error for each in found])), 0.0
    )  # splits overlap: averaging them does not shrink it
    worst = min(each.gain / abs(each.value) for each in found)
    told = sum(each.told_apart for each in found)
    short = min(each.short for each in found)
    seconds = max(each.seconds for each in found)
    return f"{name:<24}{gains.mean():>+11.5f} ({gains.mean() - half:+.5f} to {gains.mean() + half:+.5f}){worst:>+9.2%}{short:>+8.2f}{told:>6}/{len(found)}{seconds:>7.1f} s  {verdict}"


def header(title: str) -> str:
    """Names of the columns."""
    return (
        f"\n{title:<24}{'gain over the best constant':>34}{'worst':>17}{'SE below':>8}{'told apart':>9}{'slowest':>8}"
    )


def held(condition: bool) -> str:
    """A target's outcome in one word."""
    return "holds" if condition else "DOES NOT HOLD"


def rewards_table(rows: pd.DataFrame, splits: int, rewards: tuple[str, ...]) -> bool:
    """No costs, three rewards, against the targets."""
    print(header("reward"))
    fine = True
    for reward in rewards:
        target = TARGETS[reward]
        found = [measure(rows, split, spec_of(reward)) for split in range(splits)]
        gain = float(np.mean([each.gain for each in found]))
        ok = gain >= target and min(each.gain / each.value for each in found) >= WORST_SHARE
        fine &= ok
        stretch = (
            f", stretch of {STRETCH:+.4f} {'reached' if gain >= STRETCH else 'not reached'}"
            if reward == "visit"
            else ""
        )
        print(line(reward, found, f"{held(ok)} (mean {target:+.5f}, worst {WORST_SHARE:.0%}){stretch}"), flush=True)
    return fine


def costs_table(rows: pd.DataFrame, splits: int, rewards: tuple[str, ...], prices: tuple[float, ...]) -> bool:
    """A price per mail: never more than one standard error below the better of silence and the best constant."""
    print(header("reward, cost per mail"))
    fine = True
    for reward, margin in [(reward, margin) for reward, margin in PRICED if reward in rewards]:
        for cost in prices:
            found = [measure(rows, split, spec_of(reward, cost, margin)) for split in range(splits)]
            ok = min(each.short for each in found) >= -1
            fine &= ok
            print(line(f"{reward} x {margin:g}, {cost:.2f}", found, held(ok)), flush=True)
    return fine


def constants_table(rows: pd.DataFrame, splits: int, rewards: tuple[str, ...]) -> bool:
    """Other halvings, no trees: how often the arm for everybody, chosen as `dirigent choose` does or with more caution, is short."""
    print(
        "\narm for everybody, other halvings     cells short by > 1 SE     mean gain over the better of silence and constant"
    )
    cells: dict[str, list[tuple[float, float]]] = {"as chosen": [], "mean - 1/2 sd always": []}
    for reward, margin in [(reward, margin) for reward, margin in PRICED if reward in rewards]:
        for split in range(OTHERS, OTHERS + 4 * splits):
            train, test = halves(rows, split)
            beliefs = arm_beliefs(train, reward, margin)
            free = values_of(train, test, spec_of(reward, 0.0, margin))
            means = train.groupby("segment")[reward].mean().reindex(ARMS).to_numpy(dtype=np.float64) * margin
            for cost in COSTS:
                priced = np.array([0.0, cost, cost])
                values = free - priced
                rival = max((0, int(np.argmax(means - priced))), key=lambda arm, of=values: of[:, arm].mean())  # type: ignore[misc]
                bounds = {
                    "as chosen": [believed(Level(belief, Slope(), 0, 0.0)) - cost for belief in beliefs],
                    "mean - 1/2 sd always": [belief.mean - belief.sd / 2 - cost for belief in beliefs],
                }
                for name, each in bounds.items():
                    against = values[:, int(np.argmax([0.0, *each]))] - values[:, rival]
                    error = error_of(against) if against.any() else 1.0
                    cells[name].append((float(against.mean()), float(against.mean()) / error))
    for name, found in cells.items():
        short = sum(each[1] < -1 for each in found)
        print(f"{name:<38}{short:>8} of {len(found)}{np.mean([each[0] for each in found]):>+28.5f}", flush=True)
    return True


def arm_beliefs(train: pd.DataFrame, reward: str, margin: float) -> list[Belief]:
    """The arms' effects before costs against silence, from plain means, shrunk as in `training.experiment.shrinkage`."""
    grouped = train.groupby("segment")[reward]
    counts, means = grouped.size().reindex(ARMS), grouped.mean().reindex(ARMS) * margin
    errors = grouped.var().reindex(ARMS) * margin**2 / counts
    scale = reward_scale(train[reward].to_numpy(dtype=np.float64) * margin)
    none = ARMS[0]
    samples = {
        arm: Sample(float(means[arm] - means[none]), float(errors[arm] + errors[none]), int(counts[arm]))
        for arm in ARMS[1:]
    }
    found, _ = shrink(samples, Prior(0.0, PRIOR_SD * scale, PRIOR_FLOOR * scale))
    return [found[arm] for arm in ARMS[1:]]


def control_table(rows: pd.DataFrame, splits: int, rewards: tuple[str, ...]) -> bool:
    """Treatment shuffled: nothing to find, but for as many as chance brings at most in 99 of 100 such tables."""
    most_told, most_gained = (int(binom.ppf(0.99, splits, share)) for share in (TOLD_BY_CHANCE, GAINED_BY_CHANCE))
    print(
        f"\nshuffled treatment      told apart   gain over silence reported   (by chance at most {most_told} and {most_gained})"
    )
    fine = True
    for reward in rewards:
        found = []
        for split in range(splits):
            shuffled = rows.assign(segment=np.random.default_rng(split).permutation(rows["segment"].to_numpy()))
            found.append(measure(shuffled, split, spec_of(reward)))
        told, gained = sum(each.told_apart for each in found), sum(each.over_silence == "gain shown" for each in found)
        ok = told <= most_told and gained <= most_gained
        fine &= ok
        print(f"{reward:<24}{told:>7}/{splits}{gained:>19}/{splits}          {held(ok)}", flush=True)
    return fine


def read(folder: Path) -> pd.DataFrame:
    """All 64,000 rows with a number each; exits where the file is not found."""
    if not (folder / FILE).is_file():
        sys.exit(f"{FILE} is not under {folder}; --data names the folder that holds it")
    rows = pd.read_csv(folder / FILE)
    return rows.assign(id=np.arange(len(rows)))


def main() -> None:
    """Print the three tables; the exit code is 1 where a target does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--splits", type=int, help=f"{SPLITS}, of the control {SHUFFLES}")
    parser.add_argument("--only", choices=("rewards", "costs", "constants", "control"))
    parser.add_argument("--reward", choices=tuple(TARGETS), help="this one alone")
    parser.add_argument("--cost", type=float, choices=COSTS, help="this price alone")
    asked = parser.parse_args()
    rewards = (asked.reward,) if asked.reward else tuple(TARGETS)
    rows = read(asked.data)
    prices = (asked.cost,) if asked.cost is not None else COSTS
    tables = {
        "rewards": rewards_table,
        "costs": partial(costs_table, prices=prices),
        "constants": constants_table,
        "control": control_table,
    }
    usual = {"control": SHUFFLES}
    fine = [
        table(rows, asked.splits or usual.get(name, SPLITS), rewards)
        for name, table in tables.items()
        if asked.only in {None, name}
    ]
    sys.exit(0 if all(fine) else 1)


if __name__ == "__main__":
    try:
        main()
    except DirigentError as fault:
        sys.exit(str(fault))
