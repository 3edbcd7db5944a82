"""Strategies for what can be read from JSON and makes little sense: contexts, estimates and policies that no catalog would allow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf, isfinite, nan

from hypothesis import strategies as st

from arbitration.domain import Consent, Contact, Context, CustomerId, Estimate, Estimates, Offer, Trigger
from arbitration.policy import BusinessName, JourneyTreatment, Policy, Resource, Selection
from tests.unit.arbitration.pairwise import FACTORS, SELECTION, cap, channel, journey, policy

NOW = datetime(2018, 5, 15, 10, 30, tzinfo=UTC)
EVER = datetime.max.replace(tzinfo=UTC)
NEVER = datetime.min.replace(tzinfo=UTC)
numbers = st.one_of(st.sampled_from([nan, inf, -inf, 0.0, -0.0, 1e308, -1e308, 5e-324, 1, -1, 10**18]), st.floats())
finite = numbers.filter(isfinite)
"""What a decision repeats must be something that a record can hold."""
ids = st.one_of(
    st.sampled_from(
        ["care", "rival", "store", "main", "mail", "text", "note", "first", "slots", "", "any", "a/b@c", "ü\n"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)
zones = st.one_of(
    st.sampled_from(["Europe/Berlin", "America/Havana", "Asia/Kathmandu", "Pacific/Apia"] * 3 + [None]),
    st.sampled_from(["America", "", "../etc", "Mars/Olympus", "/etc/passwd", "Europe/Berlin\0", "."]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
moments = st.one_of(
    st.sampled_from([NEVER, EVER, NOW, NEVER + timedelta(days=1), EVER - timedelta(days=1)]),
    st.timedeltas(timedelta(days=-40), timedelta(days=40)).map(lambda age: NOW + age),
    st.datetimes(timezones=st.just(UTC)),
)
maybe_moments = st.one_of(st.none(), moments)
values = st.one_of(st.none(), numbers, st.booleans(), ids, st.integers(-(10**400), 10**400))
features = st.dictionaries(
    st.one_of(st.sampled_from(["in_store", "recency_days", "points_balance"]), ids), values, max_size=6
)
estimate = st.builds(Estimate, numbers, numbers, ids, st.integers(-3, 9))
contexts = st.builds(
    Context,
    customer_id=ids.map(CustomerId),
    known=st.booleans(),
    time_zone=zones,
    locale=ids,
    features=features,
    consents=st.lists(
        st.builds(
            Consent,
            channel=ids,
            purpose=st.sampled_from(["marketing", "service"]),
            state=st.sampled_from(["granted", "granted", "denied", "withdrawn"]),
            legal_basis=st.sampled_from(["consent", "existing_customer_7_3", "contract", "none"]),
            evidence_id=st.one_of(st.none(), ids),
            valid_from=moments,
            valid_to=maybe_moments,
        ),
        max_size=4,
    ).map(tuple),
    contacts=st.lists(
        st.builds(
            Contact,
            ids,
            ids,
            moments,
            st.sampled_from(["marketing", "service"]),
            st.sampled_from([None, True, False]),
            maybe_moments,
        ),
        max_size=5,
    ).map(tuple),
    triggers=st.lists(st.builds(Trigger, ids, maybe_moments, maybe_moments, st.one_of(st.none(), ids)), max_size=2).map(
        tuple
    ),
    channels=st.one_of(st.just(()), st.lists(ids, max_size=3).map(tuple)),
    objected=st.sampled_from([False] * 9 + [True]),
    suppressed=st.sampled_from([False] * 9 + [True]),
    paused_until=st.one_of(st.none(), st.none(), moments),
    degraded=st.lists(ids, max_size=2).map(tuple),
    holdout=st.sampled_from([False] * 9 + [True]),
    stock=st.dictionaries(st.one_of(st.just("slots"), ids), st.integers(-(10**20), 10**20), max_size=2),
    stopped=st.one_of(st.just(()), st.just(()), st.lists(ids, max_size=2).map(tuple)),
)
TREATMENTS = st.one_of(
    st.sampled_from(["care/main/first", "care/mail/second", "care/text/third", "rival/mail/other", "store/note/word"]),
    ids,
)
estimates = st.builds(
    Estimates,
    *[st.one_of(estimate, st.builds(Estimate, st.floats(0, 20)))] * 5,
    propensity=st.dictionaries(TREATMENTS, estimate, max_size=3),
    effect=st.dictionaries(TREATMENTS, estimate, max_size=3),
    timing=st.dictionaries(st.integers(-1, 43).map(str), estimate, max_size=4),
    opt_out=st.dictionaries(ids, estimate, max_size=2),
    reach_value=st.dictionaries(ids, estimate, max_size=2),
    tier_progress=estimate,
)
rows = st.fixed_dictionaries({name: st.sampled_from(levels) for name, levels in FACTORS.items()})
hours = st.one_of(st.integers(-5, 400), st.sampled_from([0, 10**6, 10**15, -(10**15), 10**30]))
rules = st.one_of(
    st.sampled_from(["True", "no_such_feature > 1", "in_store / 0 > 1", "in_store == 'x'", "'a' < 1"]),
    st.sampled_from(["", "x >", "f(x)", "import os", "not " * 300 + "x", "-" * 900 + "x", "(" * 300, "x" * 3000]),
    st.text(max_size=8),
)
offers = st.one_of(st.none(), st.builds(Offer, ids, finite, finite, st.integers(-(10**12), 10**12)))
channels = st.builds(
    channel,
    st.sampled_from(["main", "mail", "text"]),
    cost=numbers,
    pressure=numbers,
    wait_hours=finite,
    timing=st.sampled_from(["scheduled", "scheduled", "immediate"]),
    needs_consent=st.booleans(),
    opt_out_prior=numbers,
    reach_value_prior=numbers,
    available=st.one_of(st.just("True"), rules),
    held=st.one_of(st.just("False"), rules),
)
journeys = st.builds(
    lambda name, treatments, more: journey(name, *treatments, **more),
    st.sampled_from(["care", "rival"]),
    st.lists(
        st.builds(
            JourneyTreatment,
            st.sampled_from(["main", "mail", "text", "gone"]),
            ids,
            offers,
            st.sampled_from(["message", "module", "reward", "route", "suppress"]),
            st.one_of(st.none(), ids),
            st.sampled_from(["none", "price", "benefit_loss", "denial"]),
        ),
        max_size=4,
    ),
    st.fixed_dictionaries(
        {
            "eligible": st.one_of(st.just("True"), rules),
            "applicable": st.one_of(st.just("True"), rules),
            "horizon_hours": hours,
            "cooldown_hours": hours,
            "exclusive_group": st.sampled_from([None, "g"]),
            "lever": numbers,
            "effect_prior": numbers,
            "effect_prior_sd": numbers,
            "purpose": st.sampled_from(["marketing", "service"]),
            "hourly_plan": st.one_of(st.none(), st.integers(-2, 9)),
        }
    ),
)
caps = st.builds(
    lambda name, limit, more: cap(name, limit, **more),
    st.sampled_from(["one", "one", "two"]),
    st.integers(-2, 3),
    st.fixed_dictionaries(
        {
            "window_hours": st.one_of(st.none(), hours),
            "calendar": st.sampled_from([None, None, "day", "week", "month"]),
            "channels": st.sampled_from([(), ("main",), ("gone", "mail")]),
            "journeys": st.sampled_from([(), ("care",)]),
            "reserve": st.integers(-2, 4),
        }
    ),
)
selections = st.one_of(
    st.just(SELECTION),
    st.builds(
        Selection, numbers, numbers, numbers, numbers, numbers, ids,
        st.sampled_from(["inverse_gap", "epsilon", "greedy", "uniform"]),
    ),
)  # fmt: skip
hour_of_day = st.integers(-30, 60)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Policies that no catalog would allow, but that can be read from a record."""
    made = policy(
        draw(st.lists(channels, max_size=3)),
        draw(st.lists(journeys, max_size=2)),
        *draw(st.lists(caps, max_size=3)),
        quiet=draw(st.one_of(st.just((21, 8)), st.tuples(hour_of_day, hour_of_day))),
        selection=draw(selections),
        resources=draw(
            st.dictionaries(
                ids,
                st.builds(
                    Resource,
                    ids,
                    st.just(BusinessName("r", "r")),
                    limit=st.one_of(st.none(), st.integers(-2, 9)),
                    price=numbers,
                ),
                max_size=2,
            )
        ),
    )
    if made.journeys and draw(st.integers(0, 9)) == 0:  # a key that is not the journey's own id
        return replace(made, journeys={"other": next(iter(made.journeys.values()))})
    return made
