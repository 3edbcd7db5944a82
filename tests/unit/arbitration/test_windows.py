"""Send windows in local time, on ordinary days and on the days the clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitration.errors import InputError
from arbitration.windows import PRESENCE, SHORTEST, presence, slot_of, windows, zone_of

ZONES = (
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Havana",
    "Asia/Beirut",
    "Asia/Kathmandu",
)
YEARS = st.datetimes(datetime(2017, 1, 1), datetime(2026, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001
BERLIN = ZoneInfo("Europe/Berlin")


@given(YEARS, st.sampled_from(ZONES), st.integers(1, 100), st.sets(st.integers(0, 23), max_size=2))
def test_windows_are_ordered_gapless_and_inside_one_block(now: datetime, zone: str, hours: int, cuts: set[int]) -> None:
    until = now + timedelta(hours=hours)
    found = windows(now, until, ZoneInfo(zone), cuts)
    assert all(one.closes_at == two.opens_at for one, two in pairwise(found))
    assert found[0].opens_at - now < SHORTEST
    assert until - found[-1].closes_at < SHORTEST
    for window in found:
        last = window.closes_at - timedelta(microseconds=1)
        assert slot_of(window.opens_at, zone) == slot_of(last, zone) == window.slot
        assert timedelta(0) < window.closes_at - window.opens_at <= timedelta(hours=5)
        inside = [window.opens_at + timedelta(minutes=30 * step) for step in range(1, 10)]
        for moment in (moment for moment in inside if moment < window.closes_at):
            local = moment.astimezone(ZoneInfo(zone))
            assert not (local.hour in cuts and local.minute == 0 and local.fold == 0) or _repeated(moment, zone)


def _repeated(moment: datetime, zone: str) -> bool:
    """The local hour happens twice, so its second beginning is no edge."""
    local = moment.astimezone(ZoneInfo(zone))
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def test_the_night_in_spring_is_an_hour_shorter() -> None:
    night = windows(datetime(2018, 3, 24, 23, tzinfo=UTC), datetime(2018, 3, 25, 6, tzinfo=UTC), BERLIN)
    assert [(one.opens_at.hour, one.closes_at.hour, one.slot) for one in night] == [(23, 2, 36), (2, 6, 37)]


def test_the_night_in_autumn_is_an_hour_longer() -> None:
    night = windows(datetime(2018, 10, 27, 22, tzinfo=UTC), datetime(2018, 10, 28, 7, tzinfo=UTC), BERLIN)
    assert [(one.opens_at.hour, one.closes_at.hour, one.slot) for one in night] == [(22, 3, 36), (3, 7, 37)]


def test_a_rest_of_a_block_that_is_too_short_is_skipped() -> None:
    now = datetime(2018, 1, 2, 10, 50, tzinfo=UTC)
    assert windows(now, now + timedelta(hours=9), BERLIN)[0].opens_at == datetime(2018, 1, 2, 11, tzinfo=UTC)


def test_presence_is_one_window_from_now() -> None:
    now = datetime(2018, 1, 2, 15, 31, 7, tzinfo=UTC)
    here = presence(now, BERLIN)
    assert (here.opens_at, here.closes_at, here.slot) == (now, now + PRESENCE, 10)


@pytest.mark.parametrize("name", [None, "", "Mars/Olympus", "America", "../etc/passwd", "Europe/Berlin\0"])
def test_what_is_no_time_zone_is_unknown(name: str | None) -> None:
    assert zone_of(name) is None


def test_a_slot_needs_a_time_zone() -> None:
    with pytest.raises(InputError, match="Europe/Berlin"):
        slot_of(datetime(2018, 1, 1, tzinfo=UTC), "Mars/Olympus")
