"""Plain JSON rows, as records keep them, into the columns of an audience; no object is made per row or record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, repeat
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.layout import Layout
from arbitration.batch.tables import BASES, EVERYWHERE, STATES, Believed, Consents, Contacts, Triggers
from arbitration.domain import EVERY_CHANNEL
from arbitration.gates.calendar import EARLIEST, LATEST
from arbitration.windows import BLOCKS_A_DAY, zone_of

Array = npt.NDArray[Any]
Plain = Mapping[str, Any]
Read = dict[str, Any]
SLOTS = 7 * BLOCKS_A_DAY
_ENGAGED = {True: 1, False: 0, None: -1}
_STATE = {state: at for at, state in enumerate(STATES)}
_BASIS = {basis: at for at, basis in enumerate(BASES)}


def read(rows: Sequence[Plain], layout: Layout) -> Read:
    """The fields of `arbitration.audience.Audience`."""
    contexts = [row["context"] for row in rows]
    zone, zones = _zones(contexts)
    served = [context.get("channels") or () for context in contexts]
    return {
        "customer_id": _objects([context["customer_id"] for context in contexts]),
        "decision_id": _objects([row["decision_id"] for row in rows]),
        "now": moments([row["now"] for row in rows]),
        "draw": np.array([row["draw"] for row in rows], dtype=np.float64),
        "zone": zone,
        "zones": zones,
        "known": _flags(contexts, "known"),
        "holdout": _flags(contexts, "holdout"),
        "objected": _flags(contexts, "objected"),
        "suppressed": _flags(contexts, "suppressed"),
        "paused_until": moments([context.get("paused_until") for context in contexts]),
        "names_channels": np.array([bool(named) for named in served], dtype=bool),
        "serves": np.array([[it in named for it in layout.channels] for named in served], dtype=bool).reshape(
            len(rows), len(layout.channels)
        ),
        "stock": _stock(contexts, layout),
        "stopped": _stopped(contexts, layout),
        "consents": _consents(contexts, layout),
        "contacts": _contacts(contexts, layout),
        "triggers": _triggers(contexts, layout),
        "features": {name: feature_column([it["features"].get(name) for it in contexts]) for name in layout.features},
        "estimates": _believed([row["estimates"] for row in rows], layout),
    }


_EDGES = tuple(np.datetime64(edge.replace(tzinfo=None), "us") for edge in (EARLIEST, LATEST))


def moments(texts: Sequence[str | datetime | None]) -> Array:
    """Moments, or ISO texts of such, as datetime64[us] in UTC; None is NaT."""
    return np.array([_naive(text) for text in texts], dtype="M8[us]")


def _naive(text: str | datetime | None) -> str | datetime:
    if text is None:
        return "NaT"
    if isinstance(text, datetime):
        return text.astimezone(UTC).replace(tzinfo=None)
    if text[-1] == "Z":
        return text[:-1]
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None).isoformat()


def feature_column(values: list[Any]) -> Array:
    """Values of one feature: numbers of one kind as such, anything else as Python's own values."""
    kinds = set(map(type, values))
    if kinds <= {float, type(None)}:
        return np.array(values, dtype=np.float64)
    if kinds == {bool}:
        return np.array(values, dtype=bool)
    return _objects(values)


def _objects(values: Sequence[Any]) -> Array:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _flags(contexts: Sequence[Plain], name: str) -> Array:
    return np.array([context.get(name, False) for context in contexts], dtype=bool)


def _zones(contexts: Sequence[Plain]) -> tuple[Array, tuple[str, ...]]:
    names: list[str | None] = [context.get("time_zone") for context in contexts]
    zones = tuple(sorted({name for name in names if name is not None and zone_of(name) is not None}))
    places = {name: at for at, name in enumerate(zones)}
    return np.array([-1 if name is None else places.get(name, -1) for name in names], dtype=np.int64), zones


def _stock(contexts: Sequence[Plain], layout: Layout) -> dict[str, Array]:
    stocks = [context.get("stock") or {} for context in contexts]
    return {
        it: np.array([stock.get(it) for stock in stocks], dtype=np.float64)
        for it, resource in layout.policy.resources.items()
        if resource.limit is not None
    }


def _stopped(contexts: Sequence[Plain], layout: Layout) -> Array | None:
    named = [context.get("stopped") or () for context in contexts]
    if not any(named):
        return None
    return np.array([[it in names for it in layout.journeys] for names in named], dtype=bool)


def _flat(contexts: Sequence[Plain], name: str) -> tuple[list[Plain], Array]:
    """All records of one kind, and where those of each row begin."""
    lists = [context.get(name) or () for context in contexts]
    return list(chain.from_iterable(lists)), np.cumsum([0, *map(len, lists)])


def _whole(values: Iterable[int]) -> Array:
    return np.array(list(values), dtype=np.int64)


def _consents(contexts: Sequence[Plain], layout: Layout) -> Consents:
    flat, offsets = _flat(contexts, "consents")
    places = layout.channel_at | {EVERY_CHANNEL: EVERYWHERE}
    return Consents(
        offsets,
        _whole(places.get(it["channel"], -1) for it in flat),
        np.array([it["purpose"] == "service" for it in flat], dtype=bool),
        _whole(_STATE[it["state"]] for it in flat),
        _whole(_BASIS[it["legal_basis"]] for it in flat),
        np.array([bool(it["evidence_id"]) for it in flat], dtype=bool),
        moments([it["valid_from"] for it in flat]),
        moments([it.get("valid_to") for it in flat]),
    )


def _contacts(contexts: Sequence[Plain], layout: Layout) -> Contacts:
    flat, offsets = _flat(contexts, "contacts")
    live = [it.get("live_until") for it in flat]
    return Contacts(
        offsets,
        _whole(layout.journey_at.get(it["journey"], -1) for it in flat),
        _whole(layout.channel_at.get(it["channel"], -1) for it in flat),
        np.clip(moments([it["sent_at"] for it in flat]), _EDGES[0], _EDGES[1]),
        np.array([it.get("purpose", "marketing") == "service" for it in flat], dtype=bool),
        _whole(_ENGAGED[it.get("engaged")] for it in flat),
        moments(live) if any(live) else None,
    )


def _triggers(contexts: Sequence[Plain], layout: Layout) -> Triggers:
    flat, offsets = _flat(contexts, "triggers")
    row = np.repeat(np.arange(len(contexts)), np.diff(offsets))
    return Triggers(
        offsets,
        _whole(layout.journey_at.get(it["journey"], -1) for it in flat),
        moments([it.get("expires_at") for it in flat]),
        tuple(
            (int(at), it["journey"]) for at, it in zip(row, flat, strict=True) if it["journey"] not in layout.journey_at
        ),
    )


def _believed(estimates: Sequence[Plain], layout: Layout) -> Believed:
    policy, ids = layout.policy, list(layout.treatment_at)
    journeys = [policy.journeys[layout.treatments[layout.treatment_at[it][0]].journey] for it in ids]
    channels = [policy.channels[it] for it in layout.channels if it in policy.channels]
    places = {it: at for at, it in enumerate(ids)}
    at_channel = {it.id: at for at, it in enumerate(channels)}
    expand = _whole(places[it.id] for it in layout.treatments)
    effects = [it["effect"] for it in estimates]

    def one(name: str) -> Array:
        return np.array([it[name]["mean"] for it in estimates], dtype=np.float64)

    def table(name: str, keys: Mapping[str, int], priors: Sequence[float]) -> Array:
        return _table([it.get(name) or {} for it in estimates], keys, priors, _means)

    effect = _table(effects, places, [it.effect_prior for it in journeys], _means)
    effect_sd = _table(effects, places, [it.effect_prior_sd for it in journeys], _sds)
    propensity = table("propensity", places, [policy.economics.propensity_prior] * len(ids))
    effect, effect_sd, propensity = (
        it if len(ids) == len(expand) else it[:, expand] for it in (effect, effect_sd, propensity)
    )
    return Believed(
        effect=effect,
        effect_sd=effect_sd,
        propensity=propensity,
        timing=table("timing", {str(slot): slot for slot in range(SLOTS)}, [1.0] * SLOTS),
        opt_out=table("opt_out", at_channel, [it.opt_out_prior for it in channels]),
        reach_value=table("reach_value", at_channel, [it.reach_value_prior for it in channels]),
        base_purchase=one("base_purchase"),
        basket_margin=one("basket_margin"),
        recency_value=one("recency_value"),
        attention_price=one("attention_price"),
        tier_progress=np.array([it["tier_progress"]["mean"] if "tier_progress" in it else 0.0 for it in estimates]),
    )


def _means(estimates: Iterable[Plain]) -> list[float]:
    return list(map(itemgetter("mean"), estimates))


def _sds(estimates: Iterable[Plain]) -> list[float]:
    return [it.get("sd", 0.0) for it in estimates]


def _table(
    dicts: Sequence[Plain],
    keys: Mapping[str, int],
    priors: Sequence[float],
    pick: Callable[[Iterable[Plain]], list[float]],
) -> Array:
    """Estimates by key as rows x keys, the prior where there is none; keys that the policy does not know are left out."""
    found = np.tile(np.array(priors, dtype=np.float64), (len(dicts), 1))
    size = [len(it) for it in dicts]
    place = np.array(list(map(keys.get, chain.from_iterable(dicts), repeat(-1))), dtype=np.int64)
    value = np.array(pick(chain.from_iterable(it.values() for it in dicts)), dtype=np.float64)
    row = np.repeat(np.arange(len(dicts)), size)
    known = place >= 0
    found[row[known], place[known]] = value[known]
    return found
