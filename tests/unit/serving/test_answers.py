"""What an answer says of its plan and of what was rejected."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from arbitration.domain import Candidate, Offer, PlanStep, Rejection, SendWindow, Treatment
from serving.answers import answer_of
from tests.unit.arbitration.situations import POLICY
from tests.unit.serving.recorded import spoken_to

NOON = datetime(2018, 1, 2, 12, tzinfo=UTC)


def window(hours):
    return SendWindow(NOON + timedelta(hours=hours), NOON + timedelta(hours=hours + 1), 0)


def test_a_step_of_the_plan_says_all_that_the_action_says_of_its_treatment():
    record = spoken_to()[0]
    given = Treatment("welcome", "handover", "to_care", Offer("five", 5.0), "route", "care")
    step = PlanStep(Candidate(given, window(0)), NOON, 1.0, "", (), NOON, 0.0)
    decision = replace(record.decision, plan=replace(record.decision.plan, steps=(step,)))
    (told,) = answer_of(replace(record, decision=decision), POLICY).plan
    assert (told.template, told.offer, told.kind, told.route_to) == ("to_care", "five", "route", "care")
    answer = answer_of(record, POLICY)
    fields = ("journey", "treatment", "channel", "template", "kind", "route_to", "offer", "send_at")
    assert [getattr(answer.plan[0], name) for name in fields] == [getattr(answer.action, name) for name in fields]


@pytest.mark.parametrize(("second", "free"), [(None, None), (NOON + timedelta(hours=9), NOON + timedelta(hours=2))])
def test_a_moment_is_told_only_where_nothing_else_stops_the_treatment_for_good(second, free):
    record = spoken_to()[0]
    stopped, other = Treatment("welcome", "sms", "t"), Treatment("welcome", "email", "t")
    rejections = (
        Rejection(Candidate(stopped, window(0)), "contact_policy", "quiet_hours", NOON + timedelta(hours=2)),
        Rejection(Candidate(stopped, window(5)), "consent", "pause", second),
        Rejection(Candidate(other, window(0)), "contact_policy", "quiet_hours", NOON + timedelta(hours=3)),
    )
    decision = replace(record.decision, rejections=rejections)
    told = {
        (one.candidate, one.reason): one.free_at
        for one in answer_of(replace(record, decision=decision), POLICY).rejected
    }
    assert told["welcome/sms/t", "quiet_hours"] == free
    assert told["welcome/sms/t", "pause"] == second
    assert told["welcome/email/t", "quiet_hours"] == NOON + timedelta(hours=3)
