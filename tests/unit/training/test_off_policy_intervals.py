"""Intervals by customer: against plain formulas where customers have one row, and against the truth in simulation."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from statistics import stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.quality.coverage import measure
from training.off_policy import Log, LogError, Valuation, clustered, difference, interval, ips, snips, wilson
from training.off_policy.intervals import effective, standard_error

EVEN = np.full((200, 2), 0.5)


def even_log(rewards: np.ndarray, cluster: np.ndarray | None = None) -> Log:
    """Two arms, logged and judged by a fair coin: every weight is 1."""
    rows = len(rewards)
    return Log(("a", "b"), np.arange(rows) % 2, rewards.astype(float), np.full(rows, 0.5), cluster)


@given(st.lists(st.floats(-100, 100), min_size=3, max_size=40))
@settings(max_examples=50, deadline=None)
def test_customers_with_one_row_have_the_plain_standard_error(values):
    found = standard_error(np.array(values) - np.mean(values), np.arange(len(values)))
    assert found == pytest.approx(stdev(values) / sqrt(len(values)), rel=1e-6, abs=1e-9)


def test_the_same_row_five_times_is_one_observation():
    rng = np.random.default_rng(3)
    influence = rng.normal(size=60)
    once = standard_error(influence, np.arange(60))
    assert standard_error(np.repeat(influence, 5), np.repeat(np.arange(60), 5)) == pytest.approx(once)


def test_by_hand_two_customers_with_two_rows():
    # sums 3 and -3: SE^2 = 2 / 1 * 18 / 16
    assert standard_error(np.array([1.0, 2.0, -4.0, 1.0]), np.array([0, 0, 1, 1])) == pytest.approx(sqrt(2 * 18 / 16))


def test_one_customer_alone_has_no_error_that_could_be_known():
    assert clustered(ips(even_log(np.ones(4), np.zeros(4)), EVEN[:4]), np.zeros(4, int)).error == np.inf


def test_the_effective_number_counts_customers_by_weight():
    assert effective(np.ones(10), np.arange(10)) == pytest.approx(10)
    assert effective(np.array([1.0, 0, 0, 0]), np.arange(4)) == pytest.approx(1)
    assert effective(np.ones(10), np.repeat([0, 1], 5)) == pytest.approx(2)
    assert effective(np.zeros(3), np.arange(3)) == 0


def test_wilson_gives_the_textbook_bounds_on_equal_weights():
    """10 of 100: 0.0552 to 0.1744 by Wilson's formula with z, and a little wider with the quantile of t."""
    log = even_log(np.arange(200) < 20)
    found = wilson(snips(log, EVEN), log.clusters)
    z = 1.959963985
    textbook = [(0.1 + z**2 / 400 + sign * z * sqrt(0.09 / 200 + z**2 / 160000)) / (1 + z**2 / 200) for sign in (-1, 1)]
    assert (found.low, found.high) == pytest.approx(textbook, abs=1e-3)


def test_no_event_at_all_still_has_an_upper_bound():
    log = even_log(np.zeros(200))
    found = interval(snips(log, EVEN), log.clusters)
    assert found.method == "wilson"
    assert found.low == 0
    assert 0.01 < found.high < 0.03  # the rule of three says 0.015; Wilson says 0.019


def test_common_events_and_money_get_clustered_intervals():
    rng = np.random.default_rng(0)
    many = np.full((2000, 2), 0.5)
    common, paid = even_log(rng.random(2000) < 0.5), even_log(rng.random(2000))
    assert interval(snips(common, many), common.clusters).method == "clustered"
    assert interval(snips(paid, many), paid.clusters).method == "clustered"


def test_wilson_is_refused_for_money():
    log = even_log(np.linspace(0, 9, 200))
    with pytest.raises(LogError, match="clustered"):
        wilson(snips(log, EVEN), log.clusters)


@pytest.mark.parametrize("level", [0.0, 1.0, 1.5, -1.0])
def test_a_level_outside_zero_to_one_is_refused(level):
    log = even_log(np.linspace(0, 9, 200))
    with pytest.raises(LogError, match="bad_setting"):
        clustered(snips(log, EVEN), log.clusters, level)


def test_equal_policies_differ_by_nothing_for_sure():
    log = even_log(np.linspace(0, 9, 200))
    found = difference(ips(log, EVEN), ips(log, EVEN), log.clusters)
    assert (found.value, found.low, found.high, found.error, found.p) == (0, 0, 0, 0, 1)


def test_pairing_cancels_what_both_policies_share():
    rng = np.random.default_rng(5)
    log = even_log(rng.normal(100, 30, 200))
    close = np.tile([0.55, 0.45], (200, 1))
    first, second = snips(log, close), snips(log, EVEN)
    found = difference(first, second, log.clusters)
    alone = sqrt(clustered(first, log.clusters).error ** 2 + clustered(second, log.clusters).error ** 2)
    assert found.error < alone / 5


def test_a_difference_turns_its_sign_and_keeps_its_p():
    rng = np.random.default_rng(6)
    log = even_log(rng.normal(0, 1, 200) + np.arange(200) % 2)
    first, second = snips(log, np.tile([0.1, 0.9], (200, 1))), snips(log, EVEN)
    there, back = difference(first, second, log.clusters), difference(second, first, log.clusters)
    assert there.value == -back.value
    assert there.low == pytest.approx(-back.high)
    assert there.p == back.p < 0.05


def test_rows_that_are_not_the_same_cannot_be_paired():
    short = replace(ips(even_log(np.ones(200)), EVEN), influence=np.zeros(3))
    with pytest.raises(LogError, match="cannot be paired"):
        difference(short, ips(even_log(np.ones(200)), EVEN), np.arange(200))


def test_a_few_heavy_customers_do_not_pass_for_many():
    influence = np.concatenate([np.full(3, 10.0), np.zeros(97)])
    influence -= influence.mean()
    heavy = Valuation("x", 0.0, influence, np.concatenate([np.full(3, 300.0), np.ones(97)]), binary=False)
    even = replace(heavy, weights=np.ones(100))
    wide, narrow = (clustered(each, np.arange(100)) for each in (heavy, even))
    assert wide.effective < 5
    assert wide.high - wide.low > 1.4 * (narrow.high - narrow.low)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """A short run of the benchmark, whose 2,000 repetitions must lie within 0.935 to 0.965; 300 are sure to about 0.04."""
    found = {name: covered for name, covered, _, _ in measure(300, seed=7)}
    alone = found.pop("money: SNIPS, rows as if alone")
    assert alone < 0.935, "rows of one customer go together"
    judged = {
        name: covered for name, covered in found.items() if "as if alone" not in name and "for comparison" not in name
    }
    assert len(judged) >= 15
    assert all(0.91 <= covered <= 0.985 for covered in judged.values()), judged
