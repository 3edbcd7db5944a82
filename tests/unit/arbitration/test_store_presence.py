"""Who is in the store is spoken to by the associate: the push waits, however much it would be worth later this evening."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbitration.decide import decide
from arbitration.domain import Consent, Context, CustomerId, Decision, Estimate, FeatureValue, Rejection
from arbitration.gates.contact_policy import HELD, VISIT
from arbitration.policy import JourneyTreatment, Policy
from tests.unit.arbitration.oracle import violations
from tests.unit.arbitration.pairwise import BELIEFS, channel, journey, policy

ZONE = "America/New_York"
NOW = datetime(2018, 5, 15, 14, 20, tzinfo=ZoneInfo(ZONE))
CHANNELS = ("push", "mail")
STORE: dict[str, FeatureValue] = {"in_store": 1, "visit_age_hours": 0.2}
PUSH, NOTE, MAIL = "care/push/a", "care/note/b", "care/mail/c"
EVENING = str(1 * 6 + 4)  # Tuesday, 16 to 20 o'clock


def shop(**push: Any) -> Policy:
    """One journey: a push that is held in the store, the associate's note that needs a visit, and a mail."""
    lines = [JourneyTreatment("push", "a"), JourneyTreatment("note", "b"), JourneyTreatment("mail", "c")]
    return policy(
        [
            channel("push", **({"held": "in_store == 1", "wait_hours": 12} | push)),
            channel(
                "note", timing="immediate", needs_consent=False, available="in_store == 1", wait_hours=24, cost=0.5
            ),
            channel("mail", held="in_store == 1", wait_hours=12),
        ],
        [journey("care", *lines)],
    )


def customer(features: dict[str, FeatureValue], **more: Any) -> Context:
    given_ = NOW - timedelta(days=30)
    consents = tuple(Consent(name, "marketing", "granted", "consent", "text-7", given_) for name in CHANNELS)
    return Context(CustomerId("c"), True, ZONE, "en", features, consents, **more)


def believing(push: float, note: float, evening: float = 1.0, propensity: float = 0.1) -> Any:
    """Effects of push and note; the evening is that much better than other hours."""
    return replace(
        BELIEFS,
        effect={PUSH: Estimate(push, 0.001), NOTE: Estimate(note, 0.001), MAIL: Estimate(push / 2, 0.001)},
        propensity={name: Estimate(propensity) for name in (PUSH, NOTE, MAIL)},
        timing={EVENING: Estimate(evening)},
    )


def ask(
    features: dict[str, FeatureValue], believed: Any, now: datetime = NOW, draw: float = 0.0, **more: Any
) -> Decision:
    return decide(customer(features, **more), believed, shop(), decision_id="d", now=now, draw=draw)


def winner_of(decision: Decision) -> str | None:
    return decision.winner.candidate.treatment.id if decision.winner else None


def held(decision: Decision) -> list[Rejection]:
    return [it for it in decision.rejections if it.code == "channel_held"]


def test_the_associate_speaks_even_where_a_push_this_evening_would_be_worth_far_more() -> None:
    believed = believing(push=0.3, note=0.05, evening=2.5)
    away, here = ask({"in_store": 0}, believed), ask(STORE, believed)
    assert winner_of(away) == PUSH
    assert away.winner is not None
    assert away.winner.candidate.window.slot == int(EVENING)
    assert winner_of(here) == NOTE
    assert here.winner is not None
    assert here.winner.value.decided_on < away.winner.value.decided_on / 5
    assert here.winner.candidate.window.opens_at == NOW
    assert {it.candidate.treatment.channel for it in held(here)} == {"push", "mail"}
    assert {it.candidate.treatment.channel for it in here.ranked} == {"note"}


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.tuples(st.floats(0, 1), st.floats(0.03, 1), st.floats(0.2, 3)), st.floats(0, 0.98), st.integers(0, 40 * 24 * 60),
    st.sampled_from(["push", "mail", "note", "all"]),
)  # fmt: skip
def test_no_value_and_no_draw_lets_a_held_channel_speak_first(
    believed: tuple[float, float, float], draw: float, minutes: int, caller: str
) -> None:
    now = NOW + timedelta(minutes=minutes)
    channels = () if caller == "all" else (caller,)
    decision = ask(STORE, believing(*believed), now, draw, channels=channels)
    assert winner_of(decision) in (NOTE, None)
    assert winner_of(decision) == (NOTE if caller in ("note", "all") else None)
    context = customer(STORE, channels=channels)
    assert [it for it in decision.ranked if violations(it.candidate, context, shop(), now)] == []


def test_where_nobody_speaks_the_answer_says_when_to_ask_again() -> None:
    decision = ask(STORE, believing(0.3, 0.05), channels=("push", "mail"))
    assert decision.winner is None
    assert decision.valid_until == NOW + VISIT
    codes = [it.code for it in decision.reasons]
    assert codes == ["nothing_admissible", "channel_held", "channel_not_servable"]
    assert {(it.free_at, it.by, it.missing) for it in held(decision)} == {(NOW + VISIT, "in_store == 1", None)}


def test_the_plan_after_the_note_may_push_a_day_on_and_no_sooner() -> None:
    decision = ask(STORE, believing(0.3, 0.2))
    first, second = decision.plan.steps[:2]
    assert first.candidate.treatment.id == NOTE
    assert second.candidate.treatment.id in (PUSH, MAIL)
    assert {step.candidate.treatment.channel for step in decision.plan.steps} <= {"note", "push", "mail"}
    assert all(step.send_at >= NOW + HELD for step in decision.plan.steps[1:])


@pytest.mark.parametrize("wait", [2.0, 12.0, 23.9])
def test_a_short_wait_after_the_note_does_not_bring_the_push_back_sooner(wait: float) -> None:
    rules = shop()
    channels = {**rules.channels, "note": replace(rules.channels["note"], wait_hours=wait)}
    decision = decide(
        customer(STORE), believing(0.3, 0.2), replace(rules, channels=channels), decision_id="d", now=NOW, draw=0.0
    )
    assert len(decision.plan.steps) > 1
    assert all(step.send_at >= NOW + HELD for step in decision.plan.steps[1:])


def test_a_note_without_a_wait_is_followed_by_nothing_that_is_held_for_the_day() -> None:
    rules = shop()
    channels = {**rules.channels, "note": replace(rules.channels["note"], wait_hours=0.0)}
    decision = decide(
        customer(STORE), believing(0.3, 0.2), replace(rules, channels=channels), decision_id="d", now=NOW, draw=0.0
    )
    assert [step.candidate.treatment.channel for step in decision.plan.steps] == ["note"]


@pytest.mark.parametrize("features", [{}, {"in_store": None}, {"in_store": float("nan")}])
def test_an_unknown_presence_holds_and_the_note_cannot_be_spoken_either(features: dict[str, FeatureValue]) -> None:
    decision = ask(features, believing(0.3, 0.2))
    assert decision.winner is None
    assert {it.missing for it in held(decision)} == {"in_store"}
    assert {it.missing for it in decision.rejections if it.code == "channel_unavailable"} == {"in_store"}


def test_a_caller_who_names_the_note_vouches_for_the_customer() -> None:
    assert winner_of(ask({}, believing(0.3, 0.2), channels=("note", "push"))) == NOTE


def test_asking_again_after_the_visit_frees_the_channel() -> None:
    believed = believing(0.3, 0.05)
    here = ask(STORE, believed, channels=("push",))
    again = here.valid_until
    assert winner_of(ask({"in_store": 1}, believed, again, channels=("push",))) is None
    assert winner_of(ask({"in_store": 0}, believed, again, channels=("push",))) == PUSH


def test_a_day_is_long_enough_for_every_window_of_a_first_contact() -> None:
    decision = ask(STORE, believing(0.3, 0.05))
    pushes = [it for it in decision.rejections if it.candidate.treatment.id == PUSH]
    assert len(pushes) >= 6
    assert {it.code for it in pushes} == {"channel_held"}


def test_an_immediate_channel_can_be_held_too() -> None:
    rules = shop()
    lines = [*rules.journeys["care"].treatments, JourneyTreatment("banner", "d")]
    banner = channel("banner", timing="immediate", needs_consent=False, held="in_store == 1")
    both = replace(
        rules,
        channels={**rules.channels, "banner": banner},
        journeys={"care": replace(rules.journeys["care"], treatments=tuple(lines))},
    )
    decision = decide(customer(STORE), believing(0.3, 0.05), both, decision_id="d", now=NOW, draw=0.0)
    assert winner_of(decision) == NOTE
    assert "banner" in {it.candidate.treatment.channel for it in held(decision)}
