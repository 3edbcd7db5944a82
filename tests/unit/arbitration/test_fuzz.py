"""Whatever can be read as a context, estimates and a policy is decided: no exception, and silence where nothing can be said."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf, nan
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arbitration.codec import canonical_json, decode, encode
from arbitration.decide import decide
from arbitration.domain import Consent, Contact, Context, CustomerId, Decision, Estimate, Estimates
from arbitration.policy import JourneyTreatment, Policy
from arbitration.selection import ONE
from arbitration.texts import GATE_TEXTS, SELECTION_TEXTS, STOP_TEXTS
from tests.unit.arbitration.oddities import NOW, contexts, estimates, moments, policies, rows
from tests.unit.arbitration.pairwise import (
    BASE,
    BELIEFS,
    cap,
    channel,
    journey,
    policy,
    policy_of,
    situation_of,
)

FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
CODES = {*GATE_TEXTS, *SELECTION_TEXTS, *STOP_TEXTS}


def check(decision: Decision) -> None:
    """What holds for every decision, however odd its arguments."""
    units = [item.probability * ONE for item in decision.ranked]
    assert all(unit == int(unit) >= 0 for unit in units)
    assert sum(units) + decision.silence_probability * ONE == ONE
    assert decision.reasons
    assert {it.code for it in decision.reasons} | {it.code for it in decision.rejections} <= CODES
    ranks = [item.value.decided_on for item in decision.ranked]
    assert ranks == sorted(ranks, reverse=True)
    assert decision.valid_until > decision.decided_at
    data = canonical_json(decision)
    assert canonical_json(decode(Decision, json.loads(data))) == data


@FUZZ
@given(contexts, estimates, rows, st.sampled_from([0.0, 0.5, 0.97, 1 - 2**-53]))
def test_any_customer_and_any_belief_is_decided(
    context: Context, believed: Estimates, row: dict[str, str], draw: float
) -> None:
    check(decide(context, believed, policy_of(row), decision_id="d", now=NOW, draw=draw))


@FUZZ
@given(contexts, estimates, policies(), st.sampled_from([0.0, 0.5, 0.97, 1 - 2**-53]))
def test_any_policy_is_decided(context: Context, believed: Estimates, strange: Policy, draw: float) -> None:
    check(decide(context, believed, strange, decision_id="d", now=NOW, draw=draw))


@pytest.mark.long
@settings(FUZZ, max_examples=4000)
@given(contexts, estimates, st.one_of(policies(), rows.map(policy_of)), st.sampled_from([0.0, 0.5, 0.97, 1 - 2**-53]))
def test_any_question_is_decided_thousands_of_times(
    context: Context, believed: Estimates, strange: Policy, draw: float
) -> None:
    check(decide(context, believed, strange, decision_id="d", now=NOW, draw=draw))


@FUZZ
@given(rows, estimates, st.floats(0, 1, exclude_max=True))
def test_a_good_situation_with_odd_beliefs_is_decided(row: dict[str, str], believed: Estimates, draw: float) -> None:
    context, shop, now, _ = situation_of(row)
    check(decide(context, believed, shop, decision_id="d", now=now, draw=draw))


@settings(FUZZ, max_examples=40)
@given(rows, moments)
def test_any_moment_at_which_a_clock_can_stand_is_decided(row: dict[str, str], now: datetime) -> None:
    now = min(max(now, datetime(2, 1, 1, tzinfo=UTC)), datetime(7999, 12, 31, tzinfo=UTC))
    context, shop, _, _ = situation_of(row)
    check(decide(context, BELIEFS, shop, decision_id="d", now=now, draw=0.1))


@settings(FUZZ, max_examples=40)
@given(rows, moments, moments)
def test_far_contacts_pauses_and_ends_are_decided(row: dict[str, str], far: datetime, further: datetime) -> None:
    context, shop, now, _ = situation_of(row)
    more = tuple(Contact(name, where, far) for name in ("care", "rival", "store") for where in ("main", "mail"))
    strange = replace(
        context,
        contacts=(*context.contacts, *more),
        consents=tuple(replace(it, valid_to=further) for it in context.consents),
        triggers=tuple(replace(it, expires_at=further) for it in context.triggers),
        paused_until=far,
    )
    check(decide(strange, BELIEFS, shop, decision_id="d", now=now, draw=0.1))


def ask(context: Context, shop: Policy, believed: Estimates = BELIEFS, draw: float = 0.0) -> Decision:
    return decide(context, believed, shop, decision_id="d", now=NOW, draw=draw)


def base(**changes: Any) -> tuple[Context, Policy]:
    context, shop, _, _ = situation_of(BASE)
    return replace(context, **changes), shop


@pytest.mark.parametrize("zone", ["America", "", "../etc", "Mars/Olympus", None])
def test_a_zone_that_does_not_exist_means_silence(zone: str | None) -> None:
    context, shop = base(time_zone=zone)
    decision = ask(context, shop)
    assert decision.winner is None
    assert [it.code for it in decision.reasons][:2] == ["nothing_admissible", "unknown_time_zone"]


def test_one_value_that_is_no_number_does_not_disturb_the_order_of_the_others() -> None:
    context, shop = base()
    effects = {"care/main/first": 0.1, "care/mail/second": nan, "care/text/third": 0.2, "rival/mail/other": 0.15}
    believed = replace(BELIEFS, effect={name: Estimate(mean) for name, mean in effects.items()})
    decision = ask(context, shop, believed)
    ranks = [item.value.decided_on for item in decision.ranked]
    assert ranks == sorted(ranks, reverse=True)
    assert decision.winner is not None
    assert decision.winner.candidate.treatment.id == "care/text/third"
    unknown = {it.candidate.treatment.id for it in decision.rejections if it.code == "value_unknown"}
    assert unknown == {"care/mail/second"}


@pytest.mark.parametrize("part", ["basket_margin", "attention_price", "recency_value"])
@pytest.mark.parametrize("number", [nan, inf, -inf])
def test_money_that_is_no_number_means_silence_with_that_reason(part: str, number: float) -> None:
    context, shop = base()
    decision = ask(context, shop, replace(BELIEFS, **dict[str, Any]({part: Estimate(number)})))
    assert decision.winner is None
    assert "value_unknown" in {it.code for it in decision.reasons}


@pytest.mark.parametrize("number", [nan, inf])
def test_a_risk_that_is_no_number_is_not_told(number: float) -> None:
    context, shop = base()
    decision = ask(context, shop, replace(BELIEFS, churn_risk=Estimate(number, tier=2)))
    assert decision.winner is not None
    assert "churn_stake" not in {it.code for it in decision.reasons}
    check(decision)


def test_a_doubt_that_is_no_number_is_recorded_as_such() -> None:
    context, shop = base()
    believed = replace(BELIEFS, propensity={"care/main/first": Estimate(0.2, nan)})
    decision = ask(context, shop, believed)
    assert "care/main/first" in {it.candidate.treatment.id for it in decision.ranked}
    check(decision)


def test_a_journey_on_a_channel_that_the_policy_lacks_is_refused_and_the_others_speak() -> None:
    context, shop = base()
    lost = replace(shop, channels={name: it for name, it in shop.channels.items() if name != "mail"})
    decision = ask(context, lost)
    assert decision.winner is not None
    refused = {it.candidate.treatment.channel for it in decision.rejections if it.code == "unknown_journey"}
    assert refused == {"mail"}


def test_a_rule_that_cannot_be_read_is_unknown() -> None:
    context, shop = base()
    journeys_ = {name: replace(it, suitable="x >") for name, it in shop.journeys.items()}
    decision = ask(context, replace(shop, journeys=journeys_))
    assert {it.code for it in decision.rejections if it.candidate.treatment.journey == "care"} == {"missing_feature"}
    assert {it.missing for it in decision.rejections if it.code == "missing_feature"} == {"x >"}


def test_two_caps_of_one_id_both_hold() -> None:
    context, shop = base(contacts=(Contact("store", "mail", NOW - timedelta(hours=2)),))
    caps_ = (cap("same", 1, window_hours=48, channels=("mail",)), cap("same", 1, window_hours=48, channels=("main",)))
    twice = replace(shop, contact_policy=replace(shop.contact_policy, caps=caps_))
    capped = {it.candidate.treatment.channel for it in ask(context, twice).rejections if it.code == "channel_cap"}
    assert capped == {"mail"}
    turned = replace(shop, contact_policy=replace(shop.contact_policy, caps=caps_[::-1]))
    assert encode(ask(context, turned)) == encode(ask(context, twice))


@pytest.mark.parametrize("limits", [{"window_hours": 24}, {"calendar": "day"}])
def test_a_cap_of_nothing_lets_nothing_through(limits: dict[str, Any]) -> None:
    context, shop = base(contacts=())
    none = replace(shop, contact_policy=replace(shop.contact_policy, caps=(cap("none", 0, **limits),)))
    assert ask(context, none).winner is None


def test_without_journeys_or_servable_channels_there_is_silence() -> None:
    context, shop = base()
    assert ask(context, replace(shop, journeys={})).reasons[0].code == "nothing_admissible"
    decision = ask(replace(context, channels=("fax",)), shop)
    assert decision.winner is None
    assert [it.code for it in decision.reasons] == ["nothing_admissible", "channel_not_servable"]


@pytest.mark.parametrize(
    ("strategy", "floor"),
    [("inverse_gap", 0.01), ("inverse_gap", 0.5), ("epsilon", 0.5), ("greedy", 0.01), ("uniform", 0.5)],
)
def test_many_treatments_never_take_more_than_there_is(strategy: Any, floor: float) -> None:
    lines = [JourneyTreatment("main", f"t{at}") for at in range(400)]
    context, shop = base(contacts=())
    chosen = replace(shop.selection, strategy=strategy, silence_floor=floor, exploration=0.5)
    many = replace(shop, journeys={"care": journey("care", *lines)}, selection=chosen)
    decision = ask(context, many)
    check(decision)
    assert decision.silence_probability >= floor
    assert decision.winner is not None


def crowd(treatments: int, contacts: int) -> tuple[Context, Policy]:
    """Treatments of journeys on six channels, quiet hours that split every block, and a long history."""
    names = [f"c{at}" for at in range(6)]
    made = [
        journey(
            f"j{at}", *(JourneyTreatment(name, "t") for name in names), exclusive_group=f"g{at % 4}", cooldown_hours=72
        )
        for at in range(treatments // 6)
    ]
    limits = [cap(name, 1, window_hours=24 * 7, channels=(name,)) for name in names[:2]]
    limits += [cap("month", 90, calendar="month"), cap("group", 1000, window_hours=168, journeys=("j1", "j2"))]
    shop = policy([channel(name) for name in names], made, *limits, quiet=(21, 8))
    granted = tuple(
        Consent(name, "marketing", "granted", "consent", "text-7", NOW - timedelta(days=9)) for name in names
    )
    sent = tuple(
        Contact(f"j{at % 50}", names[at % 6], NOW - timedelta(minutes=37 * at), engaged=(None, False)[at % 2])
        for at in range(contacts)
    )
    return Context(CustomerId("c"), True, "Europe/Berlin", "de", {}, granted, sent), shop


@pytest.mark.parametrize(("treatments", "contacts"), [(1440, 0), (240, 2000), (12, 5000)])
def test_a_crowd_of_candidates_or_contacts_ends_in_a_sane_time(treatments: int, contacts: int) -> None:
    context, shop = crowd(treatments, contacts)
    begins = time.perf_counter()
    decision = ask(context, shop)
    assert time.perf_counter() - begins < 20
    assert len(decision.ranked) + len(decision.rejections) >= treatments * 7
    check(decision)


def test_a_cap_of_one_with_thousands_of_contacts_holds() -> None:
    context, shop = crowd(240, 3000)
    assert {it.candidate.treatment.channel for it in ask(context, shop).ranked} <= {f"c{at}" for at in range(2, 6)}
