"""Whether the parts of a catalog agree: names that exist, each thing once, settings that go together, rules over known features.

The checks read what was written, not the checked schema, so that one load tells every mistake; what has no shape at all is
passed over, because the schema names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from arbitration.errors import ExpressionError
from catalog.rules import check_rule, did_you_mean, feature_kinds
from catalog.sources import Finding, Place, Sources

Written = Mapping[str, Any]
RULES = {"journeys": ("eligible", "applicable", "suitable"), "channels": ("available", "held")}


def disagreements(data: Written, sources: Sources) -> Iterator[Finding]:
    """Every mistake that needs more than one part of the catalog to see."""
    yield from _unknown_names(data, sources)
    yield from _doubles(data, sources)
    for journey, place, line in _treatments(data):
        yield from _treatment(journey, place, line, sources)
    for at, cap in enumerate(_list(_dict(data.get("contact_policy")).get("caps"))):
        yield from _cap(("contact_policy", "caps", at), _dict(cap), sources)
    yield from _selection(_dict(data.get("selection")), sources)
    yield from _rules(data, sources)


def _dict(node: Any) -> Written:
    return node if isinstance(node, dict) else {}


def _list(node: Any) -> list[Any]:
    return node if isinstance(node, list) else []


def _treatments(data: Written) -> Iterator[tuple[str, Place, Written]]:
    """(journey, place, what is written) of every treatment."""
    for journey, written in _dict(data.get("journeys")).items():
        for at, line in enumerate(_list(_dict(written).get("treatments"))):
            yield journey, ("journeys", journey, "treatments", at), _dict(line)


def _named(data: Written) -> Iterator[tuple[str, Any, Place]]:
    """(kind, name, place) of everything that is named by its id somewhere else."""
    for _, place, line in _treatments(data):
        yield "channel", line.get("channel"), (*place, "channel")
        yield "journey", line.get("route_to"), (*place, "route_to")
    for at, cap in enumerate(_list(_dict(data.get("contact_policy")).get("caps"))):
        for kind in ("channel", "journey"):
            for number, name in enumerate(_list(_dict(cap).get(f"{kind}s"))):
                yield kind, name, ("contact_policy", "caps", at, f"{kind}s", number)
    for key, resource in _dict(data.get("resources")).items():
        for kind in ("channel", "journey", "offer"):
            yield kind, _dict(resource).get(kind), ("resources", key, kind)


def _unknown_names(data: Written, sources: Sources) -> Iterator[Finding]:
    offers = [_dict(line.get("offer")).get("id") for _, _, line in _treatments(data)]
    known = {
        "channel": [str(key) for key in _dict(data.get("channels"))],
        "journey": [str(key) for key in _dict(data.get("journeys"))],
        "offer": [offer for offer in offers if isinstance(offer, str)],
    }
    for kind, name, place in _named(data):
        told = known[
            "journey" if kind == "offer" else kind
        ]  # a part that could not be read would make every name unknown
        if isinstance(name, str) and told and name not in known[kind]:
            yield sources.finding(f"there is no {kind} '{name}'", place, did_you_mean(name, known[kind]))


def _doubles(data: Written, sources: Sources) -> Iterator[Finding]:
    """A cap's id, a treatment of a journey and a name in a list stand once. Channels and journeys are keys: YAML sees to them."""
    caps = _list(_dict(data.get("contact_policy")).get("caps"))
    yield from _twice([_dict(cap).get("id") for cap in caps], ("contact_policy", "caps"), sources)
    for at, cap in enumerate(caps):
        for part in ("channels", "journeys"):
            yield from _twice(_list(_dict(cap).get(part)), ("contact_policy", "caps", at, part), sources)
    for journey, written in _dict(data.get("journeys")).items():
        lines = [_dict(line) for line in _list(_dict(written).get("treatments"))]
        names = [f"{line.get('channel')}/{line.get('template')}" for line in lines]
        yield from _twice(names, ("journeys", journey, "treatments"), sources)


def _twice(names: list[Any], place: Place, sources: Sources) -> Iterator[Finding]:
    for at, name in enumerate(names):
        if isinstance(name, str) and name in names[:at]:
            yield sources.finding(f"'{name}' stands here twice", (*place, at), "keep one of them")


def _treatment(journey: str, place: Place, line: Written, sources: Sources) -> Iterator[Finding]:
    """A route names who takes over, and nothing else does; what keeps a contact from being made brings no offer."""
    kind, route_to, offer = line.get("kind", "message"), line.get("route_to"), line.get("offer")
    if kind == "route" and route_to is None:
        yield sources.finding("a route does not say where to", place, "add 'route_to:' with a journey's id")
    if kind != "route" and route_to is not None:
        mend = "write 'kind: route' or remove it"
        yield sources.finding(f"a {kind} routes nowhere", (*place, "route_to"), mend)
    if route_to == journey:
        mend = "name the journey that takes over"
        yield sources.finding(f"'{journey}' routes to itself", (*place, "route_to"), mend)
    if kind == "suppress" and offer is not None:
        mend = "remove the offer"
        yield sources.finding("what suppresses a contact brings no offer", (*place, "offer"), mend)
    if kind == "reward" and offer is None:
        mend = "add 'offer:' with the points it takes"
        yield sources.finding("a reward needs an offer", place, mend)


def _cap(place: Place, cap: Written, sources: Sources) -> Iterator[Finding]:
    given = [name for name in ("window_hours", "calendar") if cap.get(name) is not None]
    if cap and not given:
        mend = "add 'window_hours: 168' or 'calendar: week'"
        yield sources.finding("the cap does not say in what time", place, mend)
    if len(given) == 2:
        mend = "keep one of the two"
        yield sources.finding("the cap has both window_hours and calendar", (*place, "calendar"), mend)
    limit, reserve = cap.get("limit"), cap.get("reserve")
    if isinstance(limit, int) and isinstance(reserve, int) and reserve >= limit >= 1:
        what = f"a reserve of {reserve} leaves marketing nothing of a limit of {limit}"
        yield sources.finding(what, (*place, "reserve"), "lower it below the limit")


def _selection(selection: Written, sources: Sources) -> Iterator[Finding]:
    floor, exploration = selection.get("silence_floor"), selection.get("exploration")
    if isinstance(floor, (int, float)) and isinstance(exploration, (int, float)) and floor > exploration:
        mend = "lower it or raise exploration"
        yield sources.finding("silence_floor is above exploration", ("selection", "silence_floor"), mend)


def _rules(data: Written, sources: Sources) -> Iterator[Finding]:
    channels = _dict(data.get("channels"))
    if not channels:  # then no feature of a channel is known
        return
    kinds = feature_kinds(channels)
    for part, names in RULES.items():
        for key, written in _dict(data.get(part)).items():
            for name in names:
                if isinstance(text := _dict(written).get(name), str):
                    try:
                        check_rule(text, kinds)
                    except ExpressionError as error:
                        spot = sources.spot((part, key, name), error.column - 1, text)
                        yield Finding(f"{name}: {error.what}", spot, error.mend)
