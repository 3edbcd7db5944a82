"""The exam's arithmetic: who passes, by how much, and how often the bound is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit

from arbitration.errors import InputError
from training.exam import FEWEST, NoExam, Sheet, check_share, mark, tolerance
from training.examiners import EXAMS
from training.pipeline import NAMES
from training.verdict import SAID, WHY

NORMAL = 1.6448536269514722


def sheet(seed: int, rows: int = 400, customers: int = 100, better: float = 0.0, spread: float = 0.05) -> Sheet:
    """Losses around 0.4; the challenger's are lower by `better` in the mean."""
    rng = np.random.default_rng(seed)
    champion = rng.gamma(2.0, 0.2, rows)
    names = np.array([f"c{n}" for n in rng.integers(0, customers, rows)])
    challenger = champion - better + rng.normal(0.0, spread, rows)
    return Sheet(names, rng.uniform(0.5, 2.0, rows), champion, challenger, champion + 0.1)


def low(paper: Sheet) -> float:
    found = mark(paper, 0.02)[1].low
    assert found is not None
    return found


def test_every_model_has_its_exam_and_every_result_its_words():
    assert set(EXAMS) == set(NAMES) - {
        "attention"
    }  # one number of a shop's whole experiment: no rows are left to examine it on
    assert set(WHY) < set(SAID)


def test_one_row_per_customer_gives_the_plain_paired_bound():
    rng = np.random.default_rng(3)
    between = rng.normal(0.01, 0.1, 50)
    paper = Sheet(np.array([f"c{n}" for n in range(50)]), np.ones(50), np.ones(50), 1 - between, np.full(50, 2.0))
    _, found = mark(paper, 0.02)
    assert found.difference == pytest.approx(between.mean())
    assert found.error == pytest.approx(between.std(ddof=1) / np.sqrt(50))
    assert found.low == pytest.approx(between.mean() - stdtrit(49, 0.95) * between.std(ddof=1) / np.sqrt(50))
    assert (found.rows, found.customers, found.reference) == (50, 50, 2.0)


@given(st.integers(0, 10_000), st.floats(-0.2, 0.2))
def test_a_challenger_that_loses_more_everywhere_is_worse_by_that_and_as_surely_so(seed: int, more: float):
    paper = sheet(seed)
    (_, before), (_, after) = mark(paper, 0.02), mark(replace(paper, challenger=paper.challenger + more), 0.02)
    assert after.difference == pytest.approx(before.difference - more, abs=1e-12)
    assert after.error == pytest.approx(before.error)
    assert after.tolerance == before.tolerance


@given(st.integers(0, 10_000), st.integers(2, 5))
def test_rows_told_twice_by_the_same_customers_make_nothing_surer(seed: int, times: int):
    paper = sheet(seed)
    again = Sheet(*(np.tile(getattr(paper, name), times) for name in ("customers", "weights", "champion", "challenger", "reference")))  # fmt: skip
    assert low(again) == pytest.approx(low(paper), abs=1e-9)


@given(st.integers(0, 10_000), st.floats(-0.05, 0.05), st.floats(0, 0.2))
def test_it_passes_exactly_when_the_bound_is_within_the_tolerance(seed: int, better: float, share: float):
    result, found = mark(sheet(seed, better=better), share)
    assert found.low is not None
    assert (result == "passed") == (found.low >= -found.tolerance)
    if result == "worse":
        assert found.difference < 0
        assert mark(sheet(seed, better=better), 0.0)[0] == "worse"
    swapped = replace(sheet(seed, better=better))
    back = mark(replace(swapped, champion=swapped.challenger, challenger=swapped.champion), share)[1]
    assert back.difference == pytest.approx(-found.difference)
    assert back.error == pytest.approx(found.error)


@given(st.floats(0, 1), st.floats(1e-6, 10), st.floats(-10, 10), st.floats(0, 1))
def test_the_tolerance_grows_with_its_share_and_lies_between_a_thousandth_and_a_fiftieth(share, loss, gain, other):
    found = tolerance(share, loss, gain)
    assert share * loss / 20 <= found * (1 + 1e-12)
    assert found <= share * loss
    assert (tolerance(other, loss, gain) >= found) or other < share
    assert tolerance(0.0, loss, gain) == 0.0


def test_a_weak_champions_gain_cannot_be_lost_within_the_tolerance():
    assert tolerance(0.02, 0.375, 0.001) == pytest.approx(0.375 / 1000)  # send time: hardly anything to lose
    assert tolerance(0.02, 0.364, 0.0117) == pytest.approx(0.0117 / 5)
    assert tolerance(0.02, 0.266, 0.107) == pytest.approx(0.266 * 0.02)


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_tolerance_that_is_no_share_is_refused(share: float):
    with pytest.raises(InputError, match="the tolerance is"):
        check_share(share)


def test_one_model_fitted_twice_passes_on_however_few_rows():
    paper = sheet(1, rows=2, customers=1)
    assert mark(replace(paper, challenger=paper.champion + 1e-13), 0.0)[0] == "passed"


def test_too_few_customers_tell_nothing_however_good_the_challenger_looks():
    few = sheet(1, rows=200, customers=int(FEWEST) - 1, better=0.3)
    result, found = mark(few, 0.02)
    assert result == "few"
    assert found.low is not None
    assert found.low > 0
    alone, found = mark(sheet(1, rows=20, customers=1, better=0.3), 0.02)
    assert (alone, found.low, found.error) == ("few", None, None)
    with pytest.raises(NoExam, match="no rows"):
        mark(sheet(1, rows=0), 0.02)


def test_a_heavy_customer_does_not_pass_for_many():
    paper = sheet(5, better=0.3)
    weights = np.where(paper.customers == paper.customers[0], 10_000.0, paper.weights)
    assert mark(paper, 0.02)[0] == "passed"
    assert mark(replace(paper, weights=weights), 0.02)[0] == "few"


def test_worse_and_unclear_are_told_apart():
    assert mark(sheet(1, better=-0.1), 0.02)[0] == "worse"
    assert mark(sheet(1, better=0.0, spread=0.5), 0.02)[0] == "unclear"
    assert mark(sheet(1, better=0.0, spread=0.001), 0.02)[0] == "passed"


def test_doubt_that_the_rows_share_widens_the_bound():
    paper = sheet(1)
    assert low(replace(paper, doubt=0.01)) < low(paper) - NORMAL * 0.09


@pytest.mark.parametrize("customers", [40, 150])
def test_the_bound_is_above_the_truth_about_once_in_twenty(customers: int):
    """Rows of one customer share half of their difference; the challenger is in truth as good as the champion."""
    rng, wrong, runs = np.random.default_rng(11), 0, 2000
    names = np.repeat([f"c{n}" for n in range(customers)], 4)
    for _ in range(runs):
        shared = np.repeat(rng.normal(0, 1, customers), 4)
        between = (shared + rng.normal(0, 1, len(names))) * 0.05
        ones = np.ones(len(names))
        wrong += low(Sheet(names, ones, ones, ones - between, ones * 2)) > 0
    assert 0.035 <= wrong / runs <= 0.065
