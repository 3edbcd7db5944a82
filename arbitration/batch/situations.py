"""One row of an audience as the objects of the single decision: for rows that only `decide` can treat exactly."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from arbitration.batch.clock import NEVER, moment_of
from arbitration.batch.layout import Layout
from arbitration.batch.people import instants
from arbitration.batch.tables import BASES, EVERYWHERE, STATES
from arbitration.domain import EVERY_CHANNEL, Consent, Contact, Context, CustomerId, Estimate, Estimates, Trigger

if TYPE_CHECKING:
    from arbitration.audience import Audience

NO_LONGER = "no longer in the catalog"
"""Stands for a journey or channel that the catalog does not know."""


def context_of(audience: Audience, layout: Layout, row: int) -> Context:
    """The row's context, as far as a decision depends on it."""
    channels = layout.channels
    zone = int(audience.zone[row])
    left = {it: units[row] for it, units in audience.stock.items()}
    return Context(
        customer_id=CustomerId(str(audience.customer_id[row])),
        known=bool(audience.known[row]),
        time_zone=audience.zones[zone] if zone >= 0 else None,
        locale="en",
        features={name: column[row : row + 1].tolist()[0] for name, column in audience.features.items()},
        consents=tuple(_consent(audience, layout, at) for at in _span(audience.consents.offsets, row)),
        contacts=tuple(_contact(audience, layout, at) for at in _span(audience.contacts.offsets, row)),
        triggers=_triggers(audience, layout, row),
        channels=tuple(it for at, it in enumerate(channels) if audience.serves[row, at]) or _named(audience, row),
        objected=bool(audience.objected[row]),
        suppressed=bool(audience.suppressed[row]),
        paused_until=_moment(audience.paused_until, row),
        holdout=bool(audience.holdout[row]),
        stopped=() if audience.stopped is None else _chosen(layout.journeys, audience.stopped[row]),
        stock={it: int(units) for it, units in left.items() if units == units},  # noqa: PLR0124 - NaN is unknown
    )


def estimates_of(audience: Audience, layout: Layout, row: int) -> Estimates:
    """The row's estimates; sources and tiers are not kept in columns."""
    told = audience.estimates
    known = [it for it in layout.channels if it in layout.policy.channels]
    return Estimates(
        churn_risk=Estimate(0.0),
        base_purchase=Estimate(float(told.base_purchase[row])),
        basket_margin=Estimate(float(told.basket_margin[row])),
        recency_value=Estimate(float(told.recency_value[row])),
        attention_price=Estimate(float(told.attention_price[row])),
        tier_progress=Estimate(float(told.tier_progress[row])),
        propensity={it.id: Estimate(float(told.propensity[row, at])) for at, it in enumerate(layout.treatments)},
        effect={
            it.id: Estimate(float(told.effect[row, at]), float(told.effect_sd[row, at]))
            for at, it in enumerate(layout.treatments)
        },
        timing={str(slot): Estimate(float(mean)) for slot, mean in enumerate(told.timing[row])},
        opt_out={it: Estimate(float(told.opt_out[row, at])) for at, it in enumerate(known)},
        reach_value={it: Estimate(float(told.reach_value[row, at])) for at, it in enumerate(known)},
    )


def _span(offsets: Any, row: int) -> range:
    return range(int(offsets[row]), int(offsets[row + 1]))


def _chosen(names: tuple[str, ...], flags: Any) -> tuple[str, ...]:
    return tuple(it for it, chosen in zip(names, flags, strict=True) if chosen)


def _named(audience: Audience, row: int) -> tuple[str, ...]:
    return (NO_LONGER,) if audience.names_channels[row] else ()


def _moment(column: Any, at: int) -> datetime | None:
    instant = int(instants(column)[at])
    return None if instant == NEVER else moment_of(instant)


def _consent(audience: Audience, layout: Layout, at: int) -> Consent:
    given = audience.consents
    return Consent(
        EVERY_CHANNEL if given.channel[at] == EVERYWHERE else _name(layout.channels, given.channel[at]),
        "service" if given.service[at] else "marketing",
        STATES[given.state[at]],  # type: ignore[arg-type]
        BASES[given.basis[at]],  # type: ignore[arg-type]
        "evidence" if given.evidence[at] else None,
        moment_of(instants(given.valid_from)[at]),
        _moment(given.valid_to, at),
    )


def _contact(audience: Audience, layout: Layout, at: int) -> Contact:
    made = audience.contacts
    return Contact(
        _name(layout.journeys, made.journey[at]),
        _name(layout.channels, made.channel[at]),
        moment_of(instants(made.sent_at)[at]),
        "service" if made.service[at] else "marketing",
        {1: True, 0: False}.get(int(made.engaged[at])),
        None if made.live_until is None else _moment(made.live_until, at),
    )


def _triggers(audience: Audience, layout: Layout, row: int) -> tuple[Trigger, ...]:
    asked = audience.triggers
    known = [
        Trigger(layout.journeys[asked.journey[at]], expires_at=_moment(asked.expires_at, at))
        for at in _span(asked.offsets, row)
        if asked.journey[at] >= 0
    ]
    return (*known, *(Trigger(journey) for at, journey in asked.unknown if at == row))


def _name(names: tuple[str, ...], at: int) -> str:
    return names[at] if at >= 0 else NO_LONGER
