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

_CAPS = st.one_of(
    st.builds(lambda limit, hours: Cap("", NAME, limit, hours), st.integers(1, 8), st.sampled_from([12, 24, 25, 72, 168, 700])),
    st.builds(
        lambda limit, calendar: Cap("", NAME, limit, calendar=calendar), st.integers(1, 8), st.sampled_from(["day", "week", "month"])
    ),
)  # fmt: skip


def kept(cap: Cap, moments: list[datetime]) -> bool:
    """Whether no window or period of the cap holds more than its limit."""
    if cap.calendar:
        return (
            max(Counter(period_of(moment, ZONE, cap.calendar) for moment in moments).values(), default=0) <= cap.limit
        )
    length = timedelta(hours=cap.window_hours or 0)
    return all(sum(first <= moment < first + length for moment in moments) <= cap.limit for first in moments)


@settings(max_examples=300, deadline=None)
@given(
    caps=st.lists(_CAPS, min_size=2, max_size=4),
    gaps=st.lists(st.sampled_from([0.5, 5.0, 12.0, 23.0, 24.0, 40.0, 167.0]), max_size=60),
)
def test_contacts_that_keep_to_the_other_caps_never_reach_it(caps: list[Cap], gaps: list[float]) -> None:
    caps = [replace(cap, id=f"cap_{at}") for at, cap in enumerate(caps)]
    policy = replace(POLICY, contact_policy=replace(POLICY.contact_policy, caps=tuple(caps)))
    useless = {caps[at].id for at, _ in useless_caps(policy)}
    needed = [cap for cap in caps if cap.id not in useless]
    assert needed
    moments: list[datetime] = []
    moment = START
    for gap in gaps:
        moment += timedelta(hours=gap)
        if all(kept(cap, [*moments, moment]) for cap in needed):
            moments.append(moment)
    assert all(kept(cap, moments) for cap in caps)


def test_a_cap_on_fewer_contacts_makes_no_wider_one_useless() -> None:
    wide, narrow = Cap("wide", NAME, 3, 168), Cap("narrow", NAME, 1, 168, channels=("push",))
    policy = replace(POLICY, contact_policy=replace(POLICY.contact_policy, caps=(wide, narrow)))
    assert list(useless_caps(policy)) == []
