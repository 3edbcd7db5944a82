"""The contract of every model, by capability: each kind of model goes through the same checks."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from training import bundle
from training.calibration import Calibration
from training.dataset import Dataset
from training.fitting import Recipe, fit_linear, fit_tree
from training.models import LinearModel, Model, TreeModel
from training.references import Shrinkage, ShrunkMean, read

COLUMNS = ("recency_days", "money_182d", "journey=win_back", "never_varies")


def rows(seed: int = 3, count: int = 500) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [rng.gamma(2, 10, count), rng.lognormal(4, 1, count), rng.integers(0, 2, count), np.zeros(count)]
    )
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


def data() -> Dataset:
    x = rows()
    labels = (
        np.random.default_rng(4).random(len(x)) < 1 / (1 + np.exp(-(np.nan_to_num(x[:, 0], nan=20) - 20) / 8))
    ).astype(float)
    moments = np.full(len(x), np.datetime64("2017-06-01T00:00"))
    return Dataset(COLUMNS, x, labels, moments, np.array([f"c{n}" for n in range(len(x))]), np.full(len(x), ""))


@pytest.fixture(scope="module", params=["tree", "linear", "tree_constrained", "linear_few_rows"])
def model(request: pytest.FixtureRequest) -> TreeModel | LinearModel:
    recipe = Recipe(leaves=6, learning_rate=0.1, trees=15, min_rows=10)
    calibration = Calibration(0.9, -0.2)
    found: dict[str, TreeModel | LinearModel] = {
        "tree": fit_tree("m", data(), recipe),
        "linear": fit_linear("m", data()),
        "tree_constrained": fit_tree("m", data(), replace(recipe, monotone={"recency_days": 1})),
        "linear_few_rows": fit_linear("m", data().where(np.arange(500) < 25)),
    }
    return replace(found[request.param], calibration=calibration)


def test_probabilities_are_probabilities_even_where_all_is_unknown_or_extreme(model: Model):
    extreme = np.array([[np.nan] * 4, [0.0] * 4, [1e300] * 4, [-1e300] * 4, [np.inf] * 4])
    for given in (rows(9), extreme[:4]):
        chances = model.predict(given)
        assert chances.shape == (len(given),)
        assert ((chances >= 0) & (chances <= 1)).all()


def test_a_probability_is_its_calibrated_margin(model: Model):
    margins = model.margins(rows(9))
    assert model.predict(rows(9)) == pytest.approx(1 / (1 + np.exp(-(0.9 * margins - 0.2))), abs=1e-12)
    order = np.argsort(margins)
    assert (np.diff(model.predict(rows(9))[order]) >= 0).all()


def test_contributions_add_up_to_the_margin(model: Model):
    for row in rows(11, 60):
        found = model.attribute(row)
        assert tuple(part.feature for part in found.contributions) == model.features
        assert found.base + sum(part.margin for part in found.contributions) == pytest.approx(found.margin, abs=1e-6)
        assert found.probability == pytest.approx(model.predict(row[None, :])[0], abs=1e-12)
        assert [part.value is None for part in found.contributions] == np.isnan(row).tolist()


def test_one_row_and_many_rows_give_the_same(model: Model):
    together = model.predict(rows(12, 40))
    alone = [model.predict(row[None, :])[0] for row in rows(12, 40)]
    assert together == pytest.approx(alone, abs=1e-12)


def test_a_model_read_from_its_text_is_the_same_model(model: Model):
    again = read(model.name, model.kind, model.features, model.text(), asdict(model.calibration), link=model.link)
    assert again.version == model.version
    assert np.array_equal(again.predict(rows(13)), model.predict(rows(13)))
    assert np.array_equal(again.contributions(rows(13, 5)), model.contributions(rows(13, 5)))


def test_predicting_changes_neither_rows_nor_model(model: Model):
    given = rows(14)
    before, version = given.copy(), model.version
    model.predict(given)
    model.attribute(given[0])
    assert np.array_equal(given, before, equal_nan=True)
    assert model.version == version


def test_another_calibration_is_another_version(model: TreeModel | LinearModel):
    assert replace(model, calibration=Calibration(0.9, -0.3)).version != model.version


@pytest.mark.parametrize("shape", [(5, 3), (5, 5), (4,)])
def test_rows_of_another_width_are_refused(model: Model, shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="shape"):
        model.predict(np.zeros(shape))


def test_the_same_rows_give_the_same_model():
    recipe = Recipe(leaves=6, learning_rate=0.1, trees=15, min_rows=10)
    assert fit_tree("m", data(), recipe).version == fit_tree("m", data(), recipe).version
    assert fit_linear("m", data()).version == fit_linear("m", data()).version


def test_a_business_constraint_holds_everywhere():
    model = fit_tree(
        "m", data(), Recipe(leaves=6, learning_rate=0.1, trees=15, min_rows=10, monotone={"recency_days": 1})
    )
    for row in rows(15, 20):
        ladder = np.tile(row, (30, 1))
        ladder[:, 0] = np.linspace(0, 80, 30)
        assert (np.diff(model.margins(ladder)) >= -1e-12).all()


def test_trees_speak_as_lightgbm_and_shap_do():
    """The C interface gives the bits of the library's own Python package, contributions included."""
    import lightgbm

    model = fit_tree("m", data(), Recipe(leaves=6, learning_rate=0.1, trees=15, min_rows=10))
    booster = lightgbm.Booster(model_str=model.text())
    assert np.array_equal(model.margins(rows(16)), booster.predict(rows(16), raw_score=True))
    assert np.array_equal(model.contributions(rows(16)), booster.predict(rows(16), pred_contrib=True))


@pytest.fixture(scope="module", params=["tree", "linear", "mean", "mean_uncounted"])
def amounts(request: pytest.FixtureRequest) -> TreeModel | LinearModel | ShrunkMean:
    """A model of money: the label is about the second column."""
    noise = np.random.default_rng(5).gamma(4, 0.25, 500)
    money = replace(data(), labels=np.nan_to_num(data().rows[:, 1], nan=50.0) * noise)
    recipe = Recipe(leaves=6, learning_rate=0.1, trees=15, min_rows=10, monotone={"money_182d": 1}, link="log")
    found: dict[str, TreeModel | LinearModel | ShrunkMean] = {
        "tree": fit_tree("m", money, recipe),
        "linear": fit_linear("m", money, "log"),
        "mean": ShrunkMean("m", COLUMNS[1::-1], Shrinkage(1.0, 80.0, 2.0)),
        "mean_uncounted": ShrunkMean("m", COLUMNS[1:2], Shrinkage(0.5, 80.0, 0.0)),
    }
    return replace(found[request.param], calibration=Calibration(0.9, 0.3))


def of(model: Model, given: np.ndarray) -> np.ndarray:
    return given[:, [COLUMNS.index(name) for name in model.features]]


def test_amounts_are_above_zero_and_finite_even_where_all_is_unknown_or_extreme(amounts: Model):
    extreme = np.array([[np.nan] * 4, [0.0] * 4, [1e300] * 4, [-1e300] * 4])
    for given in (rows(9), extreme):
        found = amounts.predict(of(amounts, given))
        assert ((found > 0) & np.isfinite(found)).all()


def test_an_amount_is_its_calibrated_log_margin_and_contributions_add_up(amounts: Model):
    given = of(amounts, rows(11, 60))
    assert amounts.predict(given) == pytest.approx(np.exp(0.9 * amounts.margins(given) + 0.3), rel=1e-12)
    for row in given:
        found = amounts.attribute(row)
        assert found.base + sum(part.margin for part in found.contributions) == pytest.approx(found.margin, abs=1e-6)
        assert found.probability == pytest.approx(amounts.predict(row[None, :])[0], rel=1e-12)


def test_a_model_of_amounts_read_from_its_text_is_the_same_and_its_link_is_part_of_its_version(amounts: Model):
    parts = amounts.name, amounts.kind, amounts.features, amounts.text(), asdict(amounts.calibration)
    again = read(*parts, link="log")
    assert again.version == amounts.version != read(*parts, link="logit").version
    assert np.array_equal(again.predict(of(amounts, rows(13))), amounts.predict(of(amounts, rows(13))))


@pytest.mark.parametrize("amounts", ["tree", "mean", "mean_uncounted"], indirect=True)
def test_more_money_spent_never_lowers_an_amount_that_is_bound_to_rise(amounts: Model):
    for row in rows(15, 20):
        ladder = np.tile(row, (30, 1))
        ladder[:, 1] = np.linspace(0, 800, 30)
        assert (np.diff(amounts.margins(of(amounts, ladder))) >= -1e-12).all()


def test_every_model_of_the_bundle_keeps_the_contract(shop_home):
    loaded = bundle.load(shop_home)
    chances = (
        loaded.churn_risk,
        loaded.channel_propensity,
        loaded.base_purchase,
        loaded.send_time.individual,
        loaded.opt_out,
        loaded.next_category.pooled,
    )
    for one in (*chances, loaded.next_basket, loaded.spend):
        given = np.full((3, len(one.features)), np.nan)
        given[1:] = [[0.0], [5.0]]
        assert ((one.predict(given) > 0) & (one.predict(given) < (1 if one.link == "logit" else 1e6))).all()
        for row in given:
            found = one.attribute(row)
            assert found.base + sum(part.margin for part in found.contributions) == pytest.approx(
                found.margin, abs=1e-6
            )
        json.dumps(asdict(one.attribute(given[0])), allow_nan=False)
