"""The plan against brute force: every order of channels, windows chosen one by one, valued forward along every path."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given, settings
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


def rivals_of(decision: Decision, context: Context, estimates: Estimates) -> dict[str, list[Valued]]:
    """Every later step there could be: the journey's other scheduled channels in every window until the plan expires."""
    first, expires_at = decision.plan.steps[0].candidate, decision.plan.steps[0].expires_at
    zone = zone_of(context.time_zone)
    assert zone is not None
    start = first.window.opens_at + wait_of(first)
    choices = send_windows(POLICY, zone, start, expires_at)
    found: dict[str, list[Valued]] = {}
    for line in POLICY.journeys[first.treatment.journey].treatments:
        if line.channel != first.treatment.channel and POLICY.channels[line.channel].timing == "scheduled":
            treatment = Treatment(first.treatment.journey, line.channel, line.template, line.offer)
            options = ranking([Candidate(treatment, window) for window in choices], estimates, POLICY)
            found[line.channel] = [item for item in options if item.value.decided_on > 0]
    return found


def wait_of(candidate: Candidate) -> timedelta:
    return timedelta(hours=POLICY.channels[candidate.treatment.channel].wait_hours)


def follows(item: Valued, steps: tuple[Valued, ...], context: Context, now: datetime) -> bool:
    """Whether the step may come after the others, within a day after the wait, told by the plain gates."""
    last = steps[-1].candidate
    ready = last.window.opens_at + wait_of(last)
    if not ready <= item.candidate.window.opens_at < ready + timedelta(hours=24):
        return False
    sent = tuple(
        Contact(
            it.candidate.treatment.journey, it.candidate.treatment.channel, it.candidate.window.opens_at, engaged=False
        )
        for it in steps
    )
    return rejection(item.candidate, Case(context, POLICY, now, sent)) is None


def best_by_brute_force(decision: Decision, context: Context, estimates: Estimates, now: datetime) -> float:
    """Over every order of channels and every choice of windows."""
    winner = decision.winner
    assert winner is not None
    first = Valued(winner.candidate, winner.value, winner.propensity)
    rivals = rivals_of(decision, context, estimates)
    best = first.value.net
    for channel, options in rivals.items():
        for second in (item for item in options if follows(item, (first,), context, now)):
            best = max(best, forward_value([first, second]))
            others = [item for name, items in rivals.items() if name != channel for item in items]
            worth = [item for item in others if forward_value([first, second, item]) > best]
            best = max(
                [
                    best,
                    *(forward_value([first, second, it]) for it in worth if follows(it, (first, second), context, now)),
                ]
            )
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


@settings(LAWS, max_examples=25)
@given(recoveries())
def test_no_order_of_channels_and_no_choice_of_windows_is_worth_more(
    situation: tuple[Context, Estimates, datetime, float],
) -> None:
    decision = decision_of(situation)
    assume(decision.winner is not None and decision.winner.candidate.treatment.journey == "churn_recovery")
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
