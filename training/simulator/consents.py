"""Simulated consents: granted with evidence, denied, or never asked, per channel; withdrawals come from simulated opt-outs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.simulator.truth import CHANNELS, GRANTED
from training.simulator.world import World

COLUMNS = ["customer_id", "channel", "purpose", "state", "legal_basis", "evidence_id", "instant"]


def draw_consents(world: World, rng: np.random.Generator) -> pd.DataFrame:
    """One row per customer and channel that was asked, valid from the moment the customer is known."""
    rows = []
    for channel in CHANNELS:
        draws = rng.random(len(world.ids))
        granted = draws < GRANTED[channel]
        denied = ~granted & (draws < GRANTED[channel] + (1 - GRANTED[channel]) / 2)
        for customer, since, yes in zip(
            world.ids[granted | denied], world.known_since[granted | denied], granted[granted | denied], strict=True
        ):
            evidence = f"sim-opt-in-{channel}-{customer}" if yes else None
            state, basis = ("granted", "consent") if yes else ("denied", "none")
            rows.append((str(customer), channel, "marketing", state, basis, evidence, since))
    return pd.DataFrame(rows, columns=COLUMNS)


def withdrawals(opt_outs: pd.DataFrame) -> pd.DataFrame:
    """A withdrawal per opt-out (columns customer_id, channel, instant)."""
    fixed = {"purpose": "marketing", "state": "withdrawn", "legal_basis": "none", "evidence_id": None}
    return opt_outs.assign(**fixed)[COLUMNS]
