"""`python -m tests.simulation SEED [--customers N] [--days N] [--visits X]`: one world again, and what was found in it."""

from __future__ import annotations

import argparse
import logging
import sys

import structlog

from tests.simulation.world import Size, lived


def main() -> int:
    """0: nothing was found, 1: something was."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("seed", type=int, nargs="+")
    parser.add_argument("--customers", type=int, default=Size().customers)
    parser.add_argument("--days", type=int, default=Size().days)
    parser.add_argument("--visits", type=float, default=Size().visits)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    wrong = False
    for seed in given.seed:
        one = lived(seed, Size(given.customers, given.days, given.visits))
        wrong |= bool(one.found)
        print(one, f"digest {one.digest}", *one.found[:50], *([one.again] if one.found else []), sep="\n")
        print(", ".join(f"{name}: {number}" for name, number in sorted(one.counted.items())))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
