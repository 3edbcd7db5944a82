"""Measure effects from randomized contacts: contrasts of incremental orders by cell, engagement and opt-outs, then `effects` shrinks them.

Outcome: any order attributed within 14 days of the contact, or of the moment of silence. In a shop that attributes orders to
contacts alone, the silent never have one and the difference would measure attribution; there any purchase at all counts. Only
logged randomization is used: a row weighs 1 / its logging probability, capped, and a month, journey and channel counts by its effective
size. `contrasts` says how contacts and silence are compared.

How much an individual's propensity says about its own effect is the slope of what a row gained on tau_cell * (ratio - 1) inside
the cells: one slope per journey, and one for all journeys that have too few events for their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arbitration.codec import canonical_json
from training.contrasts import Contrasts, compare, sample, side, weighted
from training.effects import (
    INDIVIDUAL_RANGE,
    TINY,
    Beliefs,
    Effects,
    Prior,
    Sample,
    Slope,
    hierarchy,
    shrink,
    shrink_slope,
)
from training.labels import EFFECT_DAYS
from training.shortage import TooLittle

FloatArray = NDArray[np.float64]
Texts = NDArray[np.str_]
NAME = "effects"
SILENCE_ARM = "silence"
NEEDED = "Import contacts with their logged probability, and silent moments with arm 'silence'; see features/tables/contract.py."
FEWEST_EVENTS = 50
"""A journey with fewer outcomes among its randomized contacts has no slope of its own."""
# Before data: a contact causes two orders in a hundred, give or take three; one in ten engages; three in a thousand opt out.
TAU_PRIOR = Prior(mean=0.02, sd=0.03, floor=0.01)
ENGAGEMENT_PRIOR = Prior(mean=0.10, sd=0.10, floor=0.02)
OPT_OUT_PRIOR = Prior(mean=0.003, sd=0.003, floor=0.001)
SLOPE_PRIOR = Prior(mean=0.0, sd=1.0, floor=0.0)


def measure(contacts: pd.DataFrame, features: tuple[str, ...], propensity: FloatArray | None = None) -> Effects:
    """Effects of every journey and channel that occurs; `contacts` are labeled rows with features (`labels.contact_labels`).

    `propensity` is P(engage) of each treated row, in their order, by a model that did not learn from the row's customer; without
    it the individual slopes stay 0. No rows at all are fine: then the priors are all there is. Without silent rows nothing can be
    compared: every cell stays at its prior, with 0 rows, and only engagement and opt-outs are measured.
    """
    silent = contacts[contacts["arm"] == SILENCE_ARM]
    treated = contacts[contacts["arm"] != SILENCE_ARM]
    outcome = "ordered" if silent["ordered"].any() else "bought"
    people = treated["customer_id"].to_numpy(dtype=str)
    keys = (treated["journey"] + "/" + treated["channel"]).to_numpy(dtype=str)
    control, shown = side(silent, features, outcome), side(treated, features, outcome)
    found = compare(control, shown, keys)
    tau = hierarchy(found.samples, TAU_PRIOR, found.shared)
    engagement = hierarchy(cells(keys, treated["engaged"].to_numpy(), shown.weight, people), ENGAGEMENT_PRIOR)
    channels = treated["channel"].to_numpy(dtype=str)
    left = cells(channels, treated["opted_out"].to_numpy(), np.ones(len(treated)), people)
    opt_out, _ = shrink(left, OPT_OUT_PRIOR)
    slope, slopes = Slope(), dict[str, Slope]()
    if propensity is not None and len(control) and len(treated):
        predicted = individual(keys, propensity, tau, engagement)
        slope, slopes = fit_slopes(keys, shown.data.labels, found, predicted, weights=shown.weight, customers=people)
    effects = Effects(tau, engagement, opt_out, EFFECT_DAYS, "", slope, outcome, slopes)
    return replace(effects, version=hashlib.sha256(canonical_json(effects)).hexdigest()[:12])


def sent_alone(contacts: pd.DataFrame) -> pd.DataFrame:
    """The contacts without the silent moments. Raises TooLittle when there are none."""
    sent = contacts[contacts["arm"] != SILENCE_ARM]
    if sent.empty:
        raise TooLittle("there are no randomized contacts to learn from", mend=NEEDED)
    return sent


def individual(keys: Texts, propensity: FloatArray, tau: Beliefs, engagement: Beliefs) -> FloatArray:
    """tau_cell * (ratio - 1) of each row: what its effect would differ from its cell's if effects were proportional to propensity."""
    place, names = pd.factorize(keys, sort=True)
    usual = np.array([max(engagement.cells[str(name)].mean, TINY) for name in names])[place]
    return np.asarray(
        np.array([tau.cells[str(name)].mean for name in names])[place]
        * (np.clip(propensity / usual, *INDIVIDUAL_RANGE) - 1)
    )


def fit_slopes(
    keys: Texts,
    outcomes: FloatArray,
    found: Contrasts,
    predicted: FloatArray,
    *,
    weights: FloatArray,
    customers: Texts,
) -> tuple[Slope, dict[str, Slope]]:
    """The slope of all rows, and those of the journeys with FEWEST_EVENTS outcomes, each shrunk toward that of all.

    A journey's own slope is first drawn to the journeys' common one by their errors and their spread (`effects.shrink`), then
    toward 0 as a single slope is.
    """
    pooled = fit_slope(keys, found.gained, predicted, weights=weights, customers=customers)
    own: dict[str, Slope] = {}
    place, names = pd.factorize(keys, sort=True)
    journey = np.array([str(name).partition("/")[0] for name in names])[place] if len(names) else keys
    for name in sorted(set(journey)):
        inside = journey == name
        if outcomes[inside].sum() >= FEWEST_EVENTS:
            one = fit_slope(keys[inside], found.gained[inside], predicted[inside], weights=weights[inside], customers=customers[inside])  # fmt: skip
            if one.sd > 0:
                own[str(name)] = one
    if pooled.sd <= 0 or len(own) < 2:
        return pooled, {}
    samples = {name: Sample(one.raw, one.sd**2, 1) for name, one in own.items()}
    drawn, _ = shrink(samples, SLOPE_PRIOR)
    return pooled, {name: shrink_slope(belief.mean, belief.sd) for name, belief in drawn.items()}


def fit_slope(
    keys: Texts, gained: FloatArray, predicted: FloatArray, *, weights: FloatArray, customers: Texts
) -> Slope:
    """Weighted least squares of `gained` on `predicted` with each cell's own level taken out; its error is clustered by customer.

    The sandwich of Liang & Zeger (1986). A `predicted` that does not vary inside the cells gives slope 0.
    """
    cell, _ = pd.factorize(keys)
    total = np.bincount(cell, weights)
    x, y = (v - (np.bincount(cell, weights * v) / total)[cell] for v in (predicted, gained))
    scale = float((weights * x**2).sum())
    if scale <= TINY:
        return Slope()
    raw = float((weights * x * y).sum()) / scale
    number, _ = pd.factorize(customers)
    sums = np.bincount(number, weights * x * (y - raw * x))
    return shrink_slope(raw, float(np.sqrt((sums**2).sum())) / scale)


def cells(keys: Texts, outcomes: FloatArray, weights: FloatArray, customers: Texts) -> Mapping[str, Sample]:
    """Weighted mean and squared standard error by key (Hajek), clustered by customer."""
    found = {}
    customer, _ = pd.factorize(customers)
    place, names = pd.factorize(keys, sort=True)
    for number, name in enumerate(names):
        inside = place == number
        mean, part = weighted(outcomes[inside], weights[inside])
        found[str(name)] = sample(
            mean, np.asarray(np.bincount(customer[inside], part), dtype=np.float64), int(inside.sum())
        )
    return found
