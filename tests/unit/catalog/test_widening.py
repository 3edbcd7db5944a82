"""What of a changed catalog widens the reach: every kind of it is named, and its reverse is not."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitration.policy import Cap, Channel, ContactPolicy, Journey, Policy, Resource, Selection
from catalog.loading import EXAMPLE, load_catalog
from catalog.widening import widening

POLICY = load_catalog(EXAMPLE)
CAP, JOURNEY, CHANNEL = POLICY.contact_policy.caps[0].id, "welcome", "email"
LIMITED = Resource("coupons", POLICY.journeys["welcome"].name, channel="email", limit=100, per_days=7)
BASE = replace(POLICY, resources={**POLICY.resources, "coupons": LIMITED})


def with_cap(policy: Policy = BASE, **values: object) -> Policy:
    caps = tuple(replace(cap, **values) if cap.id == CAP else cap for cap in policy.contact_policy.caps)
    return replace(policy, contact_policy=replace(policy.contact_policy, caps=caps))


def with_rules(**values: object) -> Policy:
    return replace(BASE, contact_policy=replace(BASE.contact_policy, **values))


def with_selection(**values: object) -> Policy:
    return replace(BASE, selection=replace(BASE.selection, **values))


def with_journey(**values: object) -> Policy:
    return replace(BASE, journeys={**BASE.journeys, JOURNEY: replace(BASE.journeys[JOURNEY], **values)})


def with_channel(**values: object) -> Policy:
    return replace(BASE, channels={**BASE.channels, CHANNEL: replace(BASE.channels[CHANNEL], **values)})


def with_resource(**values: object) -> Policy:
    return replace(BASE, resources={**BASE.resources, "coupons": replace(LIMITED, **values)})


def without(part: str, key: str) -> Policy:
    return replace(BASE, **{part: {name: thing for name, thing in getattr(BASE, part).items() if name != key}})


CAP_NOW = next(cap for cap in BASE.contact_policy.caps if cap.id == CAP)
JOURNEY_NOW, CHANNEL_NOW, RULES, DRAW = (
    BASE.journeys[JOURNEY],
    BASE.channels[CHANNEL],
    BASE.contact_policy,
    BASE.selection,
)
LINE = JOURNEY_NOW.treatments[0]
WIDER = {
    "limit raised": (BASE, with_cap(limit=CAP_NOW.limit + 1)),
    "reserve lowered": (with_cap(reserve=2, limit=3), with_cap(reserve=1, limit=3)),
    "counted over a shorter window": (with_cap(window_hours=48, calendar=None), with_cap(window_hours=47, calendar=None)),
    "counted over other periods": (with_cap(window_hours=24, calendar=None), with_cap(window_hours=None, calendar="day")),
    "counts fewer channels": (with_cap(channels=()), with_cap(channels=("email",))),
    "counts fewer journeys": (with_cap(journeys=("welcome", "win_back")), with_cap(journeys=("welcome",))),
    "cap removed": (BASE, with_rules(caps=RULES.caps[1:])),
    "quiet hours shortened": (with_rules(quiet_from=20, quiet_to=8), with_rules(quiet_from=21, quiet_to=8)),
    "stop_factor raised": (BASE, with_rules(stop_factor=RULES.stop_factor + 1)),
    "silence_floor lowered": (BASE, with_selection(silence_floor=DRAW.silence_floor / 2)),
    "holdout lowered": (BASE, with_selection(holdout=DRAW.holdout / 2)),
    "another control group": (BASE, with_selection(salt_id="another")),
    "channel added": (without("channels", "email"), BASE),
    "needs no consent any more": (BASE, with_channel(needs_consent=False)),
    "available changed": (with_channel(available="x > 1"), with_channel(available="x > 0")),
    "held changed": (with_channel(held="x > 0"), with_channel(held="x > 1")),
    "timing changed": (BASE, with_channel(timing="immediate")),
    "journey added": (without("journeys", "win_back"), BASE),
    "eligible changed": (BASE, with_journey(eligible="True")),
    "applicable changed": (BASE, with_journey(applicable="orders_90d > 0")),
    "suitable changed": (BASE, with_journey(suitable="orders_90d > 0")),
    "purpose changed": (BASE, with_journey(purpose="service")),
    "needs no trigger any more": (with_journey(needs_trigger=True), with_journey(needs_trigger=False)),
    "cool-down shortened": (with_journey(cooldown_hours=48), with_journey(cooldown_hours=47)),
    "exclusive_group changed": (with_journey(exclusive_group="a"), with_journey(exclusive_group=None)),
    "hourly_plan raised": (with_journey(hourly_plan=5), with_journey(hourly_plan=None)),
    f"treatment {LINE.channel}/{LINE.template} added": (with_journey(treatments=JOURNEY_NOW.treatments[1:]), BASE),
    f"treatment {LINE.channel}/{LINE.template} needs no review any more": (
        with_journey(treatments=(replace(LINE, consequence="reward_denied"),)), with_journey(treatments=(LINE,)),
    ),
    "resource": (BASE, without("resources", "coupons")),
    "resource limit raised": (BASE, with_resource(limit=None)),
    "counted over fewer days": (BASE, with_resource(per_days=6)),
    "counts other contacts": (BASE, with_resource(channel="sms")),
}  # fmt: skip
EITHER_WAY = {
    "counted over other periods", "another control group", "timing changed", "purpose changed", "exclusive_group changed",
    "available changed", "held changed", "applicable changed", "suitable changed", "eligible changed", "counts other contacts",
}  # fmt: skip


@pytest.mark.parametrize("name", WIDER)
def test_what_widens_is_named_and_nothing_else(name):
    found = widening(*WIDER[name])
    assert len(found) == 1, found
    assert all(word in found[0] for word in name.split()), found


@pytest.mark.parametrize("name", sorted(WIDER.keys() - EITHER_WAY))
def test_its_reverse_does_not_widen(name):
    old, new = WIDER[name]
    assert widening(new, old) == []


@pytest.mark.parametrize("rule", ["eligible", "applicable", "suitable"])
def test_a_journey_that_is_shut_reaches_nobody(rule):
    assert widening(BASE, with_journey(**{rule: "False"})) == []


def test_no_change_widens_nothing():
    assert widening(BASE, replace(BASE, version="another")) == []


hours = st.tuples(st.integers(0, 23), st.integers(0, 23))


@given(hours, hours)
def test_quiet_hours_are_shortened_exactly_when_an_hour_of_the_day_is_no_longer_quiet(before, after):
    def quiet(hour: int, span: tuple[int, int]) -> bool:
        begin, end = span
        return begin <= hour < end if begin <= end else hour >= begin or hour < end

    old, new = (with_rules(quiet_from=begin, quiet_to=end) for begin, end in (before, after))
    louder = any(quiet(hour, before) and not quiet(hour, after) for hour in range(24))
    assert widening(old, new) == (["quiet hours shortened"] if louder else [])


JUDGED = {
    Cap: {"limit", "window_hours", "calendar", "channels", "journeys", "reserve"},
    ContactPolicy: {"caps", "quiet_from", "quiet_to", "stop_factor"},
    Selection: {"silence_floor", "holdout", "salt_id"},
    Channel: {"needs_consent", "available", "held", "timing"},
    Journey: {
        "eligible", "applicable", "suitable", "purpose", "needs_trigger", "cooldown_hours", "exclusive_group", "hourly_plan",
        "treatments",
    },
    Resource: {"limit", "per_days", "channel", "journey", "offer"},
}  # fmt: skip
COUNTED = {
    Selection: {"exploration", "greed", "exploration_budget", "strategy"},
    Channel: {"cost", "pressure", "wait_hours", "opt_out_prior", "reach_value_prior", "hour_matters"},
    Journey: {"goal", "horizon_hours", "lever", "effect_prior", "effect_prior_sd"},
    Resource: {"price"},
}


@pytest.mark.parametrize("kind", JUDGED)
def test_every_setting_is_judged_or_left_to_the_counted_effect(kind):
    """A new setting must be put on one of the two lists."""
    assert {one.name for one in fields(kind)} - {"id", "name"} == JUDGED[kind] | COUNTED.get(kind, set())
