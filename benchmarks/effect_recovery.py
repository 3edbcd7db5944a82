"""How close the learned effects come to the simulator's truth: shrunk cells against raw cells and against one effect for all.

Everything here is about SIMULATED contacts, whose true effects stand in `training/simulator/truth.py`. Run after `make demo`.
"""

from __future__ import annotations

import sys
from statistics import fmean

from arbitration.errors import DirigentError, StateError
from features.home import Home
from training.bundle import load
from training.effects import Beliefs
from training.simulator.truth import CHANNEL_EFFECT, JOURNEY_EFFECT, SLEEPING_DOGS

# The traits of those who can be moved average 1; sleeping dogs are not moved at all.
TRUTH = {
    f"{journey}/{channel}": tau * factor * (1 - SLEEPING_DOGS)
    for journey, tau in JOURNEY_EFFECT.items()
    for channel, factor in CHANNEL_EFFECT.items()
}


def main() -> None:
    """Print the root mean squared error of each way over all cells, and its ratio to the raw cell means."""
    effects = load(Home.from_environment()).effects
    if effects is None:
        raise StateError("the bundle holds no effects", mend="import randomized contacts, then train and promote")
    tau = effects.tau
    ways = {
        "raw cell means": {name: cell.raw for name, cell in tau.cells.items() if cell.raw is not None},
        "one effect for all": dict.fromkeys(tau.cells, tau.overall.mean),
        "journey means": {name: tau.journeys[name.partition("/")[0]].mean for name in tau.cells},
        "shrunk cells (used)": {name: cell.mean for name, cell in tau.cells.items()},
    }
    errors = {name: error(means) for name, means in ways.items()}
    print(f"{'effects from SIMULATED contacts':<34}{'error (orders per contact)':>28}{'ratio to raw':>14}")
    for name, value in errors.items():
        print(f"{name:<34}{value:>28.4f}{value / errors['raw cell means']:>14.2f}")
    print(f"cells whose truth lies within two standard deviations: {coverage(tau):.0%} of {len(TRUTH)}")
    slope = effects.slope
    print(f"slope on individual propensity: {slope.raw:.2f}, standard error {slope.sd:.2f}, used as {slope.used:.2f}")


def error(means: dict[str, float]) -> float:
    """Root mean squared distance to the truth over the cells that have a truth."""
    return float(fmean((means[name] - true) ** 2 for name, true in TRUTH.items() if name in means) ** 0.5)


def coverage(tau: Beliefs) -> float:
    """Share of cells whose interval of two standard deviations holds the truth (95 % if they were exact)."""
    return fmean(abs(cell.mean - TRUTH[name]) <= 2 * cell.sd for name, cell in tau.cells.items() if name in TRUTH)


if __name__ == "__main__":
    try:
        main()
    except DirigentError as fault:
        sys.exit(str(fault))
