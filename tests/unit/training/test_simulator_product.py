"""This project's own policy in the simulated market: its dice, its silence, and what it learns from them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from training.simulator.market import laws as law
from training.simulator.market.laws import NAMES, WORLDS
from training.simulator.market.log import Rows
from training.simulator.market.play import Market
from training.simulator.market.policies import SCARCE_CANDIDATES, Dice, NeverSend, allot
from training.simulator.market.product import CONFIDENCE, EXPLORED, Arbitrated, due, explored, surely, worth
from training.simulator.market.product_effects import CELLS, MAIL, Learned, learn, moment_of, posterior, reach_of
from training.simulator.market.state import FEATURES

CUSTOMERS, WEEKS = 1500, 20


@cache
def market(world: str = "strong", customers: int = CUSTOMERS, seed: int = 2) -> Market:
    """A market several tests play in."""
    return Market(WORLDS[world], seed, customers, WEEKS)


def test_this_projects_policy_is_silent_but_for_its_dice_where_nothing_can_be_gained() -> None:
    where = market("zero-effect", customers=3000)
    run, never = where.run(Arbitrated()), where.run(NeverSend()).value.mean()
    assert run.contacts[:8].sum() / (8 * 3000) < EXPLORED
    assert never - run.value.mean() < 0.01 * never


def test_this_projects_policy_logs_the_probability_with_which_it_chose() -> None:
    """Rare is what the dice drew, nearly sure what the policy chose, and as many are left to the dice as it says."""
    policy = Arbitrated()
    log = market(customers=3000).run(policy).log
    for entry in log.entries[8:]:
        assert ((entry.probability > 0) & (entry.probability <= 1)).all()
        assert (entry.probability[entry.probability > 0.5] >= 1 - 2 * EXPLORED).all()
        drawn = policy._drawn[entry.week]
        assert drawn.mean() == pytest.approx(EXPLORED, abs=0.02)
        assert (entry.probability[~drawn] > 0.9).all()
        rare = entry.probability < 0.5
        assert drawn[rare].all()


def test_only_the_half_whose_attention_is_cheapest_is_explored() -> None:
    share = explored(np.array([3.0, 1.0, 2.0, 4.0]))
    assert share.tolist() == [0.0, 2 * EXPLORED, 2 * EXPLORED, 0.0]
    assert explored(np.zeros(0)).shape == (0,)


def by_dice(rows: Rows) -> np.ndarray:
    """Every row was drawn."""
    return np.ones(len(rows.week), dtype=bool)


def test_effects_learned_from_dice_are_near_the_truth_of_the_ordinary_mail() -> None:
    where = market(customers=6000)
    rows = where.start[1].rows(0).known()
    found, mail = learn(rows, by_dice(rows)), NAMES.index("earn_to_redeem/email")
    ordinary = rows.where(moment_of(rows.features) == 0)
    mean = found.effects(ordinary.features)[0][:, mail].mean()
    who = ordinary.customer
    true = (
        where.people.effect(where.laws.journey_effect(0))[who, mail]
        * law.REACH[law.EMAIL]
        * (1 - where.people.buying[who])
    )
    assert (
        0.2 * true.mean() < mean < 1.5 * true.mean()
    )  # the public experiment's prior is far below the strong world's mails


def test_without_rows_effects_are_the_prior_and_nothing_is_surely_gained() -> None:
    none = market().start[1].rows(0).where(np.zeros(CUSTOMERS * 6, dtype=bool))
    found = learn(none, by_dice(none))
    assert found.mean[0, 1] == pytest.approx(MAIL)
    features = market().start[1].entries[0].features
    for candidate in (law.SILENCE, 1):
        assert surely(found, features, np.full(len(features), candidate), 1.0) < CONFIDENCE


def test_what_is_only_believed_before_data_is_not_sure_where_attention_has_its_price() -> None:
    rows = market().start[1].rows(0).known()
    learned, none = (learn(part, by_dice(part)) for part in (rows, rows.where(np.zeros(len(rows.week), dtype=bool))))
    features, everybody = rows.features[-CUSTOMERS:], np.full(CUSTOMERS, NAMES.index("earn_to_redeem/email"))
    before = replace(learned, mean=none.mean, sd=none.sd, covariance=none.covariance)
    assert surely(before, features, everybody, 1.0) < CONFIDENCE
    assert surely(replace(before, mean=none.mean + 1.0), features, everybody, 1.0) > CONFIDENCE


def test_channels_are_compared_with_e_mail_by_what_arrived() -> None:
    rows = market().start[1].rows(0).known()
    sent, channel = rows.candidate > 0, law.CHANNEL_OF[rows.candidate - 1]
    assert reach_of(rows) == pytest.approx(law.REACH / law.REACH[law.EMAIL], rel=0.1)
    assert (reach_of(rows.where(~sent)) == 1.0).all()
    assert (reach_of(rows.where(~sent | (channel != law.EMAIL))) == 1.0).all()
    blocked = replace(rows, arrived=rows.arrived & (channel != law.EMAIL))
    assert reach_of(blocked).tolist() == [2.0, 1.0, 2.0]


def test_only_what_was_sent_arrives_and_only_what_arrived_is_clicked() -> None:
    rows = market().start[1].rows(0)
    assert rows.clicked.any()
    assert not (rows.clicked & ~rows.arrived).any()
    assert not (rows.arrived & (rows.candidate == law.SILENCE)).any()


def test_rows_that_dice_did_not_decide_teach_nothing_of_effects() -> None:
    """The policy's own choice next to no silence shows m0's error, not an effect."""
    rows = market().start[1].rows(0).known()
    half = rows.week % 2 == 0
    changed = replace(rows, candidate=np.where(half, rows.candidate, np.where(rows.candidate > 0, 1, 0)))
    found, other = learn(rows, half), learn(changed, half)
    assert found.mean == pytest.approx(other.mean)


def test_the_posterior_is_the_prior_where_nothing_was_measured_and_the_measurement_where_it_is_exact() -> None:
    count = len(CELLS)
    prior, covariance = np.full(count, 0.1), np.eye(count)
    found = np.full(count, np.nan)
    found[0] = 0.5
    means, sds, left = posterior(prior, covariance, found, np.zeros((count, count)))
    assert means[tuple(CELLS[0])] == pytest.approx(0.5, abs=1e-5)
    assert sds[tuple(CELLS[0])] < 0.01
    assert means[tuple(CELLS[1])] == pytest.approx(0.1)
    assert np.diag(left)[1:] == pytest.approx(np.ones(count - 1))


def test_what_is_surely_gained_is_so_where_effects_are_and_not_where_there_are_none() -> None:
    found = {}
    for world in ("strong", "zero-effect"):
        run = market(world, customers=6000).run(Dice())
        rows = run.log.rows(WEEKS).known()
        learned, features = learn(rows, by_dice(rows)), run.log.entries[-1].features
        everywhere = np.ones((len(features), law.CANDIDATES), dtype=bool)
        everywhere[:, SCARCE_CANDIDATES] = False
        found[world] = surely(learned, features, allot(worth(learned, features, 1.0), everywhere, 0), 1.0)
    assert found["zero-effect"] < CONFIDENCE < found["strong"]


def test_those_who_have_stayed_away_longer_are_less_open_and_cheaper() -> None:
    rows = market(customers=6000).start[1].rows(0).known()
    found: Learned = learn(rows, by_dice(rows))
    asked = np.tile(np.median(rows.features, axis=0), (2, 1))
    asked[:, [FEATURES.index(name) for name in ("cart", "expiring", "lapsing")]] = 0
    asked[:, FEATURES.index("recency")] = np.log1p([1.0, 20.0])
    asked[:, FEATURES.index("frequency")] = 0.3 * 0.9 ** np.array([1.0, 20.0])
    here, gone = found.effects(asked)[0][:, 1] / (1 - found.expected(asked) / law.HORIZON)
    assert gone < here
    assert due(found, asked, 1.0)[1, 1] < due(found, asked, 1.0)[0, 1]


def test_the_moment_is_read_from_the_features() -> None:
    rows = np.zeros((3, len(FEATURES)))
    rows[1, FEATURES.index("cart")] = rows[2, FEATURES.index("lapsing")] = 1
    assert moment_of(rows).tolist() == [0, 1, 3]
