"""Moments as the command line prints them: no offset loses its minutes."""

from __future__ import annotations

import pytest

from dirigent.show import when


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("2018-01-02T18:00:00-05:00", "Tue 2 Jan 18:00 -05"),
        ("2018-01-02T18:00:00+05:30", "Tue 2 Jan 18:00 +05:30"),
        ("2018-01-02T18:00:00+05:45", "Tue 2 Jan 18:00 +05:45"),
        ("2018-01-02T18:00:00-00:30", "Tue 2 Jan 18:00 -00:30"),
        ("2018-01-02T18:00:00Z", "Tue 2 Jan 18:00 UTC"),
        ("2018-01-02T18:00:00.250000+00:00", "Tue 2 Jan 18:00 UTC"),
    ],
)
def test_a_moment_tells_its_offset(told: str, shown: str) -> None:
    assert when(told) == shown
