"""What of a changed catalog may reach more people, or the same people more often, whatever the present audience looks like.

Judged from the text of the catalogs alone, and strictly: where a rule was rewritten nobody can tell who will match it tomorrow, so it
widens. Money (costs, priors, levers) is not listed: what it does shows when its effect on the audience is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from arbitration.policy import Cap, Channel, ContactPolicy, Journey, Policy, Resource, Selection
from catalog.naming import Names

T = TypeVar("T")
_NEVER = "False"
_RULES = ("eligible", "applicable", "suitable")


def widening(old: Policy, new: Policy) -> list[str]:
    """Every reason for which the new catalog reaches wider than the old one, in words; empty: it does not, as far as its text says."""
    names = Names(old, new)
    return [
        *_each("cap", _caps(old), _caps(new), names, _cap, removed=True),
        *_contact_policy(old.contact_policy, new.contact_policy),
        *_selection(old.selection, new.selection),
        *_each("channel", old.channels, new.channels, names, _channel, added=True),
        *_each("journey", old.journeys, new.journeys, names, _journey, added=True),
        *_each("resource", old.resources, new.resources, names, _resource, removed=True),
    ]


def _each(
    word: str, old: Mapping[str, T], new: Mapping[str, T], names: Names, judge: Callable[[T, T], Iterable[str]], *, added: bool = False, removed: bool = False,
) -> Iterator[str]:  # fmt: skip
    """Things that came where that widens, went where that widens, or widened."""
    for key in sorted({*old, *new}):
        shown = f"{word} {names.of(word, key)}"
        if key not in new:
            if removed:
                yield f"{shown} removed"
        elif key not in old:
            if added:
                yield f"{shown} added"
        else:
            yield from (f"{shown}: {why}" for why in judge(old[key], new[key]))


def _caps(policy: Policy) -> dict[str, Cap]:
    return {cap.id: cap for cap in policy.contact_policy.caps}


def _cap(old: Cap, new: Cap) -> Iterator[str]:
    if new.limit > old.limit:
        yield "limit raised"
    if new.reserve < old.reserve:
        yield "reserve lowered"
    if (new.window_hours is None, new.calendar) != (old.window_hours is None, old.calendar):
        yield "counted over other periods"
    elif (new.window_hours or 0) < (old.window_hours or 0):
        yield "counted over a shorter window"
    for name in ("channels", "journeys"):
        before, after = getattr(old, name), getattr(new, name)
        if after and not (before and set(before) <= set(after)):
            yield f"counts fewer {name}"


def _contact_policy(old: ContactPolicy, new: ContactPolicy) -> Iterator[str]:
    if not _quiet(old) <= _quiet(new):
        yield "quiet hours shortened"
    if new.stop_factor > old.stop_factor:
        yield "stop_factor raised"


def _quiet(policy: ContactPolicy) -> set[int]:
    """The hours of the day in which nothing is sent."""
    begin, end = policy.quiet_from, policy.quiet_to
    return {hour % 24 for hour in range(begin, end if end >= begin else end + 24)}


def _selection(old: Selection, new: Selection) -> Iterator[str]:
    for name in ("silence_floor", "holdout"):
        if getattr(new, name) < getattr(old, name):
            yield f"selection: {name} lowered"
    if new.salt_id != old.salt_id and old.holdout:
        yield "selection: another control group"


def _channel(old: Channel, new: Channel) -> Iterator[str]:
    if old.needs_consent and not new.needs_consent:
        yield "needs no consent any more"
    if new.available not in (old.available, _NEVER):
        yield "available changed"
    if new.held not in (old.held, "True"):
        yield "held changed"
    if new.timing != old.timing:
        yield "timing changed"


def _journey(old: Journey, new: Journey) -> Iterator[str]:
    for name in _RULES:
        if getattr(new, name) not in (getattr(old, name), _NEVER):
            yield f"{name} changed"
    if new.purpose != old.purpose:
        yield "purpose changed"
    if old.needs_trigger and not new.needs_trigger:
        yield "needs no trigger any more"
    if new.cooldown_hours < old.cooldown_hours:
        yield "cool-down shortened"
    if old.exclusive_group and new.exclusive_group != old.exclusive_group:
        yield "exclusive_group changed"
    if old.hourly_plan is not None and (new.hourly_plan is None or new.hourly_plan > old.hourly_plan):
        yield "hourly_plan raised"
    yield from _treatments(old, new)


def _treatments(old: Journey, new: Journey) -> Iterator[str]:
    """What a journey may newly say, and what no person reviews any more."""
    known = {(line.channel, line.template): line for line in old.treatments}
    for line in new.treatments:
        before = known.get((line.channel, line.template))
        if before is None:
            yield f"treatment {line.channel}/{line.template} added"
        elif before.consequence != line.consequence and line.consequence == "none":
            yield f"treatment {line.channel}/{line.template} needs no review any more"


def _resource(old: Resource, new: Resource) -> Iterator[str]:
    if old.limit is not None and (new.limit is None or new.limit > old.limit):
        yield "limit raised"
    if old.limit is not None and new.per_days < old.per_days:
        yield "counted over fewer days"
    if any(getattr(new, name) != getattr(old, name) for name in ("channel", "journey", "offer")):
        yield "counts other contacts"
