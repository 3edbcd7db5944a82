"""Laws that hold for every decision, over random customers, estimates, moments and draws."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce
from operator import add

from hypothesis import Phase, given, settings

from arbitration.codec import canonical_json, decode
from arbitration.decide import decide
from arbitration.domain import PARTS, Consent, Contact, Context, CustomerId, Decision, Estimate, Estimates
from arbitration.gates import rejection
from arbitration.gates.admission import admit
from arbitration.gates.case import Case
from arbitration.propose import propose
from arbitration.selection import ONE
from tests.unit.arbitration.situations import LAWS, NOW, POLICY, situations

Situation = tuple[Context, Estimates, datetime, float]


def decision_of(situation: Situation) -> Decision:
    context, estimates, now, draw = situation
    return decide(context, estimates, POLICY, decision_id="d-1", now=now, draw=draw)


@LAWS
@given(situations())
def test_probabilities_are_exact_and_bounded(situation: Situation) -> None:
    decision, selection = decision_of(situation), POLICY.selection
    units = [item.probability * ONE for item in decision.ranked]
    assert all(unit == int(unit) for unit in units)
    assert sum(units) + decision.silence_probability * ONE == ONE
    assert decision.silence_probability >= selection.silence_floor
    values = [item.value.decided_on for item in decision.ranked]
    favorite = (
        decision.ranked[0].probability
        if values and values[0] > 0 and not situation[0].holdout
        else decision.silence_probability
    )
    assert 1 - favorite <= selection.exploration
    best = max([0.0, *values])
    others = [item for item in decision.ranked if item.probability > 0 and item.value.decided_on < best]
    net = decision.ranked[0].value.net if best > 0 else 0.0
    loss = sum(item.probability * max(best - item.value.decided_on, net - item.value.net) for item in others)
    assert loss <= selection.exploration_budget + 1e-12
    explored = [item.candidate.treatment for item in decision.ranked if item.probability > 0]
    assert len(explored) == len(set(explored)), "at most one window per treatment"


@LAWS
@given(situations())
def test_every_candidate_is_in_exactly_one_place(situation: Situation) -> None:
    context, _, now, _ = situation
    decision = decision_of(situation)
    placed = [item.candidate.id for item in (*decision.ranked, *decision.rejections)]
    barred = context.objected or context.suppressed
    proposed = [] if barred else [candidate.id for candidate in propose(context, POLICY, now)]
    assert sorted(placed) == sorted(proposed)
    assert len(set(placed)) == len(placed)
    if barred:
        assert decision.arm == "exploit"
        assert [reason.code for reason in decision.reasons] == ["objection" if context.objected else "suppression"]


@LAWS
@given(situations())
def test_nothing_ranked_or_planned_violates_a_gate(situation: Situation) -> None:
    context, _, now, _ = situation
    decision, case = decision_of(situation), Case(situation[0], POLICY, now)
    assert [item.candidate.id for item in decision.ranked if rejection(item.candidate, case)] == []
    check_plan(decision, context, now)


def check_plan(decision: Decision, context: Context, now: datetime) -> None:
    """Each step passes every gate at its own time, with the earlier steps among the contacts."""
    earlier: list[Contact] = []
    for step in decision.plan.steps:
        then = Case(replace(context, contacts=(*context.contacts, *earlier)), POLICY, now)
        assert rejection(step.candidate, then) is None
        assert all(
            step.send_at >= sent.sent_at + timedelta(hours=POLICY.channels[sent.channel].wait_hours) for sent in earlier
        )
        assert now <= step.send_at < step.expires_at
        treatment = step.candidate.treatment
        earlier.append(Contact(treatment.journey, treatment.channel, step.send_at, then.purpose(step.candidate), False))


@LAWS
@given(situations())
def test_the_fast_gates_say_what_the_plain_ones_say(situation: Situation) -> None:
    context, _, now, _ = situation
    case, candidates = Case(context, POLICY, now), propose(context, POLICY, now)
    passed, rejected = admit(candidates, case)
    plain = [rejection(candidate, case) for candidate in candidates]
    assert list(rejected) == [no for no in plain if no]
    assert list(passed) == [candidate for candidate, no in zip(candidates, plain, strict=True) if no is None]


@LAWS
@given(situations())
def test_net_is_the_sum_of_its_parts_and_the_order_is_by_caution(situation: Situation) -> None:
    decision = decision_of(situation)
    for item in decision.ranked:
        value = item.value
        assert reduce(add, (getattr(value, part) for part in PARTS), 0.0) == value.net
        assert len(value.tiers) == len(PARTS)
        assert value.tier <= 2
        assert value.low <= value.decided_on <= value.net <= value.high
        assert 0 <= item.propensity.mean <= 1
    ranks = [item.value.decided_on for item in decision.ranked]
    assert ranks == sorted(ranks, reverse=True)


@LAWS
@given(situations())
def test_equal_arguments_give_equal_bytes_and_nothing_is_changed(situation: Situation) -> None:
    before = deepcopy(situation)
    decision = decision_of(situation)
    assert situation == before
    data = canonical_json(decision)
    assert canonical_json(decision_of(before)) == data
    assert decode(Decision, json.loads(data)) == decision
    context, estimates, now, draw = situation
    read_back = (
        decode(Context, json.loads(canonical_json(context))),
        decode(Estimates, json.loads(canonical_json(estimates))),
    )
    assert read_back == (context, estimates)
    assert canonical_json(decision_of((*read_back, now, draw))) == data


@LAWS
@given(situations())
def test_the_answer_agrees_with_itself(situation: Situation) -> None:
    decision = decision_of(situation)
    assert (decision.outcome == "act") == (decision.winner is not None)
    assert decision.valid_until > decision.decided_at
    assert decision.reasons
    if decision.winner is None:
        assert decision.probability == decision.silence_probability
        assert decision.plan.steps == ()
    else:
        assert decision.probability == decision.winner.probability > 0
        assert decision.plan.steps[0].candidate == decision.winner.candidate
        assert decision.valid_until == decision.winner.candidate.window.closes_at


class Reached(Exception):
    """Enough was seen; the search may end."""


def test_the_situations_reach_every_outcome() -> None:
    """The laws above mean something only if the strategies reach the interesting places."""
    wanted = {"act", "silence", "exploit", "explore", "holdout", "silence_floor", "1 steps"}
    seen: set[str] = set()

    @settings(
        LAWS, max_examples=400, derandomize=True, database=None, phases=[Phase.generate], report_multiple_bugs=False
    )
    @given(situations())
    def collect(situation: Situation) -> None:
        for draw in (situation[3], 0.975, 1 - 2**-53):
            decision = decision_of((*situation[:3], draw))
            seen.update((decision.outcome, decision.arm, f"{len(decision.plan.steps)} steps"))

        if wanted <= seen:
            raise Reached

    with suppress(Reached):
        collect()
    assert wanted <= seen


def test_a_draw_hits_each_candidate_as_often_as_its_probability_says() -> None:
    now = NOW
    consents = tuple(
        Consent(channel, "marketing", "granted", "consent", "text-7", now - timedelta(days=9))
        for channel in ("push", "email", "sms")
    )
    features = {"recency_days": 70.0, "purchases_total": 9, "support_cases_28d": 0, "session_age_hours": 5.0}
    context = Context(CustomerId("c-1"), True, "Europe/Berlin", "de", features, consents)
    estimates = Estimates(Estimate(0.1), Estimate(0.2), Estimate(9.0), Estimate(6.0), Estimate(0.05))
    logged = decision_of((context, estimates, now, 0.0))
    upto = 0
    for item in logged.ranked:
        units = int(item.probability * ONE)
        for edge in (upto, upto + units - 1) if units else ():
            winner = decision_of((context, estimates, now, edge / ONE)).winner
            assert winner is not None
            assert winner.candidate == item.candidate
        upto += units
    assert decision_of((context, estimates, now, upto / ONE)).winner is None
    assert decision_of((context, estimates, now, 1 - 2**-53)).winner is None
