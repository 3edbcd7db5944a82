"""Categories of many levels: learned where they matter, worth nothing where they do not, and no row is told its own answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from tests.unit.training.invented_experiment import names, spec, table
from training.experiment.category_means import shrunk_means, with_means
from training.experiment.run import choose_for

LEVELS = 200
EFFECT = np.random.default_rng(9).normal(0, 1.0, LEVELS)


def shops(rows: int, seed: int, size: float) -> pd.DataFrame:
    """A trial in which a mail's effect hangs on one of 200 shops alone."""
    rng = np.random.default_rng(seed)
    shop, mailed = rng.integers(0, LEVELS, rows), rng.random(rows) < 0.5
    money = 2 + size * EFFECT[shop] * mailed + rng.normal(size=rows)
    arm = np.where(mailed, "mail", "none")
    return pd.DataFrame(
        {"row": [f"{seed}-{n}" for n in range(rows)], "shop": [f"s{n}" for n in shop], "arm": arm, "money": money}
    )


def chosen(size: float):
    asked_for = spec(probability={"none": 0.5, "mail": 0.5}, features=["shop"])
    new = shops(4000, 2, size)
    return new, choose_for(table(shops(12_000, 1, size)), table(new[["row", "shop"]]), asked_for)


def test_an_effect_that_hangs_on_one_of_many_shops_is_found():
    new, found = chosen(1.0)
    tau = EFFECT[new["shop"].str[1:].astype(int)]
    earned = (found.actions["p_mail"].to_numpy() * tau).mean()
    assert found.report["policy"]["kind"] == "personalized"
    assert earned > 0.8 * np.maximum(tau, 0).mean()
    assert "rare_categories" not in names(found.report)


def test_shops_without_an_effect_tell_nobody_apart():
    _, found = chosen(0.0)
    assert found.report["policy"]["kind"] != "personalized"


def test_a_row_is_not_told_its_own_answer():
    """Noise alone over as many levels as rows/4: what the learner is given must not go with the answer."""
    rng = np.random.default_rng(3)
    codes, target = rng.integers(0, 250, 1000).astype(float)[:, None], rng.normal(size=1000)
    given = {}

    def look(rows, answers, _seed):
        given["rows"], given["answers"] = rows, answers
        return lambda asked: asked[:, -1]

    model = with_means(look, 1)(np.hstack([np.zeros((1000, 1)), codes]), target, 1)
    assert abs(np.corrcoef(given["rows"][:, -1] + rng.normal(0, 1e-9, 1000), target)[0, 1]) < 0.1
    assert (given["answers"] == target).all()
    assert model(np.array([[0.0, np.nan], [0.0, 9999.0]])) == pytest.approx([target.mean()] * 2)


@settings(max_examples=50, deadline=None)
@drawn(seed=st.integers(0, 10**6), levels=st.integers(1, 40), spread=st.sampled_from([0.0, 0.3, 3.0]))
def test_shrunk_means_lie_between_the_levels_mean_and_that_of_all(seed, levels, spread):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, levels, 400)
    target = rng.normal(0, spread, levels)[codes] + rng.normal(size=400)
    found, overall = shrunk_means(codes.astype(float), target), target.mean()
    for level in np.unique(codes):
        raw = target[codes == level].mean()
        low, high = sorted([raw, overall])
        assert low - 1e-9 <= found.level[level] <= high + 1e-9
