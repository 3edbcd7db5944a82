"""How the effects' layer grows with the shop: `training.uplift.measure` on SIMULATED contacts, from none to ten million rows.

    python -m benchmarks.effects_rows [--rows N ...]

Six journeys on three channels, one in three moments silent, five features of which two foretell orders. Printed are seconds, memory
at its highest, how far shrunk cells are from the truth, and how many of them hold it within two standard deviations.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import pandas as pd

from training.effects import Effects
from training.uplift import measure

ROWS = (0, 1, 10, 1_000, 100_000, 1_000_000, 10_000_000)
JOURNEYS, CHANNELS = 6, 3
FEATURES = ("often", "lately", "noise_a", "noise_b", "noise_c")
SILENT = 1 / 3


def truth() -> np.ndarray:
    """Orders caused per contact, by journey and channel."""
    return np.outer(np.linspace(0.0, 0.05, JOURNEYS), np.linspace(0.6, 1.4, CHANNELS))


def shop(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """So many randomized moments, and P(engage) of the contacts; journeys speak to customers who differ in what they buy anyway."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, len(FEATURES)))
    journey = np.clip(np.round(JOURNEYS / 2 + values[:, 0] + rng.normal(size=rows)), 0, JOURNEYS - 1).astype(int)
    channel, silent = rng.integers(0, CHANNELS, rows), rng.random(rows) < SILENT
    base = 1 / (1 + np.exp(2.5 - 0.6 * values[:, 0] - 0.4 * values[:, 1]))
    ordered = rng.random(rows) < base + np.where(silent, 0.0, truth()[journey, channel])
    names = np.char.add("journey_", journey.astype(str))
    frame = pd.DataFrame({
        "customer_id": rng.integers(0, max(rows // 8, 1), rows).astype(str),
        "journey": np.where(silent, "silence", names), "channel": np.where(silent, "none", np.char.add("channel_", channel.astype(str))),
        "arm": np.where(silent, "silence", "random"), "probability": np.where(silent, SILENT, (1 - SILENT) / CHANNELS),
        "event_timestamp": pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows), unit="s"),
        "ordered": ordered.astype(float), "bought": ordered.astype(float),
        "engaged": (rng.random(rows) < 0.1).astype(float), "opted_out": (rng.random(rows) < 0.003).astype(float),
        **dict(zip(FEATURES, values.T, strict=True)),
    })  # fmt: skip
    return frame, np.full(int((~silent).sum()), 0.1)


def judged(found: Effects) -> tuple[float, float]:
    """Root mean squared distance of the cells to the truth, and the share of cells within two standard deviations of it."""
    wanted = truth()
    pairs = [(belief, wanted[int(name[8]), int(name[-1])]) for name, belief in found.tau.cells.items()]
    if not pairs:
        return float("nan"), float("nan")
    error = np.array([belief.mean - true for belief, true in pairs])
    return float(np.sqrt((error**2).mean())), float(np.mean(np.abs(error) <= [2 * belief.sd for belief, _ in pairs]))


def main() -> None:
    """Print one line per size."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, nargs="+", default=ROWS)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    print(f"{'rows':>12}{'seconds':>10}{'peak MB':>10}{'error':>10}{'covered':>10}")
    for rows in given.rows:
        frame, propensity = shop(rows, given.seed)
        began = time.perf_counter()
        found = measure(frame, FEATURES, propensity)
        took = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        error, covered = judged(found)
        print(f"{rows:>12,}{took:>10.1f}{peak:>10.0f}{error:>10.4f}{covered:>10.0%}", flush=True)


if __name__ == "__main__":
    main()
