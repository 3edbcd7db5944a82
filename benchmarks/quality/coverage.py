"""Do 95 % intervals hold the truth in 95 % of simulated logs? One line per estimator and world; the target is 0.935 to 0.965.

`python -m benchmarks.quality.coverage`, with `--repetitions 2000` unless told otherwise, about two minutes on one core. Rewards
of a customer's rows are correlated; the line "rows as if alone" shows what intervals that ignore it are worth and is not judged.
The worlds are SIMULATED (`worlds`), their values exact. "All looks" is the share of logs whose confidence sequence holds the truth
at every look: at least 0.95 less its simulation error is asked, more is allowed.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import starmap
from math import sqrt

import numpy as np

from benchmarks.quality.worlds import World, draw, draw_plans, world
from training.off_policy import (
    Difference,
    Interval,
    asymptotic_sequence,
    at_look,
    bernstein_sequence,
    clustered,
    cross_fit,
    difference,
    dr,
    interval,
    ips,
    per_decision,
    plan_dr,
    snips,
    switch_dr,
    weighted_per_decision,
    wilson,
)

TARGET = (0.935, 0.965)
PLAN_STEPS = 1 + 0.7 + 0.49
LOOKS = 20
Line = tuple[str, Interval | Difference, float]


def main() -> int:
    """Print the table; 1 where a judged line leaves its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20261123)
    chosen = parser.parse_args()
    print(f"{chosen.repetitions} simulated logs per line, seed {chosen.seed}")
    print(f"{'interval':<46} {'covered':>8} {'-+':>6} {'mean width':>11}  verdict")
    good = [_line(*each) for each in measure(chosen.repetitions, chosen.seed)]
    good += list(starmap(_sequence_line, sequences(chosen.repetitions, chosen.seed)))
    return 0 if all(good) else 1


def measure(repetitions: int, seed: int) -> Iterator[tuple[str, float, float, int]]:
    """Name, share covered, mean width and repetitions of every line."""
    money, common, rare = world(binary=False), world(binary=True), world(binary=True, rate=0.012)
    hits: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for repetition in range(repetitions):
        rng = np.random.default_rng((seed, repetition))
        for lines in (
            contrasts("money", money, 400, rng),
            contrasts("0 or 1", common, 400, rng),
            rarely(rare, rng),
            at_the_gate(money, rng),
            plans(money, rng),
        ):
            for name, found, truth in lines:
                hits[name].append((found.low <= truth <= found.high, found.high - found.low))
    for name, pairs in hits.items():
        covered, width = np.mean(pairs, axis=0)
        yield name, float(covered), float(width), len(pairs)


def contrasts(kind: str, made: World, customers: int, rng: np.random.Generator) -> Iterator[Line]:
    """Each estimator's interval on one log, and the paired difference of two policies."""
    log, rows = draw(made, customers, rng)
    judged, rival, truth = made.judged[rows], made.rival[rows], made.value(made.judged)
    expected = cross_fit(log, "ridge")
    yield f"{kind}: IPS", clustered(ips(log, judged), log.clusters), truth
    yield f"{kind}: SNIPS", clustered(snips(log, judged), log.clusters), truth
    yield f"{kind}: SNIPS, rows as if alone", clustered(snips(log, judged), np.arange(len(log))), truth
    yield f"{kind}: DR, cross-fitted", clustered(dr(log, judged, expected), log.clusters), truth
    wide = switch_dr(log, judged, expected, threshold=3.0)
    yield f"{kind}: Switch-DR, threshold 3", clustered(wide, log.clusters), truth
    gap = truth - made.value(made.rival)
    yield f"{kind}: SNIPS, paired difference", difference(snips(log, judged), snips(log, rival), log.clusters), gap
    pair = (dr(log, judged, expected), dr(log, rival, expected))
    yield f"{kind}: DR, paired difference", difference(*pair, log.clusters), gap


def rarely(made: World, rng: np.random.Generator) -> Iterator[Line]:
    """A reward of 0 or 1 that comes in about one row of eighty: some ten effective events."""
    log, rows = draw(made, 400, rng)
    found, truth = snips(log, made.judged[rows]), made.value(made.judged)
    yield "rare: SNIPS, Wilson on effective size", wilson(found, log.clusters), truth
    yield "rare: SNIPS, as interval() chooses", interval(found, log.clusters), truth
    yield "rare: SNIPS, clustered t, for comparison", clustered(found, log.clusters), truth


def at_the_gate(made: World, rng: np.random.Generator) -> Iterator[Line]:
    """As few customers as the gate lets through: some 55 that effectively speak for the policy."""
    log, rows = draw(made, 80, rng)
    found, truth = snips(log, made.judged[rows]), made.value(made.judged)
    yield "few customers: SNIPS", clustered(found, log.clusters), truth


def plans(made: World, rng: np.random.Generator) -> Iterator[Line]:
    """Plans of up to three steps."""
    logged, kind = draw_plans(made, 800, rng)
    policy, truth = 0.5 * made.judged[kind] + 0.5 * made.logging[kind], 0.0
    truth = PLAN_STEPS * made.value(0.5 * made.judged + 0.5 * made.logging)
    constant = np.full(policy.shape, float(made.mean.mean()))
    yield "plans: per-decision IPS", clustered(per_decision(logged, policy), logged.clusters), truth
    yield "plans: weighted per-decision", clustered(weighted_per_decision(logged, policy), logged.clusters), truth
    yield "plans: DR with a constant model", clustered(plan_dr(logged, policy, constant), logged.clusters), truth


def sequences(repetitions: int, seed: int) -> Iterator[tuple[str, float, int]]:
    """Share of simulated streams in which a sequence holds the truth at all looks, and what an ordinary interval looked at does."""
    rng = np.random.default_rng(seed)
    streams = rng.exponential(1.0, (repetitions, 2000))
    low, high = asymptotic_sequence(streams, planned=1000)
    yield "sequence: asymptotic, every look from 100", _share((low <= 1) & (high >= 1), 99), repetitions
    count = np.arange(1, streams.shape[1] + 1)
    mean = streams.cumsum(axis=1) / count
    reach = 1.96 * np.sqrt(np.maximum((streams**2).cumsum(axis=1) / count - mean**2, 0) / count)
    yield "sequence: ordinary interval looked at so, not judged", _share(abs(mean - 1) <= reach, 99), repetitions
    low, high = bernstein_sequence(rng.beta(1, 9, (repetitions, 2000)), (0.0, 1.0))
    yield "sequence: empirical Bernstein, every look from 1", _share((low <= 0.1) & (high >= 0.1), 0), repetitions
    made = world(binary=False)
    yield (
        "sequence: at_look, 20 looks at SNIPS",
        float(np.mean([_looks(made, seed, n) for n in range(repetitions)])),
        repetitions,
    )


def _looks(made: World, seed: int, number: int) -> bool:
    """Whether all looks at a growing log hold the truth; customers come one after the other."""
    log, rows = draw(made, 1000, np.random.default_rng((seed, number, 1)))
    truth = made.value(made.judged)
    for look in np.linspace(100, 1000, LOOKS).astype(int):
        seen = log.clusters < look
        part = type(log)(log.arms, log.arm[seen], log.reward[seen], log.probability[seen], log.clusters[seen])
        found = at_look(snips(part, made.judged[rows[seen]]), part.clusters, planned=500)
        if not found.low <= truth <= found.high:
            return False
    return True


def _share(inside: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], first: int) -> float:
    return float(inside[:, first:].all(axis=1).mean())


def _line(name: str, covered: float, width: float, repetitions: int) -> bool:
    judged = not any(word in name for word in ("as if alone", "for comparison"))
    good = not judged or TARGET[0] <= covered <= TARGET[1]
    verdict = ("holds" if good else "LEAVES THE TARGET") if judged else "not judged"
    error = 1.96 * sqrt(covered * (1 - covered) / repetitions)
    print(f"{name:<46} {covered:>8.4f} {error:>6.4f} {width:>11.5f}  {verdict}", flush=True)
    return good


def _sequence_line(name: str, covered: float, repetitions: int) -> bool:
    judged = "not judged" not in name
    good = not judged or covered >= 0.95 - 1.96 * sqrt(0.95 * 0.05 / repetitions)
    verdict = ("holds" if good else "LEAVES THE TARGET") if judged else "not judged"
    print(f"{name.removesuffix(', not judged'):<46} {covered:>8.4f} {'':>6} {'all looks':>11}  {verdict}", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(main())
