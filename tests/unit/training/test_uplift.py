"""Effects are found from randomized contacts, even where a journey speaks to customers who buy more anyway."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from arbitration.codec import decode, encode
from training.contrasts import capped, effective, journey_odds, side
from training.effects import Effects, Sample, hierarchy
from training.effects_told import effect_notes
from training.uplift import ENGAGEMENT_PRIOR, TAU_PRIOR, cells, fit_slope, individual, measure

ACTIVE = ("frequency_28d",)


def trial(rows: int, taus: dict[tuple[str, str], float], seed: int = 5) -> pd.DataFrame:
    """Half silent; `busy` speaks only to active customers, whose orders happen anyway four times as often."""
    rng = np.random.default_rng(seed)
    active = rng.random(rows) < 0.5
    silent = rng.random(rows) < 0.5
    journey = np.where(active, "busy", "calm")
    channel = rng.choice(["push", "email"], rows, p=[0.2, 0.8])
    tau = np.array([taus[pair] for pair in zip(journey, channel, strict=True)])
    chance = np.where(active, 0.20, 0.05) + np.where(silent, 0.0, tau)
    return pd.DataFrame({
        "contact_id": np.arange(rows).astype(str), "customer_id": (np.arange(rows) % 500).astype(str),
        "journey": np.where(silent, "silence", journey), "channel": np.where(silent, "none", channel),
        "arm": np.where(silent, "silence", "random"),
        "probability": np.where(silent, 0.5, np.where(channel == "push", 0.1, 0.4)),
        "event_timestamp": pd.date_range("2017-05-01", periods=rows, freq="min", tz="UTC"),
        "frequency_28d": np.where(active, 8.0, 1.0),
        "ordered": (rng.random(rows) < chance).astype(float),
        "bought": (rng.random(rows) < chance).astype(float),
        "engaged": (rng.random(rows) < 0.1).astype(float),
        "opted_out": np.where(silent, 0.0, rng.random(rows) < 0.003).astype(float),
    })  # fmt: skip


TAUS = {("busy", "push"): 0.03, ("busy", "email"): 0.03, ("calm", "push"): 0.06, ("calm", "email"): 0.06}


def test_known_effects_are_found_within_three_standard_deviations():
    found = measure(trial(60_000, TAUS), ACTIVE)
    for (journey, channel), tau in TAUS.items():
        belief = found.tau.cells[f"{journey}/{channel}"]
        assert abs(belief.mean - tau) < 3 * belief.sd, (journey, channel, belief)


def test_customers_who_buy_anyway_are_not_taken_for_an_effect():
    """The plain difference to all the silent would call `busy` better than `calm`; it is the other way round."""
    rows = trial(60_000, TAUS)
    sent = rows[rows["arm"] == "random"]
    plain = sent.groupby("journey")["ordered"].mean()
    found = measure(rows, ACTIVE)
    assert plain["busy"] > plain["calm"]
    assert found.tau.journeys["busy"].mean < found.tau.journeys["calm"].mean


def test_no_effect_is_found_where_there_is_none():
    found = measure(trial(60_000, dict.fromkeys(TAUS, 0.0)), ACTIVE)
    assert all(abs(belief.mean) < 3 * belief.sd for belief in found.tau.cells.values())


def test_rows_weigh_by_their_logging_probability():
    keys = np.array(["a/x"] * 4)
    found = cells(keys, np.array([1.0, 0.0, 0.0, 0.0]), np.array([4.0, 1.0, 1.0, 2.0]), np.array(["a", "b", "c", "d"]))
    assert found["a/x"].mean == pytest.approx(0.5)


def test_heavy_weights_count_for_what_they_say():
    weight, group = np.array([1.0, 1.0, 1.0, 1.0, 97.0, 1.0, 1.0, 1.0]), np.repeat([0, 1], 4)
    scaled = effective(weight, group)
    assert scaled[:4].sum() == pytest.approx(4.0)
    assert scaled[4:].sum() == pytest.approx(100**2 / (97**2 + 3))


def test_a_tiny_probability_cannot_outweigh_all_the_others():
    assert capped(np.array([0.5, 1e-9])).tolist() == [2.0, 20.0]
    assert capped(np.full(10_000, 1e-9))[0] == 100.0


def test_a_cell_in_which_nothing_happened_is_not_certain():
    nine = np.arange(9).astype(str)
    assert cells(np.array(["a/x"] * 9), np.zeros(9), np.ones(9), nine)["a/x"].variance == pytest.approx(0.01)


def test_without_a_control_group_every_cell_stays_at_its_prior_and_the_catalog_speaks():
    rows = trial(200, TAUS)
    found = measure(rows[rows["arm"] == "random"], ACTIVE)
    assert {belief.rows for belief in found.tau.cells.values()} == {0}
    assert {belief.mean for belief in found.tau.cells.values()} == {TAU_PRIOR.mean}
    assert found.effect("busy", "push", 0.1) is None
    assert found.engagement.cells["busy/push"].rows > 0


@pytest.mark.parametrize("rows", [0, 1, 2, 10])
def test_a_handful_of_rows_moves_the_priors_a_little_at_most(rows):
    few = trial(400, TAUS).iloc[:rows]
    found = measure(few, ACTIVE, np.full(int((few["arm"] == "random").sum()), 0.1))
    assert abs(found.tau.overall.mean - TAU_PRIOR.mean) <= TAU_PRIOR.sd
    assert all(belief.sd >= TAU_PRIOR.floor for belief in found.tau.cells.values())
    assert found.slope.used == 0.0 or found.slope.sd > 0
    assert decode(Effects, encode(found)) == found


def test_the_rows_of_one_customer_count_as_one_when_errors_are_reckoned():
    """Every row four times, under the same customer, is no more knowledge than once."""
    once = trial(4_000, TAUS)
    four = pd.concat([once] * 4, ignore_index=True)
    alone, repeated = measure(once, ACTIVE).tau, measure(four, ACTIVE).tau
    for name, belief in repeated.cells.items():
        assert belief.raw == pytest.approx(alone.cells[name].raw, abs=0.01)
        assert belief.sd > 0.8 * alone.cells[name].sd


def test_silence_is_weighed_like_the_customers_a_journey_speaks_to():
    """Even when silence is foretold without the feature that matters, the odds of the journey put the comparison right."""
    rows = trial(60_000, TAUS)
    silent, sent = rows[rows["arm"] == "silence"], rows[rows["arm"] == "random"]
    numbers = np.unique(sent["journey"].to_numpy(dtype=str), return_inverse=True)[1]
    odds = journey_odds(side(silent, ACTIVE, "ordered"), side(sent, ACTIVE, "ordered"), numbers, 2)
    active = silent["frequency_28d"].to_numpy() > 4
    assert odds[active, 0].mean() > 10 * odds[~active, 0].mean()
    assert odds[~active, 1].mean() > 10 * odds[active, 1].mean()


def individuals(rows: int, slope: float, seed: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keys, gains and propensities of one cell in which the effect of 0.06 follows the propensity by `slope`."""
    rng = np.random.default_rng(seed)
    propensity = rng.choice([0.05, 0.10, 0.15], rows)
    gained = (rng.random(rows) < 0.1 + 0.06 * (1 + slope * (propensity / 0.10 - 1))).astype(float) - 0.1
    return np.full(rows, "a/x"), gained, propensity


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_the_slope_on_propensity_is_found_within_three_standard_errors(slope):
    keys, gained, propensity = individuals(200_000, slope)
    tau = hierarchy({"a/x": Sample(0.06, 1e-8, len(keys))}, TAU_PRIOR)
    engagement = hierarchy({"a/x": Sample(0.10, 1e-8, len(keys))}, ENGAGEMENT_PRIOR)
    predicted = individual(keys, propensity, tau, engagement)
    assert set(np.round(predicted, 4)) == {-0.03, 0.0, 0.03}
    people = (np.arange(len(keys)) % 5000).astype(str)
    found = fit_slope(keys, gained, predicted, weights=np.ones(len(keys)), customers=people)
    assert found.sd < 0.1
    assert abs(found.raw - slope) < 3 * found.sd
    assert found.used == 0.0 if slope == 0.0 else found.used > 0.3


def test_rows_that_repeat_do_not_make_the_slope_surer():
    """Every row four times under the same customer carries no more knowledge than once."""
    keys, gained, propensity = individuals(5_000, 0.5)
    people = np.arange(len(keys)).astype(str)
    once = fit_slope(keys, gained, propensity, weights=np.ones(len(keys)), customers=people)
    four = [np.tile(one, 4) for one in (keys, gained, propensity, np.ones(len(keys)), people)]
    again = fit_slope(four[0], four[1], four[2], weights=four[3], customers=four[4])
    assert (again.raw, again.sd) == pytest.approx((once.raw, once.sd))


def test_without_propensities_or_without_differences_the_slope_is_zero():
    rows = trial(4_000, TAUS)
    sent = int((rows["arm"] == "random").sum())
    assert measure(rows, ACTIVE).slope.used == 0.0
    assert measure(rows, ACTIVE, np.full(sent, 0.1)).slope.sd == 0.0


def test_orders_that_exist_for_contacts_alone_are_not_taken_for_an_effect():
    """A shop that attributes orders to contacts only, whose contacts cause nothing: every purchase must count, not these."""
    rows = trial(60_000, dict.fromkeys(TAUS, 0.0))
    rows.loc[rows["arm"] == "silence", "ordered"] = 0.0
    found = measure(rows, ACTIVE)
    assert found.outcome == "bought"
    assert all(abs(belief.mean) < 3 * belief.sd for belief in found.tau.cells.values())
    assert any("any purchase counts" in note for note in effect_notes(found))
    usual = measure(trial(4_000, TAUS), ACTIVE)
    assert usual.outcome == "ordered"
    assert not any("any purchase counts" in note for note in effect_notes(usual))


def test_journeys_with_enough_events_follow_propensity_by_themselves():
    """In `busy` the effect follows the propensity, in `calm` it does not: one slope for both would be wrong for both."""
    rng = np.random.default_rng(3)
    rows = trial(120_000, TAUS)
    sent = (rows["arm"] == "random").to_numpy()
    busy = (rows["journey"] == "busy").to_numpy()
    propensity = rng.choice([0.05, 0.10, 0.15], len(rows))
    more = np.where(busy, 0.10 * (propensity / 0.10 - 1), 0.0)
    rows.loc[sent & (rng.random(len(rows)) < more), "ordered"] = 1.0
    rows["engaged"] = (rng.random(len(rows)) < propensity).astype(float)
    found = measure(rows, ACTIVE, propensity[sent])
    assert found.slopes["busy"].used > found.slopes["calm"].used + 0.2
    fewer = measure(rows.iloc[:300], ACTIVE, propensity[:300][sent[:300]])
    assert fewer.slopes == {}


def test_odds_beyond_what_the_logging_probability_allows_are_taken_for_noise():
    """Silent with 0.5, nobody has more than even odds of any journey, however surely the trees tell them apart."""
    rows = trial(20_000, TAUS)
    silent, sent = rows[rows["arm"] == "silence"], rows[rows["arm"] == "random"]
    numbers = np.unique(sent["journey"].to_numpy(dtype=str), return_inverse=True)[1]
    odds = journey_odds(side(silent, ACTIVE, "ordered"), side(sent, ACTIVE, "ordered"), numbers, 2)
    assert odds.max() <= 1.0
    assert odds.max() > 0.5
