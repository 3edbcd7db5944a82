"""What the card of the effects says of them: every cell as a table, how they came about, and on which evidence they rest."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from training.effects import Effects


def effects_table(effects: Effects) -> pd.DataFrame:
    """Every cell for people: raw, shrunk, sd, rows."""
    return pd.DataFrame([{"cell": name, **asdict(belief)} for name, belief in effects.tau.cells.items()])


def effect_notes(effects: Effects) -> list[str]:
    """How the effects came about, what they count, and how far they differ between individuals."""
    notes = ["Contacts are randomized; each cell is shrunk to its journey, all, and the prior."]
    if effects.outcome == "bought":
        notes.append(
            "No silent moment has an order attributed to it, so any purchase counts, not only attributed ones."
        )
    slope = effects.slope
    found = f"{slope.raw:.2f} with standard error {slope.sd:.2f}, used as {slope.used:.2f}"
    notes.append(f"Slope of the effect on an individual's relative propensity (1 is proportional): {found}.")
    if effects.slopes:
        own = ", ".join(f"{name} {one.used:.2f}" for name, one in effects.slopes.items())
        notes.append(f"Journeys with enough outcomes have slopes of their own: {own}.")
    tiers = evidence(effects)
    notes.append(
        f"Evidence: {tiers['0']} cells rest on the prior, {tiers['1']} on their own mean, {tiers['2']} tell individuals apart."
    )
    return notes


def evidence(effects: Effects) -> dict[str, int]:
    """Cells by evidence tier: "0" the catalog's prior, "1" measured, "2" measured and different between individuals."""
    tiers = {"0": 0, "1": 0, "2": 0}
    for name, belief in effects.tau.cells.items():
        journey = name.partition("/")[0]
        if effects.tau.journeys[journey].rows == 0:
            tiers["0"] += 1
        else:
            tiers["2" if belief.rows and effects.slopes.get(journey, effects.slope).used > 0 else "1"] += 1
    return tiers
