"""Small models fitted on invented rows: fast, and no shop is needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.home import Home
from tests.unit.training.pairs import LIKELY
from training import bundle
from training.attention import Attention
from training.calibration import Calibration
from training.canary import ROWS
from training.contents import MODELS, Contents
from training.dataset import Dataset
from training.effects import Belief, Beliefs, Effects
from training.fitting import Recipe, fit_linear, fit_tree
from training.models import LinearModel, TreeModel
from training.references import Shrinkage, ShrunkMean
from training.slots import BLOCKS, SLOTS, Curve, SendTime
from training.slots import FEATURES as SLOT_FEATURES

RECIPE = Recipe(leaves=5, learning_rate=0.1, trees=12, min_rows=20, monotone={"recency_days": 1})
COLUMNS = ("recency_days", "money_182d", "frequency_28d")


def invented(columns: tuple[str, ...] = COLUMNS, rows: int = 600, seed: int = 7) -> Dataset:
    """Rows whose first column raises the label's chance; one value in twenty is unknown."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, 10.0, (rows, len(columns)))
    labels = (rng.random(rows) < 1 / (1 + np.exp(-(x[:, 0] - 20) / 8))).astype(np.float64)
    x[rng.random(x.shape) < 0.05] = np.nan
    moments = np.datetime64("2017-05-01") + np.arange(rows).astype("timedelta64[h]")
    return Dataset(columns, x, labels, moments, np.array([f"c{n % 90}" for n in range(rows)]), np.full(rows, "email"))


def spent(rows: int = 600) -> Dataset:
    """The same rows with an amount as label, about as large as the second column, zero in one row of five."""
    data = invented(rows=rows)
    rng = np.random.default_rng(8)
    amounts = np.nan_to_num(data.rows[:, 1], nan=20.0) * rng.gamma(4.0, 0.25, rows) * (rng.random(rows) > 0.2)
    return replace(data, labels=amounts)


@pytest.fixture(scope="session")
def tree() -> TreeModel:
    return fit_tree("churn_risk", invented(), RECIPE)


@pytest.fixture(scope="session")
def linear() -> LinearModel:
    return fit_linear("churn_risk", invented())


@pytest.fixture(scope="session")
def contents(tree: TreeModel) -> Contents:
    columns = ("journey=win_back", "channel=email", "recency_days", "contacts_28d")
    models = {
        "churn_risk": tree,
        "next_basket": ShrunkMean("next_basket", COLUMNS[1:], Shrinkage(1.0, 30.0, 2.0), Calibration(1.1, -0.2)),
        "spend": fit_tree("spend", spent(), replace(RECIPE, monotone={"money_182d": 1}, link="log")),
        "channel_propensity": fit_linear("channel_propensity", invented(columns)),
        "base_purchase": fit_tree("base_purchase", invented(), RECIPE),
        "next_category": LIKELY.pooled,
        "opt_out": fit_linear("opt_out", invented(("channel=email", "contacts_7d", "recency_days"))),
        "send_time": fit_linear("send_time", invented(SLOT_FEATURES)),
    }
    curve = Curve((0.1,) * SLOTS, (1 / SLOTS,) * SLOTS, (1 / BLOCKS,) * BLOCKS, (1 / 7,) * 7)
    beliefs = Beliefs(
        {"win_back/email": Belief(0.03, 0.01, 500, 0.04)},
        {"win_back": Belief(0.025, 0.01, 500, 0.03)},
        Belief(0.02, 0.01, 500),
    )
    engagement = Beliefs(
        {"win_back/email": Belief(0.1, 0.01, 500)}, {"win_back": Belief(0.1, 0.01, 500)}, Belief(0.1, 0.01, 500)
    )
    effects = Effects(beliefs, engagement, {"email": Belief(0.002, 0.001, 500)}, 14, "0" * 12)
    assert set(models) == set(MODELS)
    return Contents(
        models,
        SendTime(curve, models["send_time"], 0.5),
        effects,
        Attention(),
        {"churn_risk": {"test": {"auc": 0.8}}},
        LIKELY,
    )


def export(home: Home, contents: Contents, inputs: str = "none") -> str:
    """A live bundle of `contents` in an empty home."""
    samples = {name: invented(model.features, ROWS).rows for name, model in contents.models.items()}
    window = {"from": "2017-05-01T00:00:00Z", "to": "2017-06-01T00:00:00Z"}
    digest = bundle.export(
        home, contents, samples, created_at="2017-06-01T00:00:00+00:00", data_window=window, inputs=inputs
    )
    bundle.point(home, digest)
    return digest
