"""Features at a moment: right by hand, blind for the future, and a maker that looks ahead is caught."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.training.simulated_purchases import ACTIVE, CUTOFF, HORIZON, simulated_purchases, written
from training.lapse_risk.events import DAY, Events, read_events
from training.lapse_risk.features import NAMES, features_at
from training.lapse_risk.run import question_of
from training.lapse_risk.suspicion import LeakError, refuse_looking_ahead, refuse_overlap
from training.lapse_risk.windows import Question, labels_at, training_moments

NOW = 20_000 * DAY
NOTHING = np.zeros(0, dtype=np.int64)


def events_of(days_ago: dict[str, list[float]], amount: float = 10.0) -> Events:
    who = np.concatenate([np.full(len(days), n) for n, days in enumerate(days_ago.values())]).astype(np.int64)
    when = np.concatenate([NOW - (np.sort(days)[::-1] * DAY).astype(np.int64) for days in days_ago.values()])
    return Events(pd.Index(list(days_ago)), who, when, np.full(len(who), amount), NOTHING, NOTHING)


def features_of(events: Events, active: int = 90, horizon: int = 30) -> dict[str, dict[str, float]]:
    customers, rows = features_at(events, NOW, active * DAY, horizon * DAY)
    return {
        str(events.customers[c]): dict(zip(NAMES, row, strict=True)) for c, row in zip(customers, rows, strict=True)
    }


def test_features_are_what_a_person_would_count():
    found = features_of(
        events_of({"a": [5.0, 15.0, 35.0, 200.0], "once": [20.0], "gone": [91.0, 100.0], "next": [-1.0]})
    )
    assert found.keys() == {"a", "once"}
    a, once = found["a"], found["once"]
    assert (a["recency_days"], a["tenure_days"], a["purchases"]) == (5.0, 200.0, 4.0)
    assert (a["purchases_14d"], a["purchases_30d"], a["purchases_180d"]) == (1.0, 2.0, 3.0)
    assert (a["mean_gap"], a["last_gap"], a["longest_gap"]) == (65.0, 10.0, 165.0)
    assert a["sd_gap"] == pytest.approx(np.std([165.0, 20.0, 10.0]))
    assert a["gap_ratio"] == pytest.approx(5 / 66)
    assert a["trend"] == pytest.approx(np.log(2.5 / 1.5))
    assert (a["money_mean"], a["money_90d"], a["money_last"]) == (10.0, 30.0, 10.0)
    assert np.isnan([once["mean_gap"], once["sd_gap"], once["last_gap"], once["gap_ratio"]]).all()
    assert np.isnan([a["purchases_365d"], a["same_season_last_year"], a["life_30d"]]).all()


def test_a_customer_at_the_edge_of_the_active_time_is_active():
    assert features_of(events_of({"edge": [90.0], "out": [90.001], "in": [1.0]})).keys() == {"edge", "in"}


def test_nobody_active_gives_no_rows():
    customers, rows = features_at(events_of({"a": [100.0]}), NOW, DAY, DAY)
    assert len(customers) == 0
    assert rows.shape == (0, len(NAMES))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-40, 200)), min_size=3, max_size=60), st.integers(10, 90))
def test_the_future_never_changes_a_feature(purchases, active):
    days: dict[str, list[float]] = {}
    for customer, ago in [*purchases, (0, 1)]:
        days.setdefault(f"c{customer}", []).append(float(ago))
    events = events_of({name: sorted(set(ago)) for name, ago in sorted(days.items())})
    refuse_looking_ahead(lambda e, moment: features_at(e, moment, active * DAY, 30 * DAY), events, NOW)


def test_a_feature_that_looks_ahead_is_refused():
    def peeking(events, moment):
        customers, rows = features_at(events, moment, 90 * DAY, 30 * DAY)
        return customers, np.column_stack([rows, np.bincount(events.who, minlength=len(events.customers))[customers]])

    with pytest.raises(LeakError, match="looks at events at or after its own moment"):
        refuse_looking_ahead(peeking, events_of({"a": [5.0, -3.0], "b": [8.0]}), NOW)


def test_label_windows_that_reach_past_the_judgement_are_refused():
    refuse_overlap([NOW - 30 * DAY], 30 * DAY, NOW)
    with pytest.raises(LeakError, match="1 label windows end after"):
        refuse_overlap([NOW - 30 * DAY, NOW - 29 * DAY], 30 * DAY, NOW)


def test_a_label_window_begins_at_the_moment_and_ends_before_the_horizon():
    events = events_of({"at": [10.0, 0.0], "late": [10.0, -30.0], "in": [10.0, -29.9]})
    labels = labels_at(events, np.arange(3), NOW, 30 * DAY)
    assert dict(zip(events.customers, labels, strict=True)) == {"at": 0.0, "late": 1.0, "in": 0.0}


@given(st.integers(1, 300), st.integers(1, 200), st.integers(1, 900))
def test_training_moments_leave_room_for_every_label_window(active, horizon, history):
    question = Question(NOW, active * DAY, horizon * DAY)
    moments = training_moments(events_of({"a": [float(history)]}), question)
    refuse_overlap(moments, question.horizon, question.cutoff)
    assert all(moment >= NOW - history * DAY for moment in moments)
    assert len(set(moments)) == len(moments)


def test_recency_grows_day_by_day(tmp_path):
    question = question_of(CUTOFF, ACTIVE, HORIZON)
    events = read_events(written(simulated_purchases(50), tmp_path), question.cutoff).events
    first = dict(zip(*_recency(events, question.cutoff), strict=True))
    second = dict(zip(*_recency(events, question.cutoff + DAY), strict=True))
    assert all(second[c] == pytest.approx(first[c] + 1) for c in second.keys() & first.keys())


def _recency(events, moment):
    customers, rows = features_at(events, moment, ACTIVE * DAY, HORIZON * DAY)
    return customers, rows[:, NAMES.index("recency_days")]
