"""Whether the hour of sending counts."""

from __future__ import annotations

from dataclasses import replace

from arbitration.domain import Estimate, Estimates
from arbitration.value import NO_TIMING, timing_of
from tests.unit.arbitration.situations import POLICY


def test_the_hour_counts_for_a_message_and_not_for_a_letter_nor_for_who_is_here() -> None:
    one = Estimate(1.0)
    believed = Estimates(one, one, one, one, one, timing={"16": Estimate(1.3)})
    email = POLICY.channels["email"]
    assert timing_of(16, email, believed).mean == 1.3
    assert timing_of(17, email, believed) == NO_TIMING
    assert timing_of(16, replace(email, hour_matters=False), believed) == NO_TIMING
    assert timing_of(16, POLICY.channels["in_app"], believed) == NO_TIMING
