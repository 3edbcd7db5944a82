"""Hillstrom's e-mail experiment again: uplift learners of causalml and econml, plain regressions and luck beside `dirigent choose`.

The peers live in an environment of their own, never in the project's locks:

    python3.11 -m venv .peers-uplift
    .peers-uplift/bin/pip install econml==0.17.0 causalml==0.18.0 vowpalwabbit==9.11.9
    python -m benchmarks.quality.peers --peer .peers-uplift/bin/python [--data ../shared/data] [--splits 10] [--reward visit]

Halvings and valuation are those of `hillstrom`: everybody learns on one half, names an arm for every row of the other (the greatest
estimated effect, silence where none is above 0), and is valued doubly robustly with the known probabilities, paired against the best
constant arm of the learning half. All get the same arrays: numbers standardized, categories as columns of 0 and 1. The peers keep
their defaults, with fixed seeds (see `peer_uplift.py`); boosted ones use LightGBM with its defaults. Nobody was tuned, up or down.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.quality.hillstrom import (
    ARMS,
    FEATURES,
    SPLITS,
    TARGETS,
    FloatArray,
    error_of,
    halves,
    measure,
    read,
    spec_of,
    values_of,
)

PEER_SIDE = Path(__file__).with_name("peer_uplift.py")
NEEDED = "import causalml.inference.tree, econml.dr, lightgbm"
BINARY = ("visit", "conversion")
CATEGORIES = ("zip_code", "channel")
OURS = "dirigent choose"


@dataclass(frozen=True)
class Outcome:
    """One policy in one split, per row of the other half: gain over the best constant, its error, the constant's value; `silent` is

    the share of rows left alone.
    """

    gain: float
    error: float
    value: float
    silent: float
    seconds: float


def encoded(rows: pd.DataFrame, by: pd.DataFrame) -> FloatArray:
    """Features as numbers: standardized by `by`'s means and spreads, categories as columns of 0 and 1, the first level left out."""
    columns = []
    for name in FEATURES:
        if name in CATEGORIES:
            columns += [(rows[name] == level).to_numpy(dtype=np.float64) for level in sorted(by[name].unique())[1:]]
        else:
            known = by[name].to_numpy(dtype=np.float64)
            columns.append((rows[name].to_numpy(dtype=np.float64) - known.mean()) / (known.std() or 1.0))
    return np.column_stack(columns)


def arms_of(effects: FloatArray) -> NDArray[np.int64]:
    """The arm of the greatest effect against silence; silence (0) where none is above 0 or one is not a number."""
    known = np.nan_to_num(effects, nan=0.0)
    return np.asarray(np.column_stack([np.zeros(len(known)), known]).argmax(axis=1), dtype=np.int64)


def outcome(given: FloatArray, values: FloatArray, constant: int, seconds: float) -> Outcome:
    """A policy's outcome: `given` has its probability of every arm, `values` the money of every arm, both (rows, arms)."""
    paired = (given * values).sum(axis=1) - values[:, constant]
    return Outcome(
        float(paired.mean()), error_of(paired), float(values[:, constant].mean()), float(given[:, 0].mean()), seconds
    )


def asked(peer: str, folder: Path, what: list[str]) -> None:
    """Run the peers' Python; exits where it cannot."""
    try:
        run = subprocess.run([peer, "-W", "ignore", *what], capture_output=True, text=True, check=False, cwd=folder)
    except OSError as fault:
        sys.exit(f"the peers' Python does not start, nothing was compared: {fault}")
    if run.returncode:
        sys.exit(f"the peers could not run, nothing was compared:\n{run.stderr}")


def learned(peer: str, rows: pd.DataFrame, reward: str, splits: int) -> list[dict[str, tuple[FloatArray, float]]]:
    """Per split and peer: estimated effects of the mails on the rows of the other half, and the seconds they took."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for split in range(splits):
            train, test = halves(rows, split)
            arm = pd.Categorical(train["segment"], categories=ARMS).codes.astype(np.int64)
            np.savez(
                folder / f"{split}.inputs.npz", features=encoded(train, train), asked=encoded(test, train), arm=arm,
                reward=train[reward].to_numpy(dtype=np.float64), binary=np.array(reward in BINARY),
            )  # fmt: skip
        asked(peer, folder, [str(PEER_SIDE.resolve()), str(folder)])
        found = []
        for split in range(splits):
            said = np.load(folder / f"{split}.effects.npz")
            names = [name for name in said.files if not name.endswith(": seconds")]
            found.append({name: (said[name], float(said[f"{name}: seconds"])) for name in names})
    return found


def played(
    rows: pd.DataFrame, reward: str, split: int, peers: dict[str, tuple[FloatArray, float]]
) -> dict[str, Outcome]:
    """Every policy's outcome in one split."""
    train, test = halves(rows, split)
    spec = spec_of(reward)
    values = values_of(train, test, spec)
    constant = int(train.groupby("segment")[reward].mean().reindex(ARMS).to_numpy(dtype=np.float64).argmax())
    every = np.eye(len(ARMS))
    chances = {
        "best constant": np.tile(every[constant], (len(test), 1)),
        "random": np.full(values.shape, 1 / len(ARMS)),
    }
    found = {name: outcome(given, values, constant, 0.0) for name, given in chances.items()}
    for name, (effects, seconds) in peers.items():
        found[name] = outcome(every[arms_of(effects)], values, constant, seconds)
    own = measure(rows, split, spec)
    found[OURS] = Outcome(own.gain, own.error, own.value, float("nan"), own.seconds)
    return found


def line(name: str, found: list[Outcome]) -> str:
    """One row of the table; halvings share their rows, so the error of a mean over splits is that of one split."""
    gain = float(np.mean([each.gain for each in found]))
    half = 1.96 * float(np.mean([each.error for each in found]))
    worst = min(each.gain / abs(each.value) for each in found)
    silent = float(np.mean([each.silent for each in found]))
    left = "" if np.isnan(silent) else f"{silent:.1%}"
    seconds = max(each.seconds for each in found)
    return (
        f"{name:<24}{gain:>+11.5f} ({gain - half:+.5f} to {gain + half:+.5f}){worst:>+10.2%}{left:>9}{seconds:>8.1f} s"
    )


def table(reward: str, found: list[dict[str, Outcome]]) -> None:
    """Print one reward's table."""
    value = float(np.mean([each["best constant"].value for each in found]))
    print(f"\n{reward}: {len(found)} splits; the best constant arm is worth V = {value:.5f} per row")
    print(f"{'policy':<24}{'gain over the best constant':>34}{'worst / V':>11}{'silent':>9}{'slowest':>10}")
    for name in found[0]:
        print(line(name, [each[name] for each in found]), flush=True)


def main() -> None:
    """Print a table per reward."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="the Python of the environment that has causalml and econml")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--splits", type=int, default=SPLITS)
    parser.add_argument("--reward", choices=tuple(TARGETS), help="this one alone")
    options = parser.parse_args()
    peer = str(Path(options.peer).absolute()) if "/" in options.peer else options.peer
    asked(peer, Path.cwd(), ["-c", NEEDED])
    rows = read(options.data)
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {len(rows):,} rows, halvings 0 to {options.splits - 1}")
    for reward in (options.reward,) if options.reward else tuple(TARGETS):
        peers = learned(peer, rows, reward, options.splits)
        table(reward, [played(rows, reward, split, each) for split, each in enumerate(peers)])


if __name__ == "__main__":
    main()
