"""What many decisions at once say is what each decision says alone, down to the last bit."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbitration.audience import Audience
from arbitration.batch.clock import moment_of
from arbitration.batch.decisions import Decisions
from arbitration.codec import encode
from arbitration.decide import decide
from arbitration.domain import PARTS, Context, Decision, Estimates
from arbitration.gates import GATES
from arbitration.policy import Policy
from arbitration.selection import ONE
from arbitration.vectorized import decide_all
from catalog.loading import EXAMPLE, load_catalog
from tests.unit.arbitration import catalogs

Asked = tuple[Context, Estimates, datetime, float]


def asked(dice: Random, policy: Policy, rows: int) -> list[Asked]:
    found = []
    for _ in range(rows):
        now = catalogs.now_of(dice)
        context = catalogs.context_of(dice, policy, now)
        found.append((context, catalogs.estimates_of(dice, policy), now, catalogs.draw_of(dice)))
    return found


def encoded(rows: list[Asked]) -> list[dict[str, object]]:
    return [
        {"context": encode(context), "estimates": encode(told), "now": encode(now), "draw": draw, "decision_id": "d-1"}
        for context, told, now, draw in rows
    ]


def check(decisions: Decisions, row: int, one: Decision, *, holdout: bool) -> None:
    many = decisions.plain(row)
    winner = one.winner
    assert (many["outcome"], many["arm"]) == (one.outcome, one.arm)
    assert many["winner"] == (winner.candidate.id if winner else None)
    assert (many["probability"], many["silence_probability"]) == (one.probability, one.silence_probability)
    assert many["valid_until"] == one.valid_until
    best = one.ranked[0] if one.ranked and one.ranked[0].value.decided_on > 0 and not holdout else None
    assert many["favorite"] == (best.candidate.id if best else None)
    assert many["plan_value"] == one.plan.expected_value
    assert many["plan"] == [
        {
            "candidate": step.candidate.id,
            "send_at": step.send_at,
            "expires_at": step.expires_at,
            "expected_value": step.expected_value,
        }
        for step in one.plan.steps
    ]
    if winner:
        value = {name: getattr(winner.value, name) for name in (*PARTS, "net", "low", "high", "decided_on")}
        assert many["value"] == {**value, "propensity": winner.propensity.mean}
        window = winner.candidate.window
        assert (moment_of(decisions.closes[row]), decisions.slot[row]) == (window.closes_at, window.slot)
    check_candidates(decisions, row, one)


def check_candidates(decisions: Decisions, row: int, one: Decision) -> None:
    alone = {it.candidate.id: (None, it.value.decided_on, int(it.probability * ONE)) for it in one.ranked}
    alone.update({it.candidate.id: (it.code, None, 0) for it in one.rejections})
    assert {it.id: (it.code, it.decided_on, it.units) for it in decisions.judged(row)} == alone


def compare(seed: int, rows: int) -> Decisions:
    dice = Random(seed)  # noqa: S311 - reproducible, not secret
    policy = catalogs.policy_of(dice)
    situations = asked(dice, policy, rows)
    audience = Audience.from_encoded(encoded(situations), policy)
    decisions = decide_all(audience, policy, candidates=True)
    for row, (context, told, now, draw) in enumerate(situations):
        one = decide(context, told, policy, decision_id="d-1", now=now, draw=draw)
        check(decisions, row, one, holdout=context.holdout)
    return decisions


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_every_row_is_decided_as_it_would_be_alone(seed: int) -> None:
    compare(seed, 6)


@pytest.mark.long
@settings(max_examples=8000, deadline=None)
@given(st.integers(0, 2**62))
def test_every_row_is_decided_as_it_would_be_alone_over_many_catalogs(seed: int) -> None:
    compare(seed, 8)


def test_the_random_rows_reach_every_outcome_and_hardly_ever_need_the_single_decision() -> None:
    """The laws above mean something only if the catalogs reach the interesting places, by way of the arrays."""
    seen: set[str] = set()
    rows = alone = 0
    for seed in range(300):
        decisions = compare(seed, 6)
        rows, alone = rows + len(decisions), alone + len(decisions.one_by_one)
        for row in set(range(len(decisions))) - set(decisions.one_by_one):
            many = decisions.plain(row)
            seen |= {many["outcome"], many["arm"], f"{len(many['plan'])} steps"}
            seen |= {it.code for it in decisions.judged(row) if it.code}
    assert {"act", "silence", "explore", "holdout", "silence_floor", "1 steps", "2 steps", "3 steps"} <= seen
    assert {gate.code for gate in GATES} - {"objection", "suppression"} <= seen
    assert alone / rows < 0.03, (
        "only values that cannot be reckoned are decided one by one, and the catalogs have 3 % of them"
    )


def test_customers_of_the_example_catalog_never_need_the_single_decision() -> None:
    policy = load_catalog(EXAMPLE)
    dice = Random(5)  # noqa: S311 - reproducible, not secret
    situations = [one for one in asked(dice, policy, 400) if "nan" not in repr(one[1]) and "inf" not in repr(one[1])]
    decisions = decide_all(Audience.from_encoded(encoded(situations), policy), policy, candidates=True)
    assert decisions.one_by_one == {}
    for row, (context, told, now, draw) in enumerate(situations):
        one = decide(context, told, policy, decision_id="d-1", now=now, draw=draw)
        check(decisions, row, one, holdout=context.holdout)


def test_a_zone_whose_clock_jumps_across_blocks_is_decided_one_by_one() -> None:
    """Troll, Antarctica, moves by two hours: what a block is depends on the moment it is looked at from."""
    dice = Random(1)  # noqa: S311 - reproducible, not secret
    found = 0
    for _ in range(40):
        policy = catalogs.policy_of(dice)
        policy = replace(policy, contact_policy=replace(policy.contact_policy, quiet_from=2, quiet_to=3))
        situations = [
            (
                replace(context, time_zone="Antarctica/Troll"),
                told,
                catalogs.CHANGES[dice.randint(0, 1)] - timedelta(hours=9),
                0.0,
            )
            for context, told, _, _ in asked(dice, policy, 3)
        ]
        decisions = decide_all(Audience.from_encoded(encoded(situations), policy), policy, candidates=True)
        found += len(decisions.one_by_one)
        for row, (context, told, now, draw) in enumerate(situations):
            one = decide(context, told, policy, decision_id="d-1", now=now, draw=draw)
            check(decisions, row, one, holdout=context.holdout)
    assert found > 0


def test_chunks_and_order_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = Random(9)  # noqa: S311 - reproducible, not secret
    policy = catalogs.policy_of(dice)
    rows = encoded(asked(dice, policy, 40))
    whole = decide_all(Audience.from_encoded(rows, policy), policy)
    monkeypatch.setattr("arbitration.vectorized.CHUNK", 7)
    turned = decide_all(Audience.from_encoded(rows[::-1], policy), policy)
    assert [whole.plain(row) for row in range(40)] == [turned.plain(row) for row in reversed(range(40))]


def test_an_audience_of_nobody_gets_no_decisions() -> None:
    policy = load_catalog(EXAMPLE)
    assert len(decide_all(Audience.from_encoded([], policy), policy)) == 0
