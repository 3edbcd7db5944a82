"""Do our estimators give what sb-obp gives? On equal inputs to 1e-9: its small Open Bandit logs, and synthetic ones.

sb-obp needs numpy below 2, so it lives in an environment of its own, never in the project's locks:

    python3.11 -m venv .peers
    .peers/bin/pip install sb-obp==0.5.10
    .peers/bin/pip install --force-reinstall --no-deps sb-obp==0.5.10
    python -m benchmarks.quality.estimators --peer .peers/bin/python

The third line makes sure that it is sb-obp that is asked: it requires pyieoe, which requires the old obp 0.4.1, and both write into
the same package `obp`. It also requires torch, which no estimator uses; a CPU build is enough. Open Bandit is real data (Saito et al. 2021; the package
holds 10,000 rows of each of six logs); the judged policies on it are invented by a seeded draw, the expected rewards are our
cross-fitted ridge, and both sides read the same bytes. Where the peer cannot run, nothing is compared and the command fails.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.worlds import draw, draw_plans, world
from training.off_policy import (
    Log,
    Plans,
    Valuation,
    cross_fit,
    direct,
    dr,
    ips,
    per_decision,
    plan_dr,
    snips,
    switch_dr,
    weighted_per_decision,
)
from training.off_policy.log import FloatArray

TOLERANCE = 1e-9
SEED = 20261123
THRESHOLD = 2.0
PEER_SIDE = Path(__file__).with_name("peer_obp.py")
Case = tuple[str, Mapping[str, Any], list[Valuation]]


def main() -> int:
    """Print both values and their difference; 1 where one is above the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="the Python of the environment that has sb-obp")
    peer = parser.parse_args().peer
    print(f"{'log':<22} {'estimator':<22} {'ours':>20} {'sb-obp':>20} {'difference':>11}  seed {SEED}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _ask(peer, "data", folder)
        cases = [*_open_bandit(folder), *_synthetic()]
        for name, inputs, _ in cases:
            np.savez(folder / f"{name}.inputs.npz", **inputs)
        _ask(peer, "values", folder)
        worst = max(_compare(folder, name, found) for name, _, found in cases)
    print(f"largest difference {worst:.1e}, relative to values of at least 1; the tolerance is {TOLERANCE:g}")
    return 0 if worst <= TOLERANCE else 1


def _open_bandit(folder: Path) -> Iterator[Case]:
    """Each real log under an invented policy that prefers some arms more than others, differently by the features."""
    for path in sorted(folder.glob("*.npz")):
        data = np.load(path)
        arms, features = int(data["arms"]), data["features"].astype(np.float64)
        rng = np.random.default_rng(SEED)
        logits = features @ rng.normal(0, 0.7, (features.shape[1], arms)) + rng.normal(0, 0.5, arms)
        names = tuple(f"item {number}" for number in range(arms))
        columns = (data["arm"].astype(np.int64), data["reward"].astype(np.float64), data["probability"])
        log = Log(names, *columns, features=features)
        yield _case(f"open-bandit-{path.stem}", log, _softmax(logits))


def _synthetic() -> Iterator[Case]:
    """Logs and plans of SIMULATED worlds."""
    for binary in (False, True):
        made = world(binary)
        log, kind = draw(made, 5000, np.random.default_rng(SEED))
        yield _case(f"synthetic-{'binary' if binary else 'money'}", log, made.judged[kind])
    made, rng = world(binary=False), np.random.default_rng(SEED)
    drawn, kind = draw_plans(made, 5000, rng)
    whole = drawn.alive.all(
        axis=1
    )  # sb-obp normalizes each step by the plans that reach it: only full plans are equal inputs
    plans = Plans(drawn.arms, drawn.arm[whole], drawn.reward[whole], drawn.probability[whole])
    policy, expected = made.judged[kind[whole]], made.mean[kind[whole]] * rng.uniform(0.5, 3.0)
    inputs = {"arm": plans.arm, "reward": plans.reward, "probability": plans.probability, "policy": policy}
    found = [per_decision(plans, policy), weighted_per_decision(plans, policy), plan_dr(plans, policy, expected)]
    yield "synthetic-plans", {**inputs, "expected": expected}, found


def _case(name: str, log: Log, policy: FloatArray) -> Case:
    expected = cross_fit(log)
    inputs = {"arm": log.arm, "reward": log.reward, "probability": log.probability, "policy": policy}
    switched = switch_dr(log, policy, expected, threshold=THRESHOLD)
    found = [ips(log, policy), snips(log, policy), direct(log, policy, expected), dr(log, policy, expected), switched]
    return name, {**inputs, "expected": expected, "threshold": THRESHOLD}, found


def _softmax(logits: FloatArray) -> FloatArray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _ask(peer: str, what: str, folder: Path) -> None:
    run = subprocess.run(
        [peer, "-W", "ignore", str(PEER_SIDE), what, str(folder)], capture_output=True, text=True, check=False
    )
    if run.returncode:
        sys.exit(f"the peer could not {what}, nothing was compared:\n{run.stderr}")


def _compare(folder: Path, name: str, found: list[Valuation]) -> float:
    """The largest difference of one log, relative to the larger of 1 and the value."""
    theirs = json.loads((folder / f"{name}.inputs.json").read_text())
    differences = []
    for each in found:
        peer = theirs[each.estimator]
        gap = abs(each.value - peer)
        print(f"{name:<22} {each.estimator:<22} {each.value:>20.14f} {peer:>20.14f} {gap:>11.1e}")
        differences.append(gap / max(1.0, abs(peer)))
    return max(differences)


if __name__ == "__main__":
    sys.exit(main())
