"""Confidence sequences hold the truth at all looks together, in simulation; ordinary intervals do not."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from benchmarks.quality.coverage import sequences
from training.off_policy import (
    Log,
    LogError,
    asymptotic_sequence,
    at_look,
    bernstein_sequence,
    clustered,
    contrast,
    ips,
    snips,
)


def test_sequences_hold_at_every_look_and_ordinary_intervals_do_not():
    """300 streams: 95 % less three standard errors of the simulation is 0.912."""
    found = {name: covered for name, covered, _ in sequences(300, seed=3)}
    ordinary = found.pop("sequence: ordinary interval looked at so, not judged")
    assert ordinary < 0.75
    assert len(found) == 3
    assert all(covered >= 0.912 for covered in found.values()), found


def test_the_asymptotic_boundary_is_the_papers_formula():
    values = np.tile([0.0, 2.0], 500)
    alpha = 0.05
    y = 8.3
    for _ in range(200):
        y = 1 - 2 * log(alpha) + log(y)
    rho2 = (y - 1) / 400
    t = 1000
    reach = sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * log(sqrt(t * rho2 + 1) / alpha))
    low, high = asymptotic_sequence(values, planned=400)
    assert (low[-1], high[-1]) == pytest.approx((1 - reach, 1 + reach))


def test_the_sequence_is_shortest_relative_to_chance_where_it_was_planned():
    values = np.random.default_rng(0).normal(size=4000)
    widths = {planned: np.diff(asymptotic_sequence(values, planned), axis=0)[0][999] for planned in (100, 1000, 4000)}
    assert widths[1000] < widths[100]
    assert widths[1000] < widths[4000]


def test_the_empirical_bernstein_sequence_by_hand_after_one_value():
    """bet = min(sqrt(2 log 40 / (0.25 log 2)), 0.5) = 0.5; reach = (log 40 + 0.25 (log 2 - 0.5)) / 0.5: more than all of 0 to 1."""
    low, high = bernstein_sequence(np.array([1.0]), (0.0, 1.0))
    assert (low[0], high[0]) == (0, 1)
    low, high = bernstein_sequence(np.full(2000, 0.3), (0.0, 1.0))
    assert 0.27 < low[-1] < 0.3 < high[-1] < 0.33


def test_the_empirical_bernstein_sequence_is_the_papers_read_line_by_line():
    """Theorem 2 as a loop: every bet and every center is made before its value is seen."""
    values = np.random.default_rng(5).beta(2, 5, 300)
    alpha, mean, spread = 0.05, 0.5, 0.25
    bets = weighed = price = total = squares = 0.0
    best = [0.0, 1.0]
    low, high = bernstein_sequence(values, (0.0, 1.0))
    for t, x in enumerate(values, start=1):
        bet = min(sqrt(2 * log(2 / alpha) / (spread * t * log(1 + t))), 0.5)
        bets, weighed = bets + bet, weighed + bet * x
        price += 4 * (x - mean) ** 2 * (-log(1 - bet) - bet) / 4
        reach = (log(2 / alpha) + price) / bets
        best = [max(best[0], weighed / bets - reach), min(best[1], weighed / bets + reach)]
        assert (low[t - 1], high[t - 1]) == pytest.approx(best)
        total += x
        mean = (0.5 + total) / (t + 1)
        squares += (x - mean) ** 2
        spread = (0.25 + squares) / (t + 1)


def test_a_bernstein_sequence_never_widens_and_follows_its_unit():
    values = np.random.default_rng(1).random((3, 500))
    low, high = bernstein_sequence(values, (0.0, 1.0))
    assert (np.diff(low, axis=1) >= 0).all()
    assert (np.diff(high, axis=1) <= 0).all()
    scaled = bernstein_sequence(10 * values - 4, (-4.0, 6.0))
    assert np.allclose(scaled[0], 10 * low - 4)
    assert np.allclose(scaled[1], 10 * high - 4)


@pytest.mark.parametrize("bounds", [(0.0, 0.5), (1.0, 0.0), (0.5, 0.5)])
def test_values_outside_their_bounds_are_refused(bounds):
    with pytest.raises(LogError, match="bounds"):
        bernstein_sequence(np.array([0.2, 0.9]), bounds)


def test_a_look_is_the_sequence_where_every_customer_has_one_row():
    rng = np.random.default_rng(2)
    rows = Log(("a", "b"), np.arange(400) % 2, rng.normal(3, 1, 400), np.full(400, 0.5))
    look = at_look(snips(rows, np.full((400, 2), 0.5)), rows.clusters, planned=300)
    low, high = asymptotic_sequence(rows.reward, planned=300)
    assert (look.low, look.high) == pytest.approx((low[-1], high[-1]), abs=1e-3)
    ordinary = clustered(snips(rows, np.full((400, 2), 0.5)), rows.clusters)
    assert look.high - look.low > 1.2 * (ordinary.high - ordinary.low)


def test_a_difference_can_be_looked_at_too():
    rng = np.random.default_rng(9)
    arm = rng.integers(0, 2, 1000)
    log = Log(("a", "b"), arm, rng.normal(0, 1, 1000) + arm, np.full(1000, 0.5), np.arange(1000) // 2)
    mostly, seldom = (np.tile([1 - share, share], (1000, 1)) for share in (0.9, 0.1))
    look = at_look(contrast(ips(log, mostly), ips(log, seldom)), log.clusters, planned=500)
    assert 0 < look.low < 0.8 < look.high
    assert at_look(contrast(ips(log, mostly), ips(log, mostly)), log.clusters, planned=500).high == 0


def test_wrong_levels_and_plans_are_refused():
    with pytest.raises(LogError, match="bad_setting"):
        asymptotic_sequence(np.ones(3), planned=0)
    for level in (0.0, 1.0):
        with pytest.raises(LogError, match="bad_setting"):
            asymptotic_sequence(np.ones(3), planned=5, level=level)
        with pytest.raises(LogError, match="bad_setting"):
            bernstein_sequence(np.ones(3), (0.0, 1.0), level)
