"""Nothing is trained on a feature that was recorded after the decision: planted leaks are refused, honest features are not."""

from __future__ import annotations

import numpy as np
import pytest

from arbitration.errors import TableError
from tests.unit.training.invented_experiment import FEATURES, asked, experiment, names, spec, table
from training.experiment.run import choose_for

ROWS = 2000


def asked_with(leak):
    return asked().append_column(leak, asked()["orders"])


@pytest.fixture
def rows():
    return experiment(ROWS, level=0.5)


def test_a_copy_of_the_reward_is_refused(rows):
    rows["basket"] = rows["money"] * 1.19 + np.random.default_rng(1).normal(0, 0.01, ROWS)
    with pytest.raises(TableError, match="'basket' tells the reward: it leaks"):
        choose_for(table(rows), asked_with("basket"), spec(features=[*FEATURES, "basket"]))


def test_a_feature_that_is_only_known_where_there_is_a_reward_is_refused(rows):
    rows["money"] = np.where(np.random.default_rng(2).random(ROWS) < 0.1, rows["money"].abs() + 1, 0.0)
    rows["ordered_at_hour"] = np.where(rows["money"] > 0, 12.0, np.nan)
    rows.loc[0, "ordered_at_hour"] = 13.0
    with pytest.raises(TableError, match="'ordered_at_hour' tells the reward"):
        choose_for(table(rows), asked_with("ordered_at_hour"), spec(features=[*FEATURES, "ordered_at_hour"]))


def test_a_feature_that_the_arm_changed_is_refused(rows):
    opened = (rows["arm"] != "none") & (np.random.default_rng(3).random(ROWS) < 0.3)
    rows["opened"] = np.where(opened, "yes", "no")
    new = asked().append_column("opened", asked()["region"])
    with pytest.raises(TableError, match="'opened' tells the arm"):
        choose_for(table(rows), new, spec(features=[*FEATURES, "opened"]))


def test_arms_that_were_not_drawn_at_random_are_refused(rows):
    rows = rows.sort_values("recency")
    rows["arm"] = np.repeat(["none", "spring", "sale"], [400, 1000, 600])
    with pytest.raises(TableError, match="if the arms were not drawn at random, nothing can be learned"):
        choose_for(table(rows), asked(), spec())


def test_a_targeted_draw_with_its_logged_probability_is_no_leak():
    rng = np.random.default_rng(5)
    rows = experiment(ROWS)
    chance = np.where(rows["recency"] > 0, 0.8, 0.3)
    shown = rng.random(ROWS) < chance
    rows = rows.assign(arm=np.where(shown, "sale", "none"), chance=np.where(shown, chance, 1 - chance))
    report = choose_for(table(rows), asked(), spec(probability="chance")).report
    assert not names(report) & {"feature_unbalanced", "probabilities_do_not_fit"}


def test_probabilities_that_are_not_those_of_the_draw_are_named(rows):
    report = choose_for(table(rows), asked(), spec(probability={"none": 0.4, "spring": 0.3, "sale": 0.3})).report
    assert "probabilities_do_not_fit" in names(report)


def test_an_honest_experiment_is_not_doubted(rows):
    assert names(choose_for(table(rows), asked(), spec()).report) == set()
