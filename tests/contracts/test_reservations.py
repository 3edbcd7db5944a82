"""What a reservation promises, on both stores: it is confirmed once, by who holds it, while it is live and nothing speaks against it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from serving.ledger import bookkeeping, schema
from serving.ledger.contacts import GRACE, sent
from serving.ledger.rights import erase, objected, paused
from tests.contracts.conftest import HOUR, rows_of
from tests.contracts.reserving import DAY, ENGINE, OTHER, REVIEWER, Shop, open_policy, refused


@pytest.fixture
def shop(ledger):
    return Shop(ledger, open_policy())


def states(shop) -> list[tuple[str, str | None]]:
    return [(row.state, row.settled_by) for row in sorted(rows_of(shop.ledger), key=lambda row: row.epoch)]


def events(shop, kind: str) -> list[dict]:
    return [
        json.loads(row.data) for row in rows_of(shop.ledger, bookkeeping.outbox) if row.type == f"dirigent.{kind}.v1"
    ]


def test_a_contact_is_confirmed_once_and_the_same_call_gets_the_same_answer(shop):
    decision, held = shop.decided()
    first = shop.confirm(held)
    assert (first["state"], first["decision_id"], first["settled_by"]) == ("confirmed", decision, "confirm")
    shop.later(hours=1)
    assert shop.confirm(held) == first
    assert len(events(shop, "reservation.confirmed")) == 1
    assert [row.evidence_id for row in rows_of(shop.ledger)] == ["v-push"], "the consent that holds now is named"


def test_before_its_time_it_keeps_its_moment_and_behind_it_it_counts_for_now(shop):
    _, early = shop.decided(plan=[("push", HOUR)])
    planned = rows_of(shop.ledger)[0].sent_at
    shop.confirm(early)
    assert rows_of(shop.ledger)[0].sent_at == planned
    shop.later(days=2)
    _, late = shop.decided(plan=[("email", timedelta(0))], journey="post_purchase")
    shop.later(hours=1)
    shop.confirm(late)
    row = next(row for row in rows_of(shop.ledger) if row.channel == "email")
    assert row.sent_at == row.settled_at > row.reserved_at + 3_500_000_000


def test_another_epoch_an_unknown_id_and_what_ended_are_refused_and_nothing_changes(shop):
    _, held = shop.decided()
    assert refused(shop.confirm, held, held.epoch + 1).code == "unknown-epoch"
    assert refused(shop.confirm, type(held)("r-x", 1, held.lease_until)).status == 404
    assert states(shop) == [("reserved", None)]
    shop.release(held, reason="sender_down")
    _, second = shop.decided()
    problem = refused(shop.confirm, type(held)(second.id, held.epoch, held.lease_until))
    assert (problem.status, problem.code) == (409, "older-epoch")
    problem = refused(shop.confirm, held)
    assert (problem.code, problem.more["reason"]) == ("reservation-released", "sender_down")
    assert states(shop) == [("released", "sender_down"), ("reserved", None)]


def test_a_lease_that_is_over_cannot_be_confirmed_and_neither_can_a_window_that_closed(shop):
    _, held = shop.decided()
    shop.later(hours=2, seconds=1)
    problem = refused(shop.confirm, held)
    assert (problem.code, problem.more["reason"]) == ("reservation-expired", "window_over")
    shop.later(days=2)
    _, second = shop.decided(journey="post_purchase")
    shop.later(seconds=(2 * HOUR + GRACE).total_seconds() + 1)
    assert refused(shop.confirm, second).more["reason"] == "lease_over"
    rows = rows_of(shop.ledger)
    assert all(row.settled_at >= row.reserved_at and row.lease_until for row in rows)


def test_giving_back_twice_is_giving_back_once(shop):
    _, held = shop.decided()
    first = shop.release(held)
    assert (first["state"], first["settled_by"]) == ("released", "given_back")
    assert shop.release(held, reason="again") == first
    assert refused(shop.release, held, held.epoch + 1).code == "unknown-epoch"
    _, second = shop.decided(journey="post_purchase")
    shop.confirm(second)
    assert refused(shop.release, second).code == "reservation-confirmed"


def written(shop, work, customer: str = "c1"):
    with shop.ledger.writing(customer) as tx:
        return work(tx)


@pytest.mark.parametrize("reason", ["consent_withdrawn", "objection", "pause"])
def test_a_no_of_the_customer_frees_the_place_and_is_the_reason(shop, reason):
    _, held = shop.decided()
    if reason == "consent_withdrawn":
        shop.withdraw("push")
    else:
        written(shop, objected if reason == "objection" else lambda tx: paused(tx, tx.now() + DAY))
    problem = refused(shop.confirm, held)
    assert (problem.code, problem.more["reason"]) == ("reservation-released", reason)


def test_what_nobody_took_back_is_found_at_the_confirmation_and_frees_the_place(shop):
    _, held = shop.decided()
    stop = {
        "stop_id": "x",
        "journey": "churn_recovery",
        "began_at": 1,
        "began_by": "a",
        "reason": "b",
        "automatic": False,
    }
    written(shop, lambda tx: tx.put(bookkeeping.stops, stop))
    problem = refused(shop.confirm, held)
    assert (problem.code, problem.more["reason"]) == ("reservation-released", "journey_stopped")
    assert states(shop) == [("released", "journey_stopped")], "it was committed with the refusal"
    body = json.loads(bytes(problem.response("i").body))
    assert (body["status"], body["reason"]) == (409, "journey_stopped")


def test_a_cap_that_filled_up_meanwhile_is_asked_again_and_says_when_it_is_free(shop):
    first, lost = shop.decided()
    shop.release(lost)
    _, held = shop.decided(journey="post_purchase")
    shop.report(first, "delivered")  # it had left after all, and counts again
    problem = refused(shop.confirm, held)
    assert (problem.more["reason"], "free_at" in problem.more) == ("channel_cap", True)
    assert states(shop) == [("confirmed", "outcome"), ("released", "channel_cap")]


def test_the_own_place_does_not_stand_in_its_own_way_in_quiet_hours_it_does_not_go_out(shop):
    _, held = shop.decided(plan=[("push", 9 * HOUR)])  # seven in the evening in New York, until nine
    shop.later(hours=10)
    assert shop.confirm(held)["state"] == "confirmed"
    shop.later(days=1)
    _, night = shop.decided(plan=[("email", timedelta(0))], journey="post_purchase")
    shop.later(hours=1, minutes=30)  # half past nine in the evening
    assert refused(shop.confirm, night).more["reason"] == "quiet_hours"


def test_an_outcome_after_the_end_counts_again_and_takes_the_word_out_of_the_holders_mouth(shop):
    decision, held = shop.decided()
    shop.later(hours=3)
    assert shop.report(decision, "delivered") == 200
    assert states(shop) == [("confirmed", "outcome")]
    problem = refused(shop.confirm, held)
    assert (problem.code, problem.more["reason"]) == ("reservation-confirmed", "outcome")


def test_what_nobody_confirmed_counts_from_the_moment_that_an_outcome_tells_not_from_when_it_was_planned(shop):
    for number, (told, counted) in enumerate([(None, 0), (-1, 0), (1, 1), (30, 3)]):
        customer = f"m{number}"
        shop.customer(customer)
        decision, _ = shop.decided(customer=customer)
        planned = max(rows_of(shop.ledger), key=lambda row: row.reserved_at).sent_at
        shop.later(hours=3)
        at = None if told is None else schema.from_micros(planned) + told * HOUR
        written(shop, lambda tx, decision=decision, at=at: sent(tx, decision, 0, "outcome", at), customer)
        (row,) = [row for row in rows_of(shop.ledger) if row.decision_id == decision]
        assert 0 <= row.sent_at - planned - counted * 3_600_000_000 < 10_000_000
        assert row.sent_at <= row.settled_at
        written(shop, lambda tx, decision=decision: sent(tx, decision, 0, "outcome", tx.now()), customer)
        assert row in rows_of(shop.ledger), "what is confirmed keeps its moment"


def test_not_sent_after_the_confirmation_frees_the_place_and_a_second_place_of_the_step_takes_no_harm(shop):
    decision, held = shop.decided(plan=[("push", timedelta(0)), ("email", DAY)])
    shop.confirm(held)
    shop.report(decision, "delivered")
    shop.later(days=1)
    _, one = shop.step(decision)
    shop.release(_held(one))
    _, two = shop.step(decision, request_id="s-2")
    for kind in ("not_sent", "delivered", "not_sent", "opened", "delivered"):
        assert shop.report(decision, kind, 1) == 200, "no index of the table stands in an outcome's way"
    assert states(shop) == [("confirmed", "confirm"), ("released", "given_back"), ("confirmed", "outcome")]
    assert refused(shop.confirm, _held(two)).more["reason"] == "outcome"


def _held(answer):
    from datetime import datetime

    from serving.ledger.rows import Reservation

    held = answer["reservation"]
    return Reservation(held["id"], held["epoch"], datetime.fromisoformat(held["lease_until"]))


def test_a_later_step_takes_its_place_at_its_time_and_the_same_request_gets_the_same_bytes(shop):
    decision, held = shop.decided(plan=[("push", timedelta(0)), ("email", DAY)])
    assert refused(shop.step, decision).code == "earlier-step-open"
    shop.confirm(held)
    assert refused(shop.step, decision).more["reason"] == "cool_down", "the wait is not over"
    shop.report(decision, "delivered")
    shop.later(days=1)
    status, answer = shop.step(decision)
    assert (status, answer["channel"], answer["step"]) == (201, "email", 1)
    assert answer["consent"] == [
        {"channel": "email", "purpose": "marketing", "basis": "consent", "evidence": "v-email"}
    ]
    assert shop.step(decision) == (201, answer)
    assert refused(shop.step, decision, 1, "s-1", context={"cart_value": 1.0}).status == 422
    assert refused(shop.step, decision, 1, "s-2").code == "step-taken"
    assert shop.confirm(_held(answer))["step"] == 1
    assert [row.epoch for row in sorted(rows_of(shop.ledger), key=lambda row: row.step)] == [1, 2]


def test_a_step_whose_window_is_over_gets_the_next_one_and_none_behind_the_end_of_the_plan(shop):
    decision, held = shop.decided(plan=[("push", timedelta(0)), ("email", DAY)])
    shop.confirm(held)
    shop.report(decision, "delivered")
    shop.later(days=1, hours=13)  # eleven at night
    _, answer = shop.step(decision)
    assert "T08:00" in answer["send_at_local"], "the first window after the quiet hours"
    shop.release(_held(answer))
    shop.later(days=5)
    problem = refused(shop.step, decision, 1, "s-2")
    assert (problem.code, problem.more) == ("not-admitted", {"stage": "selection", "reason": "plan_expired"})


def test_what_ends_the_plan_ends_its_steps(shop):
    decision, held = shop.decided(plan=[("push", timedelta(0)), ("email", DAY), ("sms", 2 * DAY)])
    shop.confirm(held)
    shop.report(decision, "delivered")
    shop.later(days=1)
    _, answer = shop.step(decision)
    shop.report(decision, "converted")
    problem = refused(shop.confirm, _held(answer))
    assert problem.more["reason"] == "converted"
    assert refused(shop.step, decision, 2, "s-2").more == {"stage": "selection", "reason": "converted"}


def test_steps_of_nothing_of_silence_of_a_shadow_and_of_the_erased_are_refused(shop):
    assert refused(shop.step, "d-none").status == 404
    decision, held = shop.decided()
    assert refused(shop.step, decision).status == 422
    shadow, _ = shop.decided(plan=[("push", timedelta(0)), ("email", DAY)], mode="shadow")
    assert refused(shop.step, shadow).code == "not-live"
    written(shop, lambda tx: erase(tx, "x-1", "c1", "asked"))
    assert refused(shop.step, decision).status == 410
    assert refused(shop.confirm, held).status == 410
    assert [row.customer_id for row in rows_of(shop.ledger, schema.subjects)] == [None], "nobody was made anew"


def test_a_consequence_waits_for_a_person_who_is_somebody_else(ledger):
    shop = Shop(ledger, open_policy(push="price", email="denial"))
    decision, held = shop.decided(plan=[("push", timedelta(0)), ("email", DAY)])
    assert held.review == "required"
    assert refused(shop.confirm, held).code == "review-required"
    assert refused(shop.review, held, "approved", ENGINE).status == 403
    assert shop.review(held, "approved")["review"] == "approved"
    assert shop.review(held, "approved", OTHER)["review"] == "approved"
    assert [(row.reviewer, row.review_reason) for row in rows_of(ledger)] == [("maria", "looked at the basket")]
    assert shop.confirm(held)["state"] == "confirmed"
    shop.report(decision, "delivered")
    shop.later(days=1)
    assert refused(shop.step, decision, client=OTHER).status == 403
    _, answer = shop.step(decision)
    assert answer["reservation"]["review"] == "required"
    rejected = shop.review(_held(answer), "rejected")
    assert (rejected["state"], rejected["settled_by"]) == ("released", "review_rejected")
    assert shop.review(_held(answer), "rejected") == rejected
    assert refused(shop.review, _held(answer), "approved").code == "reservation-released"
    assert [it["review"] for it in events(shop, "reservation.reviewed")] == ["approved", "rejected"]


def test_who_needs_no_review_gets_none(shop):
    _, held = shop.decided()
    assert refused(shop.review, held, "approved", REVIEWER).code == "no-review"


def test_a_step_counts_for_its_journeys_volume_and_the_last_one_that_fits_stops_it(ledger):
    policy = open_policy()
    journey = replace(policy.journeys["churn_recovery"], hourly_plan=1)
    rules = replace(policy.contact_policy, stop_factor=1.0)
    shop = Shop(ledger, replace(policy, journeys=policy.journeys | {"churn_recovery": journey}, contact_policy=rules))
    decision, held = shop.decided(plan=[("push", timedelta(0)), ("email", DAY)])
    shop.confirm(held)
    shop.report(decision, "delivered")
    shop.later(days=1)
    _, answer = shop.step(decision)
    assert len(events(shop, "journey.stopped")) == 1
    assert refused(shop.confirm, _held(answer)).more["reason"] == "journey_stopped"
    assert refused(shop.step, decision, 1, "s-2").more["reason"] == "journey_stopped"
