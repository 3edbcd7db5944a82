"""Chances on hand-made values: exact, bounded, and spent where they may teach something."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from arbitration.domain import Candidate, CustomerId, SendWindow, Treatment, Value
from arbitration.selection import ONE, chances, draw_of, in_holdout, pick
from tests.unit.arbitration.situations import NOW, POLICY

SELECTION = POLICY.selection


def option(number: int, decided_on: float, spread: float = 0.5, hour: int = 0) -> tuple[Candidate, Value]:
    opens_at = NOW + timedelta(hours=hour)
    window = SendWindow(opens_at, opens_at + timedelta(hours=1), 0)
    net = decided_on + spread / 2
    value = Value(net, 0, 0, 0, 0, 0, 0, 0, net, net - spread, net + spread, decided_on, 0)
    return Candidate(Treatment("welcome", "push", f"t{number}"), window), value


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(-1, 2), st.floats(0, 1)), max_size=12), st.booleans())
def test_units_always_sum_to_one(options: list[tuple[int, float, float]], holdout: bool) -> None:
    ranked = sorted((option(*one, hour=at) for at, one in enumerate(options)), key=lambda it: -it[1].decided_on)
    chosen = chances(ranked, SELECTION, holdout=holdout)
    assert sum(chosen.units) + chosen.silence == ONE
    assert min((*chosen.units, chosen.silence)) >= 0
    assert chosen.silence >= SELECTION.silence_floor * ONE
    favorite = chosen.silence if chosen.exploit is None else chosen.units[chosen.exploit]
    assert (ONE - favorite) / ONE <= SELECTION.exploration


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
    assert tight / ONE * 0.4 + 0.01 * 0.5 <= 0.006


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
