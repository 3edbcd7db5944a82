"""Hypothesis strategies: customers, estimates and moments over the example catalog."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from arbitration.domain import Consent, Contact, Context, CustomerId, Estimate, Estimates, Trigger
from arbitration.propose import treatments
from catalog.loading import EXAMPLE, load_catalog

LAWS = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking a whole situation takes longer than reading it
    suppress_health_check=[HealthCheck.too_slow],
)
POLICY = load_catalog(EXAMPLE)
NOW = datetime(2018, 3, 10, 15, 30, tzinfo=UTC)  # the night before the clock changes in New York
ZONES = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana")

moments = st.integers(0, 400 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))
past = st.integers(0, 40 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
FEATURES = {
    "recency_days": st.floats(0, 100),
    "purchases_total": st.integers(0, 60),
    "tenure_days": st.floats(0, 400),
    "points_balance": st.floats(0, 2000),
    "reward_value": st.sampled_from([0.0, 5.0, 10.0]),
    "points_redeemed_182d": st.sampled_from([0.0, 500.0]),
    "tier_level": st.integers(0, 2),
    "money_to_next_tier": st.floats(0, 300),
    "money_28d": st.floats(0, 300),
    "points_expiring_30d": st.floats(0, 400),
    "reward_expires_days": st.floats(0, 60),
    "support_cases_28d": st.sampled_from([0, 0, 0, 1]),
    "contacts_all_7d": st.integers(0, 4),
    "gap_ratio": st.floats(0, 5),
    "cart_open": st.integers(0, 1),
    "cart_value": st.floats(0, 80),
    "cart_age_hours": st.floats(0, 100),
    "session_age_hours": st.floats(0, 2),
    "in_store": st.sampled_from([0, 0, 0, 1]),
}
features = st.fixed_dictionaries(
    {name: st.one_of(values, values, values, st.none()) for name, values in FEATURES.items()}
)
trusting = st.fixed_dictionaries(FEATURES)
"""Features of a customer of whom everything is known."""


@st.composite
def consents(draw: st.DrawFn, now: datetime) -> tuple[Consent, ...]:
    states = st.sampled_from(["granted", "granted", "granted", "denied", "withdrawn"])
    bases = st.sampled_from(["consent", "consent", "existing_customer_7_3", "contract", "none"])
    ends = st.one_of(st.none(), st.none(), st.timedeltas(timedelta(0), timedelta(days=3)).map(lambda age: now + age))
    one = st.builds(
        Consent,
        channel=st.sampled_from(sorted(POLICY.channels)),
        purpose=st.sampled_from(["marketing", "marketing", "service"]),
        state=states,
        legal_basis=bases,
        evidence_id=st.sampled_from(["text-7", "text-7", None]),
        valid_from=past.map(lambda age: now - age),
        valid_to=ends,
    )
    given = [
        Consent(c, "marketing", "granted", "consent", "text-7", now - timedelta(days=90))
        for c in ("push", "email", "sms")
    ]
    return (*draw(st.sampled_from([given, given, []])), *draw(st.lists(one, max_size=3)))


stocks = st.one_of(
    st.just(dict.fromkeys(POLICY.resources, 9)),
    st.just(dict.fromkeys(POLICY.resources, 9)),
    st.dictionaries(st.sampled_from(sorted(POLICY.resources) or ["none"]), st.integers(0, 2)),
)
"""Plenty, most of the time; otherwise scarce, used up or unknown."""


@st.composite
def contexts(draw: st.DrawFn, now: datetime) -> Context:
    journeys = sorted(POLICY.journeys)
    contact = st.builds(
        Contact,
        journey=st.sampled_from([*journeys, "campaign"]),
        channel=st.sampled_from(sorted(POLICY.channels)),
        sent_at=past.map(lambda age: now + timedelta(days=2) - age),
        purpose=st.sampled_from(["marketing", "marketing", "service"]),
        engaged=st.sampled_from([None, True, False]),
        live_until=st.sampled_from([*[None] * 8, now, now + timedelta(minutes=20)]),
    )
    trigger = st.builds(
        Trigger,
        journey=st.sampled_from([*journeys, "retired"]),
        expires_at=st.one_of(st.none(), past.map(lambda age: now + timedelta(days=7) - age)),
    )
    return Context(
        customer_id=CustomerId("c-1"),
        known=draw(st.booleans()),
        time_zone=draw(st.sampled_from([*ZONES, *ZONES, *ZONES, None, "America"])),
        locale="en",
        features=draw(st.one_of(trusting, features)),
        consents=draw(consents(now)),
        contacts=tuple(draw(st.lists(contact, max_size=4))),
        triggers=tuple(draw(st.one_of(st.just([]), st.just([]), st.lists(trigger, max_size=2)))),
        channels=tuple(draw(st.sampled_from([[], [], ["email", "in_app"], ["pos_note", "receipt", "push"]]))),
        objected=draw(st.sampled_from([False] * 9 + [True])),
        suppressed=draw(st.sampled_from([False] * 9 + [True])),
        paused_until=draw(st.sampled_from([None, None, None, now + timedelta(hours=9)])),
        holdout=draw(st.sampled_from([False] * 9 + [True])),
        stock=draw(stocks),
        stopped=draw(st.sampled_from([*[()] * 7, ("welcome", "retired")])),
    )


def _estimate(low: float, high: float) -> st.SearchStrategy[Estimate]:
    return st.builds(
        Estimate, st.floats(low, high), st.floats(0, (high - low) / 4), st.just("model"), st.integers(0, 2)
    )


@st.composite
def estimates(draw: st.DrawFn) -> Estimates:
    ids = [treatment.id for treatment in treatments(POLICY)]

    def some(keys: list[str], low: float, high: float) -> dict[str, Estimate]:
        return draw(st.dictionaries(st.sampled_from(keys), _estimate(low, high), max_size=6))

    return Estimates(
        churn_risk=draw(_estimate(0, 1)),
        base_purchase=draw(_estimate(0, 1)),
        basket_margin=draw(_estimate(0, 30)),
        recency_value=draw(_estimate(0, 20)),
        attention_price=draw(_estimate(0, 0.2)),
        propensity=some(ids, 0, 1),
        effect=some(ids, -0.05, 0.2),
        timing=some([str(slot) for slot in range(42)], 0.2, 3),
        opt_out=some(sorted(POLICY.channels), 0, 0.01),
        reach_value=some(sorted(POLICY.channels), 0, 20),
    )


draws = st.one_of(st.floats(0, 1, exclude_max=True), st.floats(0.955, 0.995), st.floats(0.99, 1, exclude_max=True))
"""Dice that fall on the favorite, on exploration and on the silence floor alike."""


@st.composite
def situations(draw: st.DrawFn) -> tuple[Context, Estimates, datetime, float]:
    """What `decide` is asked with: context, estimates, now, draw."""
    now = draw(moments)
    return draw(contexts(now)), draw(estimates()), now, draw(draws)
