"""Random catalogs and customers, drawn from one seed: journeys, channels, caps, groups, offers, kinds, resources, quiet hours.

Numbers come from short lists, so that ties between candidates, windows and plans are common.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from arbitration.domain import (
    EVERY_CHANNEL,
    Consent,
    Contact,
    Context,
    CustomerId,
    Estimate,
    Estimates,
    Offer,
    Trigger,
)
from arbitration.policy import (
    BusinessName,
    Cap,
    Channel,
    ContactPolicy,
    Economics,
    Journey,
    JourneyTreatment,
    Policy,
    Resource,
    Selection,
)
from arbitration.propose import treatments

CHANNELS = ("app", "call", "email", "letter", "push", "sms")
RULES = (
    "True",
    "recency_days > 10",
    "recency_days < 40 or purchases >= 3",
    "tier in ['gold', 'silver']",
    "not in_store",
    "purchases * 2 > recency_days / purchases",
    "1 <= cart_age_hours <= 72",
    "purchases / (cart_age_hours - 72) < 0 or tier == 'gold'",
    "reward_expires_days > 0.5 and not tenure_days > 90",
    "reward_expires_days == 0 or session_age_hours + store_visit_age_hours < 30",
    "email.days_since_contact >= 7 or push.days_since_click < 3 and in_store == 0",
)
"""Half of them read features that age, and customers stand before their thresholds by hours or days."""
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu")
CHANGES = (
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 11, 1, 5, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 3, 8, 5, tzinfo=UTC),
    datetime(2026, 6, 30, 20, tzinfo=UTC),
)
NAME = BusinessName("name", "Name")


def policy_of(dice: Random) -> Policy:
    alike = dice.random() < 0.4
    channels = {it: _channel(dice, it, alike=alike) for it in dice.sample(CHANNELS, dice.randint(1, 6))}
    journeys = {it: _journey(dice, it, sorted(channels)) for it in dice.sample("abcde", dice.randint(1, 4))}
    caps = tuple(_cap(dice, f"cap-{at}", sorted(channels), sorted(journeys)) for at in range(dice.randint(0, 4)))
    selection = Selection(
        exploration=dice.choice([0.0, 0.04, 0.3]),
        silence_floor=dice.choice([0.0, 0.01, 0.1, 1e-7]),
        holdout=0.05,
        greed=dice.choice([0, 2.5, 100]),
        exploration_budget=dice.choice([0.0, 0.02, 5.0]),
        salt_id="salt",
        strategy=dice.choice(["inverse_gap", "inverse_gap", "inverse_gap", "epsilon", "greedy", "uniform"]),
    )
    economics = Economics("EUR", 0.3, 30.0, 0.2, 0.3, 4.0, 0.05, 0.2, 14, 5.0, 0.01, dice.choice([0.0, 0.2]))
    resources = {f"r{at}": _resource(dice, f"r{at}", channels, journeys) for at in range(dice.choice([0, 0, 1, 2]))}
    quiet = dice.choice([(21, 8), (0, 0), (2, 3), (22, 6), (1, 5), (20, 0), (12, 14)])
    return Policy("v1", channels, journeys, ContactPolicy(caps, *quiet), selection, economics, resources)


def _channel(dice: Random, name: str, *, alike: bool) -> Channel:
    return Channel(
        name,
        NAME,
        cost=0.02 if alike else dice.choice([0.0, 0.02, 0.5]),
        pressure=1.0 if alike else dice.choice([0.5, 1.0, 3.0]),
        wait_hours=dice.choice([0.0, 1.5, 24.0, 72.0]),
        timing=dice.choice(["scheduled", "scheduled", "scheduled", "immediate"]),
        needs_consent=dice.random() < 0.6,
        opt_out_prior=0.01,
        reach_value_prior=2.0,
        available=dice.choice(["True", "True", "True", "recency_days < 60"]),
        hour_matters=dice.random() < 0.8,
        held=dice.choice(["False", "False", "False", "in_store"]),
    )


def _journey(dice: Random, name: str, channels: list[str]) -> Journey:
    return Journey(
        name,
        NAME,
        NAME,
        purpose=dice.choice(["marketing", "marketing", "service"]),
        eligible=dice.choice(["True", "True", *RULES]),
        applicable=dice.choice([*["True"] * 7, *RULES]),
        suitable=dice.choice([*["True"] * 7, *RULES]),
        needs_trigger=dice.random() < 0.15,
        horizon_hours=dice.choice([1, 6, 24, 49, 168, 336]),
        cooldown_hours=dice.choice([0, 24, 240, 700]),
        exclusive_group=dice.choice([None, None, "g", "h"]),
        lever=dice.choice([0.0, 0.0, 0.1]),
        effect_prior=0.05,
        effect_prior_sd=0.02,
        treatments=tuple(_line(dice, channel) for channel in dice.choices(channels, k=dice.randint(1, 6))),
    )


def _line(dice: Random, channel: str) -> JourneyTreatment:
    kind = dice.choice(["message", "message", "message", "message", "module", "reward", "suppress", "route"])
    offer = Offer(
        f"o{dice.randint(1, 2)}", dice.choice([0.0, 2.0, 20.0]), dice.choice([1.0, 0.4]), dice.choice([0, 50, -100])
    )
    template = f"t{dice.randint(0, 10**9)}"
    return JourneyTreatment(channel, template, dice.choice([None, None, offer]), kind, "a" if kind == "route" else None)


def _cap(dice: Random, name: str, channels: list[str], journeys: list[str]) -> Cap:
    calendar: Any = dice.choice([None, None, "day", "week", "month"])
    reserve = dice.choice([0, 0, 1, 2])
    return Cap(
        name,
        NAME,
        limit=dice.randint(1, 3) + reserve,
        reserve=reserve,
        window_hours=dice.choice([12, 24, 168, 700]) if calendar is None else None,
        calendar=calendar,
        channels=tuple(dice.sample(channels, dice.choice([0, min(2, len(channels))]))),
        journeys=tuple(dice.sample(journeys, dice.choice([0, 0, min(2, len(journeys))]))),
    )


def _resource(dice: Random, name: str, channels: Any, journeys: Any) -> Resource:
    return Resource(
        name,
        NAME,
        channel=dice.choice([None, *channels]),
        journey=dice.choice([None, *journeys]),
        offer=dice.choice([None, "o1"]),
        limit=dice.choice([None, 10]),
        price=dice.choice([0.0, 0.05]),
    )


def now_of(dice: Random) -> datetime:
    """Any moment, most often within days of a change of the clock."""
    if dice.random() < 0.2:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=dice.randint(0, 400 * 86_400_000_000))
    return dice.choice(CHANGES) + timedelta(minutes=dice.randint(-3000, 1500), seconds=dice.choice([0, 0, 30.25]))


def context_of(dice: Random, policy: Policy, now: datetime) -> Context:
    channels, journeys = sorted(policy.channels), sorted(policy.journeys)
    given = [
        Consent(it, purpose, "granted", "consent", "text-7", now - timedelta(days=90))
        for it in channels
        for purpose in ("marketing", "service")
        if dice.random() < 0.9
    ]
    return Context(
        customer_id=CustomerId("c-1"),
        known=dice.random() < 0.9,
        time_zone=dice.choice([*ZONES, *ZONES, *ZONES, None, "Mars/Olympus", "UTC"]),
        locale="en",
        features=_features(dice),
        consents=(*given, *(_consent(dice, channels, now) for _ in range(dice.choice([0, 0, 1, 3])))),
        contacts=tuple(_contact(dice, channels, journeys, now) for _ in range(dice.choice([0, 0, 1, 2, 3, 6]))),
        triggers=tuple(_trigger(dice, journeys, now) for _ in range(dice.choice([0, 0, 0, 1, 3]))),
        channels=tuple(
            dice.choice([[], [], [], dice.sample([*channels, "fax"], 1), dice.sample(channels, len(channels))])
        ),
        objected=dice.random() < 0.04,
        suppressed=dice.random() < 0.04,
        paused_until=dice.choice([None] * 8 + [now + timedelta(hours=9)]),
        holdout=dice.random() < 0.05,
        stopped=tuple(dice.sample([*journeys, "retired"], dice.choice([0] * 12 + [1]))),
        stock={it: dice.choice([0, 1, 7]) for it in policy.resources if dice.random() < 0.8},
    )


def _features(dice: Random) -> dict[str, Any]:
    every: dict[str, Any] = {
        "recency_days": dice.choice([0, 5.5, 20, 35, 70.0, float("nan")]),
        "points_balance": dice.choice([0, 99, 100, 500.0]),
        "tier": dice.choice(["gold", "silver", "basic", 3]),
        "in_store": dice.choice([False, False, False, True, 0]),
        "purchases": dice.choice([0, 3, 9, 9, 2**53 + 1]),
        "cart_age_hours": dice.choice(
            [0, 0.5, 48, 48, 66, 66, 70.7, 70.7, 71.9, 90.5, 2**53 + 1, 10**400, "old", True]
        ),
        "tenure_days": dice.choice([80.0, 89.7, 89.9, 400.0]),
        "reward_expires_days": dice.choice([0, -1.5, 0.1, 1, 0.9, 5.5, 40.0]),
        "session_age_hours": dice.choice([0.0, 4.25]),
        "store_visit_age_hours": dice.choice([1.0, 20.0]),
        "email.days_since_contact": dice.choice([0.5, 4, 6.5, 6.9]),
        "push.days_since_click": dice.choice([0.5, 2.25, 2.9, float("nan")]),
    }
    return {name: value for name, value in every.items() if dice.random() < 0.93}


def _consent(dice: Random, channels: list[str], now: datetime) -> Consent:
    return Consent(
        dice.choice([*channels, "fax", EVERY_CHANNEL]),
        dice.choice(["marketing", "service"]),
        dice.choice(["granted", "denied", "withdrawn"]),
        dice.choice(["consent", "existing_customer_7_3", "contract", "none"]),
        dice.choice(["text-7", "text-8", None]),
        now + timedelta(hours=dice.choice([-900, -90, -90, 0, 5, 30])),
        dice.choice([None, None, now + timedelta(hours=dice.choice([-1, 0, 7, 50]))]),
    )


def _contact(dice: Random, channels: list[str], journeys: list[str], now: datetime) -> Contact:
    return Contact(
        dice.choice([*journeys, *journeys, "retired"]),
        dice.choice([*channels, *channels, "fax"]),
        now + timedelta(hours=dice.choice([-800, -300, -100, -30, -5, -0.5, 0, 3, 20, 60])),
        dice.choice(["marketing", "marketing", "service"]),
        dice.choice([None, False, False, True]),
        dice.choice([None] * 6 + [now + timedelta(minutes=age) for age in (-3, 0, 1, 45)]),
    )


def _trigger(dice: Random, journeys: list[str], now: datetime) -> Trigger:
    return Trigger(
        dice.choice([*journeys, *journeys, *journeys, "retired"]),
        expires_at=dice.choice([None, now + timedelta(hours=dice.choice([-3, 0, 8, 40, 200]))]),
    )


def estimates_of(dice: Random, policy: Policy) -> Estimates:
    ids = [it.id for it in treatments(policy)]

    told = dice.choice([0.0, 0.7, 0.9])

    def some(keys: Any, means: list[float], sds: list[float], share: float = told) -> dict[str, Estimate]:
        return {it: Estimate(dice.choice(means), dice.choice(sds), "model", 1) for it in keys if dice.random() < share}

    odd = [float("nan"), float("inf")] if dice.random() < 0.03 else []
    return Estimates(
        churn_risk=Estimate(0.2),
        base_purchase=Estimate(dice.choice([0.1, 0.3])),
        basket_margin=Estimate(dice.choice([0.0, 10.0, 25.5])),
        recency_value=Estimate(dice.choice([1.0, 6.3])),
        attention_price=Estimate(dice.choice([0.0, 0.01, 0.1])),
        tier_progress=Estimate(dice.choice([0.0, 0.7])),
        propensity=some(ids, [0.0, 0.1, 0.3, 0.9], [0.0]),
        effect=some(ids, [0.02, 0.05, 0.1, 0.31, -0.01, *odd], [0.0, 0.0, 0.01]),
        timing=some([str(slot) for slot in range(42)], [0.5, 1.0, 1.0, 1.3, 4.0, *odd], [0.0], 0.7),
        opt_out=some(policy.channels, [0.0, 0.01], [0.0]),
        reach_value=some(policy.channels, [0.5, 3.0], [0.0]),
    )


def draw_of(dice: Random) -> float:
    """Dice that fall on the favorite, on exploration and on the silence floor alike."""
    return dice.choice([dice.random(), dice.uniform(0.9, 1.0), dice.uniform(0.98, 1.0), 0.0, 1 - 2**-53])
