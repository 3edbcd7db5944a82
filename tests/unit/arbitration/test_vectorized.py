"""What many decisions at once say is what each decision says alone, down to the last bit."""

from __future__ import annotations

from datetime import datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from arbitration.audience import Audience
from arbitration.batch.clock import moment_of
from arbitration.batch.decisions import Decisions
from arbitration.codec import encode
from arbitration.decide import decide
from arbitration.domain import PARTS, Context, Decision, Estimates
from arbitration.policy import Policy
from arbitration.selection import ONE
from arbitration.vectorized import decide_all
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
    dice = Random(seed)
    policy = catalogs.policy_of(dice)
    situations = asked(dice, policy, rows)
    audience = Audience.from_encoded(encoded(situations), policy)
    decisions = decide_all(audience, policy, candidates=True)
    for row, (context, told, now, draw) in enumerate(situations):
        one = decide(context, told, policy, decision_id="d-1", now=now, draw=draw)
        check(decisions, row, one, holdout=context.holdout)
    return decisions


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_every_row_is_decided_as_it_would_be_alone(seed: int) -> None:
    compare(seed, 6)
