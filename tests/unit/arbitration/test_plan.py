"""The plan against brute force: every order of channels, windows chosen one by one, valued forward along every path."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arbitration.domain import (
    Candidate,
    Consent,
    Contact,
    Context,
    CustomerId,
    Decision,
    Estimate,
    Estimates,
    Treatment,
)
from arbitration.gates import rejection
from arbitration.gates.case import Case
from arbitration.propose import send_windows
from arbitration.value import Valued, ranking
from arbitration.windows import zone_of
from tests.unit.arbitration.situations import LAWS, NOW, POLICY, situations
from tests.unit.arbitration.test_decide import check_plan, decision_of

CHANNELS = ("push", "email", "sms", "direct_mail")


def forward_value(steps: list[Valued]) -> float:
    """Sum over steps of P(reached) * net, the definition that backward induction shortens."""
    total, reached = 0.0, 1.0
    for step in steps:
        total += reached * step.value.net
        reached *= 1 - step.propensity.mean
    return total


def best_by_brute_force(decision: Decision, context: Context, estimates: Estimates, now: datetime) -> float:
    winner = decision.winner
    assert winner is not None
    first = Valued(winner.candidate, winner.value, winner.propensity)
    journey, expires_at = winner.candidate.treatment.journey, decision.plan.steps[0].expires_at
    lines = [
        line for line in POLICY.journeys[journey].treatments if POLICY.channels[line.channel].timing == "scheduled"
    ]
    others = [line for line in lines if line.channel != first.candidate.treatment.channel]
    best = first.value.net
    for order in (order for length in (1, 2) for order in permutations(others, length)):
        steps = [first]
        for line in order:
            last = steps[-1].candidate
            ready = last.window.opens_at + timedelta(hours=POLICY.channels[last.treatment.channel].wait_hours)
            sent = tuple(
                Contact(journey, it.candidate.treatment.channel, it.candidate.window.opens_at, engaged=False)
                for it in steps
            )
            zone = zone_of(context.time_zone)
            assert zone is not None
            start = first.candidate.window.opens_at + timedelta(
                hours=POLICY.channels[first.candidate.treatment.channel].wait_hours
            )
            treatment = Treatment(journey, line.channel, line.template, line.offer)
            options = ranking(
                (Candidate(treatment, it) for it in send_windows(POLICY, zone, start, expires_at)), estimates, POLICY
            )
            case = Case(context, POLICY, now, sent)
            open_ = [
                it for it in options if it.candidate.window.opens_at >= ready and rejection(it.candidate, case) is None
            ]
            worth = [it for it in open_ if it.value.decided_on > 0]
            if not worth:
                break
            steps.append(max(worth, key=lambda it: it.value.net))
        best = max(best, forward_value(steps))
    return best


@st.composite
def recoveries(draw: st.DrawFn) -> tuple[Context, Estimates, datetime, float]:
    """Customers who slip away and consent to everything: the journey with the most channels."""
    _, estimates, now, _ = draw(situations())
    given_ = tuple(Consent(c, "marketing", "granted", "consent", "text-7", now - timedelta(days=90)) for c in CHANNELS)
    features = {"recency_days": 30.0, "purchases_total": 20, "gap_ratio": 4.0, "support_cases_28d": 0}
    contacts = tuple(
        Contact("campaign", "push", now - timedelta(days=age)) for age in draw(st.lists(st.integers(0, 8), max_size=2))
    )
    context = Context(CustomerId("c-1"), True, "America/New_York", "en", features, given_, contacts)
    return context, estimates, now, draw(st.floats(0, 0.9))


@LAWS
@given(recoveries())
def test_no_order_of_channels_is_worth_more(situation: tuple[Context, Estimates, datetime, float]) -> None:
    decision = decision_of(situation)
    assume(decision.winner is not None)
    context, estimates, now, _ = situation
    check_plan(decision, context, now)
    assert decision.plan.expected_value == pytest.approx(
        best_by_brute_force(decision, context, estimates, now), abs=1e-12
    )


def recovery(**estimates: dict[str, Estimate]) -> Decision:
    consents = tuple(
        Consent(c, "marketing", "granted", "consent", "text-7", NOW - timedelta(days=90)) for c in CHANNELS
    )
    features = {"recency_days": 30.0, "purchases_total": 20, "gap_ratio": 4.0, "support_cases_28d": 0}
    context = Context(CustomerId("c-1"), True, "America/New_York", "en", features, consents)
    believed = Estimates(Estimate(0.4), Estimate(0.3), Estimate(20.0), Estimate(10.0), Estimate(0.05), **estimates)
    return decision_of((context, believed, NOW, 0.1))


def test_three_steps_over_three_channels() -> None:
    steps = recovery().plan.steps
    channels = [step.candidate.treatment.channel for step in steps]
    assert len(set(channels)) == len(channels) == 3
    assert {step.advance_if for step in steps} == {"not_engaged"}
    assert all("consent_withdrawn" in step.stop_if for step in steps)
    assert all(step.send_at == step.candidate.window.opens_at for step in steps)


def test_who_surely_reacts_to_the_first_step_makes_the_rest_worthless() -> None:
    certain = {
        f"churn_recovery/{channel}/{template}": Estimate(1.0)
        for channel, template in (("push", "miss_you"), ("email", "miss_you_favorites"), ("sms", "miss_you_short"))
    }
    plan = recovery(propensity=certain).plan
    assert len(plan.steps) == 1
    assert plan.expected_value == plan.steps[0].expected_value


def test_a_step_that_loses_money_is_left_out() -> None:
    useless = {
        "churn_recovery/sms/miss_you_short": Estimate(0.0),
        "churn_recovery/direct_mail/miss_you_coupon": Estimate(0.0),
    }
    assert {step.candidate.treatment.channel for step in recovery(effect=useless).plan.steps} == {"push", "email"}
