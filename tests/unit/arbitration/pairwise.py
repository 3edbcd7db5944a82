"""All features of the decision side by side: factors with levels, and few rows in which every two levels meet.

A row is one situation: a small policy, a customer, a moment. The subject is journey `care`, on channel `main` above all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import combinations, product
from typing import Any
from zoneinfo import ZoneInfo

from arbitration.domain import (
    Consent,
    ConsentState,
    Contact,
    Context,
    CustomerId,
    Estimate,
    Estimates,
    Offer,
    Purpose,
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

Row = Mapping[str, str]
FACTORS: Mapping[str, tuple[str, ...]] = {
    "quiet": ("none", "over_midnight"),
    "cap_kind": ("sliding", "day", "week", "month"),
    "cap_scope": ("channel", "channels", "journeys", "overall"),
    "cap_state": ("free", "one_left", "full"),
    "zone": ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu"),
    "moment": ("ordinary", "before_spring", "at_the_gap", "before_autumn", "in_the_fold", "month_end"),
    "reserve": ("none", "kept"),
    "cool_down": ("free", "goes_on", "running", "past_its_horizon"),
    "group": ("free", "busy"),
    "live": ("none", "run_out", "message", "place"),
    "stopped": ("no", "yes"),
    "stock": ("plenty", "used_up", "unknown"),
    "trigger": ("none", "live", "ends_today", "expired"),
    "presence": ("away", "in_store", "unknown"),
    "consent": (
        "granted",
        "ends_today",
        "begins_today",
        "withdrawn_later",
        "withdrawn",
        "denied",
        "missing",
        "no_evidence",
    ),
    "offer": ("none", "coupon", "granted", "redeemed"),
    "kind": ("message", "module", "reward", "route", "suppress"),
    "strategy": ("inverse_gap", "epsilon", "greedy", "uniform"),
    "holdout": ("no", "yes"),
    "purpose": ("marketing", "service"),
    "timing": ("scheduled", "immediate"),
    "pause": ("none", "nine_hours"),
    "caller": ("any", "main", "others"),
    "draw": ("low", "high"),
    "cart": ("fresh", "too_old_in_six_hours", "too_old_in_two_days"),
}
OPEN: Mapping[str, tuple[str, ...]] = dict(FACTORS) | {
    "cap_state": ("free", "one_left"),
    "cool_down": ("free", "goes_on"),
    "group": ("free",),
    "live": ("none", "run_out"),
    "stopped": ("no",),
    "stock": ("plenty",),
    "trigger": ("none", "live", "ends_today"),
    "presence": ("away",),
    "consent": ("granted", "ends_today", "begins_today", "withdrawn_later"),
    "holdout": ("no",),
    "caller": ("any", "main"),
    "draw": ("low",),
}
"""Levels under which the main channel may speak; the first level of every factor is one of them."""
BASE: Row = {name: levels[0] for name, levels in FACTORS.items()}
Pair = tuple[tuple[str, str], tuple[str, str]]


def pairs(factors: Mapping[str, Sequence[str]]) -> Iterator[Pair]:
    """Every two levels of every two factors."""
    for (one, levels), (other, others) in combinations(factors.items(), 2):
        yield from (((one, level), (other, second)) for level in levels for second in others)


def covering_rows(factors: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Rows in which every pair occurs: each begins with the first pair that is left and takes what settles most others."""
    left = dict.fromkeys(pairs(factors))
    rows = []
    while left:
        row = dict(next(iter(left)))
        for name, levels in factors.items():
            if name not in row:
                row[name] = max(levels, key=lambda level: _settled(name, level, row, left))
        for pair in pairs({name: (row[name],) for name in factors}):
            left.pop(pair, None)
        rows.append({name: row[name] for name in factors})
    return rows


def _settled(name: str, level: str, row: Row, left: Mapping[Pair, None]) -> int:
    own = (name, level)
    return sum(((own, it) in left) + ((it, own) in left) for it in row.items())


def moment_of(zone: str, moment: str) -> datetime:
    """The moment in UTC; a zone whose clock is never changed has ordinary moments in their stead."""
    local = ZoneInfo(zone)
    if moment == "month_end":
        return datetime(2018, 8, 31, 21, 40, tzinfo=local).astimezone(UTC)
    forward, back = changes(zone)
    found = {
        "before_spring": (forward, timedelta(hours=-5)),
        "at_the_gap": (forward, timedelta(minutes=-20)),
        "before_autumn": (back, timedelta(hours=-5)),
        "in_the_fold": (back, timedelta(minutes=10)),
    }.get(moment)
    if found is None or found[0] is None:
        return datetime(2018, 5, 15, 10, 30, tzinfo=local).astimezone(UTC)
    return found[0] + found[1]


@lru_cache
def changes(zone: str) -> tuple[datetime | None, datetime | None]:
    """When the clock is put forward and back in 2018."""
    local, found = ZoneInfo(zone), dict[bool, datetime]()
    hours = [datetime(2018, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * at) for at in range(365 * 48)]
    offsets = [moment.astimezone(local).utcoffset() or timedelta(0) for moment in hours]
    for moment, before, after in zip(hours[1:], offsets, offsets[1:], strict=False):
        if before != after:
            found[after > before] = moment
    return found.get(True), found.get(False)


def _named(text: str) -> BusinessName:
    return BusinessName(text, text)


def channel(name: str, **more: Any) -> Channel:
    """A cheap scheduled channel that needs consent, changed as asked."""
    fields: dict[str, Any] = {
        "cost": 0.01, "pressure": 0.1, "wait_hours": 6, "timing": "scheduled", "needs_consent": True,
        "opt_out_prior": 0.001, "reach_value_prior": 1.0,
    }  # fmt: skip
    return Channel(name, _named(name), **(fields | more))


def journey(name: str, *treatments: JourneyTreatment, **more: Any) -> Journey:
    """A marketing journey for everybody, changed as asked."""
    fields: dict[str, Any] = {
        "purpose": "marketing", "eligible": "True", "applicable": "True", "suitable": "True", "needs_trigger": False,
        "horizon_hours": 120, "cooldown_hours": 240, "exclusive_group": None, "lever": 0.0, "effect_prior": 0.1,
        "effect_prior_sd": 0.02,
    }  # fmt: skip
    return Journey(name, _named(name), _named(name), treatments=treatments, **(fields | more))


def cap(name: str, limit: int, **more: Any) -> Cap:
    """A cap with a name."""
    return Cap(name, _named(name), limit, **more)


SELECTION = Selection(0.04, 0.01, 0.02, 20.0, 0.05, "salt")
ECONOMICS = Economics("EUR", 0.3, 30.0, 0.2, 0.4, 5.0, 0.05, 0.2, 28, 3.0, 0.01, 0.2)


def policy(
    channels: Sequence[Channel], journeys: Sequence[Journey], *caps: Cap, quiet: tuple[int, int] = (0, 0), **more: Any
) -> Policy:
    """A policy of these parts."""
    by_id = ({it.id: it for it in channels}, {it.id: it for it in journeys})
    fields: dict[str, Any] = {"selection": SELECTION, "economics": ECONOMICS} | more
    return Policy("v-test", *by_id, ContactPolicy(caps, *quiet), **fields)


BELIEFS = Estimates(Estimate(0.4), Estimate(0.2), Estimate(20.0), Estimate(10.0), Estimate(0.05))
_OFFERS = {
    "none": None, "coupon": Offer("o", 2.0, 0.5), "granted": Offer("o", 0.0, 1.0, 100), "redeemed": Offer("o", 1.0, 1.0, -100)
}  # fmt: skip
_SCOPES: Mapping[str, Mapping[str, Any]] = {"channel": {"channels": ("main",)}, "channels": {"channels": ("main", "mail")},
           "journeys": {"journeys": ("care", "store")}, "overall": {}}  # fmt: skip
_KINDS: Mapping[str, Mapping[str, Any]] = {"sliding": {"window_hours": 48}} | {
    it: {"calendar": it} for it in ("day", "week", "month")
}


def policy_of(row: Row) -> Policy:
    """Journeys care, its rival and one of the store; channels main, mail, text and the associate's note."""
    route_to = "store" if row["kind"] == "route" else None
    main = JourneyTreatment("main", "first", _OFFERS[row["offer"]], row["kind"], route_to)  # type: ignore[arg-type]
    care = journey(
        "care", main, JourneyTreatment("mail", "second"), JourneyTreatment("text", "third"),
        purpose=row["purpose"], exclusive_group="both", lever=6.0, eligible="recency_days > 28",
        applicable="cart_age_hours <= 72",
    )  # fmt: skip
    rival = journey("rival", JourneyTreatment("mail", "other"), exclusive_group="both", horizon_hours=72)
    store = journey("store", JourneyTreatment("note", "word"), cooldown_hours=1)
    limit, kept = {"free": 3, "one_left": 2, "full": 1}[row["cap_state"]], int(row["reserve"] == "kept")
    selection: Any = {
        "exploration": 0.04,
        "silence_floor": 0.01,
        "holdout": 0.02,
        "greed": 20.0,
        "strategy": row["strategy"],
    }
    return policy(
        [
            channel("main", timing=row["timing"], held="in_store == 1"),
            channel("mail", wait_hours=24),
            channel("text", cost=0.07),
            channel("note", timing="immediate", needs_consent=False, available="in_store == 1"),
        ],
        [care, rival, store],
        cap("the_cap", limit + kept, reserve=kept, **_KINDS[row["cap_kind"]], **_SCOPES[row["cap_scope"]]),
        quiet=(21, 8) if row["quiet"] == "over_midnight" else (0, 0),
        selection=Selection(**selection, exploration_budget=0.05, salt_id="salt"),
        resources={"slots": Resource("slots", _named("slots"), channel="main", limit=100, price=0.01)},
    )  # fmt: skip


def context_of(row: Row, now: datetime) -> Context:
    """The customer in the row's state."""
    ends = {"ends_today": now + timedelta(hours=6)}.get(row["trigger"]) or (
        now - timedelta(hours=1) if row["trigger"] == "expired" else None
    )
    cart_age = {"fresh": 0.0, "too_old_in_six_hours": 66, "too_old_in_two_days": 24.0}[row["cart"]]
    seen: dict[str, Any] = {"recency_days": 40.0, "points_balance": 150.0, "cart_age_hours": cart_age}
    return Context(
        CustomerId("c-1"), True, row["zone"], "en",
        seen | {"in_store": {"away": 0, "in_store": 1, "unknown": None}[row["presence"]]},
        tuple(_consents(row, now)), tuple(_contacts(row, now)),
        triggers=() if row["trigger"] == "none" else (Trigger("care", now - timedelta(hours=3), ends, "e-1"),),
        channels={"any": (), "main": ("main",), "others": ("mail", "text", "note")}[row["caller"]],
        paused_until=now + timedelta(hours=9) if row["pause"] == "nine_hours" else None,
        holdout=row["holdout"] == "yes",
        stopped=("care",) if row["stopped"] == "yes" else (),
        stock={"plenty": {"slots": 40}, "used_up": {"slots": 0}, "unknown": {}}[row["stock"]],
    )  # fmt: skip


def _consents(row: Row, now: datetime) -> Iterator[Consent]:
    given, soon = now - timedelta(days=90), now + timedelta(hours=6)
    taken: Mapping[str, tuple[ConsentState, datetime]] = {
        "withdrawn": ("withdrawn", now - timedelta(hours=2)),
        "withdrawn_later": ("withdrawn", soon),
        "denied": ("denied", given),
    }
    purposes: tuple[Purpose, ...] = ("marketing", "service")
    for name, purpose in product(("main", "mail", "text"), purposes):
        kind = "granted" if name == "text" else row["consent"]
        if kind == "missing":
            continue
        begins = soon if kind == "begins_today" else given
        ends = soon if kind == "ends_today" else None
        evidence = None if kind == "no_evidence" else "text-7"
        yield Consent(name, purpose, "granted", "consent", evidence, begins, ends)
        if kind in taken:
            state, since = taken[kind]
            yield Consent(name, purpose, state, "consent", "text-8", since)


def _contacts(row: Row, now: datetime) -> Iterator[Contact]:
    yield Contact("store", "main", now - timedelta(hours=2))
    if row["cool_down"] == "goes_on":
        yield Contact("care", "text", now - timedelta(hours=30), "service", engaged=False)
    if row["cool_down"] == "past_its_horizon":
        yield Contact("care", "text", now - timedelta(hours=130), "service", engaged=False)
    if row["cool_down"] == "running":
        yield Contact("care", "mail", now - timedelta(hours=5), "service")
    if row["live"] != "none":
        where = "note" if row["live"] == "place" else "text"
        yield Contact(
            "past", where, now - timedelta(days=40), live_until=now + timedelta(minutes=20 * (row["live"] != "run_out"))
        )
    if row["group"] == "busy":
        yield Contact("rival", "mail", now - timedelta(hours=10))


def situation_of(row: Row) -> tuple[Context, Policy, datetime, float]:
    """What `decide` is asked with in this row; the beliefs are the same in all."""
    now = moment_of(row["zone"], row["moment"])
    return context_of(row, now), policy_of(row), now, 0.0 if row["draw"] == "low" else 0.97
