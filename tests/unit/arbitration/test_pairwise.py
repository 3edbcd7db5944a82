"""No pair of features excludes another: all laws, with every two levels of any two features together."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from arbitration.codec import canonical_json, decode
from arbitration.decide import decide
from arbitration.domain import Contact, Context, Decision, Estimates
from arbitration.gates import GATES
from arbitration.policy import Policy
from arbitration.propose import propose
from arbitration.selection import ONE
from arbitration.texts import GATE_TEXTS, SELECTION_TEXTS, STOP_TEXTS
from tests.unit.arbitration.oracle import purpose_of, violations
from tests.unit.arbitration.pairwise import BASE, BELIEFS, FACTORS, OPEN, Row, covering_rows, pairs, situation_of

ROWS = covering_rows(FACTORS)
OPEN_ROWS = covering_rows(OPEN)
ORDER = [gate.code for gate in GATES]
CAPS = {"channel_cap", "group_cap", "overall_cap"}
IDS = [f"row-{at}" for at in range(len(ROWS))]
OPEN_IDS = [f"open-{at}" for at in range(len(OPEN_ROWS))]
CLOSED = {
    ("cool_down", "running"): "cool_down",
    ("cool_down", "past_its_horizon"): "cool_down",
    ("group", "busy"): "exclusive_group",
    ("stopped", "yes"): "journey_stopped",
    ("stock", "used_up"): "out_of_stock",
    ("stock", "unknown"): "out_of_stock",
    ("trigger", "expired"): "trigger_expired",
    ("presence", "in_store"): "channel_held",
    ("presence", "unknown"): "channel_held",
    ("consent", "withdrawn"): "consent_withdrawn",
    ("consent", "denied"): "consent_denied",
    ("consent", "missing"): "consent_missing",
    ("consent", "no_evidence"): "consent_evidence_incomplete",
    ("caller", "others"): "channel_not_servable",
}
"""Levels that silence the main channel whatever the others are, with the code that says so; a full cap is another matter, because
service messages are free and the rows differ in which cap is full."""


def decision_of(row: Row) -> Decision:
    context, policy, now, draw = situation_of(row)
    return decide(context, BELIEFS, policy, decision_id="d-1", now=now, draw=draw)


@pytest.mark.parametrize(("factors", "rows"), [(FACTORS, ROWS), (OPEN, OPEN_ROWS)], ids=["all", "open"])
def test_every_pair_of_levels_occurs_in_some_row(
    factors: dict[str, tuple[str, ...]], rows: list[dict[str, str]]
) -> None:
    for (one, level), (other, second) in pairs(factors):
        assert any(row[one] == level and row[other] == second for row in rows), (one, level, other, second)
    assert all(set(row) == set(factors) for row in rows)
    assert len(rows) < 80, "a covering array is small"
    assert rows == covering_rows(factors)


def check_candidates(row: Row) -> Decision:
    """Each candidate is in one place, and a slow restatement of every rule agrees with the place."""
    context, policy, now, _ = situation_of(row)
    decision = decision_of(row)
    proposed = [it.id for it in propose(context, policy, now)]
    placed = [it.candidate.id for it in decision.ranked] + [it.candidate.id for it in decision.rejections]
    assert sorted(placed) == sorted(proposed)
    assert len(set(proposed)) == len(proposed)
    for item in decision.ranked:
        assert violations(item.candidate, context, policy, now) == set(), item.candidate.id
    for no in decision.rejections:
        found = violations(no.candidate, context, policy, now)
        assert found, f"{no.candidate.id} was refused by {no.code}, and nothing forbids it"
        assert no.code == min(found, key=ORDER.index), no.candidate.id
    return decision


@pytest.mark.parametrize("row", [*ROWS, *OPEN_ROWS], ids=[*IDS, *OPEN_IDS])
def test_each_candidate_is_refused_by_the_first_rule_it_violates_and_else_ranked(row: Row) -> None:
    check_candidates(row)


@pytest.mark.parametrize(("name", "level"), CLOSED, ids=[f"{name}-{level}" for name, level in CLOSED])
def test_one_closed_feature_keeps_the_main_channel_silent_beside_any_two_others(name: str, level: str) -> None:
    """Where several rules forbid a candidate, the first hides the others; here only one does."""
    codes: Counter[str] = Counter()
    for row in OPEN_ROWS:
        decision = check_candidates({**row, name: level})
        mine = [it for it in decision.rejections if it.candidate.treatment.id == "care/main/first"]
        codes.update({it.code for it in mine})
    assert codes[CLOSED[name, level]] >= len(OPEN_ROWS) // 4, codes


def test_a_full_cap_of_every_kind_and_scope_stops_marketing_and_nothing_else() -> None:
    codes: Counter[str] = Counter()
    for row in OPEN_ROWS:
        for kind in ("message", "suppress"):
            decision = check_candidates({**row, "cap_state": "full", "kind": kind})
            mine = {it.code for it in decision.rejections if it.candidate.treatment.id == "care/main/first"}
            free = row["purpose"] == "service" or kind == "suppress"
            assert not (free and mine & CAPS)
            codes.update(mine & CAPS)
    assert set(codes) == CAPS


def test_a_live_winner_stops_marketing_of_its_own_timing_and_nothing_else() -> None:
    seen: Counter[bool] = Counter()
    for row in OPEN_ROWS:
        for live, timing in (("message", "scheduled"), ("place", "immediate")):
            decision = check_candidates({**row, "live": live})
            mine = {it.code for it in decision.rejections if it.candidate.treatment.id == "care/main/first"}
            waits = row["timing"] == timing and row["purpose"] == "marketing" and row["kind"] != "suppress"
            assert waits or "live_winner" not in mine
            assert not (waits and "care/main/first" in {it.candidate.treatment.id for it in decision.ranked})
            seen["live_winner" in mine] += 1
    assert min(seen[True], seen[False]) > 10


@pytest.mark.parametrize("row", [*ROWS, *OPEN_ROWS], ids=[*IDS, *OPEN_IDS])
def test_each_step_of_a_plan_keeps_every_rule_at_its_own_time(row: Row) -> None:
    context, policy, now, _ = situation_of(row)
    plan = decision_of(row).plan
    earlier: tuple[Contact, ...] = ()
    for step in plan.steps:
        treatment = step.candidate.treatment
        assert violations(step.candidate, context, policy, now, earlier) == set(), step.candidate.id
        assert now <= step.send_at < step.expires_at
        purpose = purpose_of(step.candidate, policy)
        earlier += (Contact(treatment.journey, treatment.channel, step.send_at, purpose, engaged=False),)  # type: ignore[arg-type]
    for one, two in pairwise(plan.steps):
        assert two.send_at >= one.send_at + timedelta(hours=one.wait_hours)
        assert policy.channels[two.candidate.treatment.channel].timing == "scheduled"
    assert len({step.candidate.treatment.channel for step in plan.steps}) == len(plan.steps) <= 3


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_probabilities_are_exact_and_reasons_have_words(row: Row) -> None:
    decision = decision_of(row)
    units = [item.probability * ONE for item in decision.ranked]
    assert all(unit == int(unit) >= 0 for unit in units)
    assert sum(units) + decision.silence_probability * ONE == ONE
    assert decision.silence_probability >= 0.01
    codes = {it.code for it in decision.reasons} | {it.code for it in decision.rejections}
    assert codes <= {*GATE_TEXTS, *SELECTION_TEXTS, *STOP_TEXTS}
    assert decision.reasons
    assert decision.valid_until > decision.decided_at


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_deciding_again_from_what_was_written_gives_the_same_bytes(row: Row) -> None:
    context, policy, now, draw = situation_of(row)
    data = canonical_json(decision_of(row))
    read: tuple[Context, Estimates, Policy] = (
        decode(Context, json.loads(canonical_json(context))),
        decode(Estimates, json.loads(canonical_json(BELIEFS))),
        decode(Policy, json.loads(canonical_json(policy))),
    )
    assert canonical_json(decide(*read, decision_id="d-1", now=now, draw=draw)) == data
    assert decode(Decision, json.loads(data)) == decision_of(row)


@pytest.mark.parametrize("row", [*ROWS, *OPEN_ROWS], ids=[*IDS, *OPEN_IDS])
def test_where_the_rules_leave_a_candidate_the_favorite_speaks(row: Row) -> None:
    """Every candidate here is worth more than silence, unless it suppresses; a low draw falls on the favorite."""
    context, policy, now, _ = situation_of(row)
    free = [it for it in propose(context, policy, now) if not violations(it, context, policy, now)]
    decision = decide(context, BELIEFS, policy, decision_id="d-1", now=now, draw=0.0)
    spoke = decision.winner is not None
    assert spoke == (bool(free) and row["holdout"] == "no")


def test_any_two_features_together_let_the_main_channel_speak() -> None:
    """The base situation with two levels changed: only what begins after the other has ended cannot go with it."""
    silent: Counter[str] = Counter()
    for pair in pairs(OPEN):
        row = {**BASE, **dict(pair)}
        winner = decision_of(row).winner
        if winner is None or winner.candidate.treatment.channel != "main":
            context, policy, now, _ = situation_of(row)
            mine = [it for it in propose(context, policy, now) if it.treatment.id == "care/main/first"]
            if all(violations(it, context, policy, now) for it in mine):
                silent["; ".join(sorted(f"{name} {level}" for name, level in pair))] += 1
            else:
                assert winner is not None
    assert set(silent) == EXCLUSIVE


EXCLUSIVE = {
    "consent begins_today; timing immediate",
    "consent begins_today; trigger ends_today",
    "consent withdrawn_later; pause nine_hours",
    "pause nine_hours; timing immediate",
    "consent ends_today; pause nine_hours",
    "pause nine_hours; trigger ends_today",
    "cart too_old_in_six_hours; pause nine_hours",
    "cart too_old_in_six_hours; consent begins_today",
}
"""Pairs that exclude each other by what they mean: what begins only when the other has ended."""


def test_who_objected_or_is_suppressed_gets_silence_in_every_row() -> None:
    for row in ROWS:
        context, policy, now, _ = situation_of(row)
        for barred in (replace(context, objected=True), replace(context, suppressed=True)):
            decision = decide(barred, BELIEFS, policy, decision_id="d-1", now=now, draw=0.0)
            assert decision.winner is None
            assert decision.ranked == ()
            assert decision.rejections == ()
            assert len(decision.reasons) == 1
