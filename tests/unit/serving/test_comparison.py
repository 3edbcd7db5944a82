"""The blast radius of another policy: who changes, from what to what, at which value; columns and single decisions agree."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbitration.domain import SILENCE
from arbitration.policy import Resource
from serving.comparison import BlastRadius, blast_radius, compared, hidden, together
from serving.favorites import summaries, summary_of
from serving.ledger.rows import Summary
from serving.replay_many import check_many, compare_many
from tests.unit.arbitration.situations import LAWS, POLICY
from tests.unit.serving.recorded import QUIETER, RICHER, SITUATIONS, keep, record_of, row_of, spoken_to

FEW = settings(LAWS, max_examples=10)  # each example decides several times


@pytest.fixture
def records():
    return spoken_to()


@FEW
@given(st.lists(SITUATIONS, min_size=1, max_size=4))
def test_the_same_policy_changes_nothing(found):
    rows = [row_of(record_of(number, situation)) for number, situation in enumerate(found)]
    radius = blast_radius(rows, POLICY, POLICY)
    assert (radius.records, radius.changed, radius.retimed, radius.revalued, radius.gates) == (len(rows), 0, 0, 0, {})
    assert radius.net_before == radius.net_after


@FEW
@given(st.lists(SITUATIONS, min_size=2, max_size=5), st.sampled_from([QUIETER, RICHER]), st.integers(1, 4))
def test_a_blast_radius_is_the_same_in_portions(found, policy, cut):
    rows = [row_of(record_of(number, situation)) for number, situation in enumerate(found)]
    whole = blast_radius(rows, POLICY, policy)
    parts = together([blast_radius(rows[:cut], POLICY, policy), blast_radius(rows[cut:], POLICY, policy)])
    assert {ends: move.count for ends, move in parts.moves.items()} == {e: m.count for e, m in whole.moves.items()}
    assert (parts.records, parts.retimed, parts.revalued) == (whole.records, whole.retimed, whole.revalued)
    assert (parts.examples, parts.gates, parts.simulated) == (whole.examples, whole.gates, whole.simulated)
    assert parts.net_after == pytest.approx(whole.net_after)


@LAWS
@given(SITUATIONS)
def test_a_summary_is_the_favorite_before_any_draw(situation):
    record = record_of(0, situation)
    summary, decision = summary_of(record.decision), record.decision
    assert summary == summary_of(replace(decision, winner=None, outcome="silence"))
    best = decision.ranked[0] if decision.ranked else None
    silent = best is None or best.value.decided_on <= 0 or decision.arm == "holdout"
    assert (summary.favorite is None) == silent
    treatments = {item.candidate.treatment for item in (*decision.ranked, *decision.rejections)}
    competing = {item.candidate.treatment for item in decision.ranked}
    assert sum(summary.stopped.values()) == len(treatments - competing)


@LAWS
@given(st.lists(SITUATIONS, min_size=1, max_size=5), st.sampled_from([POLICY, QUIETER, RICHER]))
def test_the_columns_hold_for_best_what_the_single_decision_does(found, policy):
    rows = [row_of(record_of(number, situation)) for number, situation in enumerate(found)]
    full = {it.id: it.limit for it in policy.resources.values() if it.limit is not None}
    alone = []
    for number, (now, context, believed, draw) in enumerate(found):
        stocked = replace(context, stock=full | dict(context.stock))
        alone.append(summary_of(record_of(number, (now, stocked, believed, draw), policy).decision))
    assert summaries(rows, policy) == alone


def test_what_falls_silent_is_counted_and_named(records):
    rows = [row_of(record) for record in records]
    mute = replace(POLICY, channels={name: replace(it, available="False") for name, it in POLICY.channels.items()})
    radius = blast_radius(rows, POLICY, mute, examples=2)
    spoke = [one for one in summaries(rows, POLICY) if one.favorite]
    assert radius.changed == radius.silence_gained == len(spoke) == 3
    assert radius.silence_lost == 0
    assert (radius.net_before, radius.net_after) == (sum(one.net for one in spoke), 0.0)
    assert [one.decision_id for one in radius.examples] == ["d-0", "d-1"]
    assert {after for _, after in radius.moves} == {SILENCE}
    assert radius.gates["channel_unavailable"][1] > radius.gates["channel_unavailable"][0]
    assert blast_radius(rows, mute, POLICY).silence_lost == 3


def test_a_lever_is_no_money_a_dearer_channel_is_and_shorter_hours_are_another_time(records):
    rows = [row_of(record) for record in records]
    richer = blast_radius(rows, POLICY, RICHER)
    assert (richer.changed, richer.revalued) == (0, 0)
    dearer = replace(POLICY, channels={name: replace(it, cost=it.cost + 0.01) for name, it in POLICY.channels.items()})
    assert blast_radius(rows, POLICY, dearer).revalued == 3
    was = summaries(rows, POLICY)
    later = [replace(one, opens_at=one.opens_at + timedelta(hours=1)) for one in was]
    assert compared(rows, was, later).retimed == 3


def test_the_stock_of_a_new_resource_counts_as_full_and_a_recorded_one_as_recorded(records):
    rows = [row_of(record) for record in records]
    channels = {name: Resource(name, it.name, channel=name, limit=5) for name, it in POLICY.channels.items()}
    scarce = replace(POLICY, resources=channels)
    assert blast_radius(rows, POLICY, scarce).changed == 0
    empty = [{**row, "context": {**row["context"], "stock": dict.fromkeys(channels, 0)}} for row in rows]
    assert all(one.favorite is None for one in summaries(empty, scarce))


def test_settings_that_recorded_estimates_hold_are_named(tmp_path, records):
    path = keep(tmp_path / "ledger.db", records)
    poorer = replace(POLICY, economics=replace(POLICY.economics, margin_rate=0.01, tier_value_prior=9.0, breakage=0.9))
    assert hidden(POLICY, poorer) == {"margin_rate", "tier_value_prior"}
    found = compare_many(path, [1, 2, 3], poorer, lambda _: None)
    assert found.hidden == {"margin_rate", "tier_value_prior"}
    weaker = {name: replace(it, effect_prior=it.effect_prior / 2) for name, it in POLICY.journeys.items()}
    fewer = {name: it for name, it in POLICY.channels.items() if name != "sms"}
    assert hidden(POLICY, replace(POLICY, journeys=weaker, channels=fewer)) == {"effect_prior"}
    assert hidden(POLICY, RICHER) == frozenset(), "a lever plays its part when deciding"


@given(st.lists(st.floats(allow_nan=False), max_size=5), st.lists(st.floats(allow_nan=False), max_size=5))
def test_no_amount_of_money_stops_a_sum(first, second):
    rows = [{"decision_id": "d", "context": {"customer_id": "c"}} for _ in (*first, *second)]
    was = [Summary("a", None, amount, 1.0, {}) for amount in (*first, *second)]
    now = [replace(one, favorite="b") for one in was]
    parts = [
        compared(rows[: len(first)], was[: len(first)], now[: len(first)]),
        compared(rows[len(first) :], was[len(first) :], now[len(first) :]),
    ]
    assert together(parts).changed == len(rows)


def test_an_empty_blast_radius_is_plain_json():
    assert BlastRadius() == together([])
    assert json.loads(json.dumps(BlastRadius().to_plain()))["records"] == 0


def test_the_ledger_compares_as_the_rows_do(tmp_path, records):
    path = keep(tmp_path / "ledger.db", records)
    seen: list[int] = []
    done = compare_many(path, [1, 2, 3], RICHER, seen.append)
    assert done.radius == blast_radius([row_of(record) for record in records], POLICY, RICHER)
    assert sum(seen) == 3


def test_several_processes_find_what_one_finds(tmp_path, records, monkeypatch):
    path = keep(tmp_path / "ledger.db", records)
    alone = (check_many(path, [1, 2, 3], lambda _: None), compare_many(path, [1, 2, 3], RICHER, lambda _: None))
    monkeypatch.setattr("serving.replay_many.CHECKED_AT_ONCE", 2)
    monkeypatch.setattr("serving.replay_many.COMPARED_AT_ONCE", 2)
    many = (check_many(path, [1, 2, 3], lambda _: None), compare_many(path, [1, 2, 3], RICHER, lambda _: None))
    assert many[0] == alone[0]
    one, several = (found[1].radius.to_plain() for found in (alone, many))
    assert several.pop("net_after") == pytest.approx(one.pop("net_after"))
    assert several.pop("net_before") == pytest.approx(one.pop("net_before"))
    assert several == one
