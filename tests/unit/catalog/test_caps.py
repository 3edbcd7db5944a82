"""A cap that is called unreachable is never reached by contacts that keep to the other caps."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from arbitration.gates.calendar import period_of
from arbitration.policy import BusinessName, Cap
from catalog.caps import useless_caps
from catalog.loading import EXAMPLE, load_catalog

POLICY = load_catalog(EXAMPLE)
ZONE = ZoneInfo("America/New_York")
START = datetime(2018, 3, 1, tzinfo=UTC)  # the clock is changed on March 11
NAME = BusinessName("cap", "Grenze")

_RESERVE = st.sampled_from([0, 0, 1, 3])
_CAPS = st.one_of(
    st.builds(lambda limit, reserve, hours: Cap("", NAME, limit + reserve, hours, reserve=reserve), st.integers(1, 8), _RESERVE, st.sampled_from([12, 24, 25, 72, 168, 700])),
    st.builds(
        lambda limit, reserve, calendar: Cap("", NAME, limit + reserve, calendar=calendar, reserve=reserve), st.integers(1, 8), _RESERVE,
        st.sampled_from(["day", "week", "month"]),
    ),
)  # fmt: skip


def kept(cap: Cap, moments: list[datetime], limit: int) -> bool:
    """Whether no window or period of the cap holds more of the moments, which are in order, than so many."""
    if cap.calendar:
        return max(Counter(period_of(moment, ZONE, cap.calendar) for moment in moments).values(), default=0) <= limit
    length = timedelta(hours=cap.window_hours or 0)
    return all(sum(first <= moment < first + length for moment in moments) <= limit for first in moments)


def crowded(cap: Cap, moments: list[datetime]) -> bool:
    """Whether the window or period that the last moment ends holds more contacts, service included, than the whole limit."""
    last = moments[-1]
    if cap.calendar:
        own = period_of(last, ZONE, cap.calendar)
        return sum(period_of(moment, ZONE, cap.calendar) == own for moment in moments) > cap.limit
    return sum(last - moment < timedelta(hours=cap.window_hours or 0) for moment in moments) > cap.limit


@settings(max_examples=300, deadline=None)
@given(
    caps=st.lists(_CAPS, min_size=2, max_size=4),
    gaps=st.lists(
        st.tuples(st.sampled_from([0.5, 5.0, 12.0, 23.0, 24.0, 40.0, 167.0]), st.sampled_from([False, False, True])), max_size=60
    ),
)  # fmt: skip
def test_marketing_that_keeps_to_the_other_caps_never_reaches_it(
    caps: list[Cap], gaps: list[tuple[float, bool]]
) -> None:
    caps = [replace(cap, id=f"cap_{at}") for at, cap in enumerate(caps)]
    policy = replace(POLICY, contact_policy=replace(POLICY.contact_policy, caps=tuple(caps)))
    useless = {caps[at].id for at, _ in useless_caps(policy)}
    needed = [cap for cap in caps if cap.id not in useless]
    assert needed
    marketing, made, moment = list[datetime](), list[datetime](), START
    for gap, service in gaps:
        moment += timedelta(hours=gap)
        more = [*marketing, moment]
        free = all(kept(cap, more, cap.limit - cap.reserve) for cap in needed)
        if not service and free and not any(cap.reserve and crowded(cap, [*made, moment]) for cap in needed):
            marketing.append(moment)
        if service or moment in marketing:
            made.append(moment)
    assert all(kept(cap, marketing, cap.limit - cap.reserve) for cap in caps)


def test_a_cap_that_service_messages_alone_may_fill_is_never_useless() -> None:
    strict, kept_free = Cap("strict", NAME, 1, 168), Cap("kept", NAME, 9, 24, reserve=1)
    policy = replace(POLICY, contact_policy=replace(POLICY.contact_policy, caps=(strict, kept_free)))
    assert list(useless_caps(policy)) == []


def test_a_cap_on_fewer_contacts_makes_no_wider_one_useless() -> None:
    wide, narrow = Cap("wide", NAME, 3, 168), Cap("narrow", NAME, 1, 168, channels=("push",))
    policy = replace(POLICY, contact_policy=replace(POLICY.contact_policy, caps=(wide, narrow)))
    assert list(useless_caps(policy)) == []
