"""Nothing is trained on a feature that was recorded after the decision: planted leaks are refused, honest features are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbitration.errors import TableError
from tests.unit.training.invented_experiment import FEATURES, asked, experiment, names, spec, table
from training.experiment.leaks import chances, check_leaks
from training.experiment.notices import Notices
from training.experiment.run import choose_for
from training.experiment.table import to_trial

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


@pytest.mark.parametrize("shares", [(0.01, 0.99), (0.05, 0.95), (0.5, 0.5), (0.05,) * 20])
@pytest.mark.parametrize("rows", [300, 1000, 4000])
def test_a_sound_draw_is_neither_refused_nor_warned_about(shares, rows):
    """A small arm is missing from many a tenth of the rows: that is chance, however few there are."""
    arms = ["none", *(f"mail{n}" for n in range(1, len(shares)))]
    warned = 0
    for seed in range(8):
        rng = np.random.default_rng([seed, rows, len(shares)])
        drawn = pd.DataFrame(rng.normal(size=(rows, 4)), columns=list("abcd"))
        drawn = drawn.assign(row=range(rows), arm=rng.choice(arms, rows, p=shares), money=rng.normal(size=rows))
        notices = Notices()
        asked_for = spec(probability=dict(zip(arms, shares, strict=True)), features=list("abcd"))
        check_leaks(to_trial(table(drawn), asked_for, 1, notices), notices)
        warned += bool(notices.names() & {"feature_unbalanced", "probabilities_do_not_fit"})
    assert warned == 0


@settings(max_examples=60, deadline=None)
@given(share=st.sampled_from([0.02, 0.1, 0.5, 0.9]), size=st.sampled_from([1, 4]), seed=st.integers(0, 10**6))
def test_the_chance_of_an_imbalance_is_a_chance(share, size, seed):
    """Drawn with these shares, by rows or by whole clusters, a chance below 1 in 10,000 is as rare; a shifted group is found."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(1200 // size), size)
    weight = np.where((rng.random(1200 // size) < share)[cluster], 1 / share, 0.0)
    groups = rng.integers(0, 5, 1200)
    if not weight.any():
        return
    found = chances(groups, weight, 1.0, cluster)
    assert (found.chance > 1e-6).all()
    assert found.chance.max() <= 1.0
    all_of_it = np.where(groups == 2, 1 / share, weight)
    assert chances(groups, all_of_it, 1.0, np.arange(1200)).chance[2] < 1e-6 or share == 0.9


def test_a_leak_behind_noise_is_refused(rows):
    rows["basket"] = rows["money"] + (rows["arm"] == "sale") * 3.0 + np.random.default_rng(4).normal(0, 1.0, ROWS)
    with pytest.raises(TableError, match="'basket' tells the arm"):
        choose_for(table(rows), asked_with("basket"), spec(features=[*FEATURES, "basket"]))
