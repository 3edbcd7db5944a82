"""Invented experiments with known effects, as tables and a spec."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from training.experiment.spec import Spec, parse_spec

PROBABILITY = {"none": 0.2, "spring": 0.5, "sale": 0.3}
ARMS = tuple(PROBABILITY)
FEATURES = ["recency", "orders", "region"]
CONTENT: dict[str, Any] = {
    "id": "row", "arm": "arm", "silence": "none", "reward": "money", "probability": PROBABILITY, "features": FEATURES,
}  # fmt: skip


def spec(**changed: Any) -> Spec:
    return parse_spec({**CONTENT, **changed})


def effects(rows: pd.DataFrame, difference: float, level: float) -> np.ndarray:
    """True effect of every arm, silence first: the arms pull in opposite directions, by recency."""
    pull = difference * rows["recency"].to_numpy()
    return np.column_stack([np.zeros(len(rows)), level + pull, level - pull])


def experiment(rows: int, difference: float = 0.0, level: float = 0.0, seed: int = 3) -> pd.DataFrame:
    """Rewards of about 2, with noise of 1; `difference` is how much an arm's effect changes per unit of recency."""
    rng = np.random.default_rng(seed)
    found = pd.DataFrame({
        "row": [f"r{seed}-{n}" for n in range(rows)],
        "recency": rng.normal(size=rows),
        "orders": rng.poisson(3.0, rows),
        "region": rng.choice(["north", "south"], rows),
    })  # fmt: skip
    arm = rng.choice(3, rows, p=list(PROBABILITY.values()))
    tau = effects(found, difference, level)[np.arange(rows), arm]
    found["money"] = 2 + 0.2 * found["orders"] + tau + rng.normal(size=rows)
    return found.assign(arm=np.array(ARMS)[arm])


def table(rows: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(rows, preserve_index=False)


def asked(rows: int = 200) -> pa.Table:
    """Rows to choose for: id and features alone."""
    return table(experiment(rows, seed=77)[["row", *FEATURES]])


def given(actions: pa.Table) -> np.ndarray:
    """The `p_` columns, silence first, shape (rows, arms)."""
    return np.column_stack([actions[f"p_{arm}"].to_numpy() for arm in ARMS])


def names(report: dict[str, Any]) -> set[str]:
    return {warning["name"] for warning in report["warnings"]}
