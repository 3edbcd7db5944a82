"""How fast is the decision? One core: `decide` alone, `decide_all` on columns, both beside the bare LightGBM prediction.

`python benchmarks/decide.py`. A synthetic catalog of 12 journeys on 6 channels with 6 send windows a day and 10 rules, and synthetic
customers with consents, contacts and features; nothing here is anybody's data. The model is a small booster trained on random
numbers; it predicts one row per customer and treatment, as a decision that asks an individual model for every treatment would.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from arbitration.audience import Audience
from arbitration.batch.layout import Layout
from arbitration.batch.situations import context_of, estimates_of
from arbitration.batch.tables import BASES, STATES, Believed, Consents, Contacts, Triggers
from arbitration.codec import encode
from arbitration.decide import decide
from arbitration.domain import Decision, Offer
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
from arbitration.vectorized import decide_all

Array = npt.NDArray[Any]
Result = TypeVar("Result")
CUSTOMERS = 20_000
ALONE = 400
ENCODED = 4_000
NOW = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
ZONES = ("America/New_York", "Australia/Sydney", "Europe/Berlin", "Europe/London")
RULES = (
    "recency_days > 14",
    "recency_days > 45 and purchases >= 2",
    "points_balance >= 200",
    "points_balance > 50 and reward_value > 0",
    "tier in ['gold', 'silver']",
    "cart_value / purchases > 8",
    "support_cases == 0",
    "gap_ratio > 1.5 or recency_days > 60",
    "tenure_days < 90",
    "money_28d > 0 and not in_store",
)


def catalog() -> Policy:
    """12 journeys x 6 channels, 10 rules, 4 caps, 4-hour blocks without quiet cuts: 6 windows a day."""
    channels = {it.id: it for it in _channels()}
    journeys = {it.id: it for it in (_journey(at, sorted(channels)) for at in range(12))}
    caps = (
        Cap("sms-week", _name("sms"), limit=2, window_hours=168, channels=("sms",)),
        Cap("mail-day", _name("mail"), limit=1, calendar="day", channels=("email",)),
        Cap("recovery", _name("recovery"), limit=2, window_hours=336, journeys=("journey-01", "journey-02")),
        Cap("all-week", _name("all"), limit=4, window_hours=168),
    )
    selection = Selection(0.04, 0.01, 0.03, 100.0, 0.02, "salt")
    economics = Economics("EUR", 0.3, 30.0, 0.2, 0.3, 4.0, 0.02, 0.2, 14, 5.0, 0.01, 0.1)
    resources = {"letters": Resource("letters", _name("letters"), channel="letter", limit=1000, price=0.1)}
    return Policy("synthetic", channels, journeys, ContactPolicy(caps, 20, 8), selection, economics, resources)


def _name(text: str) -> BusinessName:
    return BusinessName(text, text)


def _channels() -> list[Channel]:
    costs = {"app": 0.0, "email": 0.002, "letter": 0.8, "push": 0.001, "sms": 0.07, "web": 0.0}
    return [
        Channel(
            name, _name(name), cost, pressure=1.0, wait_hours=48.0, timing="immediate" if name in ("app", "web") else "scheduled",
            needs_consent=name in ("email", "push", "sms"), opt_out_prior=0.002, reach_value_prior=5.0,
            hour_matters=name != "letter", held="in_store" if name == "push" else "False",
        )
        for name, cost in costs.items()
    ]  # fmt: skip


def _journey(at: int, channels: list[str]) -> Journey:
    offer = Offer(f"offer-{at}", face_value=2.0, redemption=0.6, points=-200) if at % 4 == 0 else None
    return Journey(
        f"journey-{at:02}", _name("journey"), _name("goal"), purpose="marketing", eligible=RULES[at % 10],
        applicable=RULES[(3 * at + 1) % 10], suitable=RULES[(7 * at + 2) % 10], needs_trigger=False, horizon_hours=240,
        cooldown_hours=336, exclusive_group="retention" if at < 3 else None, lever=0.0, effect_prior=0.02, effect_prior_sd=0.01,
        treatments=tuple(JourneyTreatment(channel, "standard", offer) for channel in channels),
    )  # fmt: skip


def customers(policy: Policy, rows: int, seed: int = 7) -> Audience:
    """Seeded customers as columns; about a third of them end in silence."""
    dice, layout = np.random.default_rng(seed), Layout(policy)
    objected = dice.random(rows) < 0.01
    return Audience(
        customer_id=np.array([f"c-{at}" for at in range(rows)], dtype=object),
        decision_id=np.array([f"d-{at}" for at in range(rows)], dtype=object),
        now=np.datetime64(NOW.replace(tzinfo=None), "us") + dice.integers(0, 2 * 86_400_000_000, rows).astype("m8[us]"),
        draw=dice.random(rows),
        zone=dice.integers(0, len(ZONES), rows),
        zones=ZONES,
        known=np.ones(rows, dtype=bool),
        holdout=dice.random(rows) < 0.03,
        objected=objected,
        suppressed=np.zeros(rows, dtype=bool),
        paused_until=np.full(rows, np.datetime64("NaT", "us")),
        names_channels=np.zeros(rows, dtype=bool),
        serves=np.zeros((rows, len(layout.channels)), dtype=bool),
        stock={"letters": np.full(rows, 500.0)},
        consents=_consents(dice, layout, rows),
        contacts=_contacts(dice, layout, rows),
        triggers=Triggers(np.zeros(rows + 1, np.int64), np.zeros(0, np.int64), np.zeros(0, "M8[us]")),
        features=_features(dice, rows),
        estimates=_believed(dice, layout, rows),
    )


def _ago(dice: np.random.Generator, size: int, days: int) -> Array:
    past: Array = np.datetime64(NOW.replace(tzinfo=None), "us") - dice.integers(0, days * 86_400_000_000, size).astype(
        "m8[us]"
    )
    return past


def _consents(dice: np.random.Generator, layout: Layout, rows: int) -> Consents:
    names = ("email", "push", "sms")
    given = dice.random((rows, len(names))) < [0.7, 0.4, 0.3]
    size = int(given.sum())
    channel = np.array([layout.channel_at[it] for it in names])[np.nonzero(given)[1]]
    return Consents(
        np.append(0, np.cumsum(given.sum(axis=1))),
        channel,
        np.zeros(size, dtype=bool),
        np.where(dice.random(size) < 0.95, STATES.index("granted"), STATES.index("withdrawn")),
        np.full(size, BASES.index("consent")),
        np.ones(size, dtype=bool),
        _ago(dice, size, 700),
        np.full(size, np.datetime64("NaT", "us")),
    )


def _contacts(dice: np.random.Generator, layout: Layout, rows: int) -> Contacts:
    size = dice.poisson(2.0, rows)
    total = int(size.sum())
    return Contacts(
        np.append(0, np.cumsum(size)),
        dice.integers(0, len(layout.journeys), total),
        dice.integers(0, len(layout.channels), total),
        _ago(dice, total, 40),
        np.zeros(total, dtype=bool),
        dice.choice([-1, 0, 0, 1], total),
    )


def _features(dice: np.random.Generator, rows: int) -> dict[str, Array]:
    numbers = {
        "recency_days": dice.exponential(30.0, rows),
        "purchases": dice.poisson(5.0, rows).astype(np.int64),
        "points_balance": dice.exponential(220.0, rows),
        "reward_value": dice.choice([0.0, 5.0, 10.0], rows),
        "cart_value": dice.exponential(20.0, rows),
        "support_cases": (dice.random(rows) < 0.2).astype(np.int64),
        "gap_ratio": dice.exponential(1.2, rows),
        "tenure_days": dice.exponential(300.0, rows),
        "money_28d": dice.choice([0.0, 25.0, 60.0], rows),
        "in_store": dice.random(rows) < 0.02,
    }
    unknown = dice.random(rows) < 0.03
    numbers["gap_ratio"][unknown] = np.nan
    return {**numbers, "tier": dice.choice(np.array(["basic", "silver", "gold"], dtype=object), rows)}


def _believed(dice: np.random.Generator, layout: Layout, rows: int) -> Believed:
    shape, channels = (rows, len(layout.treatments)), (rows, len(layout.channels))
    return Believed(
        effect=dice.gamma(2.0, 0.008, shape),
        effect_sd=dice.gamma(2.0, 0.004, shape),
        propensity=dice.beta(2.0, 10.0, shape),
        timing=dice.gamma(20.0, 0.05, (rows, 42)),
        opt_out=dice.beta(1.0, 500.0, channels),
        reach_value=dice.gamma(2.0, 3.0, channels),
        base_purchase=dice.beta(2.0, 6.0, rows),
        basket_margin=dice.gamma(3.0, 3.0, rows),
        recency_value=dice.gamma(2.0, 2.0, rows),
        attention_price=np.full(rows, 0.03),
        tier_progress=dice.gamma(1.0, 0.5, rows),
    )


def main() -> None:
    """Print the table."""
    policy = catalog()
    audience, layout = customers(policy, CUSTOMERS), Layout(policy)
    decide_all(customers(policy, 500), policy)  # the blocks of the time zones are worked out once per process
    decisions, seconds = _timed(lambda: decide_all(audience, policy))
    moments = [at.replace(tzinfo=UTC) for at in audience.now.tolist()]
    alone, equal = [], 0
    for row in range(ALONE):
        context, estimates = context_of(audience, layout, row), estimates_of(audience, layout, row)
        asked = {"decision_id": str(row), "now": moments[row], "draw": float(audience.draw[row])}
        one, duration = _timed(lambda c=context, e=estimates, a=asked: decide(c, e, policy, **a))
        alone.append(duration)
        equal += _same(decisions.plain(row), one)
    records = [_record(audience, layout, row, moments[row]) for row in range(ENCODED)]
    _, reading = _timed(lambda: Audience.from_encoded(records, policy))
    bare = _bare(len(layout.treatments))
    shape = f"{len(policy.journeys)} journeys x {len(policy.channels)} channels, {len(RULES)} rules"
    steps = "/".join(str(int(((decisions.step_treatment >= 0).sum(axis=1) == n).sum())) for n in (1, 2, 3))
    print(f"{shape}; {CUSTOMERS:,} synthetic customers, one core, seconds of CPU time")
    print(
        f"silence {1 - decisions.acts.mean():.0%}; plans of 1/2/3 steps {steps}; one by one {len(decisions.one_by_one)}"
    )
    print(f"equal to decide: {equal} of {ALONE}\n")
    print(f"{'what':<46}{'us each':>10}{'per second':>12}{'x bare model':>14}   target")
    lines = (
        ("bare LightGBM prediction, a row per treatment", bare, ""),
        ("decide, p50", statistics.median(alone), "<= 2000 us"),
        ("decide, p95", statistics.quantiles(alone, n=20)[-1], ""),
        ("decide_all on columns, with plans", seconds / CUSTOMERS, ">= 20,000 per second"),
        ("Audience.from_encoded, plain JSON records", reading / ENCODED, "<= 150 us"),
    )
    for name, value, target in lines:
        print(f"{name:<46}{value * 1e6:>10.1f}{1 / value:>12,.0f}{value / bare:>14.3f}   {target}")


def _same(many: dict[str, Any], one: Decision) -> bool:
    """Whether winner, probabilities, plan and expiry are the same to the last bit."""
    winner, plan = one.winner, one.plan
    return (many["winner"], many["probability"], many["silence_probability"], many["plan_value"], many["valid_until"]) == (
        winner.candidate.id if winner else None, one.probability, one.silence_probability, plan.expected_value, one.valid_until
    ) and [it["candidate"] for it in many["plan"]] == [it.candidate.id for it in plan.steps]  # fmt: skip


def _record(audience: Audience, layout: Layout, row: int, now: datetime) -> dict[str, Any]:
    return {
        "context": encode(context_of(audience, layout, row)),
        "estimates": encode(estimates_of(audience, layout, row)),
        "now": encode(now),
        "draw": float(audience.draw[row]),
        "decision_id": str(audience.decision_id[row]),
    }


def _bare(treatments: int) -> float:
    """Seconds per customer of a small booster's prediction of one row per treatment."""
    import lightgbm

    dice = np.random.default_rng(11)
    x = dice.random((5000, 30))
    data = lightgbm.Dataset(x, label=(x[:, 0] + 0.3 * dice.random(5000) > 0.6).astype(float))
    settings = {"objective": "binary", "num_leaves": 31, "num_threads": 1, "verbose": -1, "seed": 1}
    model = lightgbm.train(settings, data, num_boost_round=100)
    asked = dice.random((2000 * treatments, 30))
    return _timed(lambda: model.predict(asked, num_threads=1))[1] / 2000


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """The answer and its seconds of CPU time, which other processes of the machine do not stretch."""
    started = time.process_time()
    answer = work()
    return answer, time.process_time() - started


if __name__ == "__main__":
    main()
