"""Caps that never stop anything, because another cap always does so first or because nothing that they name is counted.

The first holds as long as all contacts kept to the caps; contacts from before a cap was tightened may still fill a wider one.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from arbitration.policy import Cap, Policy

# Shortest and longest hours of a local calendar period, with the clock changed once.
_HOURS = {"day": (23, 25), "week": (167, 169), "month": (28 * 24 - 1, 31 * 24 + 1)}
_PIECES = {
    ("day", "day"): 1, ("day", "week"): 1, ("day", "month"): 1, ("week", "day"): 7, ("week", "week"): 1, ("week", "month"): 2,
    ("month", "day"): 31, ("month", "week"): 6, ("month", "month"): 1,
}  # fmt: skip
"""How many of the second period one of the first can touch."""


def useless_caps(policy: Policy) -> Iterator[tuple[int, Cap | None]]:
    """(number of the cap, the cap that always stops first, or None when it counts nothing at all)."""
    caps = policy.contact_policy.caps
    for at, cap in enumerate(caps):
        if not _counts_something(cap, policy):
            yield at, None
            continue
        others = [other for number, other in enumerate(caps) if number != at]
        stricter = [other for other in others if _stops_first(other, cap)]
        # Of two caps that say the same, only the second is one too many.
        twins = [other for other in stricter if _stops_first(cap, other)]
        found = [other for other in stricter if other not in twins or caps.index(other) < at]
        if found:
            yield at, found[0]


def _counts_something(cap: Cap, policy: Policy) -> bool:
    """Whether the cap can stop any treatment of the catalog; service and suppression are free."""
    return any(
        journey.purpose == "marketing" and line.kind != "suppress" and cap.counts(journey.id, line.channel)
        for journey in policy.journeys.values()
        for line in journey.treatments
    )


def _stops_first(other: Cap, cap: Cap) -> bool:
    """Whether marketing that keeps to `other` never reaches `cap`; one with a reserve may be filled by service messages alone."""
    return cap.reserve <= 0 and _includes(other, cap) and other.most * _pieces(cap, other) <= cap.limit


def _includes(wide: Cap, narrow: Cap) -> bool:
    """Whether `wide` counts every contact that `narrow` counts, also those of journeys that the catalog no longer has."""
    channels = not wide.channels or (narrow.channels and set(narrow.channels) <= set(wide.channels))
    journeys = not wide.journeys or (narrow.journeys and set(narrow.journeys) <= set(wide.journeys))
    return bool(channels and journeys)


def _pieces(cap: Cap, other: Cap) -> int:
    """How many periods of `other` it takes at most to cover one of `cap`."""
    if cap.calendar and other.calendar:
        return _PIECES[cap.calendar, other.calendar]
    longest = _HOURS[cap.calendar][1] if cap.calendar else cap.window_hours or 0
    if other.calendar:
        return ceil(longest / _HOURS[other.calendar][0]) + 1
    return ceil(longest / (other.window_hours or 1))
