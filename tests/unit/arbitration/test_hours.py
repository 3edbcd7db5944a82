"""Where the hour of sending does not matter, no window is worth more than another."""

from __future__ import annotations

from dataclasses import replace

from arbitration.domain import Candidate, Estimate, Estimates, SendWindow, Treatment
from arbitration.value import beliefs
from tests.unit.arbitration.situations import NOW, POLICY


def test_the_hour_counts_for_a_message_and_not_for_a_letter() -> None:
    journey = next(iter(POLICY.journeys.values()))
    line = next(line for line in journey.treatments if POLICY.channels[line.channel].timing == "scheduled")
    candidate = Candidate(Treatment(journey.id, line.channel, line.template, line.offer), SendWindow(NOW, NOW, 16))
    one = Estimate(1.0)
    believed = Estimates(one, one, one, one, one, timing={"16": Estimate(1.3)})
    assert beliefs(candidate, believed, POLICY).timing.mean == 1.3
    letter = replace(POLICY.channels[line.channel], hour_matters=False)
    policy = replace(POLICY, channels={**POLICY.channels, line.channel: letter})
    assert beliefs(candidate, believed, policy).timing.mean == 1.0
