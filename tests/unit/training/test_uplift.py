"""Effects are found from randomized contacts, even where a journey speaks to customers who buy more anyway."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from arbitration.errors import StateError
from training.effects import Sample, hierarchy
from training.pipeline import effect_notes
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
    found = cells(keys, np.array([1.0, 0.0, 0.0, 0.0]), np.array([4.0, 1.0, 1.0, 2.0]), 0.0)
    assert found["a/x"].mean == pytest.approx(0.5)


def test_a_cell_in_which_nothing_happened_is_not_certain():
    assert cells(np.array(["a/x"] * 9), np.zeros(9), np.ones(9), 0.0)["a/x"].variance == pytest.approx(0.01)


def test_without_a_control_group_there_is_no_effect():
    rows = trial(200, TAUS)
    with pytest.raises(StateError, match="silent"):
        measure(rows[rows["arm"] == "random"], ACTIVE)


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
