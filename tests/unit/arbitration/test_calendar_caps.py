"""Caps on the customer's own calendar, where the clock is changed and where months end; and what `free_at` promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbitration.decide import decide
from arbitration.domain import Candidate, Consent, Contact, Context, CustomerId, Decision, Rejection, SendWindow
from arbitration.gates.calendar import begin_of, period_after, period_of
from arbitration.policy import Cap, JourneyTreatment, Policy
from tests.lengths import short_first
from tests.unit.arbitration.oracle import first_instant, violations
from tests.unit.arbitration.oracle_caps import MINUTE, counted, crammed, crowded, period
from tests.unit.arbitration.pairwise import BELIEFS, cap, changes, channel, journey, moment_of, policy

INSTANT = timedelta(microseconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu")
TIMED = ("quiet_hours", "channel_cap", "group_cap", "overall_cap", "cool_down", "exclusive_group", "pause")
LAWS = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def shop(*caps: Cap, **more: Any) -> Policy:
    """Two journeys of one group on two channels, and an associate who is always there."""
    care = journey(
        "care", JourneyTreatment("mail", "a"), JourneyTreatment("text", "b"), exclusive_group="g", cooldown_hours=96
    )
    rival = journey("rival", JourneyTreatment("mail", "c"), exclusive_group="g", horizon_hours=30, cooldown_hours=60)
    long = journey("long", JourneyTreatment("text", "d"), exclusive_group="g", horizon_hours=200, cooldown_hours=10)
    free = journey("free", JourneyTreatment("mail", "e"), JourneyTreatment("here", "f"), cooldown_hours=0)
    here = channel("here", timing="immediate", needs_consent=False)
    return policy(
        [channel("mail", wait_hours=24), channel("text", wait_hours=6), here], [care, rival, long, free], *caps, **more
    )


def customer(zone: str, contacts: tuple[Contact, ...] = (), **more: Any) -> Context:
    given_ = datetime(2017, 1, 1, tzinfo=UTC)
    consents = tuple(Consent(name, "marketing", "granted", "consent", "text-7", given_) for name in ("mail", "text"))
    return Context(CustomerId("c"), True, zone, "en", {}, consents, contacts, **more)


def ask(context: Context, rules: Policy, now: datetime) -> Decision:
    return decide(context, BELIEFS, rules, decision_id="d", now=now, draw=0.0)


def places(decision: Decision, treatment: str) -> list[tuple[SendWindow, Rejection | None]]:
    """The windows of a treatment in time order, with their rejections."""
    found: list[tuple[SendWindow, Rejection | None]] = [
        (it.candidate.window, None) for it in decision.ranked if it.candidate.treatment.id == treatment
    ]
    found += [(it.candidate.window, it) for it in decision.rejections if it.candidate.treatment.id == treatment]
    return sorted(found, key=lambda it: it[0].opens_at)


def local(zone: str, *when: int, fold: int = 0) -> datetime:
    return datetime(*when, tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)  # type: ignore[misc,arg-type]


@LAWS
@given(
    st.sampled_from(ZONES),
    st.sampled_from(["day", "week", "month"]),
    st.datetimes(datetime(2017, 12, 1), datetime(2019, 1, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_a_period_begins_at_its_first_instant(zone: str, calendar: Any, moment: datetime) -> None:
    ends_at = begin_of(period_after(period_of(moment, ZoneInfo(zone), calendar), calendar), ZoneInfo(zone))
    assert period(ends_at - INSTANT, ZoneInfo(zone), calendar) == period(moment, ZoneInfo(zone), calendar)
    assert period(ends_at, ZoneInfo(zone), calendar) != period(moment, ZoneInfo(zone), calendar)
    first = period_of(ends_at, ZoneInfo(zone), calendar)
    assert begin_of(first, ZoneInfo(zone)) == ends_at == first_instant(first.year, first.month, first.day, zone)


@pytest.mark.parametrize(
    ("zone", "sent", "free_at"),
    [
        ("America/Havana", (2018, 3, 10, 9), datetime(2018, 3, 11, 5, tzinfo=UTC)),  # midnight is skipped: 1 o'clock
        ("America/Havana", (2018, 11, 3, 9), datetime(2018, 11, 4, 4, tzinfo=UTC)),  # midnight happens twice: the first
        ("Europe/Berlin", (2018, 3, 25, 1), datetime(2018, 3, 25, 22, tzinfo=UTC)),  # a day of 23 hours
        ("Europe/Berlin", (2018, 10, 28, 1), datetime(2018, 10, 28, 23, tzinfo=UTC)),  # a day of 25 hours
        ("Asia/Kathmandu", (2018, 5, 5, 9), datetime(2018, 5, 5, 18, 15, tzinfo=UTC)),
        ("Australia/Lord_Howe", (2018, 10, 7, 1), datetime(2018, 10, 7, 13, tzinfo=UTC)),
    ],
)
def test_a_daily_cap_is_free_at_local_midnight(zone: str, sent: tuple[int, ...], free_at: datetime) -> None:
    at = local(zone, *sent)
    context, rules = customer(zone, (Contact("free", "mail", at),)), shop(cap("daily", 1, calendar="day"))
    found = places(ask(context, rules, at + HOUR), "free/mail/e")
    assert {no.free_at for _, no in found if no} == {free_at}
    assert {no.code for _, no in found if no} == {"overall_cap"}
    for window, no in found:
        assert (no is None) == (window.opens_at >= free_at)


@pytest.mark.parametrize(
    ("zone", "limits", "sent", "free_at"),
    [
        ("Europe/Berlin", {"calendar": "week"}, (2018, 10, 28, 23, 30), (2018, 10, 29)),  # Sunday of the change
        ("America/New_York", {"calendar": "week"}, (2018, 3, 5, 0, 0), (2018, 3, 12)),  # Monday's first instant
        ("Europe/Berlin", {"calendar": "month"}, (2018, 1, 31, 23, 59), (2018, 2, 1)),
        ("America/Havana", {"calendar": "month"}, (2018, 2, 28, 23, 59), (2018, 3, 1)),
        ("Asia/Kathmandu", {"calendar": "month"}, (2018, 12, 31, 12), (2019, 1, 1)),
    ],
)
def test_weeks_begin_on_monday_and_months_on_the_first(
    zone: str, limits: dict[str, Any], sent: tuple[int, ...], free_at: tuple[int, int, int]
) -> None:
    at, begins = local(zone, *sent), first_instant(*free_at, zone)
    context, rules = customer(zone, (Contact("free", "mail", at),)), shop(cap("period", 1, **limits))
    before = ask(context, rules, begins - 20 * MINUTE)
    window, no = places(before, "free/mail/e")[0]
    assert no is not None
    assert no.free_at == begins == window.closes_at
    assert places(ask(context, rules, begins), "free/mail/e")[0][1] is None


def test_both_passes_of_a_repeated_hour_are_the_same_day() -> None:
    zone = "America/Havana"  # 0:00 to 1:00 happens twice on 4 November 2018
    first, second = local(zone, 2018, 11, 4, 0, 30), local(zone, 2018, 11, 4, 0, 30, fold=1)
    assert second - first == HOUR
    rules = shop(cap("daily", 2, calendar="day"))
    for sent in ((first,), (second,), (first, second)):
        context = customer(zone, tuple(Contact("free", "mail", at) for at in sent))
        found = places(ask(context, rules, second + 15 * MINUTE), "free/mail/e")[0][1]
        assert (found is None) == (len(sent) == 1)


def test_a_full_period_ahead_is_skipped_and_one_with_room_is_not() -> None:
    zone, now = "Europe/Berlin", local("Europe/Berlin", 2018, 5, 15, 10)
    rules = shop(cap("daily", 1, calendar="day"))
    today, tomorrow = Contact("free", "mail", now - HOUR), Contact("care", "text", now + DAY)
    full = places(ask(customer(zone, (today, tomorrow)), rules, now), "free/mail/e")
    assert {no.free_at for _, no in full if no} == {local(zone, 2018, 5, 17)}
    ahead = places(ask(customer(zone, (tomorrow,)), rules, now), "free/mail/e")
    assert [no is None for _, no in ahead] == [window.opens_at < local(zone, 2018, 5, 16) for window, _ in ahead]


def test_a_presence_that_reaches_past_midnight_needs_room_on_both_days() -> None:
    zone, now = "Europe/Berlin", local("Europe/Berlin", 2018, 5, 15, 23, 50)
    rules = shop(cap("daily", 1, calendar="day"))
    for sent in (now - HOUR, now + HOUR):
        (_, no), *_ = places(ask(customer(zone, (Contact("free", "mail", sent),)), rules, now), "free/here/f")
        assert no is not None
        assert no.free_at is not None
        at = places(ask(customer(zone, (Contact("free", "mail", sent),)), rules, no.free_at), "free/here/f")
        assert at[0][1] is None


def test_a_group_that_runs_longest_says_when_it_is_free() -> None:
    now = datetime(2018, 5, 15, 8, tzinfo=UTC)
    contacts = (Contact("long", "text", now - 20 * HOUR), Contact("rival", "mail", now - HOUR))
    _, no = places(ask(customer("Europe/Berlin", contacts), shop(), now), "care/mail/a")[0]
    assert no is not None
    assert (no.code, no.by, no.free_at) == ("exclusive_group", "long", now + 180 * HOUR)


CAPS = st.lists(
    st.builds(
        lambda name, limit, reserve, kind, scope: cap(name, limit + reserve, reserve=reserve, **kind, **scope),
        st.sampled_from(["a", "b", "c"]),
        st.integers(1, 3),
        st.sampled_from([0, 0, 1, 2]),
        st.sampled_from([{"window_hours": hours} for hours in (5, 24, 48, 168)] + [{"calendar": it} for it in ("day", "week", "month")]),
        st.sampled_from([{}, {"channels": ("mail",)}, {"channels": ("mail", "text")}, {"journeys": ("care", "free")}]),
    ),
    max_size=3,
    unique_by=lambda it: it.id,
)  # fmt: skip
MOMENTS = ("ordinary", "before_spring", "at_the_gap", "before_autumn", "in_the_fold", "month_end")


@st.composite
def questions(draw: st.DrawFn) -> tuple[Context, Policy, datetime]:
    """A customer with a past and reservations, near a change of the clock; all moments on whole minutes."""
    zone = draw(st.sampled_from(ZONES))
    now = moment_of(zone, draw(st.sampled_from(MOMENTS))) + draw(st.integers(-300, 300)) * MINUTE
    contact = st.builds(
        Contact,
        st.sampled_from(["care", "rival", "long", "free"]),
        st.sampled_from(["mail", "text"]),
        st.integers(-12 * 24 * 60, 40 * 60).map(lambda age: now + age * MINUTE),
        st.sampled_from(["marketing", "marketing", "service"]),
        st.sampled_from([None, False]),
        st.one_of(st.none(), st.none(), st.integers(-30, 60).map(lambda age: now + age * MINUTE)),
    )
    pause = draw(st.sampled_from([None, None, None, now + 7 * HOUR]))
    contacts = tuple(draw(st.lists(contact, max_size=5)))
    quiet = draw(st.sampled_from([(0, 0), (21, 8), (22, 1), (1, 3), (0, 2), (23, 2)]))
    return customer(zone, contacts, paused_until=pause), shop(*draw(CAPS), quiet=quiet), now


@LAWS
@given(questions())
def test_each_window_is_refused_exactly_where_a_rule_forbids_it(question: tuple[Context, Policy, datetime]) -> None:
    context, rules, now = question
    decision = ask(context, rules, now)
    assert [it.candidate.id for it in decision.ranked if violations(it.candidate, context, rules, now)] == []
    for no in decision.rejections:
        assert no.code in violations(no.candidate, context, rules, now), no


@settings(LAWS, max_examples=80)
@given(questions())
def test_free_at_is_kept(question: tuple[Context, Policy, datetime]) -> None:
    """Never in the past, and when it comes, a contact at that moment keeps the very cap or rule that had stood in the way."""
    context, rules, now = question
    for no in ask(context, rules, now).rejections:
        if no.code in TIMED:
            assert no.free_at is not None, no
            assert no.free_at > no.candidate.window.opens_at or _only_later(no, context, rules), no
            assert not _stands_in_the_way(no, no.free_at, context, rules), no
            if no.code != "cool_down":  # a run may go on sooner with its next channel
                assert _stands_in_the_way(no, no.free_at - INSTANT, context, rules), no


@LAWS
@given(questions())
def test_asked_again_at_free_at_the_first_window_is_not_refused_for_that_reason(
    question: tuple[Context, Policy, datetime],
) -> None:
    """As long as nothing is reserved ahead."""
    context, rules, now = question
    past = replace(context, contacts=tuple(it for it in context.contacts if it.sent_at <= now))
    first: dict[str, Rejection] = {}
    for no in ask(past, rules, now).rejections:
        if no.code in TIMED:
            first.setdefault(no.candidate.treatment.id, no)
    for treatment, no in first.items():
        assert no.free_at is not None
        _, again = places(ask(past, rules, no.free_at), treatment)[0]
        assert again is None or (again.code, again.by) != (no.code, no.by)


def test_a_sliding_cap_is_free_when_its_hours_have_passed_to_the_instant() -> None:
    at = datetime(2018, 5, 15, 10, tzinfo=UTC)  # noon in Berlin, where a window begins
    context, rules = customer("Europe/Berlin", (Contact("free", "mail", at),)), shop(cap("a", 1, window_hours=24))
    (_, no), (window, then), *_ = places(ask(context, rules, at + DAY - 15 * MINUTE), "free/mail/e")
    assert (window.opens_at, then) == (at + DAY, None)
    assert no is not None
    assert no.free_at == at + DAY
    assert places(ask(context, rules, at + DAY), "free/mail/e")[0][1] is None


def test_a_reservation_ahead_closes_a_sliding_cap_when_the_first_stretch_ends_inside_the_next() -> None:
    now = datetime(2018, 5, 15, 8, 45, tzinfo=UTC)  # the first window closes at 12 o'clock in Berlin
    contacts = (Contact("free", "mail", now - HOUR), Contact("long", "text", now + 7 * HOUR))
    context, rules = customer("Europe/Berlin", contacts), shop(cap("a", 1, window_hours=5))
    window, no = places(ask(context, rules, now), "free/mail/e")[0]
    assert window.closes_at == now + 75 * MINUTE
    assert no is not None
    assert no.free_at == now + 12 * HOUR


def _only_later(no: Rejection, context: Context, rules: Policy) -> bool:
    """The rule forbids the end of the window, not its opening."""
    return not _stands_in_the_way(no, no.candidate.window.opens_at, context, rules)


def _stands_in_the_way(no: Rejection, moment: datetime, context: Context, rules: Policy) -> bool:
    """Whether the rule that said no forbids a contact in that very instant; of the caps, the one that was named."""
    if no.code.endswith("_cap"):
        return any(_full(it, moment, context) for it in rules.contact_policy.caps if it.id == no.by and _is(it, no))
    instant = SendWindow(moment, moment + INSTANT, 0)
    return no.code in violations(Candidate(no.candidate.treatment, instant), context, rules, moment)


def _is(one: Cap, no: Rejection) -> bool:
    code = "group_cap" if one.journeys else "channel_cap" if one.channels else "overall_cap"
    return code == no.code and one.counts(no.candidate.treatment.journey, no.candidate.treatment.channel)


def _full(one: Cap, moment: datetime, context: Context) -> bool:
    if one.calendar is None:
        return crowded(one, moment, *counted(one, context.contacts))
    return crammed(one, moment, *counted(one, context.contacts), ZoneInfo(context.time_zone or ""))


@pytest.mark.parametrize("zone", short_first(ZONES[:4], 2))
@pytest.mark.parametrize("quiet", [(21, 8), (22, 1), (1, 3), (0, 2), (2, 3), (23, 0)])
def test_quiet_hours_end_when_they_say_on_the_days_of_the_change(zone: str, quiet: tuple[int, int]) -> None:
    for change in changes(zone):
        assert change is not None
        for step in range(-26, 20):
            now = change + step * HOUR + 20 * MINUTE
            context, rules = customer(zone), shop(quiet=quiet)
            for _, no in places(ask(context, rules, now), "free/mail/e"):
                if no is not None:
                    assert no.free_at is not None
                    assert not _stands_in_the_way(no, no.free_at, context, rules)
                    assert _stands_in_the_way(no, no.free_at - INSTANT, context, rules)
