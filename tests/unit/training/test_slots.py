"""Send time: relative engagement per slot, shrunk to what holds for everybody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.models import Coefficients, LinearModel
from training.slots import BLOCKS, FEATURES, INPUTS, SLOTS, Curve, SendTime

RATE = tuple(0.05 + 0.002 * slot for slot in range(SLOTS))
WEIGHT = tuple((1.0 if slot % BLOCKS in (2, 3, 4) else 0.0) / 21 for slot in range(SLOTS))
CURVE = Curve(RATE, WEIGHT, (0.02, 0.08, 0.2, 0.3, 0.3, 0.1), (1 / 7,) * 7)
OWN = LinearModel("send_time", FEATURES, Coefficients((0.0,) * 3, (0.0,) * 3, (1.0,) * 3, (0.5, 1.0, 1.0), -1.0))
shares = st.lists(st.floats(0, 1), min_size=len(INPUTS) - 1, max_size=len(INPUTS) - 1)


def known(values: list[float], count: float) -> dict[str, float]:
    return dict(zip(INPUTS, [*values, count], strict=True))


@given(shares, st.floats(0, 500), st.sampled_from([0.0, 0.3, 1.0]))
def test_relative_engagement_has_mean_one_over_the_slots_contacts_are_sent_in(values, count, weight):
    relative = SendTime(CURVE, OWN, weight).relative(known(values, count))
    assert relative.shape == (SLOTS,)
    assert (relative > 0).all()
    assert relative @ np.array(WEIGHT) == pytest.approx(1.0)


def test_with_weight_zero_everybody_gets_the_pooled_curve():
    pooled = np.array(RATE) / (np.array(RATE) @ np.array(WEIGHT))
    assert SendTime(CURVE, OWN, 0.0).relative(known([1.0] + [0.0] * 12, 400)) == pytest.approx(pooled)


def test_about_whom_nothing_is_known_looks_like_everybody():
    typical = known([*CURVE.block, *CURVE.weekday], 50)
    assert SendTime(CURVE, OWN, 1.0).relative({}) == pytest.approx(SendTime(CURVE, OWN, 1.0).relative(typical))


def test_a_customer_of_the_evening_is_reached_better_in_the_evening():
    evening = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, *CURVE.weekday]
    relative = SendTime(CURVE, OWN, 1.0).relative(known(evening, 60)).reshape(7, BLOCKS)
    assert (relative.argmax(axis=1) == 4).all()


def test_few_events_move_less_than_many():
    evening = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, *CURVE.weekday]
    at = [SendTime(CURVE, OWN, 1.0).relative(known(evening, count))[4] for count in (0, 2, 20, 200)]
    assert at == sorted(at)
    assert at[0] < at[1] < at[3]
