"""Shrinkage: how far a cell moves toward its parent, and what is believed where nothing was measured."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitration.codec import decode, encode
from training.effects import (
    INDIVIDUAL_RANGE,
    Belief,
    Beliefs,
    Effects,
    Prior,
    Sample,
    Slope,
    _combine,
    hierarchy,
    shrink_slope,
)

PRIOR = Prior(mean=0.02, sd=0.03, floor=0.01)
samples = st.builds(Sample, st.floats(-0.5, 0.5), st.floats(1e-8, 0.1), st.integers(1, 10_000))
groups = st.dictionaries(st.sampled_from([f"{j}/{c}" for j in "abc" for c in "xyz"]), samples, min_size=1)


@given(groups)
def test_every_cell_lies_between_its_own_mean_and_its_journeys(found):
    believed = hierarchy(found, PRIOR)
    for name, belief in believed.cells.items():
        low, high = sorted([found[name].mean, believed.journeys[name[0]].mean])
        assert low - 1e-9 <= belief.mean <= high + 1e-9


@given(samples, st.floats(0.0, 0.1), st.floats(1e-6, 0.1), st.floats(0.0, 0.2))
def test_the_slope_from_raw_to_shrunk_is_between_zero_and_one(sample, parent, sigma2, step):
    above = Belief(parent, 0.0, 100)
    low = _combine(sample, above, sigma2).mean
    high = _combine(replace(sample, mean=sample.mean + step), above, sigma2).mean
    assert -1e-12 <= high - low <= step + 1e-12


@given(samples, st.floats(1e-6, 0.1))
def test_a_belief_is_never_less_sure_than_its_own_rows_or_its_journey(sample, sigma2):
    sd = _combine(sample, Belief(0.02, 0.0, 100), sigma2).sd
    assert sd <= sqrt(min(sample.variance, sigma2)) + 1e-12


def test_nothing_measured_is_the_prior_with_a_wider_spread():
    believed = hierarchy({"a/x": Sample(), "b/y": Sample()}, PRIOR)
    assert believed.overall.mean == believed.cells["a/x"].mean == PRIOR.mean
    assert believed.overall.sd == pytest.approx(PRIOR.sd)
    assert believed.cells["a/x"].sd > believed.journeys["a"].sd > believed.overall.sd


def test_a_cell_with_very_many_rows_keeps_its_own_mean():
    found = {"a/x": Sample(0.30, 1e-12, 10**9), "a/y": Sample(0.01, 1e-4, 500), "b/x": Sample(0.02, 1e-4, 500)}
    assert hierarchy(found, PRIOR).cells["a/x"].mean == pytest.approx(0.30, abs=1e-6)


def test_a_cell_with_few_rows_goes_to_its_journey():
    found = {"a/x": Sample(0.40, 0.05, 5), "a/y": Sample(0.02, 1e-6, 9000), "a/z": Sample(0.021, 1e-6, 9000)}
    believed = hierarchy(found, PRIOR)
    assert abs(believed.cells["a/x"].mean - believed.journeys["a"].mean) < 0.01


def test_an_unmeasured_cell_takes_its_journeys_mean():
    believed = hierarchy({"a/x": Sample(0.10, 1e-6, 9000), "a/y": Sample(), "b/x": Sample(0.0, 1e-6, 9000)}, PRIOR)
    assert believed.cells["a/y"].mean == believed.journeys["a"].mean
    assert believed.cells["a/y"].raw is None


def effects(tau: float = 0.04, engagement: float = 0.1, slope: float = 1.0) -> Effects:
    """One journey on one channel; the cells of a journey differ by 0.02."""
    cell = {"a/x": Belief(tau, 0.01, 100)}
    return Effects(
        Beliefs(cell, {"a": Belief(0.03, 0.01, 100), "new": Belief(0.02, 0.03, 0)}, Belief(0.02, 0.01, 100), 0.02),
        Beliefs({"a/x": Belief(engagement, 0.01, 100)}, {"a": Belief(engagement, 0.01, 100)}, Belief(0.1, 0.01, 100)),
        {}, 14, "v", Slope(slope, slope, 0.2),
    )  # fmt: skip


@given(st.floats(0.0, 1.0))
def test_an_individual_effect_stays_within_a_quarter_and_four_times_its_cell(propensity):
    found = effects().effect("a", "x", propensity)
    assert found is not None
    assert INDIVIDUAL_RANGE[0] - 1e-12 <= found.mean / 0.04 <= INDIVIDUAL_RANGE[1] + 1e-12
    assert found.tier == 2


def test_average_propensity_leaves_the_cell_as_it_is():
    found = effects().effect("a", "x", 0.1)
    assert found is not None
    assert found.mean == pytest.approx(0.04)


def test_without_a_propensity_the_cell_speaks_and_on_a_new_channel_the_journey():
    cell, journey = effects().effect("a", "x", None), effects().effect("a", "letter", None)
    assert cell is not None
    assert journey is not None
    assert (cell.mean, cell.tier, journey.mean, journey.tier) == (0.04, 1, 0.03, 1)


def test_a_journey_that_was_never_tried_is_left_to_the_prior():
    assert effects().effect("unheard_of", "x", 0.1) is None
    assert effects().effect("new", "x", 0.1) is None


def test_a_cell_never_tried_is_as_unsure_as_its_journey_and_the_spread_inside_it():
    letter = effects().effect("a", "letter", None)
    assert letter is not None
    assert letter.sd == pytest.approx(sqrt(0.01**2 + 0.02**2))


def test_the_spread_inside_journeys_is_kept():
    found = {"a/x": Sample(0.30, 1e-6, 9000), "a/y": Sample(0.10, 1e-6, 9000), "a/z": Sample()}
    believed = hierarchy(found, PRIOR)
    assert believed.spread == pytest.approx(0.1414, abs=0.001)
    new = believed.cell("a", "new")
    assert new is not None
    assert (new.mean, new.sd) == pytest.approx((believed.cells["a/z"].mean, believed.cells["a/z"].sd))


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_the_slope_sets_how_far_propensity_moves_the_effect(slope, propensity):
    found = effects(slope=slope).effect("a", "x", propensity)
    assert found is not None
    beyond = min(max(propensity / 0.1, 0.25), 4.0) - 1
    assert found.mean == pytest.approx(0.04 * (1 + slope * beyond))
    assert found.tier == (2 if slope > 0 else 1)
    assert found.sd >= 0.01 * (1 + slope * beyond) - 1e-12


@given(st.floats(-3, 3), st.floats(0.0, 3))
def test_a_shrunk_slope_is_between_zero_and_one_and_zero_within_its_error(raw, sd):
    used = shrink_slope(raw, sd).used
    assert 0.0 <= used <= max(min(raw, 1.0), 0.0)
    if raw <= sd and sd > 0:
        assert used == 0.0


def test_effects_written_before_the_slope_was_measured_are_read_as_slope_zero():
    old = encode(effects())
    del old["slope"], old["outcome"], old["tau"]["spread"], old["engagement"]["spread"]
    found = decode(Effects, old).effect("a", "x", 0.4)
    assert found is not None
    assert (found.mean, found.tier) == (0.04, 1)


@given(groups, st.floats(0.0, 0.01))
def test_an_error_that_all_cells_share_makes_everything_less_sure_and_draws_their_level_to_the_prior(found, shared):
    alone, together = hierarchy(found, PRIOR), hierarchy(found, PRIOR, shared)
    assert together.overall.sd >= alone.overall.sd
    assert all(belief.sd >= alone.cells[name].sd for name, belief in together.cells.items())
    assert all(belief.raw == found[name].mean for name, belief in together.cells.items())
    before, after = (abs(one.overall.mean - PRIOR.mean) for one in (alone, together))
    assert after <= before + 1e-9


def test_many_cells_do_not_average_away_the_error_of_their_one_control_group():
    """A hundred cells that all say 0.10 because their control group was unlucky are not a hundred witnesses."""
    found = {f"{journey}/{channel}": Sample(0.10, 1e-4, 500) for journey in range(10) for channel in range(10)}
    assert hierarchy(found, PRIOR).overall.sd < 0.012
    assert hierarchy(found, PRIOR, 0.03**2).overall.sd > 0.02
