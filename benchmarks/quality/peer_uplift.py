"""The peers' side of `peers`: runs under the Python that has causalml and econml, and knows nothing of this project.

`python peer_uplift.py FOLDER` reads each FOLDER/*.inputs.npz (features, arm and reward of the learning half, features of the other,
`binary`; arm 0 is silence) and writes FOLDER/*.effects.npz: per policy the estimated effect of arms 1, 2, ... against silence, of shape
(rows, arms - 1), and the seconds it took.

Defaults everywhere, with exceptions that tune nothing: fixed seeds, one thread, the kind of the reward, and the known probabilities of the draw
for those that would estimate them (arms are equally likely, so a classifier that answers with their shares says the same).
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from causalml.inference.meta import BaseSClassifier, BaseSRegressor, BaseTClassifier, BaseTRegressor, BaseXRegressor
from causalml.inference.tree import UpliftRandomForestClassifier
from econml.dml import CausalForestDML
from econml.dr import LinearDRLearner
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

SEED = 20261123
BOOSTED = {"random_state": SEED, "verbose": -1, "n_jobs": 1}
SPLIT_EVENLY = 0.5  # between an arm and silence alone, which is what an X-learner weighs


def per_arm(inputs: Any) -> Any:
    """One plain regression per arm, logistic for a yes or no; the effect is what it expects above silence."""
    expected = []
    for arm in np.unique(inputs["arm"]):
        rows = inputs["arm"] == arm
        model = LogisticRegression() if inputs["binary"] else LinearRegression()
        model.fit(inputs["features"][rows], inputs["reward"][rows])
        asked = inputs["asked"]
        expected.append(model.predict_proba(asked)[:, 1] if inputs["binary"] else model.predict(asked))
    return np.column_stack(expected[1:]) - expected[0][:, None]


def s_learner(inputs: Any) -> Any:
    """causalml: one boosted model, the arm among its features."""
    if inputs["binary"]:
        return met(BaseSClassifier(LGBMClassifier(**BOOSTED), control_name=0), inputs)
    return met(BaseSRegressor(LGBMRegressor(**BOOSTED), control_name=0), inputs)


def t_learner(inputs: Any) -> Any:
    """causalml: a boosted model for silence and one per arm."""
    if inputs["binary"]:
        return met(BaseTClassifier(LGBMClassifier(**BOOSTED), control_name=0), inputs)
    return met(BaseTRegressor(LGBMRegressor(**BOOSTED), control_name=0), inputs)


def x_learner(inputs: Any) -> Any:
    """causalml: effects imputed from the other arm's model, boosted again."""
    model = BaseXRegressor(LGBMRegressor(**BOOSTED), control_name=0)
    arms = [arm for arm in np.unique(inputs["arm"]) if arm]
    model.fit(inputs["features"], inputs["arm"], inputs["reward"], p=_even(arms, len(inputs["features"])))
    return model.predict(inputs["asked"], p=_even(arms, len(inputs["asked"])), verbose=False)


def met(model: Any, inputs: Any) -> Any:
    """Fit and ask one of causalml's learners."""
    model.fit(inputs["features"], inputs["arm"], inputs["reward"])
    return model.predict(inputs["asked"], verbose=False)


def uplift_forest(inputs: Any) -> Any:
    """causalml: trees that split by the divergence between the arms' rewards; for a yes or no only."""
    model = UpliftRandomForestClassifier(control_name="0", random_state=SEED, n_jobs=1)
    model.fit(inputs["features"], inputs["arm"].astype(str), inputs["reward"].astype(int))
    return model.predict(inputs["asked"])


def linear_dr(inputs: Any) -> Any:
    """econml: doubly robust, effects linear in the features, which is also what DRLearner does by default."""
    model = LinearDRLearner(
        model_propensity=DummyClassifier(), discrete_outcome=bool(inputs["binary"]), random_state=SEED
    )
    model.fit(inputs["reward"], inputs["arm"], X=inputs["features"])
    return model.const_marginal_effect(inputs["asked"])


def causal_forest(inputs: Any) -> Any:
    """econml: a forest of honest trees on orthogonalized rewards."""
    model = CausalForestDML(
        model_t=DummyClassifier(), discrete_treatment=True, discrete_outcome=bool(inputs["binary"]), n_jobs=1,
        random_state=SEED,
    )  # fmt: skip
    model.fit(inputs["reward"], inputs["arm"], X=inputs["features"])
    return model.const_marginal_effect(inputs["asked"])


def _even(arms: list[int], rows: int) -> dict[int, Any]:
    return {arm: np.full(rows, SPLIT_EVENLY) for arm in arms}


def policies(binary: bool) -> dict[str, Callable[[Any], Any]]:
    """Every peer that can learn this kind of reward."""
    ways: dict[str, Callable[[Any], Any]] = {
        "logistic per arm" if binary else "linear per arm": per_arm,
        "S-learner, LightGBM": s_learner,
        "T-learner, LightGBM": t_learner,
        "X-learner, LightGBM": x_learner,
        "LinearDRLearner": linear_dr,
        "CausalForestDML": causal_forest,
    }
    return ways | ({"uplift random forest": uplift_forest} if binary else {})


def main() -> None:
    """Every policy on every input of the folder."""
    warnings.filterwarnings("ignore")
    for path in sorted(Path(sys.argv[1]).glob("*.inputs.npz")):
        inputs = dict(np.load(path))
        found = {}
        for name, learn in policies(bool(inputs["binary"])).items():
            started = time.monotonic()
            effects = np.asarray(learn(inputs), dtype=np.float64).reshape(len(inputs["asked"]), -1)
            found[name], found[f"{name}: seconds"] = effects, np.array(time.monotonic() - started)
        np.savez(path.with_name(path.name.replace(".inputs.", ".effects.")), **found)


if __name__ == "__main__":
    main()
