"""Pairs of a customer and a candidate category: the same alone as among many, and chances that never sum to more than 1."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.training.pairs import LIKELY, SHARES, text
from training.categories import CANDIDATES, FEATURES, NextCategory, Shares, summing_to_one
from training.references import ShrunkShare

amounts = st.floats(0, 1e4, allow_nan=False).map(lambda value: round(value, 2))
counts = st.integers(0, 40)
own = st.tuples(amounts, amounts, counts, st.integers(1, 60), counts, amounts, amounts)
texts = st.builds(
    text,
    st.dictionaries(st.sampled_from([*SHARES.of, "its own", 'quote"d', "größer"]), own, min_size=1, max_size=8),
    money=st.tuples(amounts, amounts), baskets=st.integers(1, 80), recency=amounts,
)  # fmt: skip


@given(st.lists(texts, min_size=1, max_size=5))
def test_a_customers_rows_are_the_same_alone_as_among_others(told: list[str]):
    together = SHARES.pairs(told)
    assert together.rows.shape == (len(together.names), len(FEATURES))
    for number, one in enumerate(told):
        alone, at = SHARES.pairs([one]), together.owner == number
        assert together.names[at].tolist() == alone.names.tolist()
        assert np.array_equal(together.rows[at], alone.rows, equal_nan=True)


@given(texts)
def test_chances_sum_to_at_most_one_and_each_candidate_is_told_once(told: str):
    found = LIKELY.chances(told)
    names = [name for name, _ in found]
    assert math.fsum(chance for _, chance in found) <= 1 + 1e-9
    assert [chance for _, chance in found] == sorted((chance for _, chance in found), reverse=True)
    assert sorted(names) == sorted({*json.loads(told)["category"], *SHARES.leading})


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), max_size=20))
def test_only_sums_above_one_are_divided(pairs: list[tuple[int, float]]):
    owner, chances = np.array([o for o, _ in pairs], dtype=np.int64), np.array([c for _, c in pairs])
    found = summing_to_one(chances, owner)
    for one in set(owner.tolist()):
        before, after = chances[owner == one].sum(), found[owner == one].sum()
        assert after == pytest.approx(min(before, 1.0))
        if before <= 1:
            assert np.array_equal(chances[owner == one], found[owner == one])


def test_what_a_row_says_can_be_reckoned_by_hand():
    told = text({"tea": (5.0, 40.0, 1, 4, 3, 10.0, 20.0)}, money=(10.0, 100.0), baskets=8, recency=2.0)
    pairs = SHARES.pairs([told], ["milk", "tea"])
    assert pairs.names.tolist() == ["tea", "milk"]
    share = SHARES.of["tea"]
    assert pairs.rows[0].tolist() == [0.5, 0.4, 1.0, 0.5, 3.0, 0.375, 10.0, 20.0, 0.5, share, 8.0, 12.5, 2.0]
    stranger = dict(zip(FEATURES, pairs.rows[1], strict=True))
    assert stranger["category_most_182d"] == stranger["category_money_share_182d"] == 0.0
    assert np.isnan([stranger["category_days"], stranger["category_gap_days"], stranger["category_gap_ratio"]]).all()
    assert stranger["category_shop_share"] == SHARES.of["milk"]


def test_the_shops_leading_categories_compete_and_ties_are_settled_by_name():
    shares = Shares(dict.fromkeys("hgfedcba", 0.1) | {"z": 0.2})
    assert shares.leading == ("z", *"abcde")
    assert len(shares.leading) == CANDIDATES


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan, math.inf])
def test_what_is_no_share_is_refused(share: float):
    with pytest.raises(ValueError, match="from 0 to 1"):
        Shares({"tea": share})


def test_what_moved_the_model_sums_to_its_margin_and_is_told_of_candidates_alone():
    told = text({"tea": (5.0, 40.0, 1, 4, 3, 10.0, 20.0)}, money=(10.0, 100.0), baskets=8, recency=2.0)
    category, chance = LIKELY.chances(told)[0]
    found = LIKELY.attribute(told, category)
    assert category == "tea"
    assert found is not None
    assert found.base + sum(part.margin for part in found.contributions) == pytest.approx(found.margin, abs=1e-9)
    assert found.probability == pytest.approx(chance)
    assert LIKELY.attribute(told, "no candidate") is None


def test_another_share_or_another_model_is_another_version():
    shares = Shares({**SHARES.of, "tea": 0.01})
    other = ShrunkShare(LIKELY.pooled.name, LIKELY.pooled.features, 9.0)
    assert len({LIKELY.version, NextCategory(shares, LIKELY.pooled).version, NextCategory(SHARES, other).version}) == 3
