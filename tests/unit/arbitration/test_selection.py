"""Chances on hand-made values: exact, bounded, and spent where they may teach something."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from arbitration.domain import Candidate, CustomerId, SendWindow, Treatment, Value
from arbitration.selection import ONE, STRATEGIES, chances, draw_of, in_holdout, pick
from tests.unit.arbitration.situations import NOW, POLICY

SELECTION = POLICY.selection
TREATMENTS = [Treatment("welcome", "push", f"t{number}") for number in range(6)]


def option(number: int, decided_on: float, spread: float = 0.5, hour: int = 0) -> tuple[Candidate, Value]:
    opens_at = NOW + timedelta(hours=hour)
    window = SendWindow(opens_at, opens_at + timedelta(hours=1), 0)
    net = decided_on + spread / 2
    value = Value(net, *[0.0] * 10, net, net - spread, net + spread, decided_on, 0, (0,) * 11)
    return Candidate(TREATMENTS[number], window), value


options = st.lists(st.tuples(st.integers(0, 5), st.floats(-1, 2), st.floats(0, 1)), max_size=12)


def ranked_of(drawn: list[tuple[int, float, float]]) -> list[tuple[Candidate, Value]]:
    return sorted((option(*one, hour=at) for at, one in enumerate(drawn)), key=lambda it: -it[1].decided_on)


@given(options, st.booleans(), st.sampled_from(sorted(STRATEGIES)))
def test_units_always_sum_to_one(drawn: list[tuple[int, float, float]], holdout: bool, strategy: Any) -> None:
    ranked = ranked_of(drawn)
    chosen = chances(ranked, replace(SELECTION, strategy=strategy), holdout=holdout)
    assert sum(chosen.units) + chosen.silence == ONE
    assert min((*chosen.units, chosen.silence)) >= 0
    assert chosen.silence >= SELECTION.silence_floor * ONE
    favorite = chosen.silence if chosen.exploit is None else chosen.units[chosen.exploit]
    assert strategy == "uniform" or (ONE - favorite) / ONE <= SELECTION.exploration
    tried = [id(it.treatment) for (it, _), units in zip(ranked, chosen.units, strict=True) if units]
    assert len(tried) == len(set(tried)), "at most one window per treatment"


@given(options)
def test_every_strategy_has_the_same_favorite_and_its_own_way_with_the_rest(
    drawn: list[tuple[int, float, float]],
) -> None:
    ranked = ranked_of(drawn)
    found = {name: chances(ranked, replace(SELECTION, strategy=name)) for name in STRATEGIES}  # type: ignore[arg-type]
    assert len({it.exploit for it in found.values()}) == 1
    exploit, greedy, uniform = found["greedy"].exploit, found["greedy"], found["uniform"]
    assert all(units == 0 for at, units in enumerate(greedy.units) if at != exploit)
    shares = [units for units in uniform.units if units]
    if shares:
        assert max(shares) - min(shares) <= len(TREATMENTS) + 1, "equal but for rounding"


def test_nearer_to_the_best_is_explored_more() -> None:
    generous = replace(SELECTION, exploration_budget=1.0)
    units = chances([option(0, 0.30), option(1, 0.29), option(2, 0.20), option(3, 0.10)], generous).units
    assert units[1] > units[2] > units[3] > 0


def test_what_cannot_be_better_is_not_explored() -> None:
    assert chances([option(0, 0.3), option(1, 0.1, spread=0.1)], SELECTION).units[1] == 0


def test_the_money_budget_binds_before_the_share_does() -> None:
    ranked = [option(0, 0.5), option(1, 0.1)]
    generous = chances(ranked, replace(SELECTION, exploration_budget=1.0)).units[1]
    tight = chances(ranked, replace(SELECTION, exploration_budget=0.006)).units[1]
    assert 0 < tight < generous
    assert tight / ONE * 0.4 <= 0.006


def test_silence_is_the_favorite_when_nothing_is_worth_more_than_nothing() -> None:
    chosen = chances([option(0, 0.0), option(1, -0.2)], SELECTION)
    assert chosen.exploit is None
    assert chosen.silence / ONE >= 0.96
    assert pick(chosen, 0.9999) == (None, "exploit")


def test_the_control_group_is_never_contacted() -> None:
    chosen = chances([option(0, 5.0)], SELECTION, holdout=True)
    assert (chosen.silence, chosen.units) == (ONE, (0,))
    assert pick(chosen, 0.0) == (None, "holdout")


def test_the_draw_is_the_first_53_bits_of_the_keyed_digest() -> None:
    digest = hmac.new(b"salt", b"d-1", hashlib.sha256).hexdigest()
    assert draw_of(b"salt", "d-1") == int(f"{int(digest, 16):0256b}"[:53], 2) / 2**53
    assert draw_of(b"other", "d-1") != draw_of(b"salt", "d-1")


def test_the_holdout_has_its_share_and_does_not_follow_the_draw() -> None:
    ids = [CustomerId(str(number)) for number in range(20_000)]
    held = [customer for customer in ids if in_holdout(b"salt", customer, 0.03)]
    assert abs(len(held) / len(ids) - 0.03) < 0.005
    assert all(in_holdout(b"salt", customer, 0.05) for customer in held), "a larger share keeps the members"
    assert 0.3 < sum(draw_of(b"salt", customer) for customer in held) / len(held) < 0.7
    assert not any(in_holdout(b"salt", customer, 0.0) for customer in ids)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_over_200_000_decisions_the_realized_frequencies_are_the_logged_ones(strategy: Any) -> None:
    """Chi-square, p > 0.01; the draws are those of real decision ids."""
    ranked = ranked_of([(0, 0.30, 0.5), (1, 0.29, 0.5), (2, 0.25, 0.5), (3, 0.1, 0.5), (4, -0.2, 0.1)])
    chosen = chances(ranked, replace(SELECTION, strategy=strategy))
    total = 200_000
    seen = Counter(pick(chosen, draw_of(b"salt", f"d-{number}"))[0] for number in range(total))
    expected = {at: units / ONE * total for at, units in enumerate(chosen.units) if units}
    expected[None] = chosen.silence / ONE * total  # type: ignore[index]
    assert set(seen) <= set(expected), "nothing is chosen whose probability is 0"
    statistic = sum((seen[at] - wanted) ** 2 / wanted for at, wanted in expected.items())
    assert chi2.sf(statistic, len(expected) - 1) > 0.01


def test_the_chi_square_test_can_fail() -> None:
    assert (
        chi2.sf(sum((seen - wanted) ** 2 / wanted for seen, wanted in ((2_300, 2_000), (197_700, 198_000))), 1) < 0.01
    )
