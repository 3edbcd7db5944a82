"""`dirigent simulate`: what the example shop lacks, invented and marked as simulated."""

from __future__ import annotations

from typing import Annotated

import typer

from dirigent.terminal import console, stage
from features.home import Home


def simulate_rows(
    seed: Annotated[int | None, typer.Option(help="Same seed, same rows; default the one of the example shop.")] = None,
) -> None:
    """Add SIMULATED points, tiers, app sessions, consents and randomized digital contacts to the example shop."""
    from training.simulator.run import SEED, simulate

    with stage("Simulate") as progress:
        counts = simulate(Home.from_environment(), SEED if seed is None else seed, progress)
    for name, count in counts.items():
        console.print(f"  {name:<11}{count:>10,} simulated rows")
