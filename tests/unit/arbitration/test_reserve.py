"""Units of a cap that are kept for service messages: what marketing may still use, whatever comes in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from arbitration.audience import Audience
from arbitration.codec import encode
from arbitration.decide import decide
from arbitration.domain import Candidate, Contact, Context, CustomerId, SendWindow, Treatment
from arbitration.gates import GATES, rejection
from arbitration.gates.case import Case
from arbitration.policy import Cap, JourneyTreatment, Policy
from arbitration.vectorized import decide_all
from tests.unit.arbitration import catalogs
from tests.unit.arbitration.pairwise import BELIEFS, cap, channel, journey, policy

LAWS = settings(max_examples=200, deadline=None, derandomize=True, database=None)
START = datetime(2018, 3, 20, 11, tzinfo=UTC)  # the clock is changed in Berlin on the 25th
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CAPS = tuple(gate for gate in GATES if gate.code.endswith("_cap"))
HERE = Treatment("care", "here", "a")
times: Any = st.sampled_from(
    [{"window_hours": 5}, {"window_hours": 24}, {"window_hours": 168}, *({"calendar": it} for it in ("day", "week"))]
)
arrivals = st.lists(
    st.tuples(st.sampled_from([1, 59, 60, 299, 300, 301, 700, 1440, 4000]), st.booleans()), min_size=1, max_size=30
)
"""Minutes until the next contact, and whether it is a service message."""


def shop(*caps: Cap) -> Policy:
    return policy([channel("here", timing="immediate")], [journey("care", JourneyTreatment("here", "a"))], *caps)


def customer(contacts: tuple[Contact, ...]) -> Context:
    return Context(CustomerId("c"), True, "Europe/Berlin", "en", {}, contacts=contacts)


def fits(contacts: tuple[Contact, ...], one: Cap, moment: datetime) -> bool:
    """What the gates for caps say of one more marketing contact in this very instant."""
    window = SendWindow(moment, moment + timedelta(microseconds=1), 0)
    return rejection(Candidate(HERE, window), Case(customer(contacts), shop(one), moment), CAPS) is None


def used(one: Cap, contacts: list[Contact], moment: datetime) -> list[tuple[int, int]]:
    """Marketing and service contacts of every stretch or period of the cap that holds the moment."""
    if one.calendar is None:
        length = (one.window_hours or 0) * HOUR
        begins = [it.sent_at for it in contacts if it.sent_at <= moment < it.sent_at + length]
        held = [[it for it in contacts if begin <= it.sent_at < begin + length] for begin in begins]
    else:
        held = [[it for it in contacts if _period(it.sent_at, one) == _period(moment, one)]]
    purposes = [[it.purpose for it in made] for made in held]
    return [(made.count("marketing"), made.count("service")) for made in purposes]


def _period(moment: datetime, one: Cap) -> tuple[int, ...]:
    local = moment.astimezone(ZoneInfo("Europe/Berlin"))
    return local.isocalendar()[:2] if one.calendar == "week" else (local.year, local.month, local.day)


@LAWS
@given(times, st.integers(1, 4), st.integers(0, 3), arrivals)
def test_marketing_is_let_through_exactly_while_it_and_the_reserve_or_service_fit(
    kind: dict[str, Any], limit: int, reserve: int, coming: list[tuple[int, bool]]
) -> None:
    one = cap("a", limit + reserve, reserve=reserve, **kind)
    made, moment = list[Contact](), START
    for minutes, service in coming:
        moment += minutes * MINUTE
        if service:  # comes whatever the caps say
            made.append(Contact("receipt", "here", moment, "service"))
            continue
        new = Contact("care", "here", moment)
        kept = [reserve and max(served, reserve) for _, served in used(one, [*made, new], moment)]
        most = [m + k for (m, _), k in zip(used(one, [*made, new], moment), kept, strict=True)]
        assert fits(tuple(made), one, moment) == (max(most) <= one.limit)
        if max(most) <= one.limit:
            made.append(new)
            for marketing, served in used(one, made, moment):
                assert marketing <= one.limit - reserve
                assert not reserve or marketing + served <= one.limit


@LAWS
@given(times, st.integers(1, 3), arrivals)
def test_without_a_reserve_service_messages_change_nothing(
    kind: dict[str, Any], limit: int, coming: list[tuple[int, bool]]
) -> None:
    one, moment, made = cap("a", limit, **kind), START, list[Contact]()
    for minutes, service in coming:
        moment += minutes * MINUTE
        made.append(Contact("care", "here", moment, "service" if service else "marketing"))
        alone = tuple(it for it in made if it.purpose == "marketing")
        assert fits(tuple(made), one, moment + MINUTE) == fits(alone, one, moment + MINUTE)


def test_many_decisions_at_once_keep_the_reserve_as_one_does() -> None:
    """All caps of the random catalogs get a reserve, and every customer many service messages."""
    refused = 0
    for seed in range(60):
        dice = Random(seed)  # noqa: S311 - reproducible, not secret
        rules = catalogs.policy_of(dice)
        caps = tuple(replace(it, limit=it.limit + 2, reserve=dice.randint(1, 2)) for it in rules.contact_policy.caps)
        rules = replace(rules, contact_policy=replace(rules.contact_policy, caps=caps))
        asked = []
        for _ in range(5):
            now = catalogs.now_of(dice)
            context = catalogs.context_of(dice, rules, now)
            more = [_service(dice, rules, now) for _ in range(dice.randint(0, 6))]
            asked.append((replace(context, contacts=(*context.contacts, *more)), now))
        rows = [
            {"context": encode(it), "estimates": encode(BELIEFS), "now": encode(now), "draw": 0.0, "decision_id": "d"}
            for it, now in asked
        ]
        many = decide_all(Audience.from_encoded(rows, rules), rules, candidates=True)
        for row, (context, now) in enumerate(asked):
            one = decide(context, BELIEFS, rules, decision_id="d", now=now, draw=0.0)
            codes = {it.candidate.id: it.code for it in one.rejections}
            assert {it.id: it.code for it in many.judged(row) if it.code} == codes
            assert many.plain(row)["valid_until"] == one.valid_until
            assert [it["candidate"] for it in many.plain(row)["plan"]] == [it.candidate.id for it in one.plan.steps]
            refused += sum(code.endswith("_cap") for code in codes.values())
    assert refused > 500


def _service(dice: Random, rules: Policy, now: datetime) -> Contact:
    age = timedelta(hours=dice.choice([-500, -100, -30, -5, -0.5, 0, 3, 20]))
    return Contact(dice.choice(sorted(rules.journeys)), dice.choice(sorted(rules.channels)), now + age, "service")
